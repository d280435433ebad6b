"""Very many rows into a database, straight on the driver: minutes become seconds."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from sqlalchemy import Engine as Database

from database.statements import Statement, Values, insert

_BATCH: Final = 20_000
_FAST: Final = ("foreign_keys=OFF", "synchronous=OFF", "cache_size=-200000", "temp_store=MEMORY")
Row = tuple[Any, ...]


class Bulk:
    """Inserts rows whose values are ready for the driver; see `Values`."""

    def __init__(self, cursor: Any, dialect: str) -> None:
        self._cursor = cursor
        self._dialect = dialect
        self.values = Values(dialect)

    def add(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Insert all of `rows` and return how many they were; numbers are given by the table."""
        if self._dialect == "postgresql":
            return self._copied(table, columns, rows)
        statement: Statement = insert(table, columns, self._dialect)
        count, left = 0, iter(rows)
        while batch := list(islice(left, _BATCH)):
            statement.execute(self._cursor, batch)
            count += len(batch)
        return count

    def _copied(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        count = 0
        with self._cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
                count += 1
        return count

    def settle(self) -> None:
        """Let PostgreSQL learn what it holds, as it does by itself; SQLite never does so itself."""
        if self._dialect == "postgresql":
            self._cursor.execute("ANALYZE")


@contextmanager
def bulk(database: Database) -> Iterator[Bulk]:
    """One transaction of inserts. Foreign keys are the caller's to keep: SQLite looks at none."""
    connection = database.raw_connection()
    dialect = database.dialect.name
    try:
        cursor = connection.cursor()
        if dialect == "sqlite":
            for pragma in _FAST:
                cursor.execute(f"PRAGMA {pragma}")
            cursor.execute("BEGIN IMMEDIATE")
        made = Bulk(cursor, dialect)
        yield made
        made.settle()
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.invalidate()  # its pragmas are nobody else's
