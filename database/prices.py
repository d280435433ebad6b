"""The newest price of each symbol, with funding rate and open interest where there are any."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlmodel import Session, col, select

from database.candles import Origin
from database.models import LatestPriceRow
from database.statements import Statement, Values, insert

_KEY: Final = ("venue", "symbol", "source")
_FIGURES: Final = ("price", "at", "received_at", "funding_rate", "open_interest")


@dataclass(frozen=True, slots=True)
class LatestPrice:
    """What is known of a symbol now; None where its source has no such figure."""

    symbol: str
    price: Decimal
    at: datetime  # trading time
    funding_rate: Decimal | None = None  # fraction
    open_interest: Decimal | None = None  # base currency


def store_latest(
    session: Session, prices: Sequence[LatestPrice], origin: Origin, received_at: datetime
) -> None:
    """Insert or replace the row of each symbol; a row received later than this one stays.

    Args:
        received_at: system time.
    """
    connection = session.connection()
    dialect = connection.dialect.name
    replaced = ", ".join(f"{name} = excluded.{name}" for name in _FIGURES)
    text = (
        f"{insert('latest_prices', (*_KEY, *_FIGURES), 'sqlite').text}"
        f" ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {replaced}"
        " WHERE latest_prices.received_at <= excluded.received_at"
    )
    values = Values(dialect)
    received = values.moment(received_at)
    rows = [
        (
            origin.venue, row.symbol, origin.source, values.decimal(row.price),
            values.moment(row.at), received, _decimal(row.funding_rate),
            _decimal(row.open_interest),
        )
        for row in sorted(prices, key=lambda row: row.symbol)  # one order: no deadlock
    ]  # fmt: skip
    Statement(text, dialect).run(connection, rows)


def latest(session: Session, origin: Origin | None = None) -> list[LatestPriceRow]:
    """Return the newest prices, of one origin or of all, sorted by venue, source and symbol."""
    row = LatestPriceRow
    query = select(row).order_by(col(row.venue), col(row.source), col(row.symbol))
    if origin is not None:
        query = query.where(col(row.venue) == origin.venue, col(row.source) == origin.source)
    return list(session.exec(query))


def _decimal(value: Decimal | None) -> Any:
    return None if value is None else Values.decimal(value)
