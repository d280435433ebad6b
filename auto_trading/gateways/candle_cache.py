"""The newest closed candles of each symbol: the cache of the data pipeline.

A plain structure of one owner, the thread of the source. It knows what it holds and what is
missing in it; it never invents a candle.
"""

from bisect import insort
from collections.abc import Iterator
from typing import Final, Literal

from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import MarketSlice

Outcome = Literal["new", "same", "revised", "old"]
ABSENT_AFTER: Final = 3  # times that the venue may leave a candle out before we believe it


class CandleCache:
    """Closed candles from `start_ms` on.

    Args:
        symbols: how many symbols there are.
        timeframe_ms: length of a candle.
        start_ms: open time of the first candle that is of interest.
    """

    def __init__(self, symbols: int, timeframe_ms: int, start_ms: int) -> None:
        self._timeframe_ms = timeframe_ms
        self._bars: list[dict[int, Bar]] = [{} for _ in range(symbols)]
        self._opens: list[int] = []  # of every instant that any symbol has, sorted
        self._left_out: dict[tuple[int, int], int] = {}  # (symbol, open): times
        self._complete = [start_ms] * symbols  # nothing is missing before this open time
        self.start_ms = start_ms

    def put(self, i: int, bar: Bar) -> Outcome:
        """Keep a candle; the first one of an instant stays, whatever is said of it later.

        "old" is one from before `start_ms`, which is not kept.
        """
        if bar.open_ms < self.start_ms:
            return "old"
        held = self._bars[i].get(bar.open_ms)
        if held is not None:
            return "same" if held == bar else "revised"
        if not any(bar.open_ms in bars for bars in self._bars):
            insort(self._opens, bar.open_ms)
        self._bars[i][bar.open_ms] = bar
        self._left_out.pop((i, bar.open_ms), None)
        return "new"

    @property
    def last_open_ms(self) -> int | None:
        """Open time of the newest candle of any symbol."""
        return self._opens[-1] if self._opens else None

    def first_missing(self, i: int, before_ms: int) -> int | None:
        """Return the open time of the first candle that symbol `i` lacks, of those before a time.

        A candle that the venue itself does not have (`left_out`) is not missing.
        """
        bars, open_ms = self._bars[i], max(self._complete[i], self.start_ms)
        while open_ms < before_ms:
            if open_ms not in bars and self._left_out.get((i, open_ms), 0) < ABSENT_AFTER:
                break
            open_ms += self._timeframe_ms
        self._complete[i] = open_ms
        return open_ms if open_ms < before_ms else None

    def left_out(self, i: int, from_ms: int, to_ms: int) -> None:
        """Take note that the venue was asked for [from_ms, to_ms) and has later candles.

        What is not here now was not in its answer. Said `ABSENT_AFTER` times, it does not exist.
        """
        for open_ms in range(max(from_ms, self.start_ms), to_ms, self._timeframe_ms):
            if open_ms not in self._bars[i]:
                self._left_out[i, open_ms] = self._left_out.get((i, open_ms), 0) + 1

    def slices(self, after_ms: int, upto_ms: int) -> Iterator[MarketSlice]:
        """Yield the instants that closed in (after_ms, upto_ms] and have any candle, in order."""
        for open_ms in self._opens:
            close_ms = open_ms + self._timeframe_ms
            if after_ms < close_ms <= upto_ms:
                yield MarketSlice(close_ms, tuple(bars.get(open_ms) for bars in self._bars))

    def trim(self, start_ms: int) -> None:
        """Forget the candles that opened before `start_ms`."""
        if start_ms <= self.start_ms:
            return
        self.start_ms = start_ms
        while self._opens and self._opens[0] < start_ms:
            open_ms = self._opens.pop(0)
            for bars in self._bars:
                bars.pop(open_ms, None)
        self._left_out = {key: n for key, n in self._left_out.items() if key[1] >= start_ms}
