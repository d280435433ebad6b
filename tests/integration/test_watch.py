"""The watch beside a session: what trips, what is taken back, what is told, and how often."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, cast

import pytest

from auto_trading import watch as watch_module
from auto_trading.session_inputs import KILL_SWITCH, Command
from auto_trading.watch import Watch, WatchTools
from auto_trading.worker import Seen, Worker
from config.settings import Settings
from crypto_trader_pro.domain.enums import (
    CommandKind,
    EmergencyTrigger,
    NotificationType,
    TradingState,
)
from crypto_trader_pro.domain.errors import JournalUnavailable
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.domain.ports import SourceHealth
from tests.builders import START_MS, USDT
from tests.control_plane import FIVE_MINUTES, NOW, Market, settings

EQUITY: Final = 1_000 * USDT
ACCOUNT: Final = AccountView(
    at_ms=START_MS, asset="USDT", cash=EQUITY, equity=EQUITY, gross=0, realized=0, unrealized=0,
    fees=0, funding=0, open_positions=0, working_orders=0, peak=EQUITY, drawdown_rate=0,
    day_start_equity=EQUITY, trading_state=TradingState.ACTIVE,
)  # fmt: skip
REPORT: Final = {"halt_reason": "", "daily_level": 0, "volatile": 0, "pays_in_full": False}
FIRST: Final = settings(
    kill_switch__var_breach_count=3, kill_switch__api_error_rate_pct=10,
    kill_switch__window_minutes=60, rollback__error_rate_pct=5, rollback__latency_p99_ms=1000,
    rollback__drawdown_pct=5, safety__connection_lost_seconds=30,
    safety__connection_emergency_seconds=600,
)  # fmt: skip
Told = tuple[NotificationType, str, str, dict[str, int]]


def other(cooldown: int) -> Settings:
    """Return a configuration that differs from the first in a figure that is not looked at."""
    limits = FIRST.limits.model_copy(update={"cooldown_bars": 100 + cooldown})
    return FIRST.model_copy(update={"limits": limits})


@dataclass
class Hand:
    """As much of a worker as the watch looks at."""

    seen: Seen | None = field(default_factory=lambda: Seen(ACCOUNT, dict(REPORT), True, None))
    cycles: deque[tuple[float, bool]] = field(default_factory=deque)


class Venue(Market):
    calls = errors = 0

    def health(self) -> SourceHealth:
        return SourceHealth(True, self.age, self.calls, self.errors, "")


class World:
    """Everything that a watch asks for, to be set by a test; `look` is one second later."""

    def __init__(self) -> None:
        self.worker: Hand | None = Hand()
        self.source = Venue()
        self.settings = FIRST
        self.now = NOW
        self.submitted: list[Command] = []
        self.told: list[Told] = []
        self.taken_back: list[str] = []
        self.has_earlier = True
        self.fails: Exception | None = None
        self.looked_beside = 0
        self.on_beside: Callable[[], None] = lambda: None
        self.watch = Watch(
            WatchTools(
                worker=lambda: cast("Worker | None", self.worker), source=self.source,
                settings=lambda: self.settings, now=lambda: self.now, period_ms=FIVE_MINUTES,
                submit=self.submitted.append, roll_back=self._roll_back, beside=self._beside,
                tell=lambda *told: self.told.append(told),
            )
        )  # fmt: skip

    def _roll_back(self, why: str) -> bool:
        if self.fails is not None:
            raise self.fails
        self.taken_back.append(why)
        return self.has_earlier

    def _beside(self) -> None:
        self.looked_beside += 1
        self.on_beside()

    def look(self, **report: Any) -> None:
        self.now += timedelta(seconds=1)
        assert self.worker is not None
        if report:
            assert self.worker.seen is not None
            shown = {**self.worker.seen.report, **report}
            self.worker.seen = replace(self.worker.seen, report=shown)
        self.watch._look()

    def account(self, **changes: Any) -> None:
        assert self.worker is not None
        assert self.worker.seen is not None
        view = replace(self.worker.seen.account, **changes)
        self.worker.seen = replace(self.worker.seen, account=view)

    def equity(self, usdt: int) -> None:
        """Look at the account with this equity."""
        self.account(equity=usdt * USDT)
        self.look()

    def cycles(self, count: int, seconds: float = 0.1, *, failed: bool = False) -> None:
        assert self.worker is not None
        self.worker.cycles.extend([(seconds, failed)] * count)

    @property
    def stops(self) -> list[str]:
        for command in self.submitted:
            assert (command.kind, command.by) == (CommandKind.EMERGENCY_STOP, KILL_SWITCH)
            assert command.is_switched
        ids = {command.command_id for command in self.submitted}
        assert len(ids) == len(self.submitted)
        return [command.payload["trigger"] for command in self.submitted]

    @property
    def codes(self) -> list[str]:
        return [code for _, _, code, _ in self.told]


@pytest.fixture
def world() -> World:
    return World()


def test_nothing_is_looked_at_before_there_is_a_session_to_see(world: World) -> None:
    world.source.age = 10_000.0
    world.worker = None
    world.watch._look()
    world.worker = Hand(seen=None)
    world.watch._look()
    world.watch._check_safety(cast("Worker", world.worker))
    assert (world.submitted, world.told, world.looked_beside) == ([], [], 0)


# --- kill switch --------------------------------------------------------------------------------


def test_failed_calls_beyond_the_limit_stop_trading_once(world: World) -> None:
    world.source.calls, world.source.errors = 100, 90  # before the watch began: not counted
    world.look()
    world.source.calls, world.source.errors = 120, 92  # 2 of 20 are 10 %: at the limit
    world.look()
    assert world.stops == []
    world.source.calls, world.source.errors = 130, 94  # 4 of 30 are 13.3 %
    world.look()
    world.look()
    assert world.stops == [EmergencyTrigger.API_ERROR_RATE]
    numbers = {"failed": 4, "calls": 30, "limit_rate": 10_000_000}
    stop = NotificationType.EMERGENCY_STOP
    assert world.told == [(stop, "critical", "risk.api_error_rate", numbers)]
    assert world.looked_beside == 4


def test_what_was_counted_is_answered_by_a_re_arm_and_may_trip_again(world: World) -> None:
    world.look()
    world.source.calls, world.source.errors = 20, 3  # 15 %
    world.look()
    world.look(halt_reason="API_ERROR_RATE")
    assert len(world.stops) == 1
    world.look(halt_reason="")
    assert len(world.stops) == 1
    world.source.calls, world.source.errors = 40, 6  # 3 of 20 since the re-arm
    world.look()
    assert world.stops == [EmergencyTrigger.API_ERROR_RATE] * 2
    assert world.told[1][3] == {"failed": 3, "calls": 20, "limit_rate": 10_000_000}


def test_the_fourth_breach_of_the_value_at_risk_in_an_hour_stops_trading(world: World) -> None:
    # 101 closes are 100 returns of 0: the value at risk is 0. Then a loss in each candle, larger
    # than the second worst return so far: 1 %, 2.02 %, 3.09 %, 4.26 %.
    world.account(open_positions=1)
    losses = [990, 970, 940, 900]
    for k, usdt in enumerate([1_000] * 101 + losses):
        assert world.stops == []
        world.account(at_ms=START_MS + k * FIVE_MINUTES)
        world.equity(usdt)
        world.account(at_ms=START_MS + k * FIVE_MINUTES + 1_000)
        if k < 104:
            world.equity(usdt // 2)  # within a candle it does not count
    assert world.stops == [EmergencyTrigger.VAR_BREACHES]
    assert world.told[0][2:] == ("risk.var_breaches", {"count": 4, "limit": 3})


def test_a_market_that_fell_silent_stops_trading_once_until_it_speaks(world: World) -> None:
    for age in (None, 600.0, 601.9, 700.0, 3.0, 650.0):
        world.source.age = age
        world.look()
    lost = EmergencyTrigger.API_CONNECTION_LOST
    assert world.stops == [lost, lost]
    kind = NotificationType.API_CONNECTION_LOST
    assert world.told == [
        (kind, "critical", "risk.connection_lost", {"seconds": 601, "limit": 600}),
        (kind, "critical", "risk.connection_lost", {"seconds": 650, "limit": 600}),
    ]


def test_silence_is_no_reason_to_stop_what_stands_still_but_is_after_a_re_arm(
    world: World,
) -> None:
    world.source.age = 700.0
    world.look(halt_reason="MANUAL_STOP")
    world.look()
    assert world.stops == []
    world.look(halt_reason="")
    assert world.stops == [EmergencyTrigger.API_CONNECTION_LOST]


# --- roll-back ----------------------------------------------------------------------------------


def applied(world: World) -> World:
    """Let another configuration begin to hold at 1,000 USDT."""
    world.look()
    world.settings = other(1)
    world.look()
    return world


def test_the_configuration_that_the_process_began_with_is_not_taken_back(world: World) -> None:
    world.cycles(100, 5.0, failed=True)
    world.look()
    world.equity(500)
    assert (world.taken_back, world.told) == ([], [])


def test_a_drawdown_takes_the_new_configuration_back_once(world: World) -> None:
    applied(world)
    world.equity(950)  # 5 %: at the limit
    assert world.taken_back == []
    world.equity(949)
    world.equity(900)
    assert world.taken_back == ["drawdown"]
    numbers = {"equity": 949 * USDT, "peak": 1_000 * USDT, "drawdown_rate": 5_100_000}
    kind = NotificationType.CONFIG_CHANGED
    assert world.told == [
        (kind, "error", "rollback.drawdown", numbers), (kind, "error", "risk.rolled_back", {}),
    ]  # fmt: skip


def test_what_came_back_is_not_taken_back_in_turn_but_the_next_change_is(world: World) -> None:
    applied(world)
    world.equity(900)
    world.settings = FIRST  # the roll-back was carried out
    world.look()
    world.equity(500)
    assert world.taken_back == ["drawdown"]
    world.settings = other(1)  # a person tries once more, at 500 USDT
    world.look()
    world.equity(474)  # 5.2 %
    assert world.taken_back == ["drawdown"] * 2


def test_what_came_back_once_is_watched_when_a_person_applies_it_again(world: World) -> None:
    applied(world)
    world.equity(900)
    world.settings = FIRST  # by the roll-back
    world.look()
    world.settings = other(1)  # by a person, like the next
    world.look()
    world.equity(880)
    world.settings = FIRST
    world.look()
    world.equity(854)  # 3.0 % of 880; 5.1 % of 900, which is not its own
    assert world.taken_back == ["drawdown"]
    world.equity(835)  # 5.1 % of 880
    assert world.taken_back == ["drawdown"] * 2


def test_a_change_by_a_person_after_a_roll_back_that_came_to_nothing_is_watched(
    world: World,
) -> None:
    applied(world)
    world.equity(900)
    world.settings = other(2)
    world.look()
    world.equity(854)  # 5.1 % of 900
    assert world.taken_back == ["drawdown"] * 2


def test_failed_cycles_take_it_back_those_before_it_do_not_count(world: World) -> None:
    world.look()
    world.cycles(100, failed=True)
    world.look()  # of the first configuration
    applied(world)
    world.cycles(19)
    world.cycles(1, failed=True)  # 1 of 20 is 5 %: at the limit
    world.look()
    assert world.taken_back == []
    world.cycles(1, failed=True)  # 2 of 21
    world.look()
    assert world.taken_back == ["error_rate"]
    assert world.told[0][3] == {"failed": 2, "cycles": 21, "limit_rate": 5_000_000}


def test_slow_cycles_take_it_back(world: World) -> None:
    applied(world)
    world.cycles(98)
    world.cycles(1, 1.5)
    world.look()  # of fewer than 100 the 99th percentile says nothing
    assert world.taken_back == []
    world.cycles(1, 1.75)  # the 99th of 100 is 1.5 s
    world.look()
    assert world.taken_back == ["latency_p99"]
    assert world.told[0][3] == {"milliseconds": 1_500, "limit": 1_000}


def test_it_is_said_when_there_is_no_earlier_configuration(world: World) -> None:
    world.has_earlier = False
    applied(world)
    world.equity(900)
    world.equity(800)
    assert world.codes == ["rollback.drawdown", "risk.rollback_impossible"]


def test_a_roll_back_that_the_database_does_not_take_is_asked_for_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    applied(world)
    world.fails = JournalUnavailable("the database is locked")
    world.equity(900)
    assert (world.told, world.looked_beside) == ([], 3)
    assert "cannot be taken back yet: the database is locked" in caplog.text
    world.fails = None
    world.look()
    assert world.taken_back == ["drawdown"]
    assert world.codes == ["rollback.drawdown", "risk.rolled_back"]


# --- safety checks ------------------------------------------------------------------------------


def test_a_check_that_fails_is_shown_and_logged_once_and_once_when_it_passes(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.look()
    assert world.watch.failing == {}
    world.source.age = 31.0
    world.look()
    world.source.age = 32.9
    world.look()
    assert world.watch.failing == {"api_connectivity": {"seconds": 32, "limit": 30}}
    world.source.age = None
    world.look()
    assert world.watch.failing == {}
    assert [r.getMessage() for r in caplog.records] == [
        "safety check failed: api_connectivity", "safety check passes again: api_connectivity",
    ]  # fmt: skip
    assert world.stops == []


def test_all_checks_look_at_the_account(world: World) -> None:
    limit = FIRST.engine.max_concurrent_positions
    world.account(open_positions=limit, equity=900 * USDT, cash=0)
    world.look(daily_level=2, volatile=1, pays_in_full=True)
    minimum = 9 * USDT * int(FIRST.safety.min_balance_pct)  # percent of 900 USDT
    assert world.watch.failing == {
        "daily_loss_limit": {"equity": 900 * USDT, "day_start": EQUITY},
        "position_limits": {"open": limit, "limit": limit},
        "market_volatility": {"volatile": 1, "symbols": 1},
        "account_balance": {"room": 0, "equity": 900 * USDT, "minimum": minimum},
    }
    world.account(open_positions=0)
    world.look(daily_level=1, volatile=0, pays_in_full=False)  # a perpetual binds no cash
    assert world.watch.failing == {}


# --- the thread ---------------------------------------------------------------------------------


def test_a_bug_does_not_end_the_watch(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch_module, "LOOK_SECONDS", 0.001)
    again = threading.Event()

    def look() -> None:
        if world.looked_beside == 1:
            raise ZeroDivisionError("a bug")
        again.set()

    world.on_beside = look
    world.watch.start()
    assert again.wait(10.0)
    world.watch.close()
    assert not world.watch._thread.is_alive()
    assert "the watch met a bug; it goes on" in caplog.text
    assert "ZeroDivisionError: a bug" in caplog.text
