"""Background jobs on APScheduler: beside trading, never in its way.

Jobs have threads and database connections of their own. A run that was missed is not made up for
more than once, a run that is still going on is not started again, each run leaves a row in `jobs`,
and a job that fails says so once, and once more when it works again.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from apscheduler.executors.base import (  # type: ignore[import-untyped]
    BaseExecutor,
    run_job,
)
from apscheduler.schedulers.background import (  # type: ignore[import-untyped]
    BackgroundScheduler,
)
from sqlalchemy import Engine

from auto_trading.job_tasks import Task, Tasks
from auto_trading.job_tools import JobTools, Notify
from config.job_schedule import HANGING_SECONDS, SCHEDULE, Turn
from config.settings import Settings
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import InputError, TradingError
from database import job_rows
from database.auto_trading_db import open_database, unit_of_work
from database.models_engine import JobRow

log = logging.getLogger(__name__)


class DaemonThreads(BaseExecutor):  # type: ignore[misc]
    """A thread for each run, which the process does not wait for when it ends.

    The scheduler's own pool is joined at exit: a job that hangs in a network call would hold a
    process that was told to stop.
    """

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        threading.Thread(
            target=self._run, args=(job, run_times), name=f"job-{job.id}", daemon=True
        ).start()

    def _run(self, job: Any, run_times: list[datetime]) -> None:
        # run_job catches whatever the job raises
        events = run_job(job, "default", run_times, self._logger.name)
        self._run_job_success(job.id, events)


class RunnerTools(NamedTuple):
    """What running jobs needs, whatever they do.

    Args:
        database: for the record of the runs.
        stopping: set when no more is to be begun; tasks that take long look at it.
    """

    database: Engine
    now: Callable[[], datetime]
    notify: Notify
    stopping: threading.Event


class JobRunner:
    """The scheduler, the record of the runs, and the word about failures.

    Args:
        tasks: what each job does, by its name.
        schedule: who runs when.
    """

    def __init__(
        self, tasks: Mapping[str, Task], schedule: Mapping[str, Turn], tools: RunnerTools
    ) -> None:
        self._tools = tools
        self._database = tools.database
        self._tasks = tasks
        self._schedule = schedule
        self._locks = {name: threading.Lock() for name in self._tasks}
        self._failures = dict.fromkeys(self._tasks, 0)  # in a row
        self._since: dict[str, float] = {}  # monotonic seconds at which a running job began
        self._hanging: set[str] = set()
        self._asked: set[str] = set()  # by a person, and not begun yet
        self._closed = threading.Event()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": DaemonThreads()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all jobs."""
        return tuple(self._tasks)

    def start(self) -> None:
        """Begin to run jobs. Returns at once; the first turns come an interval later."""
        # it would warn of every turn that is left out because the last one still runs
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._remember()
        for name, turn in self._schedule.items():
            self._scheduler.add_job(self._take, "interval", seconds=turn.seconds, id=name,
                                    args=(turn,))  # fmt: skip
        self._scheduler.add_job(self._look_for_hanging, "interval", seconds=30, id="hanging")
        self._scheduler.start()

    def close(self, seconds: float = 2.0) -> None:
        """Start no more jobs and wait for those that run, but not longer than `seconds`."""
        self._tools.stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        deadline = time.monotonic() + seconds
        for lock in self._locks.values():
            if lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                lock.release()
        self._closed.set()

    def run_now(self, name: str) -> None:
        """Run a job as soon as a thread is free, due or not; returns at once.

        Raises:
            InputError: no such job.
        """
        if name not in self._tasks:
            raise InputError(f"job was {name!r}, allowed: {', '.join(self._tasks)}")
        if name not in self._asked:  # one that waits already is enough
            self._asked.add(name)
            self._scheduler.add_job(self._run_asked, args=(name,))

    def _run_asked(self, name: str) -> None:
        with self._locks[name]:
            self._asked.discard(name)
            self._run(name, asked=True, quiet=False)

    def _take(self, turn: Turn) -> None:
        for name in turn.names:
            if not self._tools.stopping.is_set():
                self.run(name, quiet=turn.quiet)

    def run(self, name: str, *, asked: bool = False, quiet: bool = False) -> bool:
        """Run a job in this thread, record it and tell of a failure; True when it worked.

        Args:
            asked: a person wants it, due or not.
            quiet: record it only if there was something to do.
        """
        with self._locks[name]:
            return self._run(name, asked=asked, quiet=quiet)

    def _run(self, name: str, *, asked: bool, quiet: bool) -> bool:
        if self._closed.is_set():
            return False
        started = self._tools.now()
        self._since[name] = time.monotonic()
        error = None
        did = False
        try:
            if not quiet:
                self._record_begin(name, started)
            did = self._tasks[name](asked)
        except Exception as e:  # noqa: BLE001  a job must never end the engine, whatever it is
            error = _one_line(e)
        del self._since[name]
        if self._closed.is_set():  # it hung until nobody waited for it any more
            return False
        if error or did or not quiet or self._failures[name]:
            error = self._record_end(name, started, error)
        self._tell(name, error)
        return error is None

    # --- the record -------------------------------------------------------------------------

    def _record_begin(self, name: str, started: datetime) -> None:
        with unit_of_work(self._database, "jobs") as session:
            job_rows.begun(session, name, started)

    def _record_end(self, name: str, started: datetime, error: str | None) -> str | None:
        """Store how a run ended and return its error; a record that fails is one, too."""
        try:
            with unit_of_work(self._database, "jobs") as session:
                job_rows.ended(session, name, started, self._tools.now(), error)
        except TradingError as e:
            return error or _one_line(e)
        return error

    def _remember(self) -> None:
        """Take over from the last process what had failed and when rows were deleted last."""
        try:
            with unit_of_work(self._database, "jobs") as session:
                job_rows.interrupted(session, self.names)
                rows = job_rows.everything(session)
        except TradingError as e:
            log.warning("jobs: the last runs are not known: %s", e)
            return
        for row in rows:
            if row.name in self._failures:
                self._failures[row.name] = row.failures
                self._recall(row)

    def _recall(self, row: JobRow) -> None:
        """Take over what a task needs to know of its last run."""

    # --- failures ---------------------------------------------------------------------------

    def _tell(self, name: str, error: str | None) -> None:
        """Say the first failure, and the first success after failures."""
        before = self._failures[name]
        was_hanging = name in self._hanging
        self._hanging.discard(name)
        self._failures[name] = before + 1 if error else 0
        if error and not before and not was_hanging:
            log.error("job %s failed: %s", name, error)
            self._notify("error", "job_failed", {"job": name, "error": error})
        elif not error and (before or was_hanging):
            log.info("job %s works again after %d failures", name, before)
            self._notify("info", "job_recovered", {"job": name, "failures": before})

    def _look_for_hanging(self) -> None:
        """Tell once of a job that does not come back."""
        now = time.monotonic()
        for name, since in list(self._since.items()):
            seconds = int(now - since)
            if seconds < HANGING_SECONDS or name in self._hanging:
                continue
            self._hanging.add(name)
            if not self._failures[name]:
                log.error("job %s has been running for %d s", name, seconds)
                self._notify("error", "job_hangs", {"job": name, "seconds": seconds})

    def _notify(self, severity: str, code: str, numbers: Mapping[str, Any]) -> None:
        try:
            self._tools.notify(NotificationType.SYSTEM_ERROR, severity, code, numbers)
        except Exception:
            log.exception("a message about jobs was lost")


class Jobs(JobRunner):
    """The engine's jobs.

    Args:
        schedule: who runs when; tests shorten it.
    """

    def __init__(
        self, tools: JobTools, settings: Settings, *, schedule: Mapping[str, Turn] = SCHEDULE
    ) -> None:
        database = tools.open_database()
        # what reads long must not hold the writers up, as a transaction that may write would
        url = database.url.render_as_string(hide_password=False)
        self._reader = open_database(url, read_only=True)
        self._work = Tasks(tools, settings, database, self._reader)
        own = RunnerTools(database, tools.now, tools.notify, self._work.stopping)
        super().__init__(self._work.all(), schedule, own)

    def close(self, seconds: float = 2.0) -> None:
        """As of any jobs; then let go of the database."""
        super().close(seconds)
        self._database.dispose()
        self._reader.dispose()

    def _recall(self, row: JobRow) -> None:
        if row.name == "retention" and row.status == job_rows.JobStatus.OK:
            self._work.last_retention = row.started_at


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, TradingError) else f"{type(error).__name__}: {text}"
