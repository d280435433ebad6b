"""What lies beside a paper run in its database: log lines, jobs, alerts, waiting requests, the lease.

The rows that a short run does not bring by itself; the sentences and codes are the product's own.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading.jobs import SCHEDULE
from crypto_trader_pro.domain.enums import (
    CommandKind,
    Component,
    DesiredState,
    NotificationType,
    ObservedState,
    TradingState,
)
from crypto_trader_pro.domain.ports import LogEntry
from database import alerts, commands, job_rows, lease
from database.auto_trading_db import unit_of_work
from database.lease import Beat, Holder
from database.log_rows import LogTable
from tests.console_small import Played
from utils.processes import own_process

BUILD: Final = "demo data"
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
FAILED_JOB: Final = "order_status"
RUNNING_JOB: Final = "retention"


def add(played: Played, database: Database) -> None:
    """Store all of it; the engine of the lease is this process, and beats for the last time."""
    _log_lines(played, database)
    _jobs(played.ends, database)
    _alerts(played, database)
    _requests(played.ends, database)
    take_lease(database, played.run_id, played.view(), played.ends)


def _log_lines(played: Played, database: Database) -> None:
    ours = [
        LogEntry(played.ends - timedelta(seconds=s), level, who, what, data, None, played.run_id)
        for s, level, who, what, data in LINES
    ]
    LogTable(database).write(sorted([*played.logged, *ours], key=lambda line: line.at))


def _jobs(ends: datetime, database: Database) -> None:
    names = [name for turn in SCHEDULE.values() for name in turn.names]
    with unit_of_work(database) as session:
        for place, name in enumerate(names):
            started = ends - timedelta(seconds=10 * place + 5)
            job_rows.begun(session, name, started)
            if name == RUNNING_JOB:
                continue
            over = started + timedelta(milliseconds=12 + 31 * place)
            error = "our books and the venue differ in 1 place" if name == FAILED_JOB else None
            job_rows.ended(session, name, started, over, error)


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


def take_lease(
    database: Database, run_id: int, view: Mapping[str, Any], now: datetime, *,
    source: str = "demo", last_error: str | None = None,
) -> int:  # fmt: skip
    """Let this process be the engine of the account, trading; return its epoch."""
    me = own_process()
    holder = Holder(f"{me.pid}-{me.started}", me.host, me.pid, me.started, BUILD)
    with unit_of_work(database) as session:
        epoch = lease.take(session, holder, now, is_gone=lambda _: True)
        assert epoch is not None
        lease.want(session, DesiredState.RUNNING, now)
        beat(session, epoch, run_id, view, now, source=source, last_error=last_error)
    return epoch


def beat(
    session: Any, epoch: int, run_id: int, view: Mapping[str, Any], now: datetime, *,
    source: str = "demo", last_error: str | None = None,
) -> DesiredState | None:  # fmt: skip
    """Beat once; return what is wanted, None where another process has the account."""
    trading = TradingState(view["trading_state"])
    told = Beat(ObservedState.RUNNING, trading, "paper", source, run_id, last_error, view)
    return lease.renew(session, epoch, told, now)
