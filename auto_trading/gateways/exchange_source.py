"""The public market of a venue as a `MarketSource`: live candles and prices, and their history.

The data pipeline, from the venue to the strategies:

* validator: `candle_rows` refuses what cannot be a candle or a price, at the door, and counts it;
  `data_gate.SymbolGate` then judges each candle against those before it (gap, outlier, stale).
* cleaner: `candle_rows` makes exact whole numbers of what the venue wrote; nothing is filled in.
* aggregator: `aggregation.Aggregator` builds the coarser timeframes.
* cache: `candle_cache.CandleCache`, the newest closed candles of each symbol.
* store: `market_store.MarketStore` writes candles and latest prices into the database.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import suppress
from threading import Thread
from typing import Any, Final, TypeVar

from auto_trading.gateways.candle_rows import Refusals
from auto_trading.gateways.event_log import EventLog, Overrun
from auto_trading.gateways.exchange_feed import ExchangeFeed
from auto_trading.gateways.exchange_rest import CallCount, ExchangeRest
from auto_trading.gateways.feed_plan import FeedPlan
from auto_trading.gateways.rate_gate import RateGate
from auto_trading.gateways.venue_clients import VENUES, VenueClients, one_line
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, CandleSeries, series_of
from crypto_trader_pro.domain.messages import Backfill, MarketEvent, MarketFacts, Missed, Prices
from crypto_trader_pro.domain.ports import Clock, SourceHealth
from crypto_trader_pro.domain.timeframes import timeframe_name
from utils.clocks import SystemClock

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_LOG_EVENTS: Final = 4_096
_CLOSE_SECONDS: Final = 10.0
_RESTART_SECONDS: Final = 5.0


class ExchangeSource:
    """Live candles and prices of one venue, from a thread of its own.

    Args:
        venue: one of `VENUES`.
        instruments: the symbols, in the order of the configuration.
        timeframe_ms: length of the candles.
        warm_bars: candles that a fresh reader is given first.
        grace_seconds: how long a slice waits for a candle that is late.
        silence_seconds: silence of a stream after which it is opened anew.
        price_interval_ms: shortest time between two `Prices`.
        clients: how the venue is reached.
        clock: market time; the system's.
        facts_seconds: time between two requests for funding and open interest.

    Raises:
        InputError: an unknown venue, or no instrument.
    """

    def __init__(
        self, venue: str, instruments: Sequence[Instrument], timeframe_ms: int, *,
        warm_bars: int, grace_seconds: float, silence_seconds: float,
        price_interval_ms: int = 1_000, clients: VenueClients | None = None,
        clock: Clock | None = None, facts_seconds: float = 60.0,
    ) -> None:  # fmt: skip
        if venue not in VENUES:
            raise InputError(f"venue was {venue!r}, allowed: {', '.join(VENUES)}")
        if not instruments:
            raise InputError("no instrument was given, at least one is needed")
        timeframe_name(timeframe_ms)
        self._clock: Clock = clock or SystemClock()
        self._plan = FeedPlan(
            venue, tuple(instruments), timeframe_ms, warm_bars, int(grace_seconds * 1000),
            silence_seconds, price_interval_ms, facts_seconds, clients or VenueClients(),
            self._clock,
        )  # fmt: skip
        self._events = EventLog(_LOG_EVENTS)
        self._gate = RateGate()
        self._count = CallCount()
        self._refusals = Refusals(f"exchange {venue}")
        self._feed: ExchangeFeed | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._thread: Thread | None = None
        self._is_closing = False

    @property
    def name(self) -> str:
        return "exchange"

    @property
    def venue(self) -> str:
        return self._plan.venue

    @property
    def refused(self) -> dict[str, int]:
        """How many candles, prices and messages were refused, by reason."""
        return dict(self._refusals.counts)

    def clock(self) -> Clock:
        return self._clock

    # --- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to listen. Returns at once; loading the exchange library takes seconds.

        Raises:
            RuntimeError: started before.
        """
        if self._thread is not None:
            raise RuntimeError("an exchange source is started once")
        self._loop = asyncio.new_event_loop()
        self._feed = ExchangeFeed(self._plan, self._events, self._gate, self._count, self._refusals)
        self._main = self._loop.create_task(self._collect(self._feed))
        name = f"exchange-{self._plan.venue}"
        self._thread = Thread(
            target=self._run, args=(self._loop, self._main), name=name, daemon=True
        )
        self._thread.start()

    def _run(self, loop: asyncio.AbstractEventLoop, main: asyncio.Task[None]) -> None:
        asyncio.set_event_loop(loop)
        try:
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(main)
        finally:
            self._events.close()
            rest = asyncio.all_tasks(loop)
            for task in rest:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    async def _collect(self, feed: ExchangeFeed) -> None:
        while True:
            try:
                await feed.run()
            except Exception as error:  # a bug must not end the market; it is told and retried
                log.exception("exchange %s: collecting failed, beginning anew", self._plan.venue)
                cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
                feed.trouble = f"failed: {one_line(cause)}"
            await asyncio.sleep(_RESTART_SECONDS)

    def close(self) -> None:
        """End the thread and its connections; readers end. Safe to call twice."""
        self._is_closing = True
        self._events.close()
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return
        if self._main is not None:
            with suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(self._main.cancel)
        thread.join(_CLOSE_SECONDS)
        if thread.is_alive():
            log.warning("exchange %s: its thread did not end in time", self._plan.venue)

    # --- readers ----------------------------------------------------------------------------

    async def events(self, after_ms: int | None) -> AsyncIterator[MarketEvent]:
        asked = after_ms
        while not self._events.closed:
            past = await self._on_loop(self._started().past(asked))
            if past is None:
                return
            for market in past.slices:
                yield Missed(market)
            asked = seen = past.upto_ms
            if past.place is None:
                continue
            try:
                async for event in self._follow(past.place, seen):
                    seen = max(seen, _time_of(event))
                    yield event
            except Overrun:
                asked = seen
                log.warning("exchange %s: a reader fell behind and starts over", self._plan.venue)

    async def _follow(self, place: int, seen: int) -> AsyncIterator[MarketEvent]:
        """Yield the log from `place` on, without what the reader had `seen` before."""
        while True:
            await self._events.wait(place)
            if self._events.closed:
                return
            events = self._events.since(place)
            place += len(events)
            for event in events:
                if isinstance(event, Backfill) or _time_of(event) > seen:
                    yield event

    async def _on_loop(self, work: Coroutine[Any, Any, _T]) -> _T | None:
        """Run `work` on the source's loop; None when the source is closed meanwhile."""
        if self._loop is None or self._loop.is_closed():
            work.close()
            return None
        try:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._is_closing and not (task is not None and task.cancelling()):
                return None
            raise

    def _started(self) -> ExchangeFeed:
        if self._feed is None:
            raise RuntimeError("the exchange source was not started")
        return self._feed

    # --- questions --------------------------------------------------------------------------

    def history(self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int) -> CandleSeries:
        """Return closed candles that open in [from_ms, to_ms); blocks, with a client of its own.

        Works without `start()`, from any thread that runs no event loop.

        Raises:
            InputError: the symbol is not one of the source's, or not one of the venue's.
            GatewayUnavailable, RateLimited: try again later.
        """
        instrument = next((i for i in self._plan.instruments if i.symbol == symbol), None)
        if instrument is None:
            known = ", ".join(i.symbol for i in self._plan.instruments)
            raise InputError(f"symbol was {symbol!r}, allowed: {known}")
        timeframe_name(timeframe_ms)
        bars = asyncio.run(self._history(instrument, timeframe_ms, from_ms, to_ms))
        return series_of(symbol, timeframe_ms, bars)

    async def _history(
        self, instrument: Instrument, timeframe_ms: int, from_ms: int, to_ms: int
    ) -> list[Bar]:
        plan, bars = self._plan, []
        markets = self._feed.markets if self._feed is not None else None
        async with ExchangeRest(
            plan.venue, (instrument,), plan.clients, self._gate, self._count, self._refusals,
            markets,
        ) as rest:  # fmt: skip
            if instrument.symbol not in await rest.markets():
                raise InputError(f"{plan.venue} does not trade {instrument.symbol}")
            cursor = -(-from_ms // timeframe_ms) * timeframe_ms
            while cursor < to_ms:
                page, known_ms = await rest.closed_candles(
                    instrument, timeframe_ms, cursor, to_ms, self._clock.now_ms()
                )
                bars += page
                if known_ms <= cursor:
                    break
                cursor = known_ms
        return bars

    def facts(self) -> Sequence[MarketFacts]:
        return [] if self._feed is None else self._feed.facts.facts()

    def health(self) -> SourceHealth:
        feed = self._feed
        heard = None if feed is None else feed.heard
        age = None if heard is None else time.monotonic() - heard
        connected = age is not None and age <= self._plan.silence_seconds and not self._is_closing
        return SourceHealth(
            connected,
            age,
            self._count.calls,
            self._count.errors,
            self._detail(feed),
            self._count.latency_ms,
        )

    def _detail(self, feed: ExchangeFeed | None) -> str:
        if feed is None:
            return "not started"
        said = [feed.trouble] if feed.trouble else []
        if self._gate.wait_seconds:
            said.append(f"the venue asked for silence, {self._gate.wait_seconds:.0f} s are left")
        if feed.behind_ms:  # candles that have closed there are refused as unclosed here
            said.append(f"our clock is {feed.behind_ms / 1000:.1f} s behind the venue's")
        if feed.absent_symbols:
            said.append(f"not traded there: {', '.join(feed.absent_symbols)}")
        said += [f"{s.name}: {s.why_down}" for s in feed.streams if not s.is_up]
        return "; ".join(dict.fromkeys(said))


def _time_of(event: MarketEvent) -> int:
    if isinstance(event, Prices):
        return event.at_ms
    market = event.market if isinstance(event, Missed | Backfill) else event
    return market.close_ms
