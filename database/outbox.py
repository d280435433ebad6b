"""Messages that channels have to deliver: written first, sent later, tried again, never lost.

One process sends (it holds a lock), so nobody claims a message. After a crash between sending and
marking it goes again, under the same number.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Engine, case
from sqlmodel import Session, col, select, update

from config.notifications import Channel, Severity
from crypto_trader_pro.domain.enums import NotificationType
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
# never put together with others
ALONE: Final = frozenset({
    NotificationType.DIGEST, NotificationType.TEST_MESSAGE, NotificationType.ENGINE_SILENT,
    NotificationType.DAILY_SUMMARY, NotificationType.WEEKLY_REPORT,
})  # fmt: skip
_NEWEST: Final = 200  # messages that are looked at to see whether one was sent
_BUSY_SECONDS: Final = 1.0  # then the writer's thread keeps the messages and tries again


class OutboxStatus(StrEnum):
    WAITING = "waiting"
    HELD = "held"  # by quiet hours, until next_try_at
    SENT = "sent"
    FAILED = "failed"  # given up
    DIGESTED = "digested"  # went into the message that `digest_id` names


_OPEN: Final = (OutboxStatus.WAITING.value, OutboxStatus.HELD.value)


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

        A notice with a key that is stored already adds nothing: who could not see whether a commit
        went through adds again.

        Raises:
            JournalUnavailable, ConfigError: as `unit_of_work`; nothing was stored.
        """
        with unit_of_work(self._database, "the outbox") as session:
            add(session, notices)

    def close(self) -> None:
        """Let go of the connection."""
        self._database.dispose()


def add(session: Session, notices: Sequence[Notice]) -> None:
    """Store one row for each channel of each notice that is not stored yet."""
    row = OutboxRow
    keys = [notice.key for notice in notices if notice.key]
    channels = {delivery.channel for notice in notices for delivery in notice.deliveries}
    query = select(row.channel, row.key).where(
        col(row.channel).in_(channels), col(row.key).in_(keys)
    )
    stored = {key for _, key in session.exec(query)} if keys else set()
    for notice in notices:
        if notice.key is None or notice.key not in stored:
            stored.add(notice.key)
            _add(session, notice)


def due(
    session: Session, channel: str, now: datetime, limit: int = 20, *, urgent_only: bool = False,
    collected: Collection[str] = (),
) -> list[OutboxRow]:  # fmt: skip
    """Return the messages that `channel` should send now: critical ones first, then by age.

    Args:
        urgent_only: only critical ones and tests.
        collected: severities that wait for a digest.
    """
    row = OutboxRow
    query = select(row).where(
        col(row.status).in_(_OPEN), col(row.next_try_at) <= now, col(row.channel) == channel
    )
    is_test = col(row.kind) == NotificationType.TEST_MESSAGE.value
    is_critical = col(row.severity) == Severity.CRITICAL.value
    if urgent_only:
        query = query.where(is_test | is_critical)
    if collected:
        query = query.where(
            col(row.severity).not_in(collected) | col(row.kind).in_([kind.value for kind in ALONE])
        )
    order = case((is_test | is_critical, 0), else_=1)
    return list(session.exec(query.order_by(order, col(row.id)).limit(limit)))


def collectable(
    session: Session, channel: str, now: datetime, severities: Collection[str], limit: int
) -> list[OutboxRow]:
    """Return the due messages of `channel` that may go together into one, oldest first."""
    row = OutboxRow
    query = select(row).where(
        col(row.status).in_(_OPEN), col(row.next_try_at) <= now, col(row.channel) == channel,
        col(row.severity).in_(severities), col(row.kind).not_in([kind.value for kind in ALONE]),
    )  # fmt: skip
    return list(session.exec(query.order_by(col(row.id)).limit(limit)))


def merge(
    session: Session, rows: Sequence[OutboxRow], text: str, severity: str, now: datetime
) -> OutboxRow:
    """Store one message instead of several of one channel, which point to it from now on."""
    channel = rows[0].channel
    whole = OutboxRow(
        channel=channel, kind=NotificationType.DIGEST.value, severity=severity, message=text,
        data={"count": len(rows)}, status=OutboxStatus.WAITING.value, created_at=now,
        next_try_at=now, key=uuid.uuid4().hex,
    )  # fmt: skip
    session.add(whole)
    session.flush()
    for row in rows:
        row.status, row.digest_id = OutboxStatus.DIGESTED.value, whole.id
        session.add(row)
    session.flush()
    return whole


def channels_waiting(session: Session, now: datetime) -> set[str]:
    """Return the channels that have messages which are due."""
    row = OutboxRow
    due_ones = col(row.status).in_(_OPEN), col(row.next_try_at) <= now
    query = select(row.channel).where(*due_ones).distinct()
    return set(session.exec(query))


def retry_now(session: Session, now: datetime, channel: str | None = None) -> int:
    """Let the messages that failed be tried again at once; return how many there are.

    Args:
        channel: only those of one channel.
    """
    row = OutboxRow
    waiting = update(row).where(
        col(row.status) == OutboxStatus.WAITING.value, col(row.attempts) > 0,
        col(row.next_try_at) > now,
    )  # fmt: skip
    if channel is not None:
        waiting = waiting.where(col(row.channel) == channel)
    return session.exec(waiting.values(next_try_at=now)).rowcount


def send_again(session: Session, row_id: int, now: datetime) -> OutboxRow:
    """Let a message that was given up wait once more, with all its attempts before it.

    Raises:
        InputError: no such message, or it was not given up.
    """
    row = _found(session, row_id)
    if row.status != OutboxStatus.FAILED:
        raise InputError(f"message {row_id} is {row.status}, allowed: one that has failed")
    row.status, row.attempts, row.next_try_at = OutboxStatus.WAITING.value, 0, now
    session.flush()
    return row


def send_all_again(session: Session, channel: str, now: datetime) -> int:
    """Let all messages of a channel that were given up wait once more; return how many."""
    row = OutboxRow
    dead = update(row).where(
        col(row.status) == OutboxStatus.FAILED.value, col(row.channel) == channel
    )  # fmt: skip
    again = dead.values(status=OutboxStatus.WAITING.value, attempts=0, next_try_at=now)
    return session.exec(again).rowcount


def give_up(session: Session, channel: str, error: str, before: datetime) -> int:
    """End every message that waits for `channel`, for one reason; return how many there were.

    Args:
        before: only those that were stored until then.
    """
    row = OutboxRow
    waiting = update(row).where(
        col(row.status).in_(_OPEN), col(row.channel) == channel, col(row.created_at) <= before
    )
    given_up = waiting.values(status=OutboxStatus.FAILED.value, last_error=error)
    return session.exec(given_up).rowcount


def enqueue_test(session: Session, channel: Channel, now: datetime, text: str = "") -> OutboxRow:
    """Store a test message for one channel, whatever the routing says.

    It is tried once: how it went stands in its row (`status`, `last_error`).

    Args:
        text: by default the catalogue's own is sent.

    Raises:
        InputError: the dashboard, which nothing is sent to.
    """
    if channel is Channel.DASHBOARD:
        allowed = ", ".join(c for c in Channel if c is not Channel.DASHBOARD)
        raise InputError(f"channel was {channel.value!r}, allowed: {allowed}")
    row = OutboxRow(
        channel=channel.value, kind=NotificationType.TEST_MESSAGE.value,
        severity=Severity.INFO.value, message=text, status=OutboxStatus.WAITING.value,
        created_at=now, next_try_at=now, key=uuid.uuid4().hex,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def worked_since(session: Session, since: datetime) -> bool:
    """True when a message was sent, or tried in vain, from `since` on."""
    row = OutboxRow
    outside = col(row.channel) != Channel.DASHBOARD.value
    newest = select(row.sent_at).where(outside).order_by(col(row.id).desc()).limit(_NEWEST)
    if any(sent_at is not None and sent_at >= since for sent_at in session.exec(newest)):
        return True
    tried = col(row.status).in_(_OPEN), col(row.attempts) > 0, col(row.next_try_at) > since
    return session.exec(select(col(row.id)).where(outside, *tried).limit(1)).first() is not None


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
            key=notice.key, image=None if delivery.is_shown else notice.image,
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
