"""What the simulated venue keeps per symbol: orders in their places, position, last price."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple

from crypto_trader_pro.domain.enums import OrderRole, OrderType
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.orders import Order

# plain strings: comparing enum members on every candle is measurably slower
ENTRY: Final = OrderRole.ENTRY.value
STOP: Final = OrderRole.STOP.value
TARGET: Final = OrderRole.TARGET.value
FLATTEN: Final = OrderRole.FLATTEN.value
_FOR_EVER: Final = 1 << 40  # candles


class FundingEvent(NamedTuple):
    at_ms: int
    rate: int  # parts of 1e8, signed


@dataclass(slots=True)
class VenueOrder:
    """An order as the venue knows it."""

    client_order_id: str
    side: int
    role: str
    order_type: str
    lots: int  # still open
    price: int
    stop_units: int = 0
    target_units: int = 0
    trail_rate: int = 0
    bars_left: int = 0
    triggered: bool = False  # a stop whose remainder goes to the market; a limit that rests
    trailed: bool = False  # a stop that has moved since its entry
    started: bool = False  # an entry of which a part has filled
    delay: int = 0  # candles until it reaches the market
    protection: "list[VenueOrder]" = field(default_factory=list)  # rests when this entry fills

    def state(self) -> list[Any]:
        """Return plain values from which `of` makes it again."""
        values = [getattr(self, name) for name in _ORDER_FIELDS]
        return [*values, [child.state() for child in self.protection]]

    @staticmethod
    def of(state: Sequence[Any]) -> "VenueOrder":
        """Make an order from its `state`."""
        *values, children = state
        order = VenueOrder(**dict(zip(_ORDER_FIELDS, values, strict=True)))
        order.protection = [VenueOrder.of(child) for child in children]
        return order


_ORDER_FIELDS: Final = tuple(f.name for f in fields(VenueOrder))[:-1]


@dataclass(slots=True)
class Book:
    """One symbol at the venue: a slot per kind of order, so that a quiet candle costs little."""

    instrument: Instrument
    funding: Sequence[FundingEvent] = ()
    funding_next: int = 0
    position: int = 0
    close: int = 0
    range: int = 0  # high - low of the last candle that was played, price units
    cost: int = 0  # what the open lots were bought for, money units, signed as `position`
    exits: list[VenueOrder] = field(default_factory=list)  # to the market at the next open
    entries: list[VenueOrder] = field(default_factory=list)
    stop: VenueOrder | None = None
    target: VenueOrder | None = None

    def orders(self) -> list[VenueOrder]:
        """Return everything in the book, entries' waiting protection included."""
        waiting = [child for entry in self.entries for child in entry.protection]
        resting = [o for o in (self.stop, self.target) if o is not None]
        return [*self.exits, *self.entries, *waiting, *resting]

    def remove(self, order: VenueOrder) -> None:
        """Take `order` out of whatever place it has."""
        if order is self.stop:
            self.stop = None
        elif order is self.target:
            self.target = None
        elif order in self.exits:
            self.exits.remove(order)
        elif order in self.entries:
            self.entries.remove(order)
        else:
            for entry in self.entries:
                if order in entry.protection:
                    entry.protection.remove(order)


def taken(order: Order, ttl_bars: int, latency_bars: int = 0) -> VenueOrder:
    """Copy an order of the engine by value; only one to the market is on its way for a while.

    A limit order rests until it is canceled: how long it is good for is its owner's affair.
    """
    is_limit = order.order_type is OrderType.LIMIT
    return VenueOrder(
        order.client_order_id, order.side.sign, order.role.value, order.order_type.value,
        order.lots, order.price, order.stop_units, order.target_units, order.trail_rate,
        _FOR_EVER if is_limit else ttl_bars,
        delay=latency_bars if order.order_type is OrderType.MARKET else 0,
    )  # fmt: skip


def adverse(book: Book, bar: Bar | None) -> int:
    """Return the worst price of the candle for the open position; the last close without one."""
    if bar is None:
        return book.close
    return bar.low if book.position > 0 else bar.high
