"""Statistics of one run over a period: of the account and of its days.

Pure functions of an `Account`. A position belongs to the period and the day in which it was closed.
The equity of a day is that after its start and up to its end, as in the daily books. Money is
exact; ratios are floats, None where there are too few samples or nothing to divide by.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from auto_trading_dashboard.queries.performance_book import STATES, Account, money, units_of
from crypto_trader_pro.backtest import account_metrics, metrics
from crypto_trader_pro.domain.calendar import TradingDay
from crypto_trader_pro.domain.enums import TradingState
from crypto_trader_pro.domain.market import Floats, Ints
from crypto_trader_pro.domain.units import MONEY

Period = Literal["all", "days30", "days7", "today"]
Bools = NDArray[np.bool_]

PERIODS: Final[tuple[Period, ...]] = ("all", "days30", "days7", "today")
_DAYS: Final = {"days30": 30, "days7": 7, "today": 1}
DARK: Final = "dark"  # the time in which no engine ran
RUNNING: Final = ""  # all other time
_NAMES: Final = (*(state.value for state in STATES), DARK)


@dataclass(frozen=True, slots=True)
class Day:
    """One trading day that was lived through.

    Args:
        before, after: equity at its beginning and its end.
        is_over: the books have passed its end.
        trades: positions closed in it.
    """

    date: date
    before: Decimal
    after: Decimal
    is_over: bool
    trades: int

    @property
    def profit(self) -> Decimal:
        return self.after - self.before

    @property
    def fraction(self) -> float | None:
        return float(self.after / self.before - 1) if self.before > 0 else None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in one state: a trading state, or dark, in which no engine ran."""

    start_ms: int
    end_ms: int
    state: str


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The part of a run that a period is about.

    Args:
        start_ms: positions closed since then belong to it.
        end_ms: of the newest snapshot or closed position.
        at_ms, equity: snapshots after the start, before them the equity that it began with.
        days: of the whole period, oldest first.
        chosen: of each closed position, whether it belongs to the period.
    """

    start_ms: int
    end_ms: int
    at_ms: Ints
    equity: Ints
    days: tuple[Day, ...]
    stretches: tuple[Stretch, ...]
    exposed_ms: int
    chosen: Bools
    funding: Decimal
    fundings: int  # payments

    @property
    def returns(self) -> Floats:
        """Daily returns of the days that are over."""
        kept = [d.fraction for d in self.days if d.is_over]
        return np.array([r for r in kept if r is not None], np.float64)

    def time_in(self, state: str) -> int:
        """Return the milliseconds in a trading state, `DARK` or `RUNNING`."""
        return sum(
            s.end_ms - s.start_ms
            for s in self.stretches
            if s.state == state or (state == RUNNING and s.state != DARK)
        )


@dataclass(frozen=True, slots=True)
class Ratios:
    """What is computed from the daily returns and the curve."""

    returns: int
    growth: float | None  # last equity over first
    sharpe: float | None
    sharpe_error: float | None
    sortino: float | None
    calmar: float | None
    drawdown: float | None  # largest, fraction of the peak
    drawdown_ms: int  # from its peak until that was reached again, or until now
    is_recovered: bool


# --- the period -----------------------------------------------------------------------------


def window(account: Account, period: Period) -> Window | None:
    """Return the part of a run that a period means; None before the first snapshot.

    The days are counted back from the run's own last moment: the time of a replay or of the demo
    market is not that of the clock on the wall.
    """
    curve, closed_ms = account.curve, account.closed.closed_ms
    if not curve.at_ms.size:
        return None
    end_ms = max(int(curve.at_ms[-1]), int(closed_ms.max(initial=0)))  # snapshots are hourly
    start_ms = _start(account, period, end_ms)
    first = int(np.searchsorted(curve.at_ms, start_ms, side="right"))
    began_ms = start_ms if first else int(curve.at_ms[0])
    paid = account.funding_ms > start_ms
    return Window(
        start_ms, end_ms, np.concatenate(([began_ms], curve.at_ms[first:])),
        np.concatenate(([_equity_before(account, first)], curve.equity[first:])),
        _days(account, first, start_ms, end_ms), *_times(account, first, start_ms),
        closed_ms >= start_ms, money(int(account.funding[paid].sum())), int(paid.sum()),
    )  # fmt: skip


def _start(account: Account, period: Period, end_ms: int) -> int:
    if period == "all":
        return account.calendar.day_of(int(account.curve.at_ms[0]) - 1).start_ms
    day = account.calendar.day_of(end_ms - 1)  # a close at the end belongs to the day
    for _ in range(_DAYS[period] - 1):
        day = account.calendar.day_of(day.start_ms - 1)
    return day.start_ms


def _equity_before(account: Account, first: int) -> int:
    """Return the equity before snapshot `first`; a run's own first one comes after some trades."""
    if first:
        return int(account.curve.equity[first - 1])
    capital = account.capital
    return int(account.curve.equity[0]) if capital is None else units_of(capital)


def _days(account: Account, first: int, start_ms: int, end_ms: int) -> tuple[Day, ...]:
    curve, calendar = account.curve, account.calendar
    closed = np.sort(account.closed.closed_ms)
    found: list[Day] = []
    before, place, last_ms = _equity_before(account, first), first, int(curve.at_ms[-1])

    def add(day: TradingDay, after: int) -> None:
        trades = np.searchsorted(closed, (max(day.start_ms, start_ms), day.end_ms))
        name, is_over = date.fromisoformat(day.name), last_ms >= day.end_ms
        found.append(Day(name, money(before), money(after), is_over, int(trades[1] - trades[0])))

    while place < len(curve.at_ms):
        day = calendar.day_of(int(curve.at_ms[place]) - 1)
        place = int(np.searchsorted(curve.at_ms, day.end_ms, side="right"))
        after = int(curve.equity[place - 1])
        add(day, after)
        before = after
    newest = calendar.day_of(end_ms)
    if not found or (end_ms > last_ms and newest.name > found[-1].date.isoformat()):
        add(newest, before)  # it has trades and no snapshot yet
    return tuple(found)


def _times(account: Account, first: int, start_ms: int) -> tuple[tuple[Stretch, ...], int]:
    """Return the stretches of the period and how long a position was open in it.

    The time between two snapshots goes to the state of the earlier one; where they are further
    apart than they come, no engine ran.
    """
    curve, since = account.curve, max(0, first - 1)
    dark = np.diff(curve.at_ms[since:]) > account.gap_ms
    at_ms = np.maximum(curve.at_ms[since:], start_ms)
    length = np.diff(at_ms)
    exposed = int(length[(curve.exposed[since:-1] > 0) & ~dark].sum())
    state = np.where(dark, len(STATES), curve.state[since:-1])
    edges = np.flatnonzero(np.diff(state)) + 1
    bounds = [0, *edges.tolist(), len(state)] if len(state) else [0]
    return tuple(
        Stretch(int(at_ms[a]), int(at_ms[b]), _NAMES[int(state[a])]) for a, b in pairwise(bounds)
    ), exposed


# --- statistics -----------------------------------------------------------------------------


def ratios(found: Window) -> Ratios:
    """Return the statistics of a period's days and curve."""
    equity = found.equity / MONEY
    returns = found.returns
    fall = account_metrics.deepest_fall(equity)
    growth = float(equity[-1] / equity[0]) if equity[0] > 0 else None
    length = 0
    if fall is not None and fall.fraction > 0:
        until = len(equity) - 1 if fall.recovered is None else fall.recovered
        length = int(found.at_ms[until] - found.at_ms[fall.peak])
    drawdown = None if fall is None else fall.fraction
    return Ratios(
        len(returns), growth, metrics.sharpe_ratio(returns),
        account_metrics.sharpe_error(returns), metrics.sortino_ratio(returns),
        _calmar(found, growth or 0.0, drawdown or 0.0),
        drawdown, length, not length or (fall is not None and fall.recovered is not None),
    )  # fmt: skip


def _calmar(found: Window, growth: float, drawdown: float) -> float | None:
    """Return the ratio over the days that passed, lived through or not."""
    if len(found.returns) < account_metrics.MIN_CALMAR_RETURNS:
        return None
    passed = (found.days[-1].date - found.days[0].date).days + 1
    return account_metrics.calmar_ratio(growth, passed, drawdown)


def months(days: Iterable[Day]) -> dict[tuple[int, int], Day]:
    """Return (year, month) -> its days as one: equity before the first, after the last."""
    found: dict[tuple[int, int], Day] = {}
    for day in days:
        key = (day.date.year, day.date.month)
        known = found.get(key)
        first, before, trades = (
            (day.date.replace(day=1), day.before, 0)
            if known is None
            else (known.date, known.before, known.trades)
        )
        found[key] = Day(first, before, day.after, day.is_over, trades + day.trades)
    return found


def silent_states() -> tuple[str, ...]:
    """Return the states in which nothing new is opened, and the time without an engine."""
    return (TradingState.REDUCING.value, TradingState.HALTED.value, DARK)
