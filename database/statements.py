"""Prepared SQL that runs over many tuples at once, the same on SQLite and PostgreSQL.

Values are made ready for the driver beforehand (`Values`), so no type is looked up per row.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from crypto_trader_pro.domain.timeframes import to_datetime
from database.types import exact, exact_text


class Values:
    """Turns Python values into what the driver of `dialect` stores for our column types."""

    def __init__(self, dialect: str) -> None:
        self._is_sqlite = dialect == "sqlite"
        self._days: dict[int, str] = {}

    def decimal(self, value: Decimal) -> Any:
        """Return the stored form of an `ExactDecimal`."""
        return exact_text(value) if self._is_sqlite else exact(value)

    def moment(self, value: datetime) -> Any:
        """Return the stored form of a `UtcDateTime`."""
        moment = value.astimezone(UTC)
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f") if self._is_sqlite else moment

    def time(self, ms: int) -> Any:
        """Return the stored form of an instant given in milliseconds."""
        if not self._is_sqlite:
            return to_datetime(ms)
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
        return json.dumps(value, separators=(",", ":"))


class Statement:
    """One statement; `?` marks a value."""

    def __init__(self, text: str, dialect: str) -> None:
        self.text = text if dialect == "sqlite" else text.replace("?", "%s")

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute once for each row; no row, no call."""
        if not rows:
            return
        driver = connection.dialect.loaded_dbapi
        cursor = connection.connection.cursor()
        try:  # the driver itself: SQLAlchemy's own path costs as much again as the write
            cursor.executemany(self.text, rows)
        except driver.Error as error:
            raise DBAPIError.instance(self.text, None, error, driver.Error) from error
        finally:
            cursor.close()


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
