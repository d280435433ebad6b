"""Messages to channels: how many wait, and those that were given up."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from database.models import OutboxRow
from database.outbox import OutboxStatus
from database.views.json_values import View


@dataclass(frozen=True, slots=True)
class OutboxCount(View):
    """How many messages of one channel stand in one status."""

    channel: str
    status: str
    messages: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class OutboxMessage(View):
    """A message as a list shows it.

    Args:
        status: waiting, held, sent, failed.
        last_error: of the newest attempt, in one line; "": none failed.
    """

    id: int
    channel: str
    kind: str
    severity: str
    message: str
    status: str
    attempts: int
    created_at: datetime
    next_try_at: datetime
    last_error: str


def outbox_counts(session: Session) -> list[OutboxCount]:
    """Return how many messages there are by channel and status."""
    row = OutboxRow
    key = (col(row.channel), col(row.status))
    query = select(*key, func.count(), func.min(row.created_at)).group_by(*key).order_by(*key)
    return [OutboxCount(*found) for found in session.exec(query)]


def dead_letters(
    session: Session, limit: int = 50, before_id: int | None = None
) -> list[OutboxMessage]:  # fmt: skip
    """Return the messages that were given up, newest first; `before_id` continues."""
    return _messages(session, (OutboxStatus.FAILED,), limit, before_id)


def waiting_messages(
    session: Session, limit: int = 50, before_id: int | None = None
) -> list[OutboxMessage]:  # fmt: skip
    """Return the messages that are still to be sent, newest first; `before_id` continues."""
    return _messages(session, (OutboxStatus.WAITING, OutboxStatus.HELD), limit, before_id)


def _messages(
    session: Session, statuses: tuple[OutboxStatus, ...], limit: int, before_id: int | None
) -> list[OutboxMessage]:
    row = OutboxRow
    query = select(row).where(col(row.status).in_([s.value for s in statuses]))
    if before_id is not None:
        query = query.where(col(row.id) < before_id)
    return [
        OutboxMessage(
            m.id or 0, m.channel, m.kind, m.severity, m.message, m.status, m.attempts,
            m.created_at, m.next_try_at, m.last_error or "",
        )
        for m in session.exec(query.order_by(col(row.id).desc()).limit(limit))
    ]  # fmt: skip
