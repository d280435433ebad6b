"""What the engine needs from the outside. `auto_trading/bootstrap.py` chooses who provides it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from crypto_trader_pro.domain.enums import Component, NotificationType, OrderStatus
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.messages import (
    MarketEvent,
    MarketFacts,
    MarketSlice,
    VenueAccount,
    VenueEvent,
)
from crypto_trader_pro.domain.orders import Order


class Clock(Protocol):
    """The only source of time; the trading clock follows the data source."""

    def now(self) -> datetime: ...

    def now_ms(self) -> int: ...


class MarketFeed(Protocol):
    def slices(self) -> AsyncIterator[MarketSlice]:
        """Yield each instant's closed candles once, in time order. Ends when a replay ends."""
        ...


class SourceHealth(NamedTuple):
    """How a market source is doing, for the safety checks and the screen."""

    connected: bool
    last_event_age_seconds: float | None  # None before the first
    calls: int  # requests to the venue since the start
    errors: int  # failed ones
    detail: str  # one line: what is wrong, or ""
    latency_ms: float | None = None  # of the newest request; None before the first


class MarketSource(Protocol):
    """Where a living engine's market comes from. It outlives any one reader.

    Every method may be called from any thread. A source that connects to something does so in a
    thread of its own: no reader ever waits for a socket.
    """

    @property
    def name(self) -> str:
        """Return "demo" or "exchange": the tag of every row that comes from it."""
        ...

    @property
    def venue(self) -> str:
        """Return whose market it is: "binance", "demo-7" (demo of seed 7)."""
        ...

    def start(self) -> None:
        """Begin to listen. Returns at once."""
        ...

    def close(self) -> None:
        """Let go of threads and sockets; readers end."""
        ...

    def clock(self) -> Clock:
        """Return the trading clock of this market."""
        ...

    def events(self, after_ms: int | None) -> AsyncIterator[MarketEvent]:
        """Yield the market from `after_ms` (exclusive) on, in time order, for ever.

        None: a fresh start, which begins with enough `Missed` candles to warm the strategies.
        Otherwise what closed since then comes first, as `Missed`. Several readers may exist; one
        that is abandoned costs nothing.
        """
        ...

    def history(self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int) -> CandleSeries:
        """Return closed candles that open in [from_ms, to_ms). May take long; not for the loop.

        Raises:
            GatewayUnavailable, RateLimited: try again later.
        """
        ...

    def facts(self) -> Sequence[MarketFacts]:
        """Return the newest price, funding rate and open interest of each symbol that has one."""
        ...

    def health(self) -> SourceHealth: ...


class ExchangeGateway(Protocol):
    """A venue, or something that behaves like one.

    Raises `RetryableError`, `RejectedError`, `OutcomeUnknown` or `HaltError`; no library or wire
    type ever crosses this line.
    """

    async def submit(self, order: Order, protection: Sequence[Order]) -> None:
        """Send `order`; `protection` rests from the moment it fills."""
        ...

    async def cancel(self, client_order_id: str) -> None: ...

    async def query(self, client_order_id: str) -> OrderStatus:
        """Return what the venue knows of the order; ABSENT only with proof."""
        ...

    async def account(self) -> VenueAccount:
        """Return what the venue says we have, to be compared with our own books."""
        ...

    async def events(self) -> Sequence[VenueEvent]:
        """Return what happened since the last call, oldest first."""
        ...


class Alerts(Protocol):
    """Best effort and never in the way: a sink that fails must not delay or stop trading."""

    def raise_alert(
        self, kind: NotificationType, code: str, numbers: Mapping[str, Any], at_ms: int
    ) -> None: ...


class LogEntry(NamedTuple):
    """One line of the log table; free of secrets, and `data` holds JSON values only."""

    at: datetime
    level: str
    component: Component
    message: str
    data: Mapping[str, Any] | None
    correlation_id: str | None
    run_id: int | None


class LogSink(Protocol):
    """Where log lines are kept beside the files."""

    def write(self, entries: Sequence[LogEntry]) -> None:
        """Store all of them or none. May take long; never called by a thread that trades.

        Raises:
            TradingError: not now; the same call may succeed later.
        """
        ...


class Delivery(NamedTuple):
    """One channel's part of a notice."""

    channel: str
    not_before: datetime
    is_shown: bool  # the stored notice is itself the delivery: the console's list of alerts


class Notice(NamedTuple):
    """Something to tell people; free of secrets, and `data` holds JSON values only."""

    kind: NotificationType
    severity: str
    message: str
    data: Mapping[str, Any] | None
    alert_id: int | None  # the alert that says it already, 0 if unknown which; None: there is none
    run_id: int | None
    at: datetime  # system time
    deliveries: tuple[Delivery, ...]
    key: str | None = None  # stored once for each channel, however often it is added
    image: bytes | None = None  # PNG that goes along


class Outbox(Protocol):
    """Where notices wait for their channels."""

    def add(self, notices: Sequence[Notice]) -> None:
        """Store all of them or none. May take long; never called by a thread that trades.

        Raises:
            TradingError: not now; the same call may succeed later.
        """
        ...
