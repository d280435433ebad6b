"""The checks before a cycle, the kill switch and the roll-back triggers at their thresholds."""

import json
import time
from typing import Any

import pytest

from auto_trading.rolling_windows import VarBreaches
from auto_trading.safety import KillSwitch, RollbackTriggers, SafetyInputs, SafetySystem
from config.loading import load
from config.risk import KillSwitch as KillSwitchSettings
from config.risk import Rollback
from crypto_trader_pro.domain.enums import EmergencyTrigger
from crypto_trader_pro.explain.units import worded
from tests.builders import HOUR, MINUTE, USDT
from utils.texts import Language

EQUITY = 100_000 * USDT


def inputs(**changes: int) -> SafetyInputs:
    values = {
        "connection_age_ms": 0, "daily_level": 0, "day_start_equity": EQUITY, "equity": EQUITY,
        "cash": EQUITY, "open_positions": 0, "max_positions": 5, "volatile_symbols": 0,
        "symbols": 2,
    }  # fmt: skip
    return SafetyInputs(**(values | changes))


@pytest.fixture(scope="module")
def safety() -> SafetySystem:
    return SafetySystem(load(environ={}, dotenv={}))


def test_a_quiet_account_is_safe(safety: SafetySystem) -> None:
    assert safety.run_safety_checks(inputs()) == []


BALANCE = {"room": 5_000 * USDT - 1, "equity": EQUITY, "minimum": 5_000 * USDT}  # 5 % of 100,000


@pytest.mark.parametrize(
    ("changes", "code", "numbers"),
    [
        ({"daily_level": 1}, None, {}),
        ({"daily_level": 2}, "daily_loss_limit", {"equity": EQUITY, "day_start": EQUITY}),
        ({"open_positions": 4}, None, {}),
        ({"open_positions": 5}, "position_limits", {"open": 5, "limit": 5}),
        ({"connection_age_ms": 30_000}, None, {}),
        ({"connection_age_ms": 30_001}, "api_connectivity", {"seconds": 30, "limit": 30}),
        ({"volatile_symbols": 1}, None, {}),  # that symbol is refused by itself
        ({"volatile_symbols": 2}, "market_volatility", {"volatile": 2, "symbols": 2}),
        ({"volatile_symbols": 0, "symbols": 0}, None, {}),
        ({"cash": 5_000 * USDT}, None, {}),
        ({"cash": 5_000 * USDT - 1}, "account_balance", BALANCE),
        ({"equity": 0}, "account_balance", {"room": EQUITY, "equity": 0, "minimum": 0}),
        ({"equity": -1}, "account_balance", {"room": EQUITY, "equity": -1, "minimum": 0}),
    ],
)
def test_each_check_fails_at_its_threshold(
    safety: SafetySystem, changes: dict[str, int], code: str | None, numbers: dict[str, int]
) -> None:
    found = safety.run_safety_checks(inputs(**changes))
    assert found == ([] if code is None else [(code, numbers)])


def everything() -> SafetyInputs:
    return inputs(
        connection_age_ms=60_000, daily_level=2, open_positions=9, volatile_symbols=2, cash=0
    )


def test_every_failed_check_is_told_and_not_only_the_first(safety: SafetySystem) -> None:
    found = safety.run_safety_checks(everything())
    assert [violation.code for violation in found] == [
        "daily_loss_limit", "position_limits", "api_connectivity", "market_volatility",
        "account_balance",
    ]  # fmt: skip
    for language in Language:
        for code, numbers in found:
            assert "{" not in worded(f"safety.{code}", numbers, language)


def test_a_symbol_is_volatile_above_its_threshold(safety: SafetySystem) -> None:
    assert not safety.volatile(3_000_000)  # 3 %
    assert safety.volatile(3_000_001)


def test_a_long_silence_is_an_emergency(safety: SafetySystem) -> None:
    assert not safety.connection_emergency(600_000)
    assert safety.connection_emergency(600_001)


def test_the_checks_are_cheap(safety: SafetySystem) -> None:
    """20 us are promised; ten times as much is asserted, for a machine that does other things."""
    worst, rounds = everything(), 2_000
    best = min(_seconds(safety, worst, rounds) for _ in range(5))
    assert best / rounds < 200e-6


def _seconds(safety: SafetySystem, worst: SafetyInputs, rounds: int) -> float:
    start = time.perf_counter()
    for _ in range(rounds):
        safety.run_safety_checks(worst)
    return time.perf_counter() - start


# --- kill switch --------------------------------------------------------------------------------


def a_switch() -> KillSwitch:
    return KillSwitch(KillSwitchSettings())


@pytest.mark.parametrize(
    ("calls", "failed", "trips"),
    [
        (2, 1, False),  # one of two is no rate
        (19, 19, False),
        (20, 2, False),  # 10 % is not more than 10 %
        (20, 3, True),
        (1000, 100, False),
        (1000, 101, True),
    ],
)
def test_more_than_a_tenth_of_failed_calls_trips(calls: int, failed: int, trips: bool) -> None:
    switch = a_switch()
    switch.api.add(0, calls, failed)
    numbers = {"failed": failed, "calls": calls, "limit_rate": 10_000_000}
    trip = (EmergencyTrigger.API_ERROR_RATE, "api_error_rate", numbers)
    assert switch.check(0) == ([trip] if trips else [])


def breached(breaches: VarBreaches, times: int) -> None:
    """A hundred periods without a change, then losses of 1, 2, 3... percent."""
    for k in range(101):
        breaches.close(k, EQUITY, exposed=True)
    for k in range(times):
        breaches.close(MINUTE, EQUITY, exposed=False)
        breaches.close(MINUTE, EQUITY * (99 - k) // 100, exposed=True)


@pytest.mark.parametrize(("times", "trips"), [(3, False), (4, True)])
def test_more_than_three_breaches_trip(times: int, trips: bool) -> None:
    switch = a_switch()
    breached(switch.breaches, times)
    numbers = {"count": times, "limit": 3}
    trip = (EmergencyTrigger.VAR_BREACHES, "var_breaches", numbers)
    assert switch.check(MINUTE) == ([trip] if trips else [])
    assert switch.check(MINUTE + HOUR) == []  # the window has passed


def test_the_switch_goes_on_from_its_state_until_it_is_cleared() -> None:
    switch, again = a_switch(), a_switch()
    breached(switch.breaches, 4)
    switch.api.add(MINUTE, 20, 20)
    again.restore(json.loads(json.dumps(switch.state())))
    assert again.check(MINUTE) == switch.check(MINUTE)
    assert [trip.code for trip in again.check(MINUTE)] == ["var_breaches", "api_error_rate"]
    for language in Language:
        for trip in again.check(MINUTE):
            assert "{" not in worded(f"risk.{trip.code}", trip.numbers, language)
    again.clear()
    assert again.check(MINUTE) == []


# --- roll-back ----------------------------------------------------------------------------------


def triggers(*, applied: bool = True) -> RollbackTriggers:
    made = RollbackTriggers(Rollback(), HOUR)
    if applied:
        made.applied(EQUITY)
    return made


def codes(made: RollbackTriggers, equity: int = EQUITY) -> list[str]:
    return [violation.code for violation in made.check(0, equity)]


@pytest.mark.parametrize(
    ("cycles", "failed", "found"),
    [(19, 19, []), (20, 1, []), (20, 2, ["error_rate"]), (100, 5, []), (100, 6, ["error_rate"])],
)
def test_more_than_a_twentieth_of_failed_cycles_is_too_many(
    cycles: int, failed: int, found: list[str]
) -> None:
    made = triggers()
    for k in range(cycles):
        made.cycle(0, 1, failed=k < failed)
    assert codes(made) == found


@pytest.mark.parametrize(
    ("fast", "slow", "found"),
    [
        (98, 1, []),  # 99 cycles are too few to know a 99th percentile
        (99, 1, []),  # ceil(100 x 0.99) = the 99th, which is fast
        (98, 2, ["latency_p99"]),
        (1000, 10, []),  # of the last 1,000: 990 fast, the 990th counts
        (1000, 11, ["latency_p99"]),
    ],
)
def test_the_slowest_hundredth_may_be_slow_and_no_more(
    fast: int, slow: int, found: list[str]
) -> None:
    made = triggers()
    for k in range(fast + slow):
        made.cycle(0, 1000 if k < fast else 1001, failed=False)
    assert codes(made) == found


def test_a_fall_counts_from_the_highest_equity_since_then() -> None:
    made = triggers()
    assert codes(made, 95_000 * USDT) == []  # 5 % is not more than 5 %
    assert codes(made, 95_000 * USDT - USDT) == ["drawdown"]
    assert codes(made, 200_000 * USDT) == []
    (violation,) = made.check(0, 189_000 * USDT)  # 11,000 of 200,000
    assert violation.numbers == {
        "equity": 189_000 * USDT, "peak": 200_000 * USDT, "drawdown_rate": 5_500_000
    }  # fmt: skip


def test_without_a_new_configuration_there_is_nothing_to_take_back() -> None:
    made = triggers(applied=False)
    for _ in range(200):
        made.cycle(0, 5000, failed=True)
    assert (made.watching, codes(made, 1)) == (False, [])
    made.applied(EQUITY)  # what came before does not count against it
    assert (made.watching, codes(made)) == (True, [])


def pulled() -> RollbackTriggers:
    made = triggers()
    for _ in range(200):
        made.cycle(0, 5000, failed=True)
    return made


def test_triggers_go_on_from_their_state_until_the_configuration_is_taken_back() -> None:
    made, again = pulled(), triggers(applied=False)
    again.restore(json.loads(json.dumps(made.state())))
    found: list[Any] = again.check(0, EQUITY // 2)
    assert found == made.check(0, EQUITY // 2)
    assert [v.code for v in found] == ["error_rate", "latency_p99", "drawdown"]
    for language in Language:
        for code, numbers in found:
            assert "{" not in worded(f"rollback.{code}", numbers, language)
    again.clear()
    assert not again.watching
    assert codes(again, 1) == []
