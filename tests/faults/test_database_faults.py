"""The database does not serve: one clear line, nothing half written, and it works again after.

Fault catalogue: D1 (a writer holds the lock), D3 (disk full, read-only), D6 (damaged file).
"""

import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg.errors
import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from crypto_trader_pro.domain.errors import ConfigError, JournalBusy, JournalUnavailable
from database.auto_trading_db import (
    check_integrity,
    prepare,
    schema_state,
    translated,
    unit_of_work,
)
from database.failures import translation
from database.models import AlertRow
from database.statements import insert
from tests.children import READY, a_child
from tests.databases import Opener, Server
from tests.rows import an_alert, stored

HOLD_THE_LOCK = f"""
import sqlite3, sys, time
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
{READY}
time.sleep(float(sys.argv[2]))
other.execute("COMMIT")
"""


@pytest.fixture
def file(tmp_path: Path, migrated_file: Path) -> Path:
    """An SQLite file with the current schema."""
    copy = tmp_path / "trader.db"
    copy.write_bytes(migrated_file.read_bytes())
    return copy


def add_alert(database: Engine, code: str = "x") -> None:
    with unit_of_work(database, "the alert") as session:
        session.add(an_alert(code=code))


def codes(database: Engine) -> list[str]:
    with unit_of_work(database) as session:
        return list(session.scalars(select(AlertRow.code).order_by(text("id"))))  # type: ignore[call-overload]


# --- locked (D1) ------------------------------------------------------------------------------


def test_a_lock_held_for_too_long_is_named_and_nothing_is_written(
    file: Path, opened: Opener
) -> None:
    database = opened(f"sqlite:///{file}", busy_seconds=0.3)
    with a_child(HOLD_THE_LOCK, str(file), "0") as other:
        before = time.monotonic()
        with pytest.raises(JournalUnavailable) as refused:
            add_alert(database)
        waited = time.monotonic() - before
        other.go()
        other.printed()
    assert str(refused.value) == (f"the alert: {file} is locked by another process, waited 0.3 s")
    assert isinstance(refused.value, JournalBusy)  # waiting helps
    assert 0.3 <= waited < 3
    assert codes(database) == []
    add_alert(database, "later")  # the same engine goes on
    assert codes(database) == ["later"]


def test_a_lock_held_for_a_moment_is_waited_for(file: Path, opened: Opener) -> None:
    database = opened(f"sqlite:///{file}", busy_seconds=10)
    with a_child(HOLD_THE_LOCK, str(file), "0.3") as other:
        before = time.monotonic()
        other.go()
        add_alert(database)
        waited = time.monotonic() - before
        other.printed()
    assert codes(database) == ["x"]
    assert 0.2 < waited < 10


def test_a_reader_does_not_wait_for_the_lock(file: Path, opened: Opener) -> None:
    stored(opened(f"sqlite:///{file}"), an_alert(code="before"))
    reader = opened(f"sqlite:///{file}", read_only=True, busy_seconds=0.1)
    with a_child(HOLD_THE_LOCK, str(file), "0"):
        assert codes(reader) == ["before"]


WRITE_AND_WAIT = f"""
import sys
from database import auto_trading_db as db
from tests.rows import an_alert
with db.unit_of_work(db.open_database(sys.argv[1])) as session:
    session.add(an_alert())
    session.flush()
    {READY}
"""


def test_a_writer_that_dies_leaves_nothing_and_holds_no_lock(file: Path, opened: Opener) -> None:
    with a_child(WRITE_AND_WAIT, f"sqlite:///{file}"):
        pass  # leaving the block kills it
    database = opened(f"sqlite:///{file}", busy_seconds=0.1)
    assert codes(database) == []
    add_alert(database)
    assert codes(database) == ["x"]


COMMIT_AND_WAIT = f"""
import sys
from database import auto_trading_db as db
from tests.rows import an_alert
with db.unit_of_work(db.open_database(sys.argv[1])) as session:
    session.add(an_alert(code="committed"))
{READY}
"""


def test_what_a_dead_writer_had_committed_is_read_without_writing(
    file: Path, opened: Opener
) -> None:
    """`status` and the console must see the last commit while no engine is up to recover it."""
    with a_child(COMMIT_AND_WAIT, f"sqlite:///{file}"):
        pass  # leaving the block kills it, its write-ahead log stays
    assert file.with_name("trader.db-wal").stat().st_size > 0
    assert codes(opened(f"sqlite:///{file}", read_only=True)) == ["committed"]


# --- full disk (D3) ---------------------------------------------------------------------------


def pages(database: Engine, most: int) -> None:
    """Let the file grow to `most` pages; SQLite then reports a full disk."""
    with database.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={most}")


def test_a_full_disk_is_named_and_no_part_of_the_transaction_stays(
    file: Path, opened: Opener
) -> None:
    database = opened(f"sqlite:///{file}")
    pages(database, 1)  # SQLite makes it the present size
    with pytest.raises(JournalUnavailable) as refused, unit_of_work(database, "the log") as session:  # noqa: PT012
        session.add(an_alert(code="first"))
        session.flush()
        session.add(an_alert(code="second", numbers={"long": "x" * 100_000}))
    assert str(refused.value) == f"the log: {file} cannot grow: the disk is full"
    assert codes(database) == []
    pages(database, 1_000_000)
    add_alert(database, "later")
    assert codes(database) == ["later"]


def test_a_prepared_statement_names_a_full_disk_as_well(file: Path, opened: Opener) -> None:
    """The engine's bulk path calls the driver itself."""
    database = opened(f"sqlite:///{file}")
    columns = ("kind", "severity", "code", "numbers", "at", "raised_at")
    rows = [("k", "s", "c", '{"long":"' + "x" * 10_000 + '"}', "2024", "2024")] * 100
    pages(database, 1)
    with (
        pytest.raises(JournalUnavailable, match=r"^the journal: .* the disk is full$"),
        translated("the journal", database),
        database.begin() as connection,
    ):
        insert("alerts", columns, "sqlite").run(connection, rows)
    with database.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(AlertRow)) == 0


FILL_THE_DISK = f"""
import resource, sys
from crypto_trader_pro.domain.errors import JournalUnavailable
from database import auto_trading_db as db
from tests.rows import an_alert
database = db.open_database(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))  # writing on fails, as on a bad disk
{READY}
try:
    with db.unit_of_work(database, "the alert") as session:
        session.add(an_alert(code="kept", numbers=dict(long="x" * int(sys.argv[2]))))
    print("written")
except JournalUnavailable as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("size", "line", "kept"),
    [
        ("10", "written", ["kept"]),
        ("500000", "the alert: {} cannot be read or written: the disk reported an error", []),
    ],
)
def test_a_write_that_the_system_refuses_is_named_and_undone(
    file: Path, opened: Opener, size: str, line: str, kept: list[str]
) -> None:
    with a_child(FILL_THE_DISK, f"sqlite:///{file}", size) as child:
        child.go()
        assert child.printed() == line.format(file)
    assert codes(opened(f"sqlite:///{file}")) == kept


# --- read-only (D3) ---------------------------------------------------------------------------


def test_a_connection_that_may_only_read_is_named(file: Path, opened: Opener) -> None:
    database = opened(f"sqlite:///{file}")
    with database.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
    with pytest.raises(JournalUnavailable, match=rf"^the alert: {file} is read-only$"):
        add_alert(database)
    assert codes(opened(f"sqlite:///{file}")) == []


WRITE_UNPRIVILEGED = f"""
import os, sys
from crypto_trader_pro.domain.errors import JournalUnavailable
from database import auto_trading_db as db
from tests.rows import an_alert
if os.geteuid() == 0:
    os.setuid(65534)  # nobody: root may write everywhere
{READY}
try:
    with db.unit_of_work(db.open_database(sys.argv[1]), "the alert") as session:
        session.add(an_alert())
    print("written")
except JournalUnavailable as error:
    print(error)
"""


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user of the machine can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


CLOSED = "cannot be opened: the file or its folder is not accessible"


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "cause"),
    [
        (0o777, 0o444, "is read-only"),
        (0o555, 0o666, "is read-only"),
        (0o555, 0o444, "is read-only"),
        (0o777, 0o000, CLOSED),
    ],
)
def test_a_file_or_folder_without_permission_to_write_is_named(
    public_folder: Path,
    migrated_file: Path,
    opened: Opener,
    folder_mode: int,
    file_mode: int,
    cause: str,
) -> None:
    file = public_folder / "trader.db"
    file.write_bytes(migrated_file.read_bytes())
    file.chmod(file_mode)
    public_folder.chmod(folder_mode)
    with a_child(WRITE_UNPRIVILEGED, f"sqlite:///{file}") as child:
        child.go()
        assert child.printed() == f"the alert: {file} {cause}"
    public_folder.chmod(0o777)
    file.chmod(0o666)
    assert codes(opened(f"sqlite:///{file}")) == []


def test_a_file_that_is_gone_is_named(tmp_path: Path, opened: Opener) -> None:
    reader = opened(f"sqlite:///{tmp_path / 'none.db'}", read_only=True)
    with pytest.raises(JournalUnavailable, match=r'none\.db cannot be opened: .* run "init-db"$'):
        codes(reader)


# --- damaged (D6) -----------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"open,high,low,close\n" * 100, bytes(range(256)) * 64])
def test_a_file_that_is_no_database_is_refused(
    tmp_path: Path, opened: Opener, content: bytes
) -> None:
    file = tmp_path / "candles.csv"
    file.write_bytes(content)
    database = opened(f"sqlite:///{file}")
    for attempt in (prepare, schema_state, add_alert, check_integrity):
        with pytest.raises(ConfigError, match=rf"^[a-z ]+: {file} is not an SQLite database$"):
            attempt(database)
    assert file.read_bytes() == content


@pytest.fixture
def damaged(file: Path, opened: Opener) -> Path:
    """A database whose pages behind the schema hold garbage."""
    database = opened(f"sqlite:///{file}")
    stored(database, *(an_alert(numbers={"long": "x" * 3_000}) for _ in range(50)))
    database.dispose()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'alerts'"
        ).fetchone()
    connection.close()
    with file.open("r+b") as handle:
        handle.seek((root - 1) * 4096)
        handle.write(b"\xff" * 4096)
    return file


def test_a_damaged_page_is_named_when_it_is_met(damaged: Path, opened: Opener) -> None:
    database = opened(f"sqlite:///{damaged}")
    with pytest.raises(
        JournalUnavailable, match=rf"^the alert: {damaged} is damaged: restore a backup$"
    ):
        add_alert(database)


def test_a_damaged_page_is_found_before_it_is_met(damaged: Path, opened: Opener) -> None:
    with pytest.raises(ConfigError, match=rf"^{damaged} is damaged, restore a backup: "):
        check_integrity(opened(f"sqlite:///{damaged}"))


# --- PostgreSQL -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://kim:tOpSeCrEt@127.0.0.1:1/trading", "PostgreSQL 127.0.0.1:1/trading"),
        ("postgresql://kim:tOpSeCrEt@/trading?host=/nowhere", "PostgreSQL /nowhere/trading"),
    ],
)
def test_a_server_that_cannot_be_reached_is_named_without_the_password(
    opened: Opener, url: str, shown: str
) -> None:
    with pytest.raises(JournalUnavailable) as refused:
        add_alert(opened(url, busy_seconds=1))
    line = str(refused.value)
    assert line.startswith(f"the alert: {shown} failed: connection to server ")
    assert "Connection refused" in line or "No such file" in line
    assert "\n" not in line
    assert "tOpSeCrEt" not in line
    assert "kim" not in line


def test_a_database_that_does_not_exist_is_named(postgresql: Server, opened: Opener) -> None:
    with pytest.raises(JournalUnavailable, match=r'/nothing failed: .*"nothing" does not exist'):
        add_alert(opened(postgresql.url_of("nothing")))


@pytest.fixture
def server_url(postgresql: Server) -> Iterator[str]:
    name = postgresql.create("migrated")
    yield postgresql.url_of(name)
    postgresql.drop(name)


def cut(database: Engine) -> None:
    """Cut every other connection to the database, as a restart of the server does."""
    with database.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_a_connection_that_is_cut_in_a_transaction_is_named_and_undone(
    server_url: str, opened: Opener
) -> None:
    database, admin = opened(server_url), opened(server_url)

    def write_and_be_cut() -> None:
        with unit_of_work(database, "the log") as session:
            session.add(an_alert())
            session.flush()
            cut(admin)

    with pytest.raises(JournalUnavailable, match=r"^the log: PostgreSQL \S+ "):
        write_and_be_cut()
    assert codes(database) == []  # the same engine connects anew
    add_alert(database, "later")
    assert codes(database) == ["later"]


def test_a_prepared_statement_on_a_cut_connection_is_named(server_url: str, opened: Opener) -> None:
    database, admin = opened(server_url), opened(server_url)
    columns = ("kind", "severity", "code", "numbers", "at", "raised_at")
    statement = insert("alerts", columns, "postgresql")

    def write(*, is_cut: bool) -> None:
        with translated("the journal", database), database.begin() as connection:
            if is_cut:
                cut(admin)
            statement.run(connection, [("k", "s", "c", "{}", "2024-01-01", "2024-01-01")])

    with pytest.raises(JournalUnavailable, match=r"^the journal: PostgreSQL \S+ "):
        write(is_cut=True)
    write(is_cut=False)
    assert codes(database) == ["c"]


def test_a_connection_that_was_cut_while_idle_is_not_even_noticed(
    server_url: str, opened: Opener
) -> None:
    database = opened(server_url)
    add_alert(database, "before")
    cut(opened(server_url))
    add_alert(database, "after")
    assert codes(database) == ["before", "after"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (psycopg.errors.DiskFull(), "cannot grow: the disk is full"),
        (psycopg.errors.ReadOnlySqlTransaction(), "is read-only"),
        (psycopg.errors.LockNotAvailable(), "is locked by another process, waited 1.5 s"),
        (psycopg.errors.DataCorrupted(), "is damaged: restore a backup"),
        (psycopg.errors.TooManyConnections(), "has no free connection"),
        (psycopg.errors.CannotConnectNow(), "is starting up or shutting down"),
        (psycopg.errors.UndefinedColumn(), 'lacks a table or column: run "init-db"'),
        (psycopg.OperationalError("a\nb: {x}"), "failed: a b: {x}"),
    ],
)
def test_what_a_server_reports_becomes_one_line(
    opened: Opener, error: psycopg.Error, line: str
) -> None:
    database = opened("postgresql://db.example.com/trading", busy_seconds=1.5)
    wrapped = DBAPIError.instance("SELECT 1", None, error, psycopg.Error)
    assert isinstance(wrapped, DBAPIError)
    found = translation("the journal", database, wrapped)
    assert isinstance(found, JournalUnavailable)
    assert isinstance(found, JournalBusy) == ("locked" in line)
    assert str(found) == f"the journal: PostgreSQL db.example.com/trading {line}"


def test_a_password_in_a_report_is_not_repeated(opened: Opener) -> None:
    error = psycopg.OperationalError("no login for kim with tOpSeCrEt")
    wrapped = DBAPIError.instance("SELECT 1", None, error, psycopg.Error)
    assert isinstance(wrapped, DBAPIError)
    found = translation("x", opened("postgresql://kim:tOpSeCrEt@db.example.com/t"), wrapped)
    assert str(found) == "x: PostgreSQL db.example.com/t failed: no login for kim with ***"


@pytest.mark.parametrize(
    "error", [psycopg.errors.UniqueViolation(), psycopg.errors.SyntaxError(), psycopg.DataError()]
)
def test_a_bug_of_ours_is_not_dressed_up(opened: Opener, error: psycopg.Error) -> None:
    wrapped = DBAPIError.instance("SELECT 1", None, error, psycopg.Error)
    assert isinstance(wrapped, DBAPIError)
    assert translation("x", opened("postgresql://db.example.com/trading"), wrapped) is None


def test_a_pool_without_a_free_connection_is_named(file: Path, opened: Opener) -> None:
    found = translation("the log", opened(f"sqlite:///{file}"), PoolTimeoutError())
    assert str(found) == f"the log: {file}: every connection is in use"


def test_many_threads_share_an_engine(file: Path, opened: Opener) -> None:
    """The heartbeat and the console's fragments have threads of their own."""
    database = opened(f"sqlite:///{file}")
    threads = [threading.Thread(target=add_alert, args=(database, f"{k}")) for k in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes(database), key=int) == [str(k) for k in range(12)]
