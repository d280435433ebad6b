"""Ending the processes of one var folder, however they were started."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from auto_trading import engine_file
from auto_trading.flags import Flags
from config.environment import Environment
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import TradingError
from database import lease
from database.auto_trading_db import file_of, open_database, schema_state, unit_of_work
from utils import consoles, reach_file
from utils.processes import ProcessId, is_gone, own_process

FLAG_SECONDS: Final = 6.0  # for an orderly end after the flag
SIGNAL_SECONDS: Final = 4.0  # after SIGTERM
_LOOK: Final = 0.02


class How(StrEnum):
    """What it took; each is worded by the catalogue."""

    FLAG = "flag"
    TERMINATED = "terminated"
    KILLED = "killed"
    LEFT = "left"  # not ours to end: of another user or host


@dataclass(frozen=True, slots=True)
class Ended:
    what: str  # "engine", "console", "reach"
    pid: int
    how: How


def end_everything(
    environment: Environment, by: str, *, flag_seconds: float = FLAG_SECONDS,
    signal_seconds: float = SIGNAL_SECONDS,
) -> list[Ended]:  # fmt: skip
    """End console, engine and what sends messages of this var folder; nothing where none runs.

    The engine is asked by the flag file, which works without the database and cannot outlive it:
    a command row would end the next engine.
    """
    var_dir = environment.var_dir
    ended = [
        Ended("console", process.pid, end_process(process, signal_seconds))
        for process, _ in consoles.running(var_dir)
    ]
    ended += end_engines(environment, by, flag_seconds=flag_seconds, signal_seconds=signal_seconds)
    # an engine that ends in order takes it along; one that was killed leaves it behind
    if (left := reach_file.living(var_dir)) is not None:
        ended.append(Ended("reach", left.pid, end_process(left, signal_seconds)))
    consoles.running(var_dir)  # clears the files of those that have just ended
    return ended


def end_engines(
    environment: Environment, by: str, *, flag_seconds: float = FLAG_SECONDS,
    signal_seconds: float = SIGNAL_SECONDS,
) -> list[Ended]:  # fmt: skip
    """End the engine of this var folder and leave the consoles; nothing where none runs."""
    return [
        Ended(
            "engine", process.pid,
            _end_engine(process, environment.var_dir, by, flag_seconds, signal_seconds),
        )
        for process in engines(environment)
    ]  # fmt: skip


def engines(environment: Environment) -> list[ProcessId]:
    """Return the engine processes of this var folder that have not ended.

    One that is starting has no engine file yet. The lease has it; but a lease on a database that
    several folders share may be another folder's.
    """
    found: dict[int, ProcessId] = {}
    file = engine_file.read(environment.var_dir)
    if file is not None:
        found[file.pid] = file.process
    if _is_own_database(environment):
        holder = _holder(environment)
        if holder is not None:
            found[holder.pid] = holder
    return [process for process in found.values() if not is_gone(process) and process.pid > 0]


def _holder(environment: Environment) -> ProcessId | None:
    reader = open_database(environment.database_url, read_only=True, busy_seconds=0.3)
    try:
        if schema_state(reader) != "current":
            return None
        with unit_of_work(reader, "the lease") as session:
            row = lease.read(session)
    except TradingError:
        return None  # the engine file is what is left to go by
    finally:
        reader.dispose()
    return None if row is None or not row.owner else ProcessId(row.host, row.pid, row.pid_started)


def _is_own_database(environment: Environment) -> bool:
    file = file_of(environment.database_url)
    return file is not None and environment.var_dir in file.parents


def _end_engine(
    process: ProcessId, var_dir: Path, by: str, flag_seconds: float, signal_seconds: float
) -> How:
    flags = Flags(var_dir)
    flags.put(CommandKind.SHUTDOWN, by)
    try:
        if _gone_within(process, flag_seconds):
            return How.FLAG
        return end_process(process, signal_seconds)
    finally:
        flags.take_down(CommandKind.SHUTDOWN)  # what was meant for this one is not for the next


def end_process(process: ProcessId, seconds: float = SIGNAL_SECONDS) -> How:
    """End exactly this process: by SIGTERM, and after so many seconds by SIGKILL."""
    for number, how in ((signal.SIGTERM, How.TERMINATED), (signal.SIGKILL, How.KILLED)):
        if not _send(process, number):
            return How.LEFT
        if _gone_within(process, seconds):
            return how
    return How.LEFT


def _send(process: ProcessId, number: int) -> bool:
    """Send a signal to exactly this process; False where that is not possible."""
    if process.host != own_process().host:
        return False  # its number means somebody else here
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True  # it has ended, which is what was wanted
    try:
        # with the handle open the number cannot be used again: now it is safe to look who it is
        if not is_gone(process):
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        return False
    finally:
        os.close(handle)
    return True


def _gone_within(
    process: ProcessId, seconds: float, sleep: Callable[[float], None] = time.sleep
) -> bool:
    deadline = time.monotonic() + seconds
    while not is_gone(process):
        if time.monotonic() > deadline:
            return False
        sleep(_LOOK)
    return True
