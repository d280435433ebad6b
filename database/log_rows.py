"""The log table (document 004): written by the log's own thread, read by console and commands."""

from collections.abc import Sequence

from sqlalchemy import Engine, insert
from sqlmodel import Session, col, select

from crypto_trader_pro.domain.ports import LogEntry
from database.auto_trading_db import open_database, translated
from database.models import AutoTradingLogRow

_BUSY_SECONDS = 1.0  # then the writer's thread keeps the lines and tries again


class LogTable:
    """Stores log lines through a connection that nothing else uses."""

    def __init__(self, database: Engine) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str) -> "LogTable":
        """Open the database for log lines: the last of them may go with the power.

        Raises:
            ConfigError: an unusable URL or folder.
        """
        return cls(open_database(url, durable=False, busy_seconds=_BUSY_SECONDS))

    def write(self, entries: Sequence[LogEntry]) -> None:
        """Store all of them in one transaction.

        Raises:
            JournalUnavailable, ConfigError: as `translated`; none was stored.
        """
        rows = [_values(entry) for entry in entries]
        if not rows:
            return
        with translated("the log table", self._database), self._database.begin() as connection:
            connection.execute(insert(AutoTradingLogRow), rows)

    def close(self) -> None:
        """Let go of the connection."""
        self._database.dispose()


def newest(
    session: Session, *, limit: int = 100, before_id: int | None = None, level: str | None = None,
    component: str | None = None, correlation_id: str | None = None, run_id: int | None = None,
) -> list[AutoTradingLogRow]:  # fmt: skip
    """Return log lines, newest first; `before_id` continues after the last one shown."""
    row = AutoTradingLogRow
    query = select(row).order_by(col(row.id).desc()).limit(limit)
    if before_id is not None:
        query = query.where(col(row.id) < before_id)
    wanted = (
        (row.log_level, level), (row.component, component),
        (row.correlation_id, correlation_id), (row.run_id, run_id),
    )  # fmt: skip
    for column, value in wanted:
        if value is not None:
            query = query.where(col(column) == value)
    return list(session.exec(query))


def _values(entry: LogEntry) -> dict[str, object]:
    return {
        "user_id": 1,
        "timestamp": entry.at,
        "log_level": entry.level,
        "component": entry.component.value,
        "message": entry.message,
        "data": None if entry.data is None else dict(entry.data),
        "correlation_id": entry.correlation_id,
        "run_id": entry.run_id,
    }
