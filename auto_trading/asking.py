"""Asking the engine and waiting a moment for its answer: what an operator's command does."""

import getpass
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from auto_trading import control, engine_file
from auto_trading.flags import Flags
from auto_trading.status import process_is_gone
from config.environment import Environment
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import ConfigError, RetryableError
from database.auto_trading_db import open_database, prepare, schema_state, unit_of_work
from database.engine_state import engine_state
from database.models import CommandRow
from utils.clocks import SystemClock
from utils.hurry import within

ANSWER_SECONDS: Final = 3.0
HURRY_SECONDS: Final = 0.3  # that a stop waits for the database of a living engine
_STOPS: Final = frozenset({CommandKind.STOP, CommandKind.EMERGENCY_STOP})
_FIRST_TIME: Final = 10.0  # the schema may have to be made


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a wish.

    Args:
        status: of the command: done, refused, expired, asked (nobody has answered yet); "flag"
            where the database did not answer and only the flag file carries it.
        answer: the engine's code and numbers.
        lapses: nobody will do it once a minute has passed.
        trouble: why the database did not take it.
        entries: with a flag: what the engine says forbids new risk now; None where it has not said.
    """

    kind: CommandKind
    status: str
    command_id: str | None = None
    engine_alive: bool = False
    answer: Mapping[str, Any] | None = None
    lapses: bool = False
    trouble: str | None = None
    entries: str | None = None


def ask_engine(
    environment: Environment, kind: CommandKind, payload: Mapping[str, Any] | None = None, *,
    by: str, seconds: float = ANSWER_SECONDS,
) -> Asked:  # fmt: skip
    """Store a wish and, where an engine lives, wait for its answer.

    A stop does not depend on the database: where that does not take it at once, the flag goes up.

    Args:
        by: who asks, up to 64 characters.
        seconds: how long to wait for the answer.

    Raises:
        InputError: a field is missing.
        JournalUnavailable: the database does not serve, and it is no stop.
    """
    if kind in _STOPS:
        return _stop(environment, kind, dict(payload or {}), by, seconds)
    row = _store(environment, kind, dict(payload or {}), by, 5.0)
    return _answered(environment, kind, row, seconds)


def operator(prefix: str) -> str:
    """Return who asks, for the audit: "cli:name"."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a user entry
        name = "unknown"
    return f"{prefix}:{name}"[:64]


def living_engine(environment: Environment) -> int | None:
    """Return the pid of the engine that works for this folder's account; None where none does.

    Raises:
        JournalUnavailable: no engine file tells, and the database does not serve.
    """
    if (pid := _lives_here(environment.var_dir)) is not None:
        return pid
    reader = open_database(environment.database_url, read_only=True, busy_seconds=1.0)
    try:
        if schema_state(reader) != "current":
            return None
        with unit_of_work(reader, "the engine's state") as session:
            found = engine_state(session, SystemClock().now(), process_is_gone)
    finally:
        reader.dispose()
    return found.pid if found is not None and found.alive else None


def _stop(
    environment: Environment, kind: CommandKind, payload: dict[str, Any], by: str, seconds: float
) -> Asked:
    lives_here = _lives_here(environment.var_dir) is not None
    patience = HURRY_SECONDS if lives_here else _FIRST_TIME
    try:
        row = within(patience, lambda: _store(environment, kind, payload, by, HURRY_SECONDS))
    except (TimeoutError, RetryableError, ConfigError) as e:
        flags = Flags(environment.var_dir)
        if kind not in [flag.kind for flag in flags.up()]:  # the command may have put it up first
            flags.put(kind, by)
        entries = _entries(environment.var_dir, seconds) if lives_here else None
        return Asked(kind, "flag", engine_alive=lives_here, trouble=str(e), entries=entries)
    return _answered(environment, kind, row, seconds)


def _store(
    environment: Environment, kind: CommandKind, payload: dict[str, Any], by: str, busy: float
) -> CommandRow:
    database = open_database(environment.database_url, busy_seconds=busy)
    try:
        prepare(database)
        return control.ask(database, kind, payload, by=by, now=SystemClock().now())
    finally:
        database.dispose()


def _answered(
    environment: Environment, kind: CommandKind, row: CommandRow, seconds: float
) -> Asked:
    if living_engine(environment) is None:
        return Asked(kind, row.status, row.command_id, lapses=row.expires_at is not None)
    reader = open_database(environment.database_url, read_only=True, busy_seconds=1.0)
    try:
        ended = control.wait_for_answer(reader, row.command_id, seconds)
    finally:
        reader.dispose()
    if ended is None:
        return Asked(kind, row.status, row.command_id, engine_alive=True)
    return Asked(kind, ended.status, row.command_id, engine_alive=True, answer=ended.answer or {})


def _lives_here(var_dir: Path) -> int | None:
    found = engine_file.read(var_dir)
    return found.pid if found is not None and found.is_alive else None


def _entries(var_dir: Path, seconds: float) -> str | None:
    """Return what forbids entries once the engine says that something does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = engine_file.read(var_dir)
        if found is not None and found.entries != "allowed":
            return found.entries
        time.sleep(0.05)
    return None
