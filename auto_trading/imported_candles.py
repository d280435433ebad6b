"""Candles and funding that were imported into the database, by venue."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine as Database

from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from database import candles
from database.auto_trading_db import unit_of_work

IMPORTED: Final = "replay"  # the source tag of candles that were imported from files


def stored_series(
    database: Database, venue: str, instruments: Sequence[Instrument], length_ms: int,
    from_ms: int | None, to_ms: int | None,
) -> tuple[CandleSeries, ...]:  # fmt: skip
    """Return the candles of each instrument, those in the range.

    Args:
        length_ms: of a candle.
    """
    origin = candles.Origin(venue, IMPORTED)
    with unit_of_work(database, "the candles") as session:
        return tuple(
            candles.load(session, item, length_ms, origin).between(from_ms, to_ms)
            for item in instruments
        )


def stored_funding(
    database: Database, venue: str, symbols: Sequence[str]
) -> dict[str, tuple[list[int], list[int]]]:
    """Return symbol -> funding times in ms and rates in parts of 1e8."""
    origin = candles.Origin(venue, IMPORTED)
    with unit_of_work(database, "the funding rates") as session:
        return {symbol: candles.load_funding(session, symbol, origin) for symbol in symbols}
