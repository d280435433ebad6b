"""Opening, transactions and locks, the same on SQLite and PostgreSQL."""

import functools
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from crypto_trader_pro.domain.errors import ConfigError, InputError, JournalUnavailable
from database import alerts, runs
from database.auto_trading_db import (
    check_integrity,
    open_database,
    schema_state,
    translated,
    unit_of_work,
)
from database.models import AlertRow, RunRow
from tests.databases import Opener, Server
from tests.rows import T0, a_fill, a_run, an_alert, stored, stored_run


def count_runs(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(RunRow)) or 0)


# --- one transaction ------------------------------------------------------------------------


def test_a_unit_of_work_commits_when_its_block_ends(database: Engine) -> None:
    with unit_of_work(database) as session:
        run_id = a_run(session)
    with unit_of_work(database) as session:
        assert runs.find(session, f"r{run_id}").config_hash == "c0ffee"


def test_a_unit_of_work_that_raises_leaves_nothing_behind(database: Engine) -> None:
    with pytest.raises(InputError, match="no run r9"), unit_of_work(database) as session:  # noqa: PT012
        a_run(session)
        runs.find(session, "r9")
    assert count_runs(database) == 0


def test_rows_stay_readable_after_their_unit_of_work(database: Engine) -> None:
    with unit_of_work(database) as session:
        row = runs.find(session, f"r{a_run(session)}")
    assert row.symbols == ["BTC/USDT:USDT"]


def test_a_broken_constraint_is_a_bug_and_not_translated(database: Engine) -> None:
    with pytest.raises(IntegrityError), unit_of_work(database) as session:
        session.add(a_fill(a_run(session), "no such order"))
    assert count_runs(database) == 0


def test_times_of_a_session_are_utc(database: Engine) -> None:
    stored(database, an_alert())
    with unit_of_work(database) as session:
        (row,) = alerts.open_alerts(session)
    assert row.at.isoformat() == "2024-01-01T00:00:00+00:00"


# --- reading only ---------------------------------------------------------------------------


def test_a_read_only_engine_reads_and_refuses_to_write(
    database: Engine, database_url: str, opened: Opener
) -> None:
    run_id = stored_run(database)
    reader = opened(database_url, read_only=True)
    with unit_of_work(reader) as session:
        assert runs.find(session, "last").id == run_id
    with (
        pytest.raises(JournalUnavailable, match=r"^the alert: \S.* is read-only$"),
        unit_of_work(reader, "the alert") as session,
    ):
        session.add(an_alert())
    with unit_of_work(database) as session:
        assert alerts.open_alerts(session) == []


def test_a_read_only_engine_reads_while_another_writes(
    database: Engine, database_url: str, opened: Opener
) -> None:
    stored_run(database)
    reader = opened(database_url, read_only=True, busy_seconds=0.2)
    with unit_of_work(database) as session:
        a_run(session)
        session.flush()
        assert count_runs(reader) == 1  # the second is not committed yet
    assert count_runs(reader) == 2


# --- several writers ------------------------------------------------------------------------


def test_writers_that_read_first_wait_for_each_other(
    database_url: str, opened: Opener, database: Engine
) -> None:
    """Each reads the number of runs and then writes it: none fails, and none reads a stale one
    on SQLite, because BEGIN IMMEDIATE takes the writer's place before the read."""
    others = [opened(database_url) for _ in range(2)]
    errors: list[BaseException] = []

    def work(engine: Engine) -> None:
        try:
            for _ in range(10):
                with unit_of_work(engine) as session:
                    seen = session.scalar(select(func.count()).select_from(RunRow))
                    time.sleep(0.001)
                    a_run(session, config_hash=f"saw {seen}")
        except BaseException as error:  # noqa: BLE001  shown by the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(engine,)) for engine in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert count_runs(database) == 20
    if database.dialect.name == "sqlite":
        with database.connect() as connection:
            saw = connection.execute(text("SELECT config_hash FROM runs ORDER BY id")).scalars()
            assert list(saw) == [f"saw {k}" for k in range(20)]


def test_a_deferred_transaction_would_fail_at_once(tmp_path: Path) -> None:
    """The trap that BEGIN IMMEDIATE avoids: the time-out of 5 s does not help a stale reader."""
    file = tmp_path / "trap.db"
    one, two = (sqlite3.connect(file, timeout=5, isolation_level=None) for _ in range(2))
    one.execute("PRAGMA journal_mode=WAL")
    one.execute("CREATE TABLE t (x)")
    one.execute("BEGIN")
    one.execute("SELECT * FROM t").fetchall()
    two.execute("INSERT INTO t VALUES (1)")
    before = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        one.execute("INSERT INTO t VALUES (2)")
    assert time.monotonic() - before < 1
    one.close()
    two.close()


def test_a_writer_that_waits_too_long_is_told_so_in_one_line(
    database: Engine, database_url: str, opened: Opener
) -> None:
    run_id = stored_run(database)
    impatient = opened(database_url, busy_seconds=0.2)
    with unit_of_work(database) as session:
        runs.finish(session, run_id, "finished", None, runs.find(session, "last").started_at)
        with pytest.raises(
            JournalUnavailable, match=r"^the run: \S.* is locked by another process, waited 0\.2 s$"
        ):
            _finish(impatient, run_id)
    with unit_of_work(database) as session:
        assert runs.find(session, "last").status == "finished"


def _finish(database: Engine, run_id: int) -> None:
    with unit_of_work(database, "the run") as session:
        row = runs.find(session, "last")
        runs.finish(session, run_id, "failed", None, row.started_at)


# --- addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "mysql://host/name",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///a.db?mode=ro",
        "crypto.db",
        "",
        "postgresql://user:secret@host:port/name",
    ],
)
def test_an_unusable_address_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_database(url)
    message = str(refused.value)
    assert "allowed: sqlite:///FILE" in message
    assert "\n" not in message
    assert "secret" not in message


def test_postgres_is_another_word_for_postgresql(opened: Opener) -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        url = opened(f"{scheme}://trader@db.example.com/trading").url
        assert url.drivername == "postgresql+psycopg"


def test_the_folder_of_a_new_file_is_made(tmp_path: Path, opened: Opener) -> None:
    engine = opened(f"sqlite:///{tmp_path / 'a' / 'b' / 'new.db'}")
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert (tmp_path / "a" / "b" / "new.db").is_file()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"^folder of the database .*/file/x: "):
        open_database(f"sqlite:///{tmp_path / 'file' / 'x' / 'new.db'}")


def test_a_file_name_may_hold_any_character(tmp_path: Path, opened: Opener) -> None:
    """As in every URL, %25 stands for a percent sign and %3F for a question mark."""
    engine = opened(f"sqlite:///{tmp_path}/a #1 %25 %3F é.db")
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert (tmp_path / "a #1 % ? é.db").is_file()


# --- settings of a connection -----------------------------------------------------------------


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])  # 2 FULL, 1 NORMAL
def test_sqlite_connections_are_set_up(
    tmp_path: Path, opened: Opener, *, durable: bool, level: int
) -> None:
    engine = opened(f"sqlite:///{tmp_path / 'x.db'}", durable=durable, busy_seconds=1.5)
    with engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", level, 1, 1500]


@pytest.mark.parametrize(("durable", "commit"), [(True, "on"), (False, "off")])
def test_postgresql_connections_are_set_up(
    postgresql: Server, opened: Opener, *, durable: bool, commit: str
) -> None:
    url = postgresql.url_of("postgres")
    engine = opened(url, durable=durable, busy_seconds=1.5, read_only=True)
    with engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("synchronous_commit", "lock_timeout", "timezone", "transaction_read_only")
        ]
    assert found == [commit, "1500ms", "UTC", "on"]


def test_two_writers_may_meet_on_a_file_that_is_not_wal_yet(tmp_path: Path, opened: Opener) -> None:
    """SQLite refuses the switch to WAL at once, whatever the time-out: opening tries again."""
    file = tmp_path / "new.db"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.execute, ["COMMIT"])
    release.start()
    with opened(f"sqlite:///{file}").connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    release.join()
    other.close()
    assert mode == "wal"


def test_a_switch_to_wal_waits_no_longer_than_it_may(tmp_path: Path, opened: Opener) -> None:
    file = tmp_path / "new.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN IMMEDIATE")
    impatient = opened(f"sqlite:///{file}", busy_seconds=0.1)
    with pytest.raises(JournalUnavailable, match=r"is locked by another process, waited 0\.1 s$"):
        schema_state(impatient)
    other.close()


class OnANetworkDisk(sqlite3.Connection):
    """A file that SQLite cannot share through memory: it keeps its journal mode."""

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        return super().execute(sql.replace("journal_mode=WAL", "journal_mode=DELETE"), parameters)


def test_a_disk_without_shared_memory_is_refused(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = functools.partial(sqlite3.connect, factory=OnANetworkDisk)
    monkeypatch.setattr("sqlite3.connect", connect)
    with pytest.raises(ConfigError, match=r"x\.db is on a disk where SQLite cannot share a file"):
        opened(f"sqlite:///{tmp_path / 'x.db'}").connect()


def test_an_error_that_is_not_the_database_s_stays_as_it_is(database: Engine) -> None:
    with pytest.raises(StatementError, match="naive datetime"), unit_of_work(database) as session:
        session.add(an_alert(at=T0.replace(tzinfo=None)))


def test_a_sound_database_passes_the_integrity_check(database: Engine) -> None:
    stored(database, an_alert())
    check_integrity(database)
    with unit_of_work(database) as session:
        assert session.scalar(select(func.count()).select_from(AlertRow)) == 1


def test_a_missing_table_says_what_to_run(empty_url: str, opened: Opener) -> None:
    empty = opened(empty_url)
    with (
        pytest.raises(JournalUnavailable, match=r' lacks a table or column: run "init-db"$'),
        translated("the runs", empty),
        empty.connect() as connection,
    ):
        connection.execute(text("SELECT * FROM runs"))
