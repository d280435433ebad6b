"""Locks after stops in a row, and the checks of the surroundings, as the risk manager keeps them.

The account opens with 100,000 USDT at midnight in Seoul (15:00 UTC).
"""

import json

import pytest

from auto_trading.risk_manager import RiskManager
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import GateState
from crypto_trader_pro.risk.config import RiskLimits
from crypto_trader_pro.risk.rules import RiskInputs
from tests.builders import HOUR, PERPETUAL, START_MS, USDT, a_bar, a_round_instrument, a_signal

MIDNIGHT = START_MS + 15 * HOUR
DAY = 24 * HOUR
EQUITY = 100_000 * USDT


def a_manager(**limits: int) -> RiskManager:
    risk = RiskManager(RiskLimits(**limits), TradingCalendar("Asia/Seoul"), 2, HOUR)
    risk.open_account(EQUITY, MIDNIGHT)
    return risk


def inputs(
    risk: RiskManager, *, close_ms: int = MIDNIGHT + HOUR, volatility: int = 0,
    cash: int | None = None,
) -> RiskInputs:  # fmt: skip
    return risk.inputs(
        0, a_round_instrument(PERPETUAL), a_signal(stop_units=10, target_units=0), a_bar(),
        close_ms, gate=GateState.GREEN, reference=100, busy=False, open_positions=0, gross=0,
        volatility=volatility, cash=cash,
    )  # fmt: skip


def test_stops_in_a_row_lock_the_symbol_until_its_day_ends() -> None:
    risk = a_manager(lock_after_stops=2)
    risk.exited(0, MIDNIGHT + HOUR, stopped=True)
    assert risk.locks() == {}
    risk.exited(1, MIDNIGHT + HOUR, stopped=True)  # another symbol's
    risk.exited(0, MIDNIGHT + 2 * HOUR, stopped=True)
    assert risk.locks() == {0: MIDNIGHT + DAY}
    assert (inputs(risk).locked_until_ms, inputs(risk).stops_in_row) == (MIDNIGHT + DAY, 2)
    risk.mark(MIDNIGHT + DAY, EQUITY, 0)
    assert risk.locks() == {0: MIDNIGHT + DAY}  # the last close still belongs to the day
    risk.mark(MIDNIGHT + DAY + 1, EQUITY, 0)
    assert risk.locks() == {}


def test_an_exit_that_is_no_stop_breaks_the_row() -> None:
    risk = a_manager(lock_after_stops=2)
    for stopped in (True, False, True):
        risk.exited(0, MIDNIGHT + HOUR, stopped=stopped)
    assert risk.locks() == {}


def test_a_stop_at_the_first_price_of_a_day_locks_for_that_day() -> None:
    """Fills are booked before the equity is marked: the new day has not begun in the ladder yet."""
    risk = a_manager(lock_after_stops=1)
    first = MIDNIGHT + DAY + 1000
    risk.exited(0, first, stopped=True)
    risk.mark(first, EQUITY - USDT, 0)
    assert risk.locks() == {0: MIDNIGHT + 2 * DAY}


def test_no_lock_is_made_where_none_is_wanted() -> None:
    risk = a_manager()
    for _ in range(9):
        risk.exited(0, MIDNIGHT + HOUR, stopped=True)
    assert risk.locks() == {}
    assert not risk.lift_lock(0)


def test_a_lifted_lock_starts_the_count_anew() -> None:
    risk = a_manager(lock_after_stops=2)
    for hour in (1, 2):
        risk.exited(0, MIDNIGHT + hour * HOUR, stopped=True)
    assert risk.lift_lock(0)
    risk.exited(0, MIDNIGHT + 3 * HOUR, stopped=True)
    assert risk.locks() == {}


@pytest.mark.parametrize(
    ("lost", "volatility", "cash", "bits"),
    [
        (False, 3_000_000, 5_000 * USDT, 0),  # at their limits: 3 % a candle, 5 % of 100,000
        (True, 0, None, 1),
        (False, 3_000_001, None, 2),
        (False, 0, 5_000 * USDT - 1, 4),
        (True, 3_000_001, 0, 7),
    ],
)
def test_each_failed_check_is_a_bit(
    lost: bool, volatility: int, cash: int | None, bits: int
) -> None:
    risk = a_manager(max_volatility_rate=3_000_000, min_balance_rate=5_000_000)
    risk.disconnected = lost
    found = inputs(risk, volatility=volatility, cash=cash)
    assert found.safety == bits
    verdict = risk.check_entry(found)
    assert (verdict.first == "safety") == (bits > 0)


def test_locks_and_a_lost_connection_outlive_a_restart() -> None:
    risk = a_manager(lock_after_stops=1)
    risk.exited(1, MIDNIGHT + HOUR, stopped=True)
    risk.disconnected = True
    again = a_manager(lock_after_stops=1)
    again.restore(json.loads(json.dumps(risk.state())))
    assert again.state() == risk.state()
    assert (again.locks(), again.disconnected) == ({1: MIDNIGHT + DAY}, True)
