"""Opens the database, keeps its schema current, and says in one line why it does not serve."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlmodel import Session

from crypto_trader_pro.domain.errors import ConfigError
from database.failures import BUSY_SECONDS, label, translation
from database.migrations import REVISIONS
from database.types import json_text

SchemaState = Literal["missing", "behind", "current", "ahead"]

_ALLOWED: Final = "allowed: sqlite:///FILE, postgresql://USER:PASSWORD@HOST:PORT/NAME"


def open_database(
    url: str, *, durable: bool = True, read_only: bool = False, busy_seconds: float = 5.0
) -> Engine:
    """Return a pooled engine; nothing is connected yet. The caller disposes of it.

    SQLite serves several processes on one file: WAL lets readers go on during a write, and every
    transaction of a writing engine begins IMMEDIATE, because one that reads first and then writes
    fails at once when another has written in between, however long it may wait. So what only
    reads should open with `read_only`, or it stands in the writers' queue.

    Args:
        durable: a commit has reached the disk when it returns (the order journal needs this).
            False may lose the last commits with the power, never their consistency.
        busy_seconds: how long a transaction waits for another writer.

    Raises:
        ConfigError: an unusable URL or folder.
    """
    address = _address(url)
    options = {BUSY_SECONDS: busy_seconds}
    if address.get_backend_name() == "postgresql":
        settings = _server_settings(address, durable, read_only, busy_seconds)
        connect_args = {"connect_timeout": max(2, ceil(busy_seconds)), "options": settings}
        return create_engine(
            address, connect_args=connect_args, pool_pre_ping=True,
            json_serializer=json_text, execution_options=options,
        )  # fmt: skip
    file = Path(str(address.database)).absolute()
    if not read_only:
        _make_folder(file.parent)
    engine = create_engine(
        address.set(database=str(file)), json_serializer=json_text, execution_options=options,
        creator=_sqlite_connector(file, durable, read_only, busy_seconds),
    )  # fmt: skip
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def file_of(url: str) -> Path | None:
    """Return the file of an SQLite database; None for PostgreSQL, and where the URL is unusable."""
    try:
        address = _address(url)
    except ConfigError:
        return None
    return Path(str(address.database)).absolute() if address.drivername == "sqlite" else None


@contextmanager
def translated(what: str, database: Engine) -> Iterator[None]:
    """Turn an error of the driver into one line: what was tried, which database, why not.

    Raises:
        JournalUnavailable: locked, full, read-only, damaged, unreachable, or without its tables.
        ConfigError: the file is no database.
    """
    try:
        yield
    except SQLAlchemyError as error:
        clear = translation(what, database, error)
        if clear is None:
            raise
        raise clear from error


@contextmanager
def unit_of_work(database: Engine, what: str = "the database") -> Iterator[Session]:
    """One transaction: commits when the block ends, rolls back when it raises.

    Raises:
        JournalUnavailable, ConfigError: as `translated`; nothing was written.
    """
    with (
        translated(what, database),
        Session(database, expire_on_commit=False) as session,
        session.begin(),
    ):
        yield session


def schema_state(database: Engine) -> SchemaState:
    """Say how the schema stands to this version of the platform: "ahead" is a newer one's."""
    file = str(database.url.database)
    if database.dialect.name == "sqlite" and not Path(file).exists():
        return "missing"
    with translated("the schema", database), database.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return "missing"
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if found is None:
        return "missing"
    if found == REVISIONS[-1]:
        return "current"
    return "behind" if found in REVISIONS else "ahead"


def prepare(database: Engine) -> None:
    """Create the schema or bring it up to date. Safe when several processes do so at once.

    Raises:
        ConfigError: the schema is of a newer version, or the file is no database.
        JournalUnavailable: as `translated`.
    """
    state = schema_state(database)
    if state == "ahead":
        raise ConfigError(
            f"{label(database.url)} has the schema of a newer version, this one knows up to"
            f" {REVISIONS[-1]}: use the newer version"
        )
    if state != "current":
        # Alembic costs 0.7 s to import and is not needed on an ordinary start
        from database.migrations.running import upgrade  # noqa: PLC0415

        with translated("the schema", database):
            upgrade(database)


def check_integrity(database: Engine) -> None:
    """Read the whole SQLite file and look for damage; PostgreSQL checks its pages itself.

    It takes a while on a large file: give it a read-only engine where others write.

    Raises:
        ConfigError: damaged.
    """
    if database.dialect.name != "sqlite":
        return
    with translated("the integrity check", database), database.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise ConfigError(f"{label(database.url)} is damaged, restore a backup: {found}")


def _address(url: str) -> URL:
    scheme, separator, rest = url.partition("://")
    if scheme == "postgres":
        scheme = "postgresql"
    try:
        address = make_url(f"{scheme}{separator}{rest}")
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise ConfigError(f"the database URL cannot be read, {_ALLOWED}") from error
    if scheme in ("postgresql", "postgresql+psycopg"):
        return address.set(drivername="postgresql+psycopg")
    if scheme != "sqlite":
        raise ConfigError(f"database URL scheme was {scheme!r}, {_ALLOWED}")
    more = address.query or address.host or address.username or address.password
    if address.database in (None, "", ":memory:") or more:
        raise ConfigError("an SQLite URL names a file and nothing else, allowed: sqlite:///FILE")
    return address


def _server_settings(address: URL, durable: bool, read_only: bool, busy_seconds: float) -> str:
    given = address.query.get("options", "")
    settings = [given if isinstance(given, str) else " ".join(given), "-c timezone=UTC"]
    settings.append(f"-c lock_timeout={ceil(busy_seconds * 1000)}")
    if not durable:
        settings.append("-c synchronous_commit=off")
    if read_only:
        settings.append("-c default_transaction_read_only=on")
    return " ".join(settings).strip()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"folder of the database {folder}: {error.strerror}") from error


def _sqlite_connector(
    file: Path, durable: bool, read_only: bool, busy_seconds: float
) -> Callable[[], sqlite3.Connection]:
    uri = f"{file.as_uri()}?mode={'ro' if read_only else 'rwc'}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, timeout=busy_seconds, check_same_thread=False,
            isolation_level=None,  # the driver begins nothing by itself; the "begin" event does
        )  # fmt: skip
        try:
            if read_only:
                connection.execute("PRAGMA query_only=ON")
            else:
                _enter_wal(connection, file, busy_seconds)
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("PRAGMA foreign_keys=ON")
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


def _enter_wal(connection: sqlite3.Connection, file: Path, busy_seconds: float) -> None:
    """Switch to WAL. On a new file two processes may collide, and SQLite waits for neither."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise ConfigError(f"{file} is on a disk where SQLite cannot share a file; use a local disk")
