"""What lies beside a paper run: log lines, jobs, alerts, waiting requests, the lease.

The rows that a short run does not bring by itself; the sentences and codes are the product's own.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine as Database

from crypto_trader_pro.domain.enums import (
    CommandKind,
    Component,
    NotificationType,
)
from crypto_trader_pro.domain.ports import LogEntry
from database import alerts, commands
from database.auto_trading_db import unit_of_work
from database.log_rows import LogTable
from tests.console_lease import FAILED_JOB, add_jobs, take_lease
from tests.console_small import Played

C = Component
# seconds before the end, level, who, what, facts
LINES: Final[tuple[tuple[int, str, Component, str, Mapping[str, Any] | None], ...]] = (
    (479, "INFO", C.ENGINE, "took the account, epoch 1", None),
    (479, "INFO", C.MONITOR, "market source: demo (no exchange answered in 5 s)", None),
    (478, "DEBUG", C.SIGNAL, "training begins: no_model", None),
    (400, "WARNING", C.MONITOR, "funding and open interest: the venue has none", None),
    (371, "WARNING", C.MONITOR, "ETH/USDT:USDT: candle is missing", {"symbol": "ETH/USDT:USDT"}),
    (300, "DEBUG", C.POSITION, "1 position protected", {"symbol": "BTC/USDT:USDT"}),
    (240, "ERROR", C.NOTIFIER, "e-mail: connection refused; tried again in 30 s", {"attempt": 1}),
    (239, "WARNING", C.RISK, "emergency_stop by kim", {"trigger": "MANUAL_STOP"}),
    (200, "INFO", C.CONFIG, "configuration applied", {"by": "console"}),
    (180, "WARNING", C.ENGINE, "the journal: the database is locked; trying again", None),
    (179, "INFO", C.ENGINE, "the journal answers again", None),
    (90, "ERROR", C.JOB, "job order_status failed: our books and the venue differ", None),
    (60, "CRITICAL", C.ENGINE, "thread notifications died",
     {"exception": "OSError: [Errno 28] No space left on device"}),
    (30, "INFO", C.CONSOLE, "listening on 127.0.0.1:8501", None),
    (20, "DEBUG", C.EXECUTOR, "nothing to send", None),
)  # fmt: skip


def add(played: Played, database: Database) -> None:
    """Store all of it; the engine of the lease is this process, and beats for the last time."""
    _log_lines(played, database)
    add_jobs(database, played.ends)
    _alerts(played, database)
    _requests(played.ends, database)
    take_lease(database, played.run_id, played.view(), played.ends)


def _log_lines(played: Played, database: Database) -> None:
    ours = [
        LogEntry(played.ends - timedelta(seconds=s), level, who, what, data, None, played.run_id)
        for s, level, who, what, data in LINES
    ]
    LogTable(database).write(sorted([*played.logged, *ours], key=lambda line: line.at))


def _alerts(played: Played, database: Database) -> None:
    at, now, kinds = played.session_time, played.ends, NotificationType
    more: tuple[tuple[NotificationType, str, str, dict[str, Any]], ...] = (
        (kinds.SYSTEM_ERROR, "error", "job_failed",
         {"job": FAILED_JOB, "error": "our books and the venue differ in 1 place"}),
        (kinds.DAILY_LOSS_WARNING, "warning", "daily_loss_warning",
         {"equity": 9_760_000_000_000, "day_start": 10_000_000_000_000,
          "line": 9_700_000_000_000}),
        (kinds.API_CONNECTION_LOST, "critical", "connection_lost", {"seconds": 61, "limit": 60}),
    )  # fmt: skip
    with unit_of_work(database) as session:
        for kind, severity, code, numbers in more:
            alerts.raise_alert(
                session, kind, severity, code, numbers, at=at, now=now, run_id=played.run_id
            )
        oldest = sorted(row.id or 0 for row in alerts.open_alerts(session))
        for number in oldest[:3]:
            alerts.acknowledge(session, number, "kim", now)


def _requests(ends: datetime, database: Database) -> None:
    """One that nobody took in time, and one that waits."""
    asked = ends - timedelta(seconds=100)
    with unit_of_work(database) as session:
        commands.enqueue(
            session, command_id="demo-expired", kind=CommandKind.CLOSE_POSITION.value,
            payload={"symbol": "ETH/USDT:USDT"}, requested_by="console", now=asked,
            expires_at=asked + timedelta(seconds=30),
        )  # fmt: skip
        commands.expire(session, ends)
        commands.enqueue(
            session, command_id="demo-waiting", kind=CommandKind.RUN_JOB.value,
            payload={"job": "daily_metrics"}, requested_by="console", now=ends,
        )  # fmt: skip
