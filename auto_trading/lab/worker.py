"""The lab's worker: takes jobs from the queue one at a time and runs each in a child process.

A child can be ended at any moment, whatever it computes, and what it breaks is its own job. The
worker only watches: it asks the database a few times a second, by reading, whether to cancel.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Engine as Database

from auto_trading.lab.launching import lock_file
from auto_trading.launching import last_lines
from auto_trading.status import process_is_gone
from config.environment import Environment
from crypto_trader_pro.domain.errors import ConfigError, InputError, RetryableError
from database import backtest_jobs
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.backtest_jobs import Worker
from utils.clocks import SystemClock
from utils.locks import exclusive
from utils.processes import own_process

IDLE_SECONDS: Final = 180.0  # without a job, after which the worker ends
# a tenth of the weight of an ordinary process: an engine that wakes goes first, at once. At idle
# priority it would starve beside any other load, and whoever waits here is a person
NICE: Final = 10
JOB_COMMAND: Final = ("-m", "auto_trading.lab.job")
_LOOK_SECONDS: Final = 0.4  # between two looks at the queue
_END_SECONDS: Final = 0.3  # that a child has to end in good order
_LINE: Final = 500  # characters of a complaint


class LabWorker:
    """Runs the queue of one installation.

    Args:
        writer, reader: connections of its own; the second cannot write.
        var_dir: where the children write what they print.
        command: that runs a job; its number is added.
    """

    def __init__(
        self, writer: Database, reader: Database, var_dir: Path,
        command: tuple[str, ...] = JOB_COMMAND,
    ) -> None:  # fmt: skip
        self._writer = writer
        self._reader = reader
        self._var_dir = var_dir
        self._command = command
        self._me = Worker(*own_process())
        self._now = SystemClock().now

    def run(self, idle_seconds: float, is_over: Callable[[], bool]) -> None:
        """Work until the queue has been empty for a while, or `is_over`."""
        idle_since = time.monotonic()
        while not is_over() and time.monotonic() - idle_since < idle_seconds:
            try:
                job_id = self._next()
                if job_id is not None:
                    self._run(job_id, is_over)
                    idle_since = time.monotonic()
                    continue
            except RetryableError as e:  # the database is silent; it may come back
                print(f"{self._now().isoformat()} {e}", file=sys.stderr, flush=True)  # noqa: T201
            time.sleep(_LOOK_SECONDS)

    def _next(self) -> int | None:
        """Take the next job; only a look where there is none."""
        with unit_of_work(self._reader, "the queue") as session:
            lost = backtest_jobs.lost(session, process_is_gone)
            if not lost and not backtest_jobs.is_any_waiting(session):
                return None
        now = self._now()
        with unit_of_work(self._writer, "the queue") as session:
            backtest_jobs.requeue_lost(session, now, process_is_gone)
            row = backtest_jobs.claim_next(session, self._me, now)
            return None if row is None else backtest_jobs.number(row)

    def _run(self, job_id: int, is_over: Callable[[], bool]) -> None:
        output = self._var_dir / "logs" / "lab-job.out"
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("wb") as file:
            child = subprocess.Popen(  # noqa: S603  our own command, no shell
                [sys.executable, *self._command, str(job_id), str(os.getpid())],
                start_new_session=True, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            is_canceled = self._watch(job_id, child, is_over)
        finally:
            was_ended = _end(child)
        if was_ended and not is_canceled:
            with unit_of_work(self._writer, "the queue") as session:
                backtest_jobs.give_back(session, job_id)
        else:
            self._settle(job_id, child.returncode, output, is_canceled=is_canceled)

    def _watch(
        self, job_id: int, child: "subprocess.Popen[bytes]", is_over: Callable[[], bool]
    ) -> bool:
        """Wait for the end of the child; True when somebody canceled its job."""
        while child.poll() is None and not is_over():
            try:
                with unit_of_work(self._reader, "the queue") as session:
                    if backtest_jobs.is_cancel_asked(session, job_id):
                        return True
            except RetryableError:
                pass  # the child may go on: the next look may be answered
            with_patience(child, _LOOK_SECONDS)
        return False

    def _settle(self, job_id: int, code: int, output: Path, *, is_canceled: bool) -> None:
        """Note how a job ended that did not note it itself."""
        with unit_of_work(self._writer, "the queue") as session:
            row = backtest_jobs.find(session, job_id)
            if row is None or row.status != backtest_jobs.BacktestJobStatus.RUNNING:
                return
            if is_canceled:
                backtest_jobs.canceled(session, job_id, self._now())
            else:
                backtest_jobs.fail(session, job_id, _complaint(code, output), self._now())


def with_patience(child: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait for the end of a child, but not for longer than `seconds`."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def run_lab(environment: Environment, idle_seconds: float = IDLE_SECONDS) -> bool:
    """Work off the queue in this process; False: another one does already.

    Raises:
        ConfigError: the database or the folder cannot be used.
    """
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: told.append(n))
    with suppress(OSError):  # it may be lower already
        os.nice(NICE)
    worked = False
    while True:
        try:
            with exclusive(lock_file(environment.var_dir), "the backtest lab"):
                worked = True
                left = _work(environment, idle_seconds, lambda: bool(told))
        except ConfigError:
            raise
        except InputError:  # the lock is another's
            return worked
        # who asked in the moment before the lock was free found us alive
        if told or not left():
            return True


def _work(
    environment: Environment, idle_seconds: float, is_over: Callable[[], bool]
) -> Callable[[], bool]:
    """Work off the queue; return what says whether a job waits."""
    writer = open_database(environment.database_url)
    try:
        prepare(writer)
        reader = open_database(environment.database_url, read_only=True)
        try:
            LabWorker(writer, reader, environment.var_dir).run(idle_seconds, is_over)
        finally:
            reader.dispose()
    finally:
        writer.dispose()
    return lambda: _is_waiting(environment)


def _is_waiting(environment: Environment) -> bool:
    reader = open_database(environment.database_url, read_only=True)
    try:
        with unit_of_work(reader, "the queue") as session:
            return backtest_jobs.is_any_waiting(session)
    except RetryableError:
        return False
    finally:
        reader.dispose()


def _end(child: "subprocess.Popen[bytes]") -> bool:
    """End a child with everything that it started; False: it had ended by itself."""
    lives = child.poll() is None
    if lives:
        child.terminate()
        with_patience(child, _END_SECONDS)
    with suppress(ProcessLookupError):  # nothing of it is left
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    return lives


def _complaint(code: int, output: Path) -> str:
    """Return why a child ended without a word in its row, in one line."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"its process was ended by {name}"
    said = last_lines(output)
    return (said[-1] if said else f"its process ended with exit code {code}")[:_LINE]
