"""The proving gate: may a model's signals become orders?

Every signal with a positive edge is a shadow trade. Orders are allowed while the one-sided lower
bound of their mean net result is above zero, over the whole record. One look a week, at the trades
that were closed before it: many looks at one record open the gate by luck.

Measured on shuffled histories without an edge: z = 2.33 and 200 trades open falsely at least once
in 6 % of them, z = 1.645 and 100 trades in 40 %. A true edge of 20 basis points takes two to three
years to prove at 1h.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from crypto_trader_pro.ai.calendar import WEEK_MS, week_of, week_start_ms
from crypto_trader_pro.ai.config import AiConfig

OPEN: Final = "proven"
FEW_TRADES: Final = "few_trades"
FEW_WEEKS: Final = "few_weeks"
NO_EDGE: Final = "no_edge"
_TWO_SIDED: Final = 1.959963984540054  # 97.5 % point of the normal distribution
_MILLI: Final = 1000


class ShadowTrade(NamedTuple):
    """A closed shadow trade. Results in thousandths of a basis point, whole numbers."""

    opened_ms: int
    closed_ms: int
    expected_mbp: int
    net_mbp: int


@dataclass(frozen=True, slots=True)
class Proving:
    """What the record proves, as of the last weekly look. Basis points; NaN while not computable.

    Before the record is long enough only `trades` and `weeks` may be shown, never a profit.
    """

    open: bool
    code: str  # OPEN, FEW_TRADES, FEW_WEEKS, NO_EDGE
    trades: int
    needed_trades: int
    weeks: int
    needed_weeks: int
    expected_bp: float
    mean_bp: float
    lower_bp: float  # one-sided, at z of the configuration
    interval_bp: tuple[float, float]  # two-sided 95 %
    next_look_ms: int

    @property
    def decided(self) -> bool:
        """True when the record is long enough for its figures to be shown."""
        return self.code in (OPEN, NO_EDGE)


def verdict(trades: Sequence[ShadowTrade], now_ms: int, cfg: AiConfig) -> Proving:
    """Return the verdict of the week that contains `now_ms`.

    Args:
        trades: the whole record, in any order; what closed in this week does not count yet.
        now_ms: now.
        cfg: z, trades and weeks that are needed.

    The variance is clustered by the week of the entry, because trades of one week share its market.
    Source: Liang and Zeger, Longitudinal data analysis using generalized linear models, 1986, with
    the correction weeks / (weeks - 1).
    """
    look_ms = week_start_ms(now_ms)
    closed = [trade for trade in trades if trade.closed_ms < look_ms]
    by_week: dict[int, list[int]] = defaultdict(list)
    for trade in closed:
        by_week[week_of(trade.opened_ms)].append(trade.net_mbp)
    sums = Sums()
    for results in by_week.values():
        sums.add_week(len(results), sum(results))
    return sums.verdict(sum(trade.expected_mbp for trade in closed), now_ms, cfg)


@dataclass(slots=True)
class Sums:
    """All that the verdict needs of the weeks of a record: whole numbers, however long it is.

    The squares of the standard error, (n s - c t)**2 of each week with c trades and the sum s, in a
    record of n trades and the sum t, add up to n n sum(s s) - 2 n t sum(c s) + t t sum(c c).
    """

    weeks: int = 0
    trades: int = 0
    total: int = 0  # thousandths of a basis point
    squared_sums: int = 0
    counts_by_sums: int = 0
    squared_counts: int = 0

    def add_week(self, count: int, total: int) -> None:
        """Add one week of entries; each week once, when it is complete."""
        self.weeks += 1
        self.trades += count
        self.total += total
        self.squared_sums += total * total
        self.counts_by_sums += count * total
        self.squared_counts += count * count

    def verdict(self, expected_mbp: int, now_ms: int, cfg: AiConfig) -> Proving:
        """Return the verdict on these weeks, whose trades promised `expected_mbp` in all."""
        n, weeks = self.trades, self.weeks
        mean = lower = expected = math.nan
        interval = (math.nan, math.nan)
        if weeks > 1:
            error = self._standard_error()
            mean, expected = self.total / n / _MILLI, expected_mbp / n / _MILLI
            lower = mean - cfg.prove_z * error
            interval = (mean - _TWO_SIDED * error, mean + _TWO_SIDED * error)
        code = _code(n, weeks, lower, cfg)
        return Proving(
            open=code == OPEN,
            code=code,
            trades=n,
            needed_trades=cfg.prove_trades,
            weeks=weeks,
            needed_weeks=cfg.prove_weeks,
            expected_bp=expected,
            mean_bp=mean,
            lower_bp=lower,
            interval_bp=interval,
            next_look_ms=week_start_ms(now_ms) + WEEK_MS,
        )

    def _standard_error(self) -> float:
        # whole numbers up to the division: the same bits everywhere, in any order of the trades
        n, total = self.trades, self.total
        squares = (
            n * n * self.squared_sums
            - 2 * n * total * self.counts_by_sums
            + total * total * self.squared_counts
        )
        return math.sqrt(squares * self.weeks / ((self.weeks - 1) * n**4)) / _MILLI


def _code(trades: int, weeks: int, lower_bp: float, cfg: AiConfig) -> str:
    if trades < cfg.prove_trades:
        return FEW_TRADES
    if weeks < max(cfg.prove_weeks, 2):
        return FEW_WEEKS
    return OPEN if lower_bp > 0.0 else NO_EDGE
