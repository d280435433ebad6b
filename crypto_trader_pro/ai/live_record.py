"""The out-of-sample record of a living model, in a few whole numbers that a checkpoint can hold.

`proving.verdict` and the Brier skill look at a whole record; here the same figures are kept as
sums, so that a session of years needs no more room than one of a day (tested to be equal).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro.ai.calendar import WEEK_MS, week_of, week_start_ms
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.proving import Proving, ShadowTrade, Sums
from crypto_trader_pro.ai.record import SideRecord
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.signals import CONFIDENCE_UNIT


class ProvingRecord:
    """Closed shadow trades, added in the order in which they close, looked at once a week."""

    def __init__(self, cfg: AiConfig) -> None:
        self._cfg = cfg
        self._sums = Sums()
        self._expected = 0
        # weeks of entries that may still grow: week -> trades, their net and expected result
        self._recent: dict[int, tuple[int, int, int]] = {}
        # closed since the last look: (week of the close, week of the entry) -> the same
        self._waiting: dict[tuple[int, int], tuple[int, int, int]] = {}
        self._longest_ms = cfg.horizon_ms + 2 * cfg.timeframe_ms

    def add(self, trade: ShadowTrade) -> None:
        """Add a trade that has closed; it counts from the week after on."""
        key = (week_of(trade.closed_ms), week_of(trade.opened_ms))
        _grow(self._waiting, key, (1, trade.net_mbp, trade.expected_mbp))

    def look(self, now_ms: int) -> Proving:
        """Return the verdict of the week that contains `now_ms`, as `proving.verdict` does."""
        week = week_of(now_ms)
        for key in [key for key in self._waiting if key[0] < week]:
            _grow(self._recent, key[1], self._waiting.pop(key))
        # what was entered in such a week has ended and is not waiting any more
        settled = week_of(week_start_ms(now_ms) - WEEK_MS - self._longest_ms)
        for entry in [entry for entry in self._recent if entry <= settled]:
            count, net, expected = self._recent.pop(entry)
            self._sums.add_week(count, net)
            self._expected += expected
        whole = Sums(**asdict(self._sums))
        promised = self._expected
        for count, net, expected in self._recent.values():
            whole.add_week(count, net)
            promised += expected
        return whole.verdict(promised, now_ms, self._cfg)

    def state(self) -> dict[str, Any]:
        return {
            "sums": list(asdict(self._sums).values()),
            "expected": self._expected,
            "recent": [[week, *row] for week, row in self._recent.items()],
            "waiting": [[*weeks, *row] for weeks, row in self._waiting.items()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._sums = Sums(*state["sums"])
        self._expected = state["expected"]
        self._recent = {row[0]: (row[1], row[2], row[3]) for row in state["recent"]}
        self._waiting = {(row[0], row[1]): (row[2], row[3], row[4]) for row in state["waiting"]}


@dataclass(slots=True)
class SkillSums:
    """The Brier score of one side over a record, and that of the base rate, as sums.

    `squares` is in parts of 1e12: probabilities are whole parts of 1e6. The base rate is a float,
    so its sum is one too.
    """

    rows: int = 0
    squares: int = 0
    base_squares: float = 0.0

    def add(self, probability: Ints, won: NDArray[np.bool_], base_rate: float) -> None:
        """Add decisions of one model: what it said, and whether the trade closed with a profit."""
        wins = int(np.count_nonzero(won))
        missed = probability - won * CONFIDENCE_UNIT
        self.rows += len(won)
        self.squares += int((missed * missed).sum())
        self.base_squares += wins * (1.0 - base_rate) ** 2 + (len(won) - wins) * base_rate**2

    def add_record(self, side: SideRecord) -> None:
        """Add one side of a record that was predicted by one model or several."""
        for base_rate in np.unique(side.base_rate).tolist():
            rows = side.base_rate == base_rate
            self.add(side.probability[rows], side.net_bp[rows] > 0.0, base_rate)

    @property
    def skill(self) -> float:
        """1 - Brier / Brier of the base rate; NaN without a record."""
        if self.base_squares <= 0.0:
            return math.nan
        return 1.0 - self.squares / CONFIDENCE_UNIT**2 / self.base_squares

    def state(self) -> list[int | float]:
        return [self.rows, self.squares, self.base_squares]

    @classmethod
    def of(cls, state: Sequence[int | float]) -> "SkillSums":
        """Return what `state` gave."""
        rows, squares, base = state
        return cls(int(rows), int(squares), float(base))


def _grow(rows: dict[Any, tuple[int, int, int]], key: Any, more: tuple[int, int, int]) -> None:
    count, net, expected = rows.get(key, (0, 0, 0))
    rows[key] = (count + more[0], net + more[1], expected + more[2])
