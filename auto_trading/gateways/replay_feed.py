"""Recorded candles as a market feed: the same slices as a live one, as fast as they are taken."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from crypto_trader_pro.domain.market import Bar, CandleSeries
from crypto_trader_pro.domain.messages import MarketSlice
from utils.clocks import SimulatedClock

_CHUNK = 65_536  # rows that become Python objects at a time


class ReplayFeed:
    """Plays several series as one market, instant by instant.

    Args:
        series: one per configured symbol, in that order, all of one timeframe.
        before: called with each slice before it is yielded: the simulated venue fills from it.
        after_ms: instants up to this one are left out (a resumed run has played them).
        pause_seconds: waiting time before each instant.

    Raises:
        ValueError: the timeframes differ.
    """

    def __init__(
        self, series: Sequence[CandleSeries], clock: SimulatedClock,
        before: Callable[[MarketSlice], None], after_ms: int = 0, pause_seconds: float = 0.0,
    ) -> None:  # fmt: skip
        frames = {s.timeframe_ms for s in series}
        if len(frames) != 1:
            raise ValueError(f"one timeframe expected, were {sorted(frames)}")
        self._series = tuple(series)
        self._timeframe_ms = frames.pop()
        self._clock = clock
        self._before = before
        self._after_ms = after_ms
        self._pause_seconds = pause_seconds

    async def slices(self) -> AsyncIterator[MarketSlice]:
        play = self._single if len(self._series) == 1 else self._merged
        for market in play():
            if market.close_ms <= self._after_ms:
                continue
            self._clock.advance_to(market.close_ms)
            if self._pause_seconds:
                await asyncio.sleep(self._pause_seconds)
            self._before(market)
            yield market

    def _single(self) -> Iterator[MarketSlice]:
        length = self._timeframe_ms
        for bar in _bars(self._series[0]):
            yield MarketSlice(bar.open_ms + length, (bar,))

    def _merged(self) -> Iterator[MarketSlice]:
        return merged(self._series)


def merged(series: Sequence[CandleSeries]) -> Iterator[MarketSlice]:
    """Merge series of one timeframe by time; a symbol without a candle somewhere gets None."""
    length = series[0].timeframe_ms
    sources = [_bars(s) for s in series]
    heads: list[Bar | None] = [next(source, None) for source in sources]
    while True:
        times = [head.open_ms for head in heads if head is not None]
        if not times:
            return
        now = min(times)
        bars = tuple(h if h is not None and h.open_ms == now else None for h in heads)
        for i, bar in enumerate(bars):
            if bar is not None:
                heads[i] = next(sources[i], None)
        yield MarketSlice(now + length, bars)


class NoFeed:
    """The feed of an engine that is given its market from outside."""

    async def slices(self) -> AsyncIterator[MarketSlice]:
        return
        yield  # an iterator that yields nothing


def _bars(series: CandleSeries) -> Iterator[Bar]:
    for start in range(0, len(series), _CHUNK):
        yield from series.slice(start, start + _CHUNK).bars()
