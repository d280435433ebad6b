"""Coarser candles from finer ones: one at a time for the engine, in batch for files.

A coarse candle exists only when every one of its base candles does: a gap stays a gap. Buckets are
aligned to 1970-01-01 UTC, as the venues align them.
"""

from collections.abc import Mapping

import numpy as np

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar, CandleSeries


class Aggregator:
    """Builds candles of `target_ms` from candles of `base_ms`, one symbol.

    `incomplete` counts the buckets, from that of the first candle on, that were left behind without
    being emitted: some or all of their base candles are missing.

    Raises:
        InputError: `target_ms` is not a whole multiple of `base_ms`.
    """

    __slots__ = (
        "_base_ms", "_bucket_ms", "_count", "_high", "_low", "_needed", "_next_ms", "_open",
        "_target_ms", "_volume", "incomplete",
    )  # fmt: skip

    def __init__(self, base_ms: int, target_ms: int) -> None:
        self._needed = _multiple(base_ms, target_ms)
        self._base_ms = base_ms
        self._target_ms = target_ms
        self._next_ms = 0  # open time of the next base candle that follows on; 0 before the first
        self._bucket_ms = 0
        self._count = 0  # base candles in the bucket
        self._open = self._high = self._low = self._volume = 0
        self.incomplete = 0

    def push(self, bar: Bar) -> Bar | None:
        """Add one base candle; return the coarse candle that it completes, if it does.

        Raises:
            ValueError: the candle is off the base grid or not later than the one before.
        """
        open_ms, open_, high, low, close, volume = bar
        if open_ms != self._next_ms:
            self._check_time(open_ms)
        bucket_ms = open_ms - open_ms % self._target_ms
        if self._count == 0 or bucket_ms != self._bucket_ms:
            self._leave(bucket_ms)
            self._open, self._high, self._low, self._volume = open_, high, low, volume
            self._count = 1
        else:
            self._count += 1
            self._volume += volume
            if high > self._high:
                self._high = high
            if low < self._low:
                self._low = low
        self._next_ms = open_ms + self._base_ms
        if self._count < self._needed:
            return None
        return Bar(bucket_ms, self._open, self._high, self._low, close, self._volume)

    def state_dict(self) -> dict[str, int]:
        """Return all that `restore` needs, as JSON values."""
        return {
            "next_ms": self._next_ms,
            "bucket_ms": self._bucket_ms,
            "count": self._count,
            "open": self._open,
            "high": self._high,
            "low": self._low,
            "volume": self._volume,
            "incomplete": self.incomplete,
        }

    def restore(self, state: Mapping[str, int]) -> None:
        """Continue from a `state_dict` of an aggregator of the same two timeframes."""
        self._next_ms = state["next_ms"]
        self._bucket_ms = state["bucket_ms"]
        self._count = state["count"]
        self._open = state["open"]
        self._high = state["high"]
        self._low = state["low"]
        self._volume = state["volume"]
        self.incomplete = state["incomplete"]

    def _check_time(self, open_ms: int) -> None:
        if open_ms % self._base_ms:
            raise ValueError(f"open time {open_ms} is off the grid of {self._base_ms} ms")
        if open_ms < self._next_ms:
            last = self._next_ms - self._base_ms
            raise ValueError(f"open time {open_ms} does not follow on {last}")

    def _leave(self, bucket_ms: int) -> None:
        if self._count:
            passed = (bucket_ms - self._bucket_ms) // self._target_ms
            self.incomplete += passed - (self._count == self._needed)
        self._bucket_ms = bucket_ms


def aggregate(series: CandleSeries, target_ms: int) -> CandleSeries:
    """Return the complete candles of `target_ms` in `series`, the same as `Aggregator` emits.

    Raises:
        InputError: `target_ms` is not a whole multiple of the series' timeframe.
    """
    needed = _multiple(series.timeframe_ms, target_ms)
    bucket = series.open_ms // target_ms
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    sizes = np.diff(starts, append=len(series))
    first = starts[sizes == needed]
    # rows of complete buckets, shape (buckets, needed): they are contiguous by construction
    rows = first[:, None] + np.arange(needed)
    return CandleSeries(
        series.symbol,
        target_ms,
        bucket[first] * target_ms,
        series.open[first],
        series.high[rows].max(axis=1, initial=0),
        series.low[rows].min(axis=1, initial=np.iinfo(np.int64).max),
        series.close[first + needed - 1],
        series.volume[rows].sum(axis=1),
    )


def _multiple(base_ms: int, target_ms: int) -> int:
    if base_ms < 1 or target_ms < base_ms or target_ms % base_ms:
        raise InputError(
            f"target timeframe was {target_ms} ms, allowed: multiples of the base's {base_ms} ms"
        )
    return target_ms // base_ms
