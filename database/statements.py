"""Prepared SQL that runs over many tuples at once, the same on SQLite and PostgreSQL.

Values are made ready for the driver beforehand (`Values`), so no type is looked up per row.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Dialect, Engine
from sqlalchemy.exc import DBAPIError

from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.domain.units import MONEY_EXP
from database.types import exact_text, json_text


def scaled(units: int, places: int) -> str:
    """Return `units` * 10**-places as plain text, the stored form of an `ExactDecimal`.

    Both drivers take a decimal as text; making it from the whole number is six times as fast as by
    way of Decimal.

    >>> scaled(-1050, 2), scaled(7, 3), scaled(300, 0)
    ('-10.5', '0.007', '300')
    """
    if not places:
        return str(units)
    digits = str(units if units >= 0 else -units).rjust(places + 1, "0")
    fraction = digits[-places:].rstrip("0")
    text = f"{digits[:-places]}.{fraction}" if fraction else digits[:-places]
    return f"-{text}" if units < 0 else text


class Grid:
    """Stored forms of one instrument's whole numbers."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._price_places = _places(instrument.price_unit)
        self._lot_places = _places(instrument.lot)

    def price(self, units: int) -> str:
        """Return the stored form of a price."""
        if self._price_places is None:
            return exact_text(self._instrument.price(units))
        return scaled(units, self._price_places)

    def quantity(self, lots: int) -> str:
        """Return the stored form of a quantity."""
        if self._lot_places is None:
            return exact_text(self._instrument.quantity(lots))
        return scaled(lots, self._lot_places)


def money_text(units: int) -> str:
    """Return the stored form of money units."""
    return scaled(units, MONEY_EXP)


def _places(unit: Decimal) -> int | None:
    """Return k where `unit` is 10**-k, k >= 0; None for any other grid (0.5, say)."""
    sign, digits, exponent = unit.normalize().as_tuple()
    whole = isinstance(exponent, int) and exponent <= 0 and digits == (1,) and not sign
    return -exponent if whole and isinstance(exponent, int) else None


class Values:
    """Turns Python values into what the driver of `dialect` stores for our column types."""

    def __init__(self, dialect: str) -> None:
        self._is_sqlite = dialect == "sqlite"
        self._days: dict[int, str] = {}
        self._last_ms: int | None = None
        self._last: Any = None

    @staticmethod
    def decimal(value: Decimal) -> str:
        """Return the stored form of an `ExactDecimal`."""
        return exact_text(value)

    def moment(self, value: datetime) -> Any:
        """Return the stored form of a `UtcDateTime`."""
        moment = value.astimezone(UTC)
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f") if self._is_sqlite else moment

    def time(self, ms: int) -> Any:
        """Return the stored form of an instant given in milliseconds."""
        if ms == self._last_ms:  # rows of one instant come together
            return self._last
        self._last_ms = ms
        self._last = self._text(ms) if self._is_sqlite else to_datetime(ms)
        return self._last

    def _text(self, ms: int) -> str:
        day, rest = divmod(ms, 86_400_000)
        date = self._days.get(day)
        if date is None:
            date = self._days[day] = to_datetime(ms).strftime("%Y-%m-%d")
        minutes, rest = divmod(rest, 60_000)
        return (
            f"{date} {minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}000"
        )

    @staticmethod
    def json(value: Any) -> str:
        """Return the stored form of a JSON column."""
        return json_text(value)


class Statement:
    """One statement; `?` marks a value."""

    def __init__(self, text: str, dialect: str) -> None:
        self.text = text if dialect == "sqlite" else text.replace("?", "%s")

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute once for each row; no row, no call."""
        with _sqlalchemy_errors(connection.dialect):
            cursor = connection.connection.cursor()
            try:
                self.execute(cursor, rows)
            finally:
                cursor.close()

    def execute(self, cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute once for each row on a cursor of the driver; no row, no call."""
        if rows:
            cursor.executemany(self.text, rows)


@contextmanager
def driver_transaction(database: Engine) -> Iterator[Any]:
    """One write transaction straight on the driver; yields its cursor.

    SQLAlchemy's own path through begin, execute and commit costs as much again as the rows of a
    small commit, and the engine commits before every order. Errors come as SQLAlchemy's.
    """
    with _sqlalchemy_errors(database.dialect):
        connection = database.raw_connection()
        try:
            cursor = connection.cursor()
            if database.dialect.name == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.close()


@contextmanager
def _sqlalchemy_errors(dialect: Dialect) -> Iterator[None]:
    driver = dialect.loaded_dbapi
    try:
        yield
    except driver.Error as error:
        raise DBAPIError.instance("", None, error, driver.Error) from error


def insert(table: str, columns: Sequence[str], dialect: str) -> Statement:
    """Return INSERT of `columns`; names are ours, never a user's."""
    marks = ", ".join("?" * len(columns))
    return Statement(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", dialect)  # noqa: S608


def upsert(
    table: str, columns: Sequence[str], key: Sequence[str], changing: Sequence[str], dialect: str
) -> Statement:
    """Return INSERT that updates `changing` where a row of the unique `key` exists."""
    updates = ", ".join(f"{c} = excluded.{c}" for c in changing)
    text = insert(table, columns, "sqlite").text
    return Statement(f"{text} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}", dialect)
