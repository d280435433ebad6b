"""What people ask of the engine: a row in `commands`, and with it what is wanted for good.

Both are stored in one transaction, so that a wish holds with no engine up too.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine, Table
from sqlmodel import Session, col, select

from crypto_trader_pro.domain.enums import CommandKind, DesiredState
from crypto_trader_pro.domain.errors import InputError
from database import commands, lease
from database.auto_trading_db import unit_of_work
from database.commands import CommandStatus
from database.models import CommandRow

REARM_WORD: Final = "REARM"
ENDED: Final = (CommandStatus.DONE, CommandStatus.REFUSED, CommandStatus.EXPIRED)
_WANTED: Final = {
    CommandKind.START: DesiredState.RUNNING,
    CommandKind.STOP: DesiredState.STOPPED,
    CommandKind.EMERGENCY_STOP: DesiredState.EMERGENCY,
}
# what only made sense when it was asked is not done a minute later
_EXPIRES: Final = timedelta(seconds=60)
_LASTING: Final = frozenset(
    {
        *_WANTED,
        CommandKind.PAUSE,  # it holds until a person resumes, however long it waits
        CommandKind.APPLY_CONFIG,
        CommandKind.ROLLBACK_CONFIG,
        CommandKind.ACKNOWLEDGE_ALERT,
    }
)
# the fields that each kind of command must carry
FIELDS: Final[Mapping[CommandKind, tuple[str, ...]]] = {
    CommandKind.REARM: ("confirm",),
    CommandKind.CLOSE_POSITION: ("symbol",),
    CommandKind.CANCEL_ORDER: ("client_order_id",),
    CommandKind.LIFT_LOCK: ("symbol",),
    CommandKind.SIGNAL: ("strategy", "action"),
    CommandKind.APPLY_CONFIG: ("changes",),
    CommandKind.ROLLBACK_CONFIG: ("config_id",),
    CommandKind.RUN_JOB: ("job",),
    CommandKind.ACKNOWLEDGE_ALERT: ("alert_ids",),
}


def wish(
    database: Engine, kind: CommandKind, payload: Mapping[str, Any] | None = None, *,
    by: str, now: datetime, command_id: str | None = None,
) -> CommandRow:  # fmt: skip
    """Store a wish; the engine answers in its row.

    Args:
        command_id: up to 36 characters; asking twice with one id is asking once.

    Raises:
        InputError: a field is missing, or the id belongs to another command.
        JournalUnavailable: the database does not serve; stops also work by flag files.
    """
    with unit_of_work(database, "the command") as session:
        return wish_in(session, kind, payload, by=by, now=now, command_id=command_id)


def wish_in(
    session: Session, kind: CommandKind, payload: Mapping[str, Any] | None = None, *,
    by: str, now: datetime, command_id: str | None = None,
) -> CommandRow:  # fmt: skip
    """As `wish`, within a transaction of the caller's.

    Raises:
        InputError: a field is missing, or the id belongs to another command.
    """
    given = dict(payload or {})
    missing = [name for name in FIELDS.get(kind, ()) if name not in given]
    if missing:
        raise InputError(f"command {kind.value} lacks {', '.join(missing)}")
    row = commands.enqueue(
        session, command_id=command_id or uuid.uuid4().hex, kind=kind.value, payload=given,
        requested_by=by, now=now, expires_at=None if kind in _LASTING else now + _EXPIRES,
    )  # fmt: skip
    if kind in _WANTED and row.status == CommandStatus.ASKED:
        lease.want(session, _WANTED[kind], now)
    return row


class Asked(NamedTuple):
    """One of many commands that are stored together; its id must be new."""

    command_id: str
    payload: Mapping[str, Any]
    by: str
    at: datetime


def wish_all(session: Session, kind: CommandKind, asked: Sequence[Asked]) -> None:
    """Store many new commands of one kind in one statement, within a transaction of the caller's.

    Raises:
        InputError: a field is missing; or of a kind that is more than its command, as a start.
        IntegrityError: an id is there already.
    """
    if kind in _WANTED:
        raise InputError(f"commands of kind {kind.value} are asked for one by one")
    rows = []
    for one in asked:
        missing = [name for name in FIELDS.get(kind, ()) if name not in one.payload]
        if missing:
            raise InputError(f"command {kind.value} lacks {', '.join(missing)}")
        expires = None if kind in _LASTING else one.at + _EXPIRES
        rows.append({
            "command_id": one.command_id, "kind": kind.value, "payload": dict(one.payload),
            "requested_by": one.by, "requested_at": one.at, "expires_at": expires,
            "status": CommandStatus.ASKED.value,
        })  # fmt: skip
    if rows:
        table: Table = CommandRow.__table__  # type: ignore[attr-defined]
        session.connection().execute(table.insert(), rows)


def found(session: Session, command_ids: Sequence[str]) -> list[CommandRow]:
    """Return the commands with these ids, oldest first; unknown ids are left out."""
    row = CommandRow
    query = select(row).where(col(row.command_id).in_(command_ids)).order_by(col(row.id))
    return list(session.exec(query))
