"""What the engine needs from the outside. `auto_trading/bootstrap.py` chooses who provides it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from crypto_trader_pro.domain.enums import NotificationType, OrderStatus
from crypto_trader_pro.domain.messages import MarketSlice, VenueAccount, VenueEvent
from crypto_trader_pro.domain.orders import Order


class Clock(Protocol):
    """The only source of time; the trading clock follows the data source."""

    def now(self) -> datetime: ...

    def now_ms(self) -> int: ...


class MarketFeed(Protocol):
    def slices(self) -> AsyncIterator[MarketSlice]:
        """Yield each instant's closed candles once, in time order. Ends when a replay ends."""
        ...


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
