"""What a database error means, in one line that names the database and the cause."""

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from crypto_trader_pro.domain.errors import (
    ConfigError,
    JournalBusy,
    JournalUnavailable,
    TradingError,
)

BUSY_SECONDS: Final = "busy_seconds"  # execution option: how long this engine waits for a lock
_LOCKED: Final = "is locked by another process, waited {seconds:g} s"
_DEADLOCK: Final = "gave up a deadlock between two writers"
_FULL: Final = "cannot grow: the disk is full"
_READ_ONLY: Final = "is read-only"
_OUTDATED: Final = 'lacks a table or column: run "init-db"'
_DAMAGED: Final = "is damaged: restore a backup"
_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reported an error",
    sqlite3.SQLITE_PERM: "cannot be accessed: not permitted",
}
_POSTGRESQL: Final = {  # https://www.postgresql.org/docs/current/errcodes-appendix.html
    "55P03": _LOCKED,
    "53100": _FULL,
    "25006": _READ_ONLY,
    "42P01": _OUTDATED,
    "42703": _OUTDATED,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
    "40P01": _DEADLOCK,
    "53300": "has no free connection",
    "57P01": "closed the connection: it is shutting down",
    "57P03": "is starting up or shutting down",
}


def label(url: URL) -> str:
    """Return the database's file or host to be shown; user and password never are."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    hosts = url.query.get("host", "local socket")
    host = url.host or (hosts if isinstance(hosts, str) else ",".join(hosts))
    port = f":{url.port}" if url.port else ""
    return f"PostgreSQL {host}{port}/{url.database or ''}"


def translation(what: str, database: Engine, error: SQLAlchemyError) -> TradingError | None:
    """Return the error to raise instead, or None where `error` is a bug of ours.

    A constraint that a row breaks, or a value that a column cannot hold, is a bug: it stays as it
    is. A file that is no database is a person's mistake: ConfigError. All else is a database that
    does not serve now: JournalUnavailable.
    """
    url = database.url
    seconds = float(database.get_execution_options().get(BUSY_SECONDS, 0.0))
    if isinstance(error, PoolTimeoutError):
        return JournalUnavailable(f"{what}: {label(url)}: every connection is in use")
    if not isinstance(error, DBAPIError) or error.orig is None:
        return None
    if isinstance(error.orig, sqlite3.Error):
        if _sqlite_code(error.orig) == sqlite3.SQLITE_NOTADB:
            return ConfigError(f"{what}: {label(url)} is not an SQLite database")
        cause = _sqlite_cause(error.orig, Path(str(url.database)))
    else:
        cause = _POSTGRESQL.get(str(getattr(error.orig, "sqlstate", None)))
    if cause is None and isinstance(error, OperationalError):
        cause = f"failed: {_one_line(error.orig, url)}"
    if cause is None:
        return None
    if cause in (_LOCKED, _DEADLOCK):
        return JournalBusy(f"{what}: {label(url)} {cause.format(seconds=seconds)}")
    return JournalUnavailable(f"{what}: {label(url)} {cause}")


def _sqlite_code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF  # the low byte is the primary code


def _sqlite_cause(error: sqlite3.Error, file: Path) -> str | None:
    code = _sqlite_code(error)
    if code == sqlite3.SQLITE_CANTOPEN:
        if file.exists():
            return "cannot be opened: the file or its folder is not accessible"
        return 'cannot be opened: there is no such file, run "init-db"'
    if code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such table", "no such column")):
        return _OUTDATED
    return _SQLITE.get(code)


def _one_line(error: BaseException, url: URL) -> str:
    text = " ".join(str(error).split())
    text = text.removeprefix("connection failed: ").removeprefix("connection is bad: ")
    return text.replace(str(url.password), "***") if url.password else text
