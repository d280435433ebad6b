"""Decides, bar by bar, what the market data of one symbol is good for.

GREEN: entries and exits. EXIT_ONLY: the candle counts, but no position is opened on it. DARK: there
is no usable candle. Nothing is ever filled in.

`numbers` explains the reason, times in ms, sizes in parts of 1e8:

OK          ()
MISSING     (open time of the candle that did not come, now)
GAP         (missing candles, open time of the first of them, open time of this candle)
STALE       (zero-volume flat candles in a row, age of the last candle)
DUPLICATE   (open time, open time of the last accepted candle)
BACKWARD    (open time, open time of the last accepted candle)
UNCLOSED    (close time, now)
IMPOSSIBLE  the candle: prices that exclude each other, negative volume, or time off the grid
OUTLIER     (largest move from the previous close, limit, running mean absolute return)
WARMUP      (candles without a gap, candles needed)

Outlier rule: the farther of high and low lies more than 12 times the running mean of absolute
close-to-close returns, and more than 2 %, from the previous close. The mean is exponentially
weighted over 64 candles (plainly averaged over the first 64); one candle counts at most half of
the limit, six means, so that an outlier moves the mean by less than a tenth. Returns across a gap
do not count.
Source: reliability rule "data gate", goal: 99.9 % of corrupted windows blocked, less than 0.5 % of
good bars.
"""

from collections.abc import Mapping
from typing import Any, Final

from crypto_trader_pro.domain.enums import GateReason, GateState
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.units import RATE
from crypto_trader_pro.simulation.candle_gate import (
    FLAT_RUN,
    MEAN_BARS,
    is_outlier,
    learned_mean,
    outlier_limit,
)

OUTLIER_MEANS: Final = 12
STALE_TIMEFRAMES: Final = 2


class SymbolGate:
    """The data gate of one symbol and timeframe. Not thread-safe; one owner, the engine loop.

    Args:
        timeframe_ms: length of a candle.
        warm_bars: candles without a gap that the strategies need, at least 1.
        outlier_multiple: of the running mean absolute return, beyond which a move is an outlier.
        stale_timeframes: age of the last candle beyond which no entry is allowed; one more is dark.

    Raises:
        ValueError: an argument is not positive.
    """

    __slots__ = (
        "_close", "_flat", "_mean", "_multiple", "_next_ms", "_seen", "_stale", "_timeframe_ms",
        "_warm_bars",
        "clean", "numbers", "reason", "rejected", "state",
    )  # fmt: skip

    def __init__(
        self, timeframe_ms: int, warm_bars: int, *, outlier_multiple: int = OUTLIER_MEANS,
        stale_timeframes: int = STALE_TIMEFRAMES,
    ) -> None:  # fmt: skip
        if min(timeframe_ms, warm_bars, outlier_multiple, stale_timeframes) < 1:
            raise ValueError(
                f"at least 1: timeframe_ms {timeframe_ms}, warm_bars {warm_bars},"
                f" outlier_multiple {outlier_multiple}, stale_timeframes {stale_timeframes}"
            )
        self._multiple = outlier_multiple
        self._stale = stale_timeframes
        self._timeframe_ms = timeframe_ms
        self._warm_bars = warm_bars
        self._next_ms = 0  # open time of the next contiguous candle
        self._close = 0
        self._mean = 0  # of absolute returns, parts of 1e8
        self._seen = 0  # returns in the mean, at most MEAN_BARS
        self._flat = 0  # zero-volume flat candles in a row
        self.clean = 0  # accepted candles since the last gap; 0 before the first
        self.state = GateState.DARK
        self.reason = GateReason.MISSING
        self.numbers: tuple[int, ...] = ()
        self.rejected: dict[GateReason, int] = {}

    def check(self, bar: Bar, now_ms: int) -> bool:
        """Judge one candle: True when it is accepted and belongs to the series.

        A rejected candle changes `state`, `reason`, `numbers` and `rejected`, nothing else. A
        candle that is delivered late is accepted, and as old as `age` says.
        """
        open_ms, open_, high, low, close, volume = bar
        if not (0 < low <= open_ <= high and low <= close <= high and volume >= 0):
            return self._reject(GateReason.IMPOSSIBLE, tuple(bar))
        age_ms = now_ms - open_ms - self._timeframe_ms
        if age_ms < 0:
            return self._reject(GateReason.UNCLOSED, (open_ms + self._timeframe_ms, now_ms))
        if open_ms != self._next_ms:
            return self._restart(bar, age_ms)
        before = self._close
        mean = self._mean
        limit = outlier_limit(mean, self._multiple)
        seen = self._seen
        if seen < MEAN_BARS:
            self._seen = seen = seen + 1
        self._mean = learned_mean(mean, seen, before, close, limit)
        self._next_ms = open_ms + self._timeframe_ms
        self._close = close
        self.clean += 1
        self._flat = self._flat + 1 if volume == 0 and high == low else 0
        if is_outlier(high, low, before, limit):
            numbers = (max(high - before, before - low) * RATE // before, limit, mean)
            return self._accept(GateState.EXIT_ONLY, GateReason.OUTLIER, numbers, age_ms)
        return self._judge(age_ms)

    def missing(self, now_ms: int) -> None:
        """Take note that the instant `now_ms` brought no candle: dark until one comes."""
        self._set(GateState.DARK, GateReason.MISSING, (self._next_ms, now_ms))

    def age(self, now_ms: int) -> GateState:
        """Return the state after looking at the age of the last accepted candle.

        From its close: more than 2 timeframes are EXIT_ONLY, more than 3 are DARK. Never improves
        the state.
        """
        if self.clean:
            self._grow_old(now_ms - self._next_ms)
        return self.state

    @property
    def volatility(self) -> int:
        """Mean absolute close-to-close move of a candle, parts of 1e8; 0 before the second."""
        return self._mean

    def state_dict(self) -> dict[str, Any]:
        """Return all that `restore` needs, as JSON values."""
        return {
            "next_ms": self._next_ms,
            "close": self._close,
            "mean": self._mean,
            "seen": self._seen,
            "flat": self._flat,
            "clean": self.clean,
            "state": self.state.value,
            "reason": self.reason.value,
            "numbers": list(self.numbers),
            "rejected": {reason.value: count for reason, count in self.rejected.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict` of a gate of the same timeframe and warm-up."""
        self._next_ms = state["next_ms"]
        self._close = state["close"]
        self._mean = state["mean"]
        self._seen = state["seen"]
        self._flat = state["flat"]
        self.clean = state["clean"]
        self.state = GateState(state["state"])
        self.reason = GateReason(state["reason"])
        self.numbers = tuple(state["numbers"])
        self.rejected = {GateReason(name): count for name, count in state["rejected"].items()}

    def _restart(self, bar: Bar, age_ms: int) -> bool:
        """Judge a candle that is not the next one: the first of all, after a gap, or old."""
        open_ms = bar.open_ms
        expected = self._next_ms
        if open_ms % self._timeframe_ms:
            return self._reject(GateReason.IMPOSSIBLE, tuple(bar))
        if open_ms < expected:
            last = expected - self._timeframe_ms
            reason = GateReason.DUPLICATE if open_ms == last else GateReason.BACKWARD
            return self._reject(reason, (open_ms, last))
        is_first = self.clean == 0
        self._next_ms = open_ms + self._timeframe_ms
        self._close = bar.close
        self._flat = 1 if bar.volume == 0 and bar.high == bar.low else 0
        self.clean = 1
        if is_first:
            return self._judge(age_ms)
        numbers = ((open_ms - expected) // self._timeframe_ms, expected, open_ms)
        return self._accept(GateState.EXIT_ONLY, GateReason.GAP, numbers, age_ms)

    def _judge(self, age_ms: int) -> bool:
        if self.state is GateState.GREEN and self._flat < FLAT_RUN and not age_ms:
            return True  # as after the candle before it
        if self._flat >= FLAT_RUN:
            return self._accept(GateState.EXIT_ONLY, GateReason.STALE, (self._flat, age_ms), age_ms)
        if self.clean < self._warm_bars:
            numbers = (self.clean, self._warm_bars)
            return self._accept(GateState.EXIT_ONLY, GateReason.WARMUP, numbers, age_ms)
        return self._accept(GateState.GREEN, GateReason.OK, (), age_ms)

    def _accept(
        self, state: GateState, reason: GateReason, numbers: tuple[int, ...], age_ms: int
    ) -> bool:
        self._set(state, reason, numbers)
        if age_ms:
            self._grow_old(age_ms)
        return True

    def _reject(self, reason: GateReason, numbers: tuple[int, ...]) -> bool:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
        self._set(GateState.DARK, reason, numbers)
        return False

    def _grow_old(self, age_ms: int) -> None:
        if age_ms > (self._stale + 1) * self._timeframe_ms:
            self._set(GateState.DARK, GateReason.STALE, (self._flat, age_ms))
        elif age_ms > self._stale * self._timeframe_ms and self.state is GateState.GREEN:
            self._set(GateState.EXIT_ONLY, GateReason.STALE, (self._flat, age_ms))

    def _set(self, state: GateState, reason: GateReason, numbers: tuple[int, ...]) -> None:
        self.state = state
        self.reason = reason
        self.numbers = numbers
