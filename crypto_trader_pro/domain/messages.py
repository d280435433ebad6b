"""What a venue tells the engine. Immutable facts, in the order in which they happened."""

from typing import NamedTuple

from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.orders import Fill


class MarketSlice(NamedTuple):
    """All candles that closed at one instant, in the order of the configured symbols.

    `bars[i]` is None when symbol i has no candle for this instant.
    """

    close_ms: int
    bars: tuple[Bar | None, ...]


class Acknowledged(NamedTuple):
    """The venue took the order."""

    client_order_id: str
    at_ms: int


class Working(NamedTuple):
    """The order rests at the venue, with this price and quantity. Also sent when they change."""

    client_order_id: str
    price: int
    lots: int
    at_ms: int


class Rejected(NamedTuple):
    client_order_id: str
    code: str
    at_ms: int


class Ended(NamedTuple):
    """The order left the book without (further) fills."""

    client_order_id: str
    expired: bool  # False: canceled
    code: str
    at_ms: int


class Funded(NamedTuple):
    """A funding payment; `amount` > 0 is received, money units."""

    reference: str
    symbol: str
    amount: int
    rate: int
    at_ms: int


class VenueAccount(NamedTuple):
    """What the venue itself says we have: cash in money units, signed lots by symbol."""

    cash: int
    lots: dict[str, int]


VenueEvent = Acknowledged | Working | Rejected | Ended | Funded | Fill
