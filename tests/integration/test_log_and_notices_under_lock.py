"""A database that is locked: who logs or notifies goes on at once, and the rows come later."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session, col, select

import config
from crypto_trader_pro.domain.enums import NotificationType
from database.log_rows import LogTable
from database.models import AlertRow, AutoTradingLogRow, OutboxRow
from database.outbox import DatabaseOutbox
from utils.clocks import SystemClock
from utils.correlation import correlation, decision_key
from utils.logging import setup_logging
from utils.notifications import NotificationManager

HELD_SECONDS = 2.0
LOG = logging.getLogger("auto_trading.trade_executor")


@contextmanager
def locked(database: Engine) -> Iterator[None]:
    """Hold the tables for two seconds, in a thread, from before the block begins."""
    ready = threading.Event()

    def hold() -> None:
        with database.begin() as connection:  # on SQLite the one write lock
            if database.dialect.name == "postgresql":
                for table in ("auto_trading_logs", "notification_outbox", "alerts"):
                    connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
            ready.set()
            time.sleep(HELD_SECONDS)

    thread = threading.Thread(target=hold)
    thread.start()
    assert ready.wait(5)
    yield
    assert thread.is_alive(), "the block took longer than the lock"
    thread.join()


def test_a_locked_database_delays_nobody_and_loses_nothing(
    database: Engine, database_url: str, tmp_path: Path
) -> None:
    clock = SystemClock()
    table, outbox = LogTable.open(database_url), DatabaseOutbox.open(database_url)
    handle = setup_logging(
        tmp_path, level=logging.INFO, console=False, table_sink=table, clock=clock
    )
    handle.run_id = 12
    manager = NotificationManager(config.load(environ={}), outbox, clock)
    key = decision_key(12, "BTC/USDT", 1717236000000)
    seconds: list[float] = []
    with locked(database):
        for k in range(50):
            before = time.monotonic()
            with correlation(key):
                LOG.info("order %d", k)
                logged = time.monotonic()
                manager.send_notification(NotificationType.TRADE_EXECUTED, f"trade {k}")
            seconds += (logged - before, time.monotonic() - logged)
            time.sleep(0.02)
        in_file = (tmp_path / "trading_bot.log").read_text()
        assert "order 40" in in_file  # the files do not wait for the table
    # a shared machine may take the processor away now and then; the lock lasts two seconds
    assert sorted(seconds)[-3] < 0.05
    assert max(seconds) < 0.5
    assert manager.flush(10)
    assert handle.flush(10)
    with Session(database) as session:
        logs = list(session.exec(select(AutoTradingLogRow).order_by(col(AutoTradingLogRow.id))))
        notices = list(session.exec(select(OutboxRow).order_by(col(OutboxRow.id))))
        alerts = list(session.exec(select(AlertRow)))
    assert [row.message for row in notices] == [f"trade {k}" for k in range(50)]
    assert {(row.channel, row.status) for row in notices} == {("dashboard", "sent")}
    assert len(alerts) == 50
    orders = [row for row in logs if row.component == "EXECUTOR"]
    assert [row.message for row in orders] == [f"order {k}" for k in range(50)]
    assert {(row.correlation_id, row.run_id) for row in orders} == {(key, 12)}
    assert sum(row.component == "NOTIFIER" and row.log_level == "INFO" for row in logs) == 50
    said = [row.message for row in logs if "cannot be written" in row.message]
    assert len(said) == len(set(said)) <= 2  # each sink once, however long it lasted
    assert manager.close() == 0
    handle.close()
    outbox.close()
    table.close()


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_damaged_database_costs_the_table_only(
    database: Engine, database_url: str, tmp_path: Path
) -> None:
    file = Path(str(database.url.database))
    database.dispose()
    file.write_bytes(b"this is no database " * 100)
    table = LogTable.open(database_url)
    handle = setup_logging(
        tmp_path / "logs", level=logging.INFO, console=False, table_sink=table, clock=SystemClock()
    )
    LOG.info("still trading")
    assert not handle.flush(1)
    handle.close(0.2)
    table.close()
    lines = (tmp_path / "logs" / "trading_bot.log").read_text()
    assert "still trading" in lines
    assert lines.count("is not an SQLite database") == 1
    assert "lines were not written; the files have them" in lines
