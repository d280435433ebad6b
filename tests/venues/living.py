"""A source that lives beside the server, with a reader in a thread and loop of its own."""

import asyncio
import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any, Final, TypeVar

import pytest

from auto_trading.gateways.exchange_source import ExchangeSource
from auto_trading.gateways.venue_clients import VenueClients
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Backfill, MarketEvent, MarketSlice, Missed, Prices
from tests.builders import MINUTE, START_MS, an_instrument
from tests.venues.market import ScriptedClock, ScriptedMarket
from tests.venues.server import VenueServer

_T = TypeVar("_T")
SPOT: Final = an_instrument("BTC/USDT", tick="0.01", lot="0.01")
SWAP: Final = an_instrument("BTC/USDT:USDT", tick="0.1", lot="0.001")
NOW_MS: Final = START_MS + 100 * MINUTE + 30_000  # candle 100 is running
PATIENCE: Final = 30.0

venues = pytest.mark.parametrize("venue", ["binance", "bybit", "okx"])


def one_of_three(first: str) -> pytest.MarkDecorator:
    """Run for `first`, and for the other two with the slow tests."""
    others = [v for v in ("binance", "bybit", "okx") if v != first]
    slow = [pytest.param(v, marks=pytest.mark.slow) for v in others]
    return pytest.mark.parametrize("venue", [first, *slow])


def spot_bar(k: int) -> Bar:
    """Return candle k of SPOT: opens at 1000 + k, in cents; volume 10 + k in lots of 0.01."""
    start = (1000 + k) * 100
    return Bar(START_MS + k * MINUTE, start, start + 600, start - 500, start + 100, (10 + k) * 100)


def swap_bar(k: int) -> Bar:
    """Return candle k of SWAP: opens at 2000 + k, in tenths; volume 10 + k in lots of 0.001."""
    start = (2000 + k) * 10
    return Bar(START_MS + k * MINUTE, start, start + 60, start - 50, start + 10, (10 + k) * 1000)


def both(k: int) -> MarketSlice:
    """Return the slice that candle k closes."""
    return MarketSlice(START_MS + (k + 1) * MINUTE, (spot_bar(k), swap_bar(k)))


class HastyClients(VenueClients):
    """Clients that do not spread their requests: a stand-in has no weight limits."""

    def client(self, *arguments: Any) -> Any:
        found = super().client(*arguments)
        found.enableRateLimit = False
        return found


class Reader:
    """Collects the events of a source with the time of their arrival."""

    def __init__(self, source: ExchangeSource, after_ms: int | None) -> None:
        self._source = source
        self._after_ms = after_ms
        self.events: list[MarketEvent] = []
        self.times: list[float] = []
        self._thread = Thread(target=lambda: asyncio.run(self._read()), daemon=True)
        self._thread.start()

    async def _read(self) -> None:
        async for event in self._source.events(self._after_ms):
            self.times.append(time.monotonic())
            self.events.append(event)

    def of(self, kind: type[_T]) -> list[_T]:
        """Return the events of one kind."""
        return [event for event in list(self.events) if isinstance(event, kind)]

    @property
    def slices(self) -> list[MarketSlice]:
        return self.of(MarketSlice)

    @property
    def missed(self) -> list[MarketSlice]:
        return [event.market for event in self.of(Missed)]

    @property
    def backfills(self) -> list[MarketSlice]:
        return [event.market for event in self.of(Backfill)]

    @property
    def prices(self) -> list[Prices]:
        return self.of(Prices)

    @property
    def told(self) -> dict[int, int]:
        """Return the last price told of each symbol, by its place."""
        return {i: price for event in self.prices for i, price in event.prices}

    def has_ended(self) -> bool:
        """Wait a little for the end of the events."""
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()


class Living:
    """Server, source and one reader; a context manager.

    Args:
        after_ms: what the reader asks for.
        streams: whether to wait until the streams are subscribed and have said a first word.
        source: settings of the source that differ.
    """

    def __init__(
        self, venue: str, *, after_ms: int | None = None, streams: bool = True,
        instruments: Sequence[Any] = (SPOT, SWAP), **source: Any,
    ) -> None:  # fmt: skip
        self.clock = ScriptedClock(NOW_MS)
        self.market = ScriptedMarket((SPOT, SWAP), MINUTE, self.clock, START_MS)
        self.server = VenueServer(self.market)
        self._venue = venue
        self._after_ms = after_ms
        self._streams = streams
        self._instruments = instruments
        self._settings: dict[str, Any] = {
            "warm_bars": 3, "grace_seconds": 10.0, "silence_seconds": 30.0,
            "price_interval_ms": 1,
        } | source  # fmt: skip

    def __enter__(self) -> "Living":
        import ccxt.pro  # type: ignore[import-untyped]  # noqa: F401  once per process, for as long as it takes

        self.server.__enter__()
        self.source = self.another()
        self.source.start()
        self.reader = Reader(self.source, self._after_ms)
        if self._streams:
            self.speak()
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self.server.__exit__()

    def another(self) -> ExchangeSource:
        """Return a further source on the same server; the caller closes it."""
        settings = {"clock": self.clock} | self._settings
        clients = VenueClients(self.server.base_url)
        return ExchangeSource(self._venue, self._instruments, MINUTE, clients=clients, **settings)

    def speak(self) -> None:
        """Wait for the subscriptions and send a first, running candle on each stream."""
        self.server.wait_for_streams(4)
        k = (self.clock.now_ms() - START_MS) // MINUTE
        for symbol in ("BTC/USDT", "BTC/USDT:USDT"):
            self.server.send_candle(symbol, START_MS + k * MINUTE, closed=False)
            self.server.send_price(symbol, str(self.market.prices[symbol]))
        self.until(lambda: self.source.health().detail == "", "the streams are up")

    def at_close(self, k: int, *, after_ms: int = 5) -> int:
        """Set the clock to just after candle k has closed; return the candle's open time."""
        self.clock.set(START_MS + (k + 1) * MINUTE + after_ms)
        return START_MS + k * MINUTE

    def close(self, k: int) -> None:
        """Let candle k close and send it to all."""
        self.server.close_candles(self.at_close(k))

    def until_slice(self, k: int) -> None:
        """Wait for the slice that candle k closes."""
        self.until(lambda: both(k) in self.reader.slices, f"slice {k}")

    @staticmethod
    def until(condition: Callable[[], bool], what: str) -> float:
        """Wait for something; return the seconds that it took.

        Raises:
            AssertionError: it did not come.
        """
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < PATIENCE, f"waited in vain: {what}"
            time.sleep(0.002)
        return time.monotonic() - began
