"""Starting the engine as a process of its own that outlives whoever started it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine as Database

from auto_trading.flags import Flags
from auto_trading.status import process_is_gone
from config.environment import Environment
from crypto_trader_pro.domain.enums import CommandKind, ObservedState
from crypto_trader_pro.domain.errors import ConfigError, InputError
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.engine_state import EngineState, engine_state
from utils.clocks import SystemClock
from utils.locks import exclusive

ENGINE_COMMAND: Final = ("-m", "crypto_trader_pro", "engine", "run")
START_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 5.0  # that a start is watched beyond its first heartbeat
_LARGEST: Final = 5 * 2**20  # bytes of engine.out before it begins anew
_TAIL: Final = 12  # lines


@dataclass(frozen=True, slots=True)
class Launch:
    """What became of a start.

    Args:
        pid: of the engine, the one that ran already or the new one.
        was_running: nothing was started.
        exit_code: of a new process that ended at once, else None.
        beats: the engine holds the account and its heart beats.
        last_lines: what a process that ended said last.
    """

    pid: int
    was_running: bool
    beats: bool
    exit_code: int | None = None
    last_lines: tuple[str, ...] = ()


def start_engine(
    environment: Environment, *, seconds: float = START_SECONDS,
    command: tuple[str, ...] = ENGINE_COMMAND,
) -> Launch:  # fmt: skip
    """Start the engine detached unless one lives; return when it is up, or has ended.

    Safe to call from several processes at once: one starts, the others find it running.

    Args:
        seconds: how long to wait for the first heartbeat, and for another who is starting one.

    Raises:
        JournalUnavailable: the database does not serve.
        ConfigError: the database or the var folder cannot be used.
        InputError: somebody else has been starting the engine for longer than `seconds`.
    """
    prepare_database(environment)
    reader = open_database(environment.database_url, read_only=True)
    try:
        with _turn(environment.var_dir, seconds):
            found = _state(reader)
            if found is not None and found.alive and found.pid is not None:
                return Launch(found.pid, was_running=True, beats=True)
            # it was meant for an engine that is no more
            Flags(environment.var_dir).take_down(CommandKind.SHUTDOWN)
            return _launched(environment.var_dir, reader, command, seconds)
    finally:
        reader.dispose()


def prepare_database(environment: Environment) -> None:
    """Create the database, or bring its schema up to date."""
    database = open_database(environment.database_url)
    try:
        prepare(database)
    finally:
        database.dispose()


def last_lines(file: Path, since: int = 0) -> tuple[str, ...]:
    """Return what a process has written to `file` last, from byte `since` on."""
    try:
        with file.open("rb") as content:
            content.seek(max(since, file.stat().st_size - 8192))
            text = content.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(line for line in text.splitlines() if line.strip())[-_TAIL:]


def output_file(var_dir: Path, name: str) -> Path:
    """Return the file that takes what a detached process prints, its folder made.

    Raises:
        ConfigError: the folder cannot be made.
    """
    file = var_dir / "logs" / name
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and file.stat().st_size > _LARGEST:
            os.truncate(file, 0)
    except OSError as e:
        raise ConfigError(f"{file} cannot be written: {e.strerror}") from e
    return file


@contextmanager
def _turn(var_dir: Path, seconds: float) -> Iterator[None]:
    """Hold the right to start the engine of this folder."""
    path = var_dir / "locks" / "engine-start"
    deadline = time.monotonic() + seconds
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(exclusive(path, "the start of the engine"))
                break
            except InputError:
                if time.monotonic() > deadline:
                    line = f"another process has been starting the engine for {seconds:g} s: {path}"
                    raise InputError(line) from None
            time.sleep(0.1)
        yield


def _launched(var_dir: Path, reader: Database, command: tuple[str, ...], seconds: float) -> Launch:
    file = output_file(var_dir, "engine.out")
    since = file.stat().st_size if file.exists() else 0
    with file.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  our own command, no shell
            [sys.executable, *command], start_new_session=True, close_fds=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    # whoever lives longer: the end of the child is noticed, and no zombie stays behind
    threading.Thread(target=process.wait, name="engine's end", daemon=True).start()
    deadline = time.monotonic() + seconds
    beaten_at: float | None = None
    while time.monotonic() < deadline:
        if process.poll() is not None:
            lines = last_lines(file, since)
            return Launch(process.pid, False, False, process.returncode, lines)
        found = _state(reader)
        if found is not None and found.alive and found.pid == process.pid:
            beaten_at = beaten_at or time.monotonic()
            # the heart beats first of all; what cannot be used shows in the moments after that
            if found.observed is not ObservedState.STARTING:
                break
            if time.monotonic() - beaten_at > SETTLE_SECONDS:
                break
        time.sleep(0.05)
    return Launch(process.pid, was_running=False, beats=beaten_at is not None)


def _state(reader: Database) -> EngineState | None:
    with unit_of_work(reader, "the engine's state") as session:
        return engine_state(session, SystemClock().now(), process_is_gone)
