"""What a venue's dialect has to say, and the pieces that they share."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.instruments import Instrument
from tests.venues.market import ScriptedMarket


class NotServed(Exception):  # noqa: N818
    """The stand-in does not have this path."""


class Topic(NamedTuple):
    """What a connection has subscribed to."""

    kind: MarketKind
    what: str  # "candles", "prices"
    market_id: str


class Subscribed(NamedTuple):
    """What a message of a client leads to."""

    topics: list[Topic]
    replies: list[Any]  # JSON values, or text as it is


class Dialect(Protocol):
    """One venue's protocol. `host` and `path` are those of the venue itself."""

    venue: str
    hosts: tuple[str, ...]

    def market_id(self, instrument: Instrument) -> str: ...

    def rest(self, market: ScriptedMarket, host: str, path: str, query: Mapping[str, str]) -> Any:
        """Return the JSON value that answers a GET.

        Raises:
            NotServed: an unknown path.
        """
        ...

    def subscribe(self, host: str, path: str, message: Any) -> Subscribed: ...

    def candle_message(
        self, market: ScriptedMarket, instrument: Instrument, open_ms: int, closed: bool
    ) -> Any: ...

    def ticker_message(
        self, market: ScriptedMarket, instrument: Instrument, at_ms: int,
        price: Decimal, bid: Decimal, ask: Decimal,
    ) -> Any: ...  # fmt: skip


def by_id(dialect: Dialect, market: ScriptedMarket, kind: MarketKind, market_id: str) -> Instrument:
    """Return the instrument that the venue calls `market_id`."""
    for item in market.of_kind(kind):
        if dialect.market_id(item) == market_id:
            return item
    raise NotServed(market_id)


def text(value: Decimal) -> str:
    """Return a number as the venues write it."""
    return format(value, "f")
