"""Stored candles and funding rates, exactly as the engine counts them.

A candle is stored once: storing it again changes nothing, storing it with other numbers is refused.

A range in which the venue is known to have nothing is a row too, beside the candles: its timeframe
is that of the candles behind "no ", its timestamp the begin, its volume the length in minutes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final

import numpy as np
from sqlalchemy import ColumnElement, delete, func, select
from sqlmodel import Session, col

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries, Ints
from crypto_trader_pro.domain.timeframes import timeframe_name, to_datetime, to_ms
from crypto_trader_pro.domain.units import RATE
from database.models import MarketDataRow
from database.statements import Statement, Values, insert

FUNDING: Final = "funding"  # timeframe of a row that holds only a rate
_PRICES: Final = ("open", "high", "low", "close", "volume")
CANDLE_COLUMNS: Final = ("venue", "symbol", "timeframe", "source", "timestamp", *_PRICES)
_RATE: Final = ("venue", "symbol", "timeframe", "source", "timestamp", "funding_rate")
_RATE_UNIT: Final = Decimal(1) / RATE
_HOLE: Final = ("venue", "symbol", "timeframe", "source", "timestamp", "volume")
_ABSENT: Final = "no "  # before the timeframe of a row that says where the venue has nothing
_MINUTE: Final = 60_000
_BATCH: Final = 5_000  # rows handed to the driver at once

Row = tuple[int, ...]  # open time in ms, then whole units


@dataclass(frozen=True, slots=True)
class Origin:
    """Where rows come from. Rows of different origins are never mixed in one series."""

    venue: str
    source: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is stored of one symbol, timeframe and origin. Times are open times."""

    venue: str
    symbol: str
    timeframe: str
    source: str
    first: datetime
    last: datetime
    rows: int


def store(session: Session, series: CandleSeries, instrument: Instrument, origin: Origin) -> int:
    """Insert the candles that are not stored yet and return how many they were.

    Raises:
        InputError: a candle is stored with other numbers.
    """
    timeframe = timeframe_name(series.timeframe_ms)
    given = [tuple(bar) for bar in series.bars()]
    units = (*(instrument.price_unit,) * 4, instrument.lot)
    return _store(
        session, _Kind(CANDLE_COLUMNS, units), given, instrument.symbol, timeframe, origin
    )


def load(
    session: Session, instrument: Instrument, timeframe_ms: int, origin: Origin,
    *, from_ms: int | None = None, to_ms: int | None = None,
) -> CandleSeries:  # fmt: skip
    """Return the stored candles that open in [from_ms, to_ms), oldest first, as they were stored.

    Raises:
        InputError: a stored number is not on the instrument's grid.
    """
    units = (*(instrument.price_unit,) * 4, instrument.lot)
    rows = _load(
        session, _Kind(CANDLE_COLUMNS, units), instrument.symbol, timeframe_name(timeframe_ms),
        origin, from_ms, to_ms,
    )  # fmt: skip
    table = np.array(rows, dtype=np.int64).reshape(-1, 6)
    columns = (np.ascontiguousarray(table[:, k]) for k in range(6))
    return CandleSeries(instrument.symbol, timeframe_ms, *columns)


def store_funding(
    session: Session, symbol: str, at_ms: Sequence[int], rates: Sequence[int], origin: Origin
) -> int:
    """Insert the funding rates (parts of 1e8) that are not stored yet; return how many they were.

    Raises:
        InputError: a rate is stored with another number.
    """
    given = list(zip(at_ms, rates, strict=True))
    return _store(session, _Kind(_RATE, (_RATE_UNIT,)), given, symbol, FUNDING, origin)


def load_funding(
    session: Session, symbol: str, origin: Origin,
    *, from_ms: int | None = None, to_ms: int | None = None,
) -> tuple[list[int], list[int]]:  # fmt: skip
    """Return times in [from_ms, to_ms) and rates in parts of 1e8, oldest first."""
    kind = _Kind(_RATE, (_RATE_UNIT,))
    rows = _load(session, kind, symbol, FUNDING, origin, from_ms, to_ms)
    return [row[0] for row in rows], [row[1] for row in rows]


def stored_times(
    session: Session, symbol: str, timeframe: str, origin: Origin, from_ms: int, to_ms_: int
) -> Ints:
    """Return the open times in [from_ms, to_ms_) of what is stored, oldest first, shape (n,).

    Args:
        timeframe: of candles; `FUNDING` for the times of rates.
    """
    row = MarketDataRow
    at = col(row.timestamp)
    query = select(at).where(
        *_of(symbol, timeframe, origin), at >= to_datetime(from_ms), at < to_datetime(to_ms_)
    )
    found = session.connection().execute(query.order_by(at)).scalars()
    return np.array([to_ms(instant) for instant in found], dtype=np.int64)


def load_holes(
    session: Session, symbol: str, timeframe: str, origin: Origin
) -> list[tuple[int, int]]:
    """Return the ranges [from, to) in ms in which the venue is known to have nothing."""
    kind = _Kind(_HOLE, (Decimal(1),))
    rows = _load(session, kind, symbol, _absent(timeframe), origin, None, None)
    return [(at_ms, at_ms + minutes * _MINUTE) for at_ms, minutes in rows]


def replace_holes(
    session: Session, symbol: str, timeframe: str, origin: Origin,
    holes: Sequence[tuple[int, int]],
) -> None:  # fmt: skip
    """Store these ranges [from, to), whole minutes, in place of those that `load_holes` returns."""
    name = _absent(timeframe)
    session.connection().execute(delete(MarketDataRow).where(*_of(symbol, name, origin)))
    given = [(first, (last - first) // _MINUTE) for first, last in holes]
    _store(session, _Kind(_HOLE, (Decimal(1),)), given, symbol, name, origin)


def _absent(timeframe: str) -> str:
    return _ABSENT + ("rates" if timeframe == FUNDING else timeframe)


def coverage(session: Session, *, symbol: str | None = None) -> list[Coverage]:
    """List what is stored, sorted by venue, symbol, timeframe and source."""
    row = MarketDataRow
    key = (col(row.venue), col(row.symbol), col(row.timeframe), col(row.source))
    at = col(row.timestamp)
    query = select(*key, func.min(at), func.max(at), func.count()).group_by(*key).order_by(*key)
    query = query.where(~col(row.timeframe).startswith(_ABSENT))
    if symbol is not None:
        query = query.where(col(row.symbol) == symbol)
    return [Coverage(*found) for found in session.connection().execute(query)]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Columns of a kind of row, and the unit in which each value column is counted."""

    columns: tuple[str, ...]
    units: tuple[Decimal, ...]

    @property
    def value_columns(self) -> tuple[str, ...]:
        return self.columns[-len(self.units) :]


def _store(
    session: Session, kind: _Kind, given: Sequence[Row], symbol: str, timeframe: str,
    origin: Origin,
) -> int:  # fmt: skip
    connection = session.connection()
    dialect = connection.dialect.name
    text = insert("market_data", kind.columns, "sqlite").text + " ON CONFLICT DO NOTHING"
    statement = Statement(text, dialect).text
    key = (origin.venue, symbol, timeframe, origin.source)
    rows = _driver_rows(key, given, kind.units, dialect)
    stored = 0
    while batch := list(islice(rows, _BATCH)):
        stored += connection.exec_driver_sql(statement, batch).rowcount
    if stored < len(given):
        _same(session, kind, given, symbol, timeframe, origin)
    return stored


def _driver_rows(
    key: tuple[str, ...], given: Sequence[Row], units: Sequence[Decimal], dialect: str
) -> Iterator[tuple[Any, ...]]:
    values = Values(dialect)
    stored: list[Callable[[int], Any]] = [_stored_as(unit, dialect) for unit in units]
    for at_ms, *numbers in given:
        moment = values.time(at_ms)
        yield (*key, moment, *(f(n) for f, n in zip(stored, numbers, strict=True)))


def _stored_as(unit: Decimal, dialect: str) -> Callable[[int], Any]:
    """Return what turns a count of `unit` into the value that the driver stores."""
    if dialect == "sqlite":
        return lambda count: format(unit * count, "f")
    return lambda count: unit * count


def _same(
    session: Session, kind: _Kind, given: Sequence[Row], symbol: str, timeframe: str,
    origin: Origin,
) -> None:  # fmt: skip
    """Refuse rows that are stored already with other numbers."""
    first, last = given[0][0], given[-1][0]
    found = {
        row[0]: row
        for row in _load(session, kind, symbol, timeframe, origin, first, last + 1)
    }  # fmt: skip
    for row in given:
        if found.get(row[0]) != row:
            shown = [str(kind.units[k] * n) for k, n in enumerate(row[1:])]
            stored = [str(kind.units[k] * n) for k, n in enumerate(found[row[0]][1:])]
            raise InputError(
                f"{symbol} {timeframe} of {to_datetime(row[0]).isoformat()}:"
                f" was {' '.join(shown)}, stored is {' '.join(stored)}"
            )


def _load(
    session: Session, kind: _Kind, symbol: str, timeframe: str, origin: Origin,
    from_ms: int | None, to_ms_: int | None,
) -> list[Row]:  # fmt: skip
    table = MarketDataRow
    at = col(table.timestamp)
    where = _of(symbol, timeframe, origin)
    if from_ms is not None:
        where.append(at >= to_datetime(from_ms))
    if to_ms_ is not None:
        where.append(at < to_datetime(to_ms_))
    numbers = [col(getattr(table, name)) for name in kind.value_columns]
    query = select(at, *numbers).where(*where).order_by(at)
    name = f"{symbol} {timeframe}"
    return [
        (to_ms(row[0]), *(_count(v, u, name) for v, u in zip(row[1:], kind.units, strict=True)))
        for row in session.connection().execute(query)
    ]


def _of(symbol: str, timeframe: str, origin: Origin) -> list[ColumnElement[bool]]:
    row = MarketDataRow
    return [
        col(row.venue) == origin.venue, col(row.symbol) == symbol,
        col(row.timeframe) == timeframe, col(row.source) == origin.source,
    ]  # fmt: skip


def _count(value: Decimal, unit: Decimal, name: str) -> int:
    count = int(value / unit)
    if unit * count != value:
        raise InputError(f"{name}: stored {value} is not a multiple of {unit}")
    return count
