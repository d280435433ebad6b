"""Messages that channels have to deliver: written first, sent later, tried again, never lost."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.ports import Delivery, Notice
from database import alerts
from database.auto_trading_db import open_database, unit_of_work
from database.models import OutboxRow

MESSAGE_CODE: Final = "message"  # an alert in plain words: its numbers hold them as "message"
INFO: Final = "info"  # the severity of what is shown and asks for nothing
BY_ITSELF: Final = "engine"  # who has acknowledged it
MAX_ATTEMPTS: Final = 32  # with the pauses below: 22 hours
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(hours=1)
_BUSY_SECONDS: Final = 1.0  # then the writer's thread keeps the messages and tries again


class OutboxStatus(StrEnum):
    WAITING = "waiting"
    HELD = "held"  # by quiet hours, until next_try_at
    SENT = "sent"
    FAILED = "failed"  # given up


class DatabaseOutbox:
    """Stores notices through a connection that nothing else uses."""

    def __init__(self, database: Engine) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str) -> "DatabaseOutbox":
        """Open the database for messages.

        Raises:
            ConfigError: an unusable URL or folder.
        """
        return cls(open_database(url, busy_seconds=_BUSY_SECONDS))

    def add(self, notices: Sequence[Notice]) -> None:
        """Store one row for each channel of each notice, all in one transaction.

        Raises:
            JournalUnavailable, ConfigError: as `unit_of_work`; nothing was stored.
        """
        with unit_of_work(self._database, "the outbox") as session:
            for notice in notices:
                _add(session, notice)

    def close(self) -> None:
        """Let go of the connection."""
        self._database.dispose()


def due(session: Session, channel: str, now: datetime, limit: int = 20) -> list[OutboxRow]:
    """Return the messages that `channel` should send now, oldest first."""
    row = OutboxRow
    waiting = (OutboxStatus.WAITING.value, OutboxStatus.HELD.value)
    query = select(row).where(
        col(row.status).in_(waiting), col(row.next_try_at) <= now, col(row.channel) == channel
    )
    return list(session.exec(query.order_by(col(row.id)).limit(limit)))


def sent(session: Session, row_id: int, now: datetime) -> OutboxRow:
    """Note that a message was delivered. Doing it again changes nothing.

    Raises:
        InputError: no such message.
    """
    row = _found(session, row_id)
    if row.status != OutboxStatus.SENT:
        row.status = OutboxStatus.SENT.value
        row.attempts += 1
        row.sent_at = now
        row.last_error = None
        session.flush()
    return row


def failed(
    session: Session, row_id: int, error: str, now: datetime, *,
    retry_after: timedelta | None = None, permanent: bool = False,
) -> OutboxRow:  # fmt: skip
    """Note that a message was not delivered, and when to try again.

    The pause doubles with each attempt, up to an hour; after `MAX_ATTEMPTS` the message is given
    up. A message that was delivered stays delivered.

    Args:
        error: what went wrong, in one line without secrets.
        retry_after: the least pause that the channel asked for.
        permanent: trying again is of no use.

    Raises:
        InputError: no such message.
    """
    row = _found(session, row_id)
    if row.status == OutboxStatus.SENT:
        return row
    row.attempts += 1
    row.last_error = error
    if permanent or row.attempts >= MAX_ATTEMPTS:
        row.status = OutboxStatus.FAILED.value
    else:
        row.status = OutboxStatus.WAITING.value
        row.next_try_at = now + max(pause_after(row.attempts), retry_after or timedelta(0))
    session.flush()
    return row


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts, at least one: 5 s, 10 s, 20 s ... 1 h."""
    return min(FIRST_PAUSE * (1 << min(attempts - 1, 20)), LONGEST_PAUSE)


def _add(session: Session, notice: Notice) -> None:
    alert_id = notice.alert_id
    if alert_id is None and any(delivery.is_shown for delivery in notice.deliveries):
        alert_id = _alert(session, notice)
    data = None if notice.data is None else dict(notice.data)
    for delivery in notice.deliveries:
        row = OutboxRow(
            channel=delivery.channel, kind=notice.kind.value, severity=notice.severity,
            message=notice.message, data=data, alert_id=alert_id or None,
            status=_status(delivery, notice), created_at=notice.at,
            next_try_at=delivery.not_before, sent_at=notice.at if delivery.is_shown else None,
        )  # fmt: skip
        session.add(row)


def _alert(session: Session, notice: Notice) -> int | None:
    numbers = {**(notice.data or {}), "message": notice.message}
    row = alerts.raise_alert(
        session, notice.kind, notice.severity, MESSAGE_CODE, numbers,
        at=notice.at, now=notice.at, run_id=notice.run_id,
    )  # fmt: skip
    if notice.severity == INFO:  # a trade, a new model: nobody has to acknowledge it
        row.acknowledged_at, row.acknowledged_by = notice.at, BY_ITSELF
    return row.id


def _status(delivery: Delivery, notice: Notice) -> str:
    if delivery.is_shown:
        return OutboxStatus.SENT.value
    is_held = delivery.not_before > notice.at
    return OutboxStatus.HELD.value if is_held else OutboxStatus.WAITING.value


def _found(session: Session, row_id: int) -> OutboxRow:
    row = session.get(OutboxRow, row_id)
    if row is None:
        raise InputError(f"there is no message {row_id} in the outbox")
    return row
