"""The demo market as a living source: paced like a venue, it stands still while nobody reads."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from itertools import count
from typing import Final

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.messages import (
    MarketEvent,
    MarketFacts,
    MarketSlice,
    Missed,
    Prices,
)
from crypto_trader_pro.domain.ports import SourceHealth
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.simulation.demo_market import ZERO_MS, DemoMarket, candles_per_week

_TICK_SECONDS: Final = 0.25  # of real time, the longest pause between two prices
_FEWEST_TICKS: Final = 4
_MOST_TICKS: Final = 60
_NAP_SECONDS: Final = 0.25  # a waiting reader looks this often whether the source was closed


class DemoClock:
    """The time of the newest event that the present reader got, at first demo time zero.

    It goes back only when a new reader starts before the end of the last one: at a checkpoint.
    """

    def __init__(self) -> None:
        self._now_ms = ZERO_MS

    def now(self) -> datetime:
        return to_datetime(self._now_ms)

    def now_ms(self) -> int:
        return self._now_ms

    def set_to(self, ms: int) -> None:
        # candles of the warm-up are history: they were over before the demo began
        self._now_ms = max(ZERO_MS, ms)


class DemoSource:
    """Plays the demo market of `seed`, `speed` market seconds per real second.

    A fresh start gets `warm_bars` candles as `Missed`, the last of them one timeframe before demo
    time zero, and decides for the first time at time zero. Between two closes come 4 to 60 `Prices`
    of all symbols, as many as a pause of at most 0.25 real seconds takes. A reader that starts at
    an instant goes on right behind it: nothing is missed, the market waited. It keeps to its first
    clock reading, so it does not drift; after a stall longer than a candle it starts to count anew
    instead of hurrying after.

    Only the newest reader moves the clock and the figures of `facts` and `health`.

    Args:
        instruments: in the order of the configured symbols.
        monotonic, sleep: real time, seconds.

    Raises:
        InputError: a symbol without a demo coin, a timeframe that is no part of a day, a speed that
            is not positive, or a negative warm-up.
    """

    def __init__(
        self, instruments: Sequence[Instrument], timeframe_ms: int, *, seed: int, speed: float,
        warm_bars: int, monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        if not speed > 0 or warm_bars < 0:
            raise InputError(
                f"demo speed was {speed}, allowed: above 0; warm_bars was {warm_bars}, allowed: 0"
                " and above"
            )
        candles_per_week(timeframe_ms)  # refuses a timeframe here, not in a reader
        self._symbols = tuple(each.symbol for each in instruments)
        self._timeframe_ms = timeframe_ms
        self._seed = seed
        self._speed = speed
        self._warm_bars = warm_bars
        self._monotonic = monotonic
        self._sleep = sleep
        self._candle_seconds = timeframe_ms / 1000 / speed
        wanted = -int(-self._candle_seconds // _TICK_SECONDS)
        self._ticks = min(_MOST_TICKS, max(_FEWEST_TICKS, wanted))
        self._market = DemoMarket(instruments, seed=seed)
        self._clock = DemoClock()
        self._readers = count(1)
        self._newest_reader = 0
        self._prices: dict[int, int] = {}  # by place of the symbol
        self._last_event_at: float | None = None
        self._closed = False

    @property
    def name(self) -> str:
        return "demo"

    @property
    def venue(self) -> str:
        return f"demo-{self._seed}"

    def start(self) -> None:
        """Do nothing: the demo market has nobody to connect to."""

    def close(self) -> None:
        """End every reader, within a quarter of a second."""
        self._closed = True

    def clock(self) -> DemoClock:
        return self._clock

    def events(self, after_ms: int | None) -> AsyncIterator[MarketEvent]:
        """Yield the market from `after_ms` (exclusive) on; see the class and `MarketSource`."""
        reader = self._newest_reader = next(self._readers)
        earliest = ZERO_MS - (self._warm_bars + 1) * self._timeframe_ms
        start_ms = earliest if after_ms is None else max(after_ms, earliest)
        self._clock.set_to(start_ms)
        return self._read(reader, start_ms)

    def history(self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int) -> CandleSeries:
        """Return candles closed by the trading clock that open in [from_ms, to_ms).

        Raises:
            InputError: a symbol that is not traded here, or a timeframe that is no part of a day.
        """
        closed_ms = self._clock.now_ms() - timeframe_ms + 1
        return self._market.candles(symbol, timeframe_ms, from_ms, min(to_ms, closed_ms))

    def facts(self) -> Sequence[MarketFacts]:
        """Return newest price and last settled funding rate; the demo has no open interest."""
        now_ms = self._clock.now_ms()
        newest = self._prices
        return [
            MarketFacts(
                symbol, now_ms, newest[place], self._market.funding_rate(symbol, now_ms), None
            )
            for place, symbol in enumerate(self._symbols)
            if place in newest
        ]

    def health(self) -> SourceHealth:
        last = self._last_event_at
        age = None if last is None else self._monotonic() - last
        return SourceHealth(not self._closed, age, 0, 0, "closed" if self._closed else "")

    async def _read(self, reader: int, start_ms: int) -> AsyncIterator[MarketEvent]:
        for market in self._warm_up(start_ms):
            await self._sleep(0)  # the loop's other tasks go on
            if self._closed:
                return
            self._note(reader, market)
            yield Missed(market)
        start_ms = max(start_ms, ZERO_MS - 1)
        pace = _Pace(self._monotonic, self._speed, start_ms, self._candle_seconds)
        for event in self._live(start_ms):
            await self._wait(pace.delay(_time_of(event)))
            if self._closed:
                return
            self._note(reader, event)
            yield event

    async def _wait(self, seconds: float) -> None:
        until = self._monotonic() + seconds
        while not self._closed:
            await self._sleep(max(0.0, min(seconds, _NAP_SECONDS)))
            seconds = until - self._monotonic()
            if seconds <= 0:
                return

    def _warm_up(self, after_ms: int) -> Iterator[MarketSlice]:
        first = (after_ms - ZERO_MS) // self._timeframe_ms
        for k in range(first, -1):
            yield self._slice(k)

    def _live(self, after_ms: int) -> Iterator[MarketSlice | Prices]:
        """Yield prices and candles after `after_ms`, for ever."""
        length = self._timeframe_ms
        for k in count((after_ms - ZERO_MS) // length):
            self._look_ahead(k)
            open_ms = ZERO_MS + k * length
            instants = [open_ms + length * (i + 1) // (self._ticks + 1) for i in range(self._ticks)]
            if instants[-1] > after_ms:
                paths = [self._market.ticks(s, length, k, self._ticks) for s in self._symbols]
                for at_ms, prices in zip(instants, zip(*paths, strict=True), strict=True):
                    if at_ms > after_ms:
                        yield Prices(at_ms, tuple(enumerate(prices)))
            yield self._slice(k)

    def _slice(self, k: int) -> MarketSlice:
        length = self._timeframe_ms
        bars = tuple(self._market.bar(symbol, length, k) for symbol in self._symbols)
        return MarketSlice(ZERO_MS + (k + 1) * length, bars)

    def _look_ahead(self, k: int) -> None:
        """Make one symbol's next week per candle, so that a new week makes nobody wait."""
        symbols = self._symbols
        if symbols:
            self._market.prepare(symbols[k % len(symbols)], self._timeframe_ms, k + len(symbols))

    def _note(self, reader: int, event: MarketSlice | Prices) -> None:
        if reader != self._newest_reader:
            return
        self._clock.set_to(_time_of(event))
        self._last_event_at = self._monotonic()
        if isinstance(event, Prices):
            self._prices = dict(event.prices)
        else:
            self._prices = {i: bar.close for i, bar in enumerate(event.bars) if bar is not None}


class _Pace:
    """When a market instant is due in real time.

    Args:
        stall_seconds: a delay beyond which counting starts anew.
    """

    def __init__(
        self, monotonic: Callable[[], float], speed: float, market_ms: int, stall_seconds: float
    ) -> None:
        self._monotonic = monotonic
        self._speed = speed
        self._stall_seconds = stall_seconds
        self._real, self._market_ms = monotonic(), market_ms

    def delay(self, at_ms: int) -> float:
        """Return the seconds from now to `at_ms`; 0 when it is over."""
        now = self._monotonic()
        left = self._real + (at_ms - self._market_ms) / 1000 / self._speed - now
        if left < -self._stall_seconds:
            self._real, self._market_ms = now, at_ms
        return max(0.0, left)


def _time_of(event: MarketSlice | Prices) -> int:
    return event.at_ms if isinstance(event, Prices) else event.close_ms
