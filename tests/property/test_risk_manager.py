"""The ladders against a second definition of them, in exact fractions of the day and the peak."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from auto_trading.risk_manager import RiskManager
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.risk.config import RiskLimits
from tests.builders import HOUR, START_MS, USDT

OPENING: Final = 100_000 * USDT
PERCENT: Final = Fraction(1, 100)

# a move is to a share of the peak, of the day's start, or of the equity before, in hundredths of a
# percent; the shares at which a line lies are drawn often
shares = st.one_of(
    st.integers(8_500, 10_300),
    st.sampled_from((9_000, 9_500, 9_600, 9_700, 9_760, 10_000)),
)
moves = st.tuples(
    st.integers(1, 30),  # hours
    st.sampled_from(("peak", "day", "last", "last", "same")),
    shares,
    st.integers(-1, 1),  # a unit beside the line
    st.sampled_from(("", "", "", "rearm", "rearm", "halt")),
)
calm = st.tuples(  # the drawdown comes over days, without a daily halt
    st.integers(8, 30),
    st.just("last"),
    st.integers(9_830, 10_090),
    st.integers(-1, 1),
    st.sampled_from(("",) * 19 + ("rearm",)),
)
paths = st.one_of(
    st.lists(moves, min_size=8, max_size=25), st.lists(calm, min_size=15, max_size=30)
)


class Ladders:
    """Daily loss 2.4 and 3 %; drawdown 5, 4 and 10 %; a kill is latched until a re-arm."""

    def __init__(self) -> None:
        self.equity = self.peak = self.start = OPENING
        self.day = self._day_of(START_MS)
        self.daily = self.fallen = 0
        self.halted = False

    @staticmethod
    def _day_of(ms: int) -> str:
        in_seoul = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms, hours=9)
        return in_seoul.date().isoformat()

    def mark(self, at_ms: int, equity: int) -> list[str]:
        codes = []
        day = self._day_of(at_ms - 1)
        if day != self.day:
            self.day, self.start, self.daily = day, self.equity, 0
        self.equity = equity
        self.peak = max(self.peak, equity)
        lost = Fraction(self.start - equity, self.start)
        daily = 2 if lost >= 3 * PERCENT else 1 if lost >= Fraction(24, 10) * PERCENT else 0
        if daily > self.daily:
            self.daily = daily
            codes.append("daily_loss_exceeded" if daily == 2 else "daily_loss_warning")
        fall = Fraction(self.peak - equity, self.peak)
        level = 2 if fall >= 10 * PERCENT else 1 if fall >= 5 * PERCENT else 0
        if level > self.fallen:
            self.fallen = level
            codes.append("drawdown_kill" if level == 2 else "drawdown_reducing")
        elif self.fallen == 1 and fall < 4 * PERCENT:
            self.fallen = 0
            codes.append("drawdown_recovered")
        return codes

    def rearm(self) -> None:
        self.halted = False
        self.daily = self.fallen = 0
        self.start = self.peak = self.equity

    @property
    def state(self) -> str:
        if self.halted or self.daily == 2 or self.fallen == 2:
            return "halted"
        return "reducing" if self.fallen == 1 else "active"


def a_manager() -> RiskManager:
    risk = RiskManager(RiskLimits(), TradingCalendar("Asia/Seoul"), 2, HOUR)
    risk.open_account(OPENING, START_MS)
    return risk


@settings(max_examples=200, deadline=None, report_multiple_bugs=False)
@given(paths)
def test_the_ladders_equal_a_second_definition_and_survive_a_restart_at_every_mark(
    path: list[tuple[int, str, int, int, str]],
) -> None:
    """A position is open throughout, so that the peak is never set anew."""
    risk, expected, now = a_manager(), Ladders(), START_MS
    spent = {"active": 0, "reducing": 0, "halted": 0}
    for hours, of, share, beside, order in path:
        base = {"peak": expected.peak, "day": expected.start}.get(of, expected.equity)
        equity = expected.equity if of == "same" else max(1, base * share // 10_000 + beside)
        now += hours * HOUR
        spent[expected.state] += hours * HOUR
        codes = [event.code for event in risk.mark(now, equity, 1)]
        assert codes == expected.mark(now, equity)
        if order == "rearm":
            risk.rearm()
            expected.rearm()
        elif order == "halt":
            risk.halt("MANUAL_STOP")
            expected.halted = True
        assert risk.trading_state.value == expected.state
        assert (risk.day, risk.equity, risk.peak) == (expected.day, equity, expected.peak)
        assert (risk.day_start_equity, risk.daily_level) == (expected.start, expected.daily)
        assert risk.drawdown_level == expected.fallen
        assert risk.time_in_state == spent
        stored = json.loads(json.dumps(risk.state()))
        risk = a_manager()
        risk.restore(stored)
        assert risk.state() == stored


@settings(max_examples=100, deadline=None, report_multiple_bugs=False)
@given(st.lists(st.tuples(moves, st.integers(0, 1)), max_size=25))
def test_an_alert_says_so_whenever_the_trading_state_changes(
    path: list[tuple[tuple[int, str, int, int, str], int]],
) -> None:
    """But for the daily halt, which the new day lifts in silence. The peak may be set anew."""
    risk, now = a_manager(), START_MS
    for (hours, of, share, beside, _), positions in path:
        base = {"peak": risk.peak, "day": risk.day_start_equity}.get(of, risk.equity)
        equity = risk.equity if of == "same" else max(1, base * share // 10_000 + beside)
        before, day, now = risk.trading_state, risk.day, now + hours * HOUR
        events = risk.mark(now, equity, positions)
        if risk.trading_state is not before:
            assert events or risk.day != day
        assert sum(risk.time_in_state.values()) == now - START_MS
        assert risk.peak >= risk.equity
