"""Imported candles as the market of a living engine: paced, with no prices in between.

For trying a configuration on a known stretch of the past as it would be lived through. Orders fill
from the candles by the bar rules, as in `replay`.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from auto_trading.gateways.replay_feed import merged
from auto_trading.gateways.venue_book import FundingEvent
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.messages import MarketEvent, MarketFacts, Missed
from crypto_trader_pro.domain.ports import SourceHealth
from crypto_trader_pro.domain.timeframes import timeframe_name, to_datetime

_NAP_SECONDS: Final = 0.25


class _Clock:
    def __init__(self, start_ms: int) -> None:
        self.ms = start_ms

    def now(self) -> datetime:
        return to_datetime(self.ms)

    def now_ms(self) -> int:
        return self.ms


class ReplaySource:
    """Plays stored candles once, `speed` market seconds per real second, and then stands still.

    Args:
        series: one per configured symbol, in that order, all of one timeframe.
        funding: events per symbol, oldest first.
        load: returns stored candles of another timeframe: symbol, length, from, to.

    Raises:
        InputError: a symbol has no candle, or too few to warm up on.
    """

    def __init__(
        self, instruments: Sequence[Instrument], series: Sequence[CandleSeries], *, venue: str,
        speed: float, warm_bars: int, funding: Mapping[str, Sequence[FundingEvent]],
        load: Callable[[str, int, int, int], CandleSeries],
    ) -> None:  # fmt: skip
        for item in series:
            if len(item) <= warm_bars:
                raise InputError(
                    f"{item.symbol}: {len(item)} imported {timeframe_name(item.timeframe_ms)}"
                    f" candles, more than {warm_bars} are needed: data import"
                )
        self._series = tuple(series)
        self._symbols = tuple(i.symbol for i in instruments)
        self._length = series[0].timeframe_ms
        self._venue = venue
        self._seconds = self._length / 1000 / speed
        self._funding = funding
        self._load = load
        first = max(int(s.open_ms[0]) for s in series)
        self._begin_ms = first + warm_bars * self._length
        self._clock = _Clock(self._begin_ms)
        self._closed = False
        self._prices: dict[int, int] = {}

    @property
    def name(self) -> str:
        return "replay"

    @property
    def venue(self) -> str:
        return self._venue

    def start(self) -> None:
        """Do nothing: the candles are there."""

    def close(self) -> None:
        self._closed = True

    def clock(self) -> _Clock:
        return self._clock

    def events(self, after_ms: int | None) -> AsyncIterator[MarketEvent]:
        """Yield what follows `after_ms`; a fresh start warms up first. Never ends by itself."""
        self._clock.ms = self._begin_ms if after_ms is None else after_ms
        return self._read(after_ms)

    async def _read(self, after_ms: int | None) -> AsyncIterator[MarketEvent]:
        started, played = time.monotonic(), 0
        for market in merged(self._series):
            if market.close_ms <= (after_ms or 0):
                continue
            if after_ms is None and market.close_ms <= self._begin_ms:
                yield Missed(market)
                continue
            played += 1
            if not await self._wait_until(started + played * self._seconds):
                return
            self._clock.ms = market.close_ms
            for i, bar in enumerate(market.bars):
                if bar is not None:
                    self._prices[i] = bar.close
            yield market
        await self._wait_until(math.inf)  # the record is over: the market is closed, positions stay

    async def _wait_until(self, moment: float) -> bool:
        """Sleep until `moment`; False when the source was closed meanwhile."""
        while not self._closed:
            left = moment - time.monotonic()
            if left <= 0:
                return True
            await asyncio.sleep(min(left, _NAP_SECONDS))
        return False

    def history(self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int) -> CandleSeries:
        """Return imported candles that open in [from_ms, to_ms) and were closed by now."""
        closed = self._clock.ms - timeframe_ms + 1
        return self._load(symbol, timeframe_ms, from_ms, min(to_ms, closed))

    def facts(self) -> Sequence[MarketFacts]:
        now = self._clock.ms
        return [
            MarketFacts(self._symbols[i], now, price, self._rate(self._symbols[i], now), None)
            for i, price in sorted(self._prices.items())
        ]

    def _rate(self, symbol: str, now_ms: int) -> int | None:
        events = self._funding.get(symbol, ())
        k = int(np.searchsorted([e.at_ms for e in events], now_ms, side="right"))
        return events[k - 1].rate if k else None

    def health(self) -> SourceHealth:
        return SourceHealth(not self._closed, None, 0, 0, "closed" if self._closed else "")
