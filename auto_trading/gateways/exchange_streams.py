"""Live streams of a venue that are opened anew whenever they drop or fall silent.

Each stream (candles or prices of one kind of market) has a client and a connection of its own, so
that to hang up on one leaves nothing behind and disturbs no other.
"""

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from auto_trading.gateways.candle_rows import Refusals
from auto_trading.gateways.rate_gate import RateGate
from auto_trading.gateways.venue_clients import Tap, VenueClients, one_line
from auto_trading.gateways.venue_wire import StreamCandle, StreamItem, StreamTicker, read
from crypto_trader_pro.domain.enums import MarketKind

log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.5  # seconds before the second attempt, doubled up to the longest
_LONGEST_PAUSE: Final = 60.0
_TOPICS: Final = {"bybit": 10}  # topics that one request for a spot stream may name
CANDLES: Final = "candles"
PRICES: Final = "prices"


class StreamSink(Protocol):
    """Who takes what the streams bring. Called on the streams' loop."""

    def candle(self, symbol: str, candle: StreamCandle) -> None: ...

    def ticker(self, symbol: str, ticker: StreamTicker) -> None: ...

    def stream_state(self, stream: "Stream", is_up: bool) -> None:
        """Called when a stream has brought its first message, and when it is given up."""
        ...


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What all streams of a source share."""

    venue: str
    clients: VenueClients
    markets: Mapping[str, Any]
    gate: RateGate
    refusals: Refusals
    silence_seconds: float
    first_pause: float = _FIRST_PAUSE


class Stream(Tap):
    """One subscription and its watchdog; `run` keeps it alive until it is cancelled.

    Attributes:
        is_up: it has brought something since it was opened.
        openings: times that it was opened.
        why_down: why it is not up; "" while it is.
    """

    def __init__(
        self, settings: StreamSettings, kind: MarketKind, what: str, symbols: Sequence[str],
        timeframe: str, sink: StreamSink,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._kind = kind
        self._timeframe = timeframe
        self._sink = sink
        self._ids = {settings.markets[symbol]["id"]: symbol for symbol in symbols}
        self._heard = 0.0  # monotonic time of the last usable message
        self._ended = asyncio.Event()
        self.what = what
        self.symbols = tuple(symbols)
        self.is_up = False
        self.openings = 0
        self.why_down = "not opened yet"

    @property
    def name(self) -> str:
        return f"{self._settings.venue} {self._kind.value} {self.what}"

    async def run(self) -> None:
        """Open, listen, hang up, wait longer each time; for ever."""
        failures = 0
        while True:
            await asyncio.sleep(self._settings.gate.wait_seconds)
            if await self._session():
                failures = 0
            pause = min(self._settings.first_pause * 2**failures, _LONGEST_PAUSE)
            failures = min(failures + 1, 16)
            # jitter, so that streams that were dropped together do not come back together
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    async def _session(self) -> bool:
        """Keep one connection for as long as it is good; True when it brought anything."""
        settings = self._settings
        self._ended.clear()
        self.openings += 1
        client = settings.clients.client(settings.venue, (self._kind,), self)
        client.set_markets(dict(settings.markets))
        try:
            self._heard = time.monotonic()
            subscribing = asyncio.ensure_future(self._subscribe(client))
            try:
                await self._listen()
            finally:
                subscribing.cancel()
                with suppress(asyncio.CancelledError):
                    await subscribing
            return self.is_up
        finally:
            self._down()
            await client.close()

    async def _subscribe(self, client: Any) -> None:
        """Subscribe to all symbols at once. What comes in, comes through the tap."""
        try:
            await asyncio.gather(*(self._watch(client, part) for part in self._parts()))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  any error of the library means: not subscribed
            self.dropped(one_line(error))

    async def _watch(self, client: Any, symbols: Sequence[str]) -> None:
        if self.what == CANDLES:
            await client.watch_ohlcv_for_symbols([[s, self._timeframe] for s in symbols])
        else:
            await client.watch_tickers(list(symbols))

    def _parts(self) -> list[tuple[str, ...]]:
        size = _TOPICS.get(self._settings.venue, len(self.symbols))
        return [self.symbols[k : k + size] for k in range(0, len(self.symbols), size)]

    async def _listen(self) -> None:
        """Return when the connection has ended or has been silent for too long."""
        silence = self._settings.silence_seconds
        while not self._ended.is_set():
            left = self._heard + silence - time.monotonic()
            if left <= 0:
                self.why_down = f"silent for {silence:g} s"
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), left)

    def _down(self) -> None:
        was_up, self.is_up = self.is_up, False
        if was_up and self.why_down:  # once, not for each attempt that fails
            log.warning("%s: stream down: %s", self.name, self.why_down)
        self._sink.stream_state(self, False)

    # --- what the client tells ---------------------------------------------------------------

    def message(self, message: Any) -> None:
        try:
            items = list(read(self._settings.venue, self._kind, message))
        except (KeyError, TypeError, IndexError, AttributeError, ValueError):
            self._settings.refusals.note("wrong_shape", message)
            return
        for item in items:
            self._take(item)

    def _take(self, item: StreamItem) -> None:
        symbol = self._ids.get(item.market_id) if isinstance(item.market_id, str) else None
        if symbol is None:
            self._settings.refusals.note("unknown_symbol", item)
            return
        self._heard = time.monotonic()
        if not self.is_up:
            self.is_up, self.why_down = True, ""
            log.info("%s: stream up", self.name)
            self._sink.stream_state(self, True)
        if isinstance(item, StreamCandle):
            self._sink.candle(symbol, item)
        else:
            self._sink.ticker(symbol, item)

    def garbage(self, error: Exception) -> None:
        self._settings.refusals.note("not_json", one_line(error))

    def dropped(self, reason: str) -> None:
        self.why_down = reason
        self._ended.set()
