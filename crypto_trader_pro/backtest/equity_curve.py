"""An equity curve and what becomes of it by UTC days."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from crypto_trader_pro.backtest.metrics import daily_returns
from crypto_trader_pro.backtest.result import BacktestResult
from crypto_trader_pro.domain.market import Floats, Ints

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, eq=False)
class EquityCurve:
    """Equity at candle closes. Money units, ms UTC.

    Args:
        opening: equity at `start_ms`.
        close_ms: increasing, after `start_ms`, shape (n,).
        equity: shape (n,).
    """

    opening: int
    start_ms: int
    close_ms: Ints
    equity: Ints

    @property
    def final(self) -> int:
        return int(self.equity[-1]) if len(self.equity) else self.opening

    @property
    def end_ms(self) -> int:
        return int(self.close_ms[-1]) if len(self.close_ms) else self.start_ms

    @property
    def days(self) -> float:
        """How long it is, in days of 24 hours."""
        return (self.end_ms - self.start_ms) / DAY_MS

    @property
    def change(self) -> float:
        """The whole return, a fraction of the opening equity."""
        return self.final / self.opening - 1.0


def curve_of(result: BacktestResult) -> EquityCurve:
    return EquityCurve(result.opening, result.start_ms, result.close_ms, result.equity)


@dataclass(frozen=True, slots=True, eq=False)
class DailyEquity:
    """Equity at the end of every UTC day, with the opening before the first.

    Args:
        day_ms: start of each day, shape (d,), without a hole.
        equity: money units, shape (d + 1,): the opening, then each day's last.
    """

    day_ms: Ints
    equity: Ints

    @property
    def returns(self) -> Floats:
        """Simple returns of the days, shape (d,).

        Raises:
            ValueError: an equity is not above zero.
        """
        return daily_returns(self.equity.astype(np.float64))


def day_rows(close_ms: Ints) -> Ints:
    """Return the place of the last close of each UTC day that has one."""
    day = (close_ms - 1) // DAY_MS
    last: Ints = np.append(np.flatnonzero(np.diff(day)), len(day) - 1)[: len(day)]
    return last


def daily_equity(curve: EquityCurve) -> DailyEquity:
    """Return the last equity of each UTC day.

    A close at midnight belongs to the day that it ends. A day without a candle keeps the equity of
    the day before. The first and the last day count as days even where the curve has only a part
    of them.
    """
    if not len(curve.close_ms):
        return DailyEquity(np.empty(0, np.int64), np.array([curve.opening], np.int64))
    first, last = curve.start_ms // DAY_MS, int(curve.close_ms[-1] - 1) // DAY_MS
    days = np.arange(first, last + 1, dtype=np.int64)
    place = np.searchsorted(curve.close_ms, (days + 1) * DAY_MS, "right") - 1
    equity = np.where(place >= 0, curve.equity[np.maximum(place, 0)], curve.opening)
    return DailyEquity(days * DAY_MS, np.concatenate(([curve.opening], equity)).astype(np.int64))
