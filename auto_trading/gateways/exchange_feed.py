"""The loop side of the exchange source: streams and REST in, market events out.

Everything here runs on one event loop, in the source's own thread.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeVar

from auto_trading.gateways.candle_cache import CandleCache
from auto_trading.gateways.candle_rows import SKEW_MS, Refusals, Refused, bar_of
from auto_trading.gateways.event_log import EventLog
from auto_trading.gateways.exchange_facts import FactBook
from auto_trading.gateways.exchange_rest import CallCount, ExchangeRest
from auto_trading.gateways.exchange_streams import CANDLES, PRICES, Stream, StreamSettings
from auto_trading.gateways.feed_plan import FeedPlan
from auto_trading.gateways.price_board import PriceBoard
from auto_trading.gateways.rate_gate import RateGate
from auto_trading.gateways.slice_assembly import SliceAssembler
from auto_trading.gateways.venue_wire import StreamCandle, StreamTicker
from crypto_trader_pro.domain.errors import GatewayUnavailable, RateLimited
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import MarketEvent, MarketSlice, Missed
from crypto_trader_pro.domain.timeframes import timeframe_name

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_TICK: Final = 0.05  # seconds between two looks at the clock
_KEEP: Final = 500  # instants that stay in the cache at least
_CHUNK: Final = 500  # instants that a reader is given at a time from before the cache
_AT_ONCE: Final = 4  # requests for candles under way together
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_BEHIND_SECONDS: Final = 60.0
_WARM_TRIES: Final = 5
_SETTLE_MS: Final = 2_000  # after a close, how long the stream alone may bring the candle
_PRICE_POLL: Final = 2.0  # seconds between two price requests while a price stream is down


class Past(NamedTuple):
    """A part of what a reader missed."""

    slices: list[MarketSlice]
    upto_ms: int  # it has all that closed until then
    place: int | None  # in the log, where what follows begins; None: ask again


class ExchangeFeed:
    """Collects candles and prices of one venue and writes the market into `events`."""

    def __init__(
        self, plan: FeedPlan, events: EventLog, gate: RateGate, count: CallCount,
        refusals: Refusals,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._events = events
        self._gate = gate
        self._count = count
        self._refusals = refusals
        self._index = {item.symbol: i for i, item in enumerate(plan.instruments)}
        self._ready = asyncio.Event()
        self._mend_now = asyncio.Event()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._absent: tuple[int, ...] = ()
        self._turn = 0
        self._cache: CandleCache
        self._assembler: SliceAssembler
        self._board: PriceBoard
        self._rest: ExchangeRest
        self.facts = FactBook(plan.instruments)
        self.streams: list[Stream] = []
        self.markets: dict[str, Any] | None = None
        self._behind = (0, 0.0)  # ms, and the monotonic time when it was seen
        self.heard: float | None = None  # monotonic time of the last usable word of the venue
        self.trouble = "not connected yet"

    # --- life -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Collect until cancelled."""
        plan = self._plan
        async with ExchangeRest(
            plan.venue, plan.instruments, plan.clients, self._gate, self._count, self._refusals,
            self.markets,
        ) as rest:  # fmt: skip
            self._rest = rest
            if not self._ready.is_set():
                await self._begin()
            self.streams = self._new_streams()
            async with asyncio.TaskGroup() as tasks:
                for stream in self.streams:
                    tasks.create_task(stream.run())
                for work in (self._tick, self._mend, self._poll_prices, self._poll_facts):
                    tasks.create_task(work())

    async def _begin(self) -> None:
        """Load what is traded and the candles that the strategies start from."""
        plan = self._plan
        self.markets = await self._patiently(self._rest.markets)
        self._absent = tuple(
            i for i, item in enumerate(plan.instruments) if item.symbol not in self.markets
        )
        if self._absent:
            log.error("%s does not trade %s", plan.venue, ", ".join(self.absent_symbols))
        now_ms = plan.clock.now_ms()
        start_ms = self._boundary(now_ms) - plan.warm_bars * plan.timeframe_ms
        self._cache = CandleCache(len(plan.instruments), plan.timeframe_ms, start_ms)
        newest = await self._warm(start_ms)
        newest_ms = newest + plan.timeframe_ms
        self._assembler = SliceAssembler(
            len(plan.instruments), plan.timeframe_ms, plan.grace_ms,
            newest_ms + plan.timeframe_ms, self._absent,
        )  # fmt: skip
        self._board = PriceBoard(plan.instruments, plan.price_interval_ms, newest_ms)
        self._word()
        self._ready.set()

    async def _warm(self, from_ms: int) -> int:
        """Fetch the first candles of all symbols; return the open time of the newest.

        One symbol that cannot be had does not hold up the others for long; its candles are asked
        for again later and come as `Backfill`.
        """
        left = [i for i in range(len(self._plan.instruments)) if i not in self._absent]
        pause, tries = _FIRST_PAUSE, 0
        while True:
            to_ms = self._boundary(self._plan.clock.now_ms())
            work = (self._fetch_into_cache(i, from_ms, to_ms) for i in left)
            answers = await asyncio.gather(*work)
            left = [i for i, answer in zip(left, answers, strict=True) if answer is not None]
            tries += 1
            newest_ms = self._cache.last_open_ms
            if newest_ms is not None and (not left or tries >= _WARM_TRIES):
                return newest_ms
            await asyncio.sleep(max(pause, self._gate.wait_seconds))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _fetch_into_cache(self, i: int, from_ms: int, to_ms: int) -> Exception | None:
        """Return why it did not work; what is no fault of the venue is raised."""
        try:
            bars, _ = await self._range(i, from_ms, to_ms)
        except (GatewayUnavailable, RateLimited) as error:
            self.trouble = str(error)
            return error
        for bar in bars:
            self._cache.put(i, bar)
        return None

    def _new_streams(self) -> list[Stream]:
        plan = self._plan
        settings = StreamSettings(
            plan.venue, plan.clients, self.markets or {}, self._gate, self._refusals,
            plan.silence_seconds,
        )  # fmt: skip
        live = [item for i, item in enumerate(plan.instruments) if i not in self._absent]
        streams = []
        for kind, group in groupby(sorted(live, key=_kind), key=_kind):
            symbols = [item.symbol for item in group]
            for what in (CANDLES, PRICES):
                frame = timeframe_name(plan.timeframe_ms)
                streams.append(Stream(settings, kind, what, symbols, frame, self))
        return streams

    @property
    def behind_ms(self) -> int:
        """How far our clock was behind the venue's within the last minute; 0 if it was not."""
        behind_ms, at = self._behind
        return behind_ms if time.monotonic() - at < _BEHIND_SECONDS else 0

    @property
    def absent_symbols(self) -> list[str]:
        """Symbols that the venue does not trade."""
        return [self._plan.instruments[i].symbol for i in self._absent]

    # --- what the streams bring ---------------------------------------------------------------

    def candle(self, symbol: str, candle: StreamCandle) -> None:
        """Take a candle of the stream: closed ones count, the running one is a sign of life."""
        i = self._index[symbol]
        if candle.closed:
            self._take_row(i, candle.row)
        self._word()
        self._pump()

    def _take_row(self, i: int, row: Sequence[Any]) -> None:
        plan = self._plan
        try:
            bar = bar_of(plan.instruments[i], plan.timeframe_ms, row, plan.clock.now_ms())
        except Refused as why:
            self._refusals.note(why.args[0], (plan.instruments[i].symbol, row))
        else:
            self._take(i, bar)

    def _take(self, i: int, bar: Bar) -> None:
        outcome = self._cache.put(i, bar)
        if outcome == "new":
            self._assembler.candle(i, bar)
        elif outcome == "revised":
            self._refusals.note("revised", (self._plan.instruments[i].symbol, bar))

    def ticker(self, symbol: str, ticker: StreamTicker) -> None:
        """Take a price."""
        i, now_ms = self._index[symbol], self._plan.clock.now_ms()
        if isinstance(ticker.at_ms, int) and ticker.at_ms > now_ms + SKEW_MS:
            self._behind = (ticker.at_ms - now_ms, time.monotonic())
        try:
            price = self._board.take(i, ticker, now_ms)
        except Refused as why:
            self._refusals.note(why.args[0], (symbol, ticker))
            return
        self.facts.price(i, price, now_ms)
        self._word()
        self._pump()

    def stream_state(self, stream: Stream, is_up: bool) -> None:
        """Look at once for what a stream that has just come or gone may have missed."""
        self._mend_now.set()

    def _word(self) -> None:
        self.heard, self.trouble = time.monotonic(), ""
        self._assembler.heard(self._plan.clock.now_ms())

    # --- what goes out ------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            self._pump()
            await asyncio.sleep(_TICK)

    def _pump(self) -> None:
        now_ms = self._plan.clock.now_ms()
        for event in self._assembler.due(now_ms):
            self._emit(event)
        if not self._assembler.is_waiting(now_ms):  # prices would overtake the slice
            prices = self._board.due(now_ms)
            if prices is not None:
                self._events.append(prices)

    def _emit(self, event: MarketEvent) -> None:
        market = event.market if isinstance(event, Missed) else event
        if isinstance(market, MarketSlice):
            self._board.passed(market.close_ms)
            keep = max(_KEEP, self._plan.warm_bars) * self._plan.timeframe_ms
            self._cache.trim(market.close_ms - keep)
        self._events.append(event)

    # --- what is asked for --------------------------------------------------------------------

    async def _mend(self) -> None:
        """Ask for the candles that the stream did not bring, less and less eagerly."""
        pause, boundary_ms = _FIRST_PAUSE, 0
        while True:
            self._mend_now.clear()
            work = self._missing()
            now_ms = self._boundary(self._plan.clock.now_ms())
            if now_ms != boundary_ms:  # a new candle is not to wait because of an older one
                pause, boundary_ms = _FIRST_PAUSE, now_ms
            if work:
                done = await self._mend_all(work)
                pause = _FIRST_PAUSE if done else min(pause * 2, _LONGEST_PAUSE)
                self._pump()
            seconds = max(pause if work else _TICK, self._gate.wait_seconds)
            await self._rest_or_poke(seconds)

    async def _rest_or_poke(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._mend_now.wait(), seconds)
        except TimeoutError:
            return
        await asyncio.sleep(self._gate.wait_seconds)

    def _missing(self) -> list[tuple[int, int, int]]:
        """Return symbol, first and last open time of what is to be asked for."""
        plan = self._plan
        up = {s for stream in self.streams if stream.is_up and stream.what == CANDLES
              for s in stream.symbols}  # fmt: skip
        now_ms = plan.clock.now_ms()
        work = []
        for i, item in enumerate(plan.instruments):
            settle_ms = min(_SETTLE_MS, plan.grace_ms // 3) if item.symbol in up else 0
            before_ms = self._boundary(now_ms - settle_ms)
            first_ms = self._cache.first_missing(i, before_ms) if i not in self._absent else None
            if first_ms is not None:
                work.append((i, first_ms, before_ms))
        return work

    async def _mend_all(self, work: list[tuple[int, int, int]]) -> bool:
        """Fetch the gaps; True when all are closed.

        One symbol goes first, a different one each time: while the venue does not answer, the
        others need not ask.
        """
        self._turn += 1
        first = work.pop(self._turn % len(work))
        answered = await self._mend_one(*first)
        if answered is None:
            return False
        return all([answered, *await asyncio.gather(*(self._mend_one(*item) for item in work))])

    async def _mend_one(self, i: int, from_ms: int, to_ms: int) -> bool | None:
        """Fetch a gap; True when it is closed, None when there was no answer."""
        try:
            bars, known_ms = await self._range(i, from_ms, to_ms)
        except (GatewayUnavailable, RateLimited) as error:
            self.trouble = str(error)
            return None
        self._word()
        for bar in bars:
            self._take(i, bar)
        self._cache.left_out(i, from_ms, known_ms)
        return self._cache.first_missing(i, to_ms) is None

    async def _range(self, i: int, from_ms: int, to_ms: int) -> tuple[list[Bar], int]:
        """Return closed candles that open in [from_ms, to_ms), and how far the answer reaches."""
        plan, bars, cursor = self._plan, [], from_ms
        async with self._slots:
            while cursor < to_ms:
                page, known_ms = await self._rest.closed_candles(
                    plan.instruments[i], plan.timeframe_ms, cursor, to_ms, plan.clock.now_ms()
                )
                bars += page
                if known_ms <= cursor:
                    break
                cursor = known_ms
        return bars, cursor

    async def _poll_prices(self) -> None:
        """Ask for prices while a price stream is down."""
        while True:
            await asyncio.sleep(max(_PRICE_POLL, self._gate.wait_seconds))
            for stream in self.streams:
                if stream.what == PRICES and not stream.is_up and not self._gate.wait_seconds:
                    await self._ask_prices(stream.symbols)

    async def _ask_prices(self, symbols: Sequence[str]) -> None:
        try:
            found = await self._rest.tickers(symbols)
        except (GatewayUnavailable, RateLimited) as error:
            self.trouble = str(error)
            return
        for ticker in found:
            self.ticker(str(ticker.market_id), ticker)

    async def _poll_facts(self) -> None:
        while True:
            await self.facts.refresh(self._rest, self._absent)
            await asyncio.sleep(max(self._plan.facts_seconds, self._gate.wait_seconds))

    # --- what readers missed ------------------------------------------------------------------

    async def past(self, after_ms: int | None) -> Past:
        """Return instants that closed after `after_ms`, oldest first; None: enough to warm up."""
        await self._ready.wait()
        plan = self._plan
        upto_ms = self._assembler.next_close_ms - plan.timeframe_ms
        if after_ms is None:
            after_ms = max(upto_ms - plan.warm_bars * plan.timeframe_ms, self._cache.start_ms)
        first_ms = self._boundary(after_ms)  # open time of the next candle to close
        if first_ms >= self._cache.start_ms:
            slices = list(self._cache.slices(after_ms, upto_ms))
            return Past(slices, max(after_ms, upto_ms), self._events.end)
        to_ms = min(self._cache.start_ms, first_ms + _CHUNK * plan.timeframe_ms)
        return Past(await self._patiently(lambda: self._old(first_ms, to_ms)), to_ms, None)

    async def _old(self, from_ms: int, to_ms: int) -> list[MarketSlice]:
        """Fetch instants that are no longer in the cache."""
        cache = CandleCache(len(self._plan.instruments), self._plan.timeframe_ms, from_ms)

        async def fetch(i: int) -> None:
            for bar in (await self._range(i, from_ms, to_ms))[0]:
                cache.put(i, bar)

        live = [i for i in range(len(self._plan.instruments)) if i not in self._absent]
        await asyncio.gather(*map(fetch, live))
        return list(cache.slices(from_ms, to_ms))

    async def _patiently(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Ask until there is an answer."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await ask()
            except (GatewayUnavailable, RateLimited) as error:
                self.trouble = str(error)
            await asyncio.sleep(max(pause, self._gate.wait_seconds))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _boundary(self, ms: int) -> int:
        return ms - ms % self._plan.timeframe_ms


def _kind(item: Instrument) -> Any:
    return item.kind
