"""Recorded candles as a market feed: the same slices as a live one, as fast as they are taken."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import numpy as np

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar, CandleSeries
from crypto_trader_pro.domain.messages import MarketSlice
from utils.clocks import SimulatedClock

_CHUNK = 65_536  # rows that become Python numbers at a time
# a MarketSlice of (close time, bars), without the call that takes most of its time
_slice_of: Final[Callable[[tuple[int, tuple[Bar]]], MarketSlice]] = partial(
    tuple.__new__, MarketSlice
)


class ReplayFeed:
    """Plays several series as one market, instant by instant.

    Args:
        series: one per configured symbol, in that order, all of one timeframe.
        before: called with each slice before it is yielded, and whether it is the last of its
            decision candle: the simulated venue fills from it.
        after_ms: instants up to this one are left out (a resumed run has played them).
        pause_seconds: waiting time before each instant.
        detail: finer candles of the same symbols in the same order. `before` is then called with
            the finer slices that open inside each slice, in time order, instead of with the slice
            itself. A symbol's finer candles count even where its own candle is missing.
        after: called with each slice once it has been taken and the next one is asked for.

    Raises:
        ValueError: the timeframes differ, or the finer candles are of other symbols.
        InputError: the finer timeframe is no part of the other, or a candle has none inside it.
    """

    def __init__(
        self, series: Sequence[CandleSeries], clock: SimulatedClock,
        before: Callable[[MarketSlice, bool], None], after_ms: int = 0, pause_seconds: float = 0.0,
        detail: Sequence[CandleSeries] | None = None,
        after: Callable[[MarketSlice], None] | None = None,
    ) -> None:  # fmt: skip
        frames = {s.timeframe_ms for s in series}
        if len(frames) != 1:
            raise ValueError(f"one timeframe expected, were {sorted(frames)}")
        self._series = tuple(series)
        self._timeframe_ms = frames.pop()
        self._clock = clock
        self._before = before
        self._after = after
        self._after_ms = after_ms
        self._pause_seconds = pause_seconds
        self._detail = tuple(detail) if detail is not None else None
        if self._detail is not None:
            _must_cover(self._series, self._detail)

    async def slices(self) -> AsyncIterator[MarketSlice]:
        play = self._single if len(self._series) == 1 else self._merged
        inside = _Inside(merged(self._detail)) if self._detail is not None else None
        for market in play():
            if market.close_ms <= self._after_ms:
                continue
            self._clock.advance_to(market.close_ms)
            if self._pause_seconds:
                await asyncio.sleep(self._pause_seconds)
            if inside is None:
                self._before(market, True)
            else:
                finer = inside.of(market.close_ms - self._timeframe_ms, market.close_ms)
                for k, part in enumerate(finer, 1):
                    self._before(part, k == len(finer))
            yield market
            if self._after is not None:
                self._after(market)

    def _single(self) -> Iterator[MarketSlice]:
        for part in _chunks(self._series[0]):
            closes = (part.open_ms + self._timeframe_ms).tolist()
            yield from map(_slice_of, zip(closes, zip(part.each()), strict=True))

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


class _Inside:
    """Hands out the finer slices of one span of time after the other, oldest first."""

    def __init__(self, source: Iterator[MarketSlice]) -> None:
        self._source = source
        self._head = next(source, None)

    def of(self, from_ms: int, to_ms: int) -> list[MarketSlice]:
        """Return the slices that open in [from_ms, to_ms); what lies before is left out."""
        found: list[MarketSlice] = []
        while self._head is not None and (at_ms := _open_ms(self._head)) < to_ms:
            if at_ms >= from_ms:
                found.append(self._head)
            self._head = next(self._source, None)
        return found


def _open_ms(market: MarketSlice) -> int:
    return next(bar.open_ms for bar in market.bars if bar is not None)


def _must_cover(series: Sequence[CandleSeries], detail: Sequence[CandleSeries]) -> None:
    """Refuse finer candles that leave a candle without any: nothing could fill in it."""
    if [s.symbol for s in series] != [d.symbol for d in detail]:
        raise ValueError(
            f"finer candles of {[s.symbol for s in series]} expected, "
            f"were {[d.symbol for d in detail]}"
        )
    for coarse, fine in zip(series, detail, strict=True):
        if coarse.timeframe_ms % fine.timeframe_ms or fine.timeframe_ms != detail[0].timeframe_ms:
            raise InputError(
                f"{coarse.symbol}: timeframe of the finer candles was {fine.timeframe_ms} ms, "
                f"allowed: one for all symbols, of which {coarse.timeframe_ms} ms is a multiple"
            )
        first = np.searchsorted(fine.open_ms, coarse.open_ms, "left")
        end = np.searchsorted(fine.open_ms, coarse.open_ms + coarse.timeframe_ms, "left")
        empty = np.flatnonzero(first == end)
        if len(empty):
            at = datetime.fromtimestamp(int(coarse.open_ms[empty[0]]) / 1000, UTC)
            raise InputError(
                f"{coarse.symbol}: no finer candle lies in the candle of {at:%Y-%m-%d %H:%M} UTC "
                f"({len(empty)} of {len(coarse)} candles have none), allowed: at least one in each"
            )


class NoFeed:
    """The feed of an engine that is given its market from outside."""

    async def slices(self) -> AsyncIterator[MarketSlice]:
        return
        yield  # an iterator that yields nothing


def _bars(series: CandleSeries) -> Iterator[Bar]:
    for part in _chunks(series):
        yield from part.each()


def _chunks(series: CandleSeries) -> Iterator[CandleSeries]:
    for start in range(0, len(series), _CHUNK):
        yield series.slice(start, start + _CHUNK)
