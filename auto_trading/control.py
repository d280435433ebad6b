"""Asking the engine: commands, the console and chat all come through here.

A wish is a row in `commands`. What people want of the engine for good (running, stopped, emergency)
is stored with it in the same transaction, so that it holds with no engine up too.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading.flags import Flags
from crypto_trader_pro.domain.enums import CommandKind, DesiredState
from crypto_trader_pro.domain.errors import InputError
from database import commands, lease
from database.auto_trading_db import unit_of_work
from database.commands import CommandStatus
from database.models import CommandRow

REARM_WORD: Final = "REARM"
_WANTED: Final = {
    CommandKind.START: DesiredState.RUNNING,
    CommandKind.STOP: DesiredState.STOPPED,
    CommandKind.EMERGENCY_STOP: DesiredState.EMERGENCY,
}
# what only made sense when it was asked is not done a minute later
_EXPIRES: Final = timedelta(seconds=60)
_LASTING: Final = frozenset({*_WANTED, CommandKind.APPLY_CONFIG, CommandKind.ROLLBACK_CONFIG})
_ENDED: Final = (CommandStatus.DONE, CommandStatus.REFUSED, CommandStatus.EXPIRED)
# the fields that each kind of command must carry
FIELDS: Final[Mapping[CommandKind, tuple[str, ...]]] = {
    CommandKind.REARM: ("confirm",),
    CommandKind.CLOSE_POSITION: ("symbol",),
    CommandKind.CANCEL_ORDER: ("client_order_id",),
    CommandKind.LIFT_LOCK: ("symbol",),
    CommandKind.APPLY_CONFIG: ("changes",),
    CommandKind.ROLLBACK_CONFIG: ("config_id",),
    CommandKind.RUN_JOB: ("job",),
    CommandKind.ACKNOWLEDGE_ALERT: ("alert_id",),
}


def ask(
    database: Database, kind: CommandKind, payload: Mapping[str, Any] | None = None, *,
    by: str, now: datetime, command_id: str | None = None,
) -> CommandRow:  # fmt: skip
    """Store a wish; the engine answers in its row.

    Args:
        command_id: up to 36 characters; asking twice with one id is asking once.

    Raises:
        InputError: a field is missing, or the id belongs to another command.
        JournalUnavailable: the database does not serve; stops also work by `Flags`.
    """
    given = dict(payload or {})
    missing = [name for name in FIELDS.get(kind, ()) if name not in given]
    if missing:
        raise InputError(f"command {kind.value} lacks {', '.join(missing)}")
    with unit_of_work(database, "the command") as session:
        row = commands.enqueue(
            session, command_id=command_id or uuid.uuid4().hex, kind=kind.value, payload=given,
            requested_by=by, now=now, expires_at=None if kind in _LASTING else now + _EXPIRES,
        )  # fmt: skip
        if kind in _WANTED and row.status == CommandStatus.ASKED:
            lease.want(session, _WANTED[kind], now)
    return row


def answer(database: Database, command_id: str) -> CommandRow | None:
    """Return the command if it has ended, else None."""
    with unit_of_work(database, "the command") as session:
        row = commands.find(session, command_id)
    return row if row is not None and row.status in _ENDED else None


def wait_for_answer(
    database: Database, command_id: str, seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> CommandRow | None:  # fmt: skip
    """Return the command once it has ended; None if that takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = answer(database, command_id)
        if found is not None or time.monotonic() > deadline:
            return found
        sleep(0.05)


def stop_without_database(flags: Flags, kind: CommandKind, by: str) -> None:
    """Stop, or stop in an emergency, when the database does not answer."""
    flags.put(kind, by)
