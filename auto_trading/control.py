"""Asking the engine and hearing what became of it: commands, console and chat come through here."""

import time
from collections.abc import Callable

from sqlalchemy import Engine as Database

from auto_trading.flags import Flags
from crypto_trader_pro.domain.enums import CommandKind
from database import commands
from database.auto_trading_db import unit_of_work
from database.models import CommandRow
from database.wishes import ENDED, FIELDS, REARM_WORD
from database.wishes import wish as ask

__all__ = ["FIELDS", "REARM_WORD", "answer", "ask", "stop_without_database", "wait_for_answer"]


def answer(database: Database, command_id: str) -> CommandRow | None:
    """Return the command if it has ended, else None."""
    with unit_of_work(database, "the command") as session:
        row = commands.find(session, command_id)
    return row if row is not None and row.status in ENDED else None


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
