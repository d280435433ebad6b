"""Commands: a person or a job asks, the engine takes, applies and answers."""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import not_, or_
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from database.models import CommandRow


class CommandStatus(StrEnum):
    ASKED = "asked"
    TAKEN = "taken"
    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"  # nobody took it in time


def enqueue(
    session: Session, *, command_id: str, kind: str, payload: Mapping[str, Any],
    requested_by: str, now: datetime, expires_at: datetime | None = None,
) -> CommandRow:  # fmt: skip
    """Insert a command; it takes effect at the engine's next cycle.

    Args:
        command_id: chosen by the asker, so that asking twice is asking once: a command that is
            stored already is returned as it stands.

    Raises:
        InputError: the id belongs to another command.
    """
    row = CommandRow(
        command_id=command_id, kind=kind, payload=dict(payload), requested_by=requested_by,
        requested_at=now, expires_at=expires_at, status=CommandStatus.ASKED,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        found = find(session, command_id)
        if found is None or (found.kind, found.payload) != (kind, dict(payload)):
            raise InputError(f"command id {command_id!r} belongs to another command") from error
        return found
    return row


def find(session: Session, command_id: str) -> CommandRow | None:
    """Return a command by the id its asker chose, or None."""
    return session.exec(select(CommandRow).where(CommandRow.command_id == command_id)).first()


def is_any_waiting(session: Session, *, signals: bool = True) -> bool:
    """True when a command waits to be taken; without `signals`, one that is no signal."""
    row = CommandRow
    waiting = select(col(row.id)).where(col(row.status) == CommandStatus.ASKED).limit(1)
    if not signals:
        waiting = waiting.where(col(row.kind) != CommandKind.SIGNAL.value)
    return session.exec(waiting).first() is not None


def take_back(session: Session, now: datetime | None = None) -> int:
    """Let commands wait again that an engine took and never finished; return how many.

    A shutdown was meant for an engine that has ended by now: it expires, taken or not.

    Args:
        now: at the start of an engine; None leaves shutdowns alone.
    """
    row = CommandRow
    if now is not None:
        open_ones = col(row.status).in_((CommandStatus.ASKED, CommandStatus.TAKEN))
        over = update(row).where(open_ones, col(row.kind) == CommandKind.SHUTDOWN.value)
        session.exec(over.values(status=CommandStatus.EXPIRED, finished_at=now))
    taken = update(row).where(col(row.status) == CommandStatus.TAKEN)
    return session.exec(taken.values(status=CommandStatus.ASKED, claimed_at=None)).rowcount


def claim_next(
    session: Session, now: datetime, kinds: Collection[str] | None = None, *, signals: bool = True
) -> CommandRow | None:
    """Take the oldest waiting command that has not expired, or return None.

    What people ask goes before signals from outside: a flood of them never holds up a stop.

    Args:
        kinds: only of these; None is any.
        signals: False leaves signals from outside waiting.

    Safe against a second engine: the UPDATE repeats the test, so of two claims of one command
    only one matches a row, and the other goes on to the next command.
    """
    row = CommandRow
    waiting = col(row.status) == CommandStatus.ASKED
    in_time = or_(col(row.expires_at).is_(None), col(row.expires_at) > now)
    is_signal = col(row.kind) == CommandKind.SIGNAL.value
    oldest = select(row).where(waiting, in_time).order_by(is_signal, col(row.id)).limit(1)
    if not signals:
        oldest = oldest.where(not_(is_signal))
    if kinds is not None:
        oldest = oldest.where(col(row.kind).in_(kinds))
    while (found := session.exec(oldest).first()) is not None:
        claim = update(row).where(col(row.id) == found.id, waiting)
        claim = claim.values(status=CommandStatus.TAKEN, claimed_at=now)
        taken = session.exec(claim.execution_options(synchronize_session=False)).rowcount == 1
        session.refresh(found)
        if taken:
            return found
    return None


def finish(
    session: Session, command_id: str, status: CommandStatus, answer: Mapping[str, Any],
    now: datetime,
) -> None:  # fmt: skip
    """Store what became of a command that was taken.

    Raises:
        InputError: it was not taken, or is finished already.
    """
    row = CommandRow
    ended = update(row).where(
        col(row.command_id) == command_id, col(row.status) == CommandStatus.TAKEN
    )
    ended = ended.values(status=status, answer=dict(answer), finished_at=now)
    if session.exec(ended).rowcount != 1:
        raise InputError(f"command {command_id!r} is not being worked on")


def expire(session: Session, now: datetime) -> int:
    """Mark the waiting commands whose time is over; return how many they were."""
    row = CommandRow
    over = update(row).where(
        col(row.status) == CommandStatus.ASKED, col(row.expires_at) <= now
    )  # a command without an end matches nothing here
    return session.exec(over.values(status=CommandStatus.EXPIRED, finished_at=now)).rowcount


def newest(session: Session, *, limit: int = 50, before_id: int | None = None) -> list[CommandRow]:
    """Return commands, newest first; `before_id` continues after the last one shown."""
    row = CommandRow
    query = select(row).order_by(col(row.id).desc()).limit(limit)
    if before_id is not None:
        query = query.where(col(row.id) < before_id)
    return list(session.exec(query))
