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


class Prices(NamedTuple):
    """The newest prices at one instant: (place of the symbol in the configuration, price units).

    The paper venue fills against them, and the account is marked to them.
    """

    at_ms: int
    prices: tuple[tuple[int, int], ...]


class Missed(NamedTuple):
    """Candles that closed while nobody was looking: before the start, or during downtime.

    The venue plays them over its working orders and the strategies see them; nothing is decided on
    them, it would be too late.
    """

    market: MarketSlice


class Backfill(NamedTuple):
    """Candles that came late: their prices were traded on already, only the history was short.

    A symbol that has none here (None) is not missing; it is not meant.
    """

    market: MarketSlice


MarketEvent = MarketSlice | Prices | Missed | Backfill


class MarketFacts(NamedTuple):
    """What a source tells of a symbol beside its price; None where it has no such figure."""

    symbol: str
    at_ms: int
    price: int  # price units
    funding_rate: int | None  # parts of 1e8
    open_interest: float | None  # in the base currency


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
