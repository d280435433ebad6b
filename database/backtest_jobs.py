"""The queue of backtests: anybody asks, one worker takes, reports, and ends each job once.

Every write is one short transaction of its own; nothing here is in the way of an engine.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlmodel import Session, col, select, update

from crypto_trader_pro.domain.errors import InputError
from database.models import BacktestJobRow

ATTEMPTS: Final = 2  # a job whose worker was killed is tried once more
_TEXT: Final = 200  # what the column holds
_NAME: Final = 120
_row = BacktestJobRow


class Worker(NamedTuple):
    """The process that runs a job, as it can be told from every later one."""

    host: str
    pid: int
    started: int  # 0 where that is unknown


class BacktestJobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELED = "canceled"


ENDED: Final = (
    BacktestJobStatus.FINISHED, BacktestJobStatus.FAILED, BacktestJobStatus.CANCELED,
)  # fmt: skip


def enqueue(
    session: Session, *, kind: str, request: Mapping[str, Any], by: str, now: datetime,
    name: str = "",
) -> int:  # fmt: skip
    """Store a job to be run and return its number.

    Args:
        kind: as LabKind: backtest, sweep, optimize, walk_forward, ...
        request: what the worker needs to run it, as JSON values.
    """
    row = BacktestJobRow(
        kind=kind, name=name[:_NAME], request=dict(request), status=BacktestJobStatus.QUEUED,
        requested_by=by, requested_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return number(row)


def number(row: BacktestJobRow) -> int:
    """Return the number of a stored job.

    Raises:
        ValueError: the job was never stored.
    """
    if row.id is None:
        raise ValueError("the job has no number before it is stored")
    return row.id


def find(session: Session, job_id: int) -> BacktestJobRow | None:
    """Return a job by its number, or None."""
    return session.get(BacktestJobRow, job_id)


def newest(session: Session, limit: int = 20) -> list[BacktestJobRow]:
    """Return jobs, newest first."""
    return list(session.exec(select(_row).order_by(col(_row.id).desc()).limit(limit)))


def open_ones(session: Session) -> list[BacktestJobRow]:
    """Return the jobs that wait or run, oldest first."""
    statuses = (BacktestJobStatus.QUEUED, BacktestJobStatus.RUNNING)
    query = select(_row).where(col(_row.status).in_(statuses)).order_by(col(_row.id))
    return list(session.exec(query))


def is_any_waiting(session: Session) -> bool:
    """True when a job waits to be taken."""
    waiting = select(col(_row.id)).where(col(_row.status) == BacktestJobStatus.QUEUED).limit(1)
    return session.exec(waiting).first() is not None


def claim_next(session: Session, worker: Worker, now: datetime) -> BacktestJobRow | None:
    """Take the oldest waiting job, or return None.

    Safe against a second worker: the UPDATE repeats the test, so of two claims of one job only one
    matches a row, and the other goes on to the next job.
    """
    waiting = col(_row.status) == BacktestJobStatus.QUEUED
    oldest = select(_row).where(waiting).order_by(col(_row.id)).limit(1)
    while (found := session.exec(oldest).first()) is not None:
        claim = update(_row).where(col(_row.id) == found.id, waiting)
        claim = claim.values(
            status=BacktestJobStatus.RUNNING, started_at=now, done=0, total=0, text="",
            worker_host=worker.host, worker_pid=worker.pid, worker_started=worker.started,
            attempts=col(_row.attempts) + 1,
        )  # fmt: skip
        taken = session.exec(claim.execution_options(synchronize_session=False)).rowcount == 1
        session.refresh(found)
        if taken:
            return found
    return None


def change_request(session: Session, job_id: int, request: Mapping[str, Any]) -> None:
    """Note in a running job what was begun for it, so that another worker goes on with it."""
    session.exec(update(_row).where(*_running(job_id)).values(request=dict(request)))


def progress(session: Session, job_id: int, done: int, total: int, text: str = "") -> None:
    """Note how far a running job is; one that has ended stays as it is.

    Args:
        total: 0 where it is not known.
    """
    change = update(_row).where(*_running(job_id))
    session.exec(change.values(done=done, total=total, text=text[:_TEXT]))


def stored(session: Session, job_id: int, backtest_id: int) -> None:
    """Note which result a running job has left, in the transaction that stores the result.

    Whoever takes up a job that names one has nothing to compute any more.
    """
    session.exec(update(_row).where(*_running(job_id)).values(backtest_id=backtest_id))


def ask_cancel(session: Session, job_id: int, now: datetime) -> BacktestJobStatus:
    """Cancel a waiting job at once and ask the worker to end a running one; return its status.

    Raises:
        InputError: no such job, or it has ended already.
    """
    waiting = update(_row).where(
        col(_row.id) == job_id, col(_row.status) == BacktestJobStatus.QUEUED
    )
    ended = waiting.values(status=BacktestJobStatus.CANCELED, finished_at=now, cancel_asked=True)
    if session.exec(ended.execution_options(synchronize_session=False)).rowcount == 1:
        return BacktestJobStatus.CANCELED
    asked = update(_row).where(*_running(job_id)).values(cancel_asked=True)
    if session.exec(asked.execution_options(synchronize_session=False)).rowcount == 1:
        return BacktestJobStatus.RUNNING
    row = session.get(BacktestJobRow, job_id)
    if row is None:
        raise InputError(f"there is no backtest job {job_id}")
    raise InputError(f"backtest job {job_id} is {row.status} already")


def is_cancel_asked(session: Session, job_id: int) -> bool:
    """True when somebody wants a job to end."""
    asked = select(col(_row.cancel_asked)).where(col(_row.id) == job_id)
    return bool(session.exec(asked).first())


def finish(session: Session, job_id: int, backtest_id: int, now: datetime) -> None:
    """Note that a running job is done and which stored result it left.

    Raises:
        InputError: it is not running.
    """
    _end(session, job_id, now, status=BacktestJobStatus.FINISHED, backtest_id=backtest_id)


def fail(session: Session, job_id: int, error: str, now: datetime) -> None:
    """Note that a running job came to nothing.

    Args:
        error: one line.

    Raises:
        InputError: it is not running.
    """
    _end(session, job_id, now, status=BacktestJobStatus.FAILED, error=error)


def canceled(session: Session, job_id: int, now: datetime, backtest_id: int | None = None) -> None:
    """Note that a running job ended because somebody asked for it.

    Args:
        backtest_id: what was finished until then; None leaves what the job names already.

    Raises:
        InputError: it is not running.
    """
    left = {} if backtest_id is None else {"backtest_id": backtest_id}
    _end(session, job_id, now, status=BacktestJobStatus.CANCELED, **left)


def requeue_lost(session: Session, now: datetime, is_gone: Callable[[str, int, int], bool]) -> int:
    """Let jobs wait again whose worker process is no more; return how many were lost.

    A job that was lost twice has failed: it may be what ends its worker. One that was to be
    canceled is canceled.

    Args:
        is_gone: says whether a process, by host, pid and start, has provably ended.
    """
    found = lost(session, is_gone)
    for row in found:
        if row.cancel_asked:
            canceled(session, number(row), now)
        elif row.attempts >= ATTEMPTS:
            line = f"its worker process ended {row.attempts} times while it ran; it is given up"
            fail(session, number(row), line, now)
        else:
            _requeue(session, number(row), row.attempts)
    return len(found)


def lost(session: Session, is_gone: Callable[[str, int, int], bool]) -> list[BacktestJobRow]:
    """Return the running jobs whose worker process is no more, oldest first."""
    running = select(_row).where(col(_row.status) == BacktestJobStatus.RUNNING)
    return [
        row
        for row in session.exec(running.order_by(col(_row.id)))
        if is_gone(row.worker_host or "", row.worker_pid or 0, row.worker_started or 0)
    ]


def give_back(session: Session, job_id: int) -> None:
    """Let a running job wait again because its worker is told to end; this was no attempt."""
    row = session.get(BacktestJobRow, job_id)
    if row is not None:
        _requeue(session, job_id, max(0, row.attempts - 1))


def _requeue(session: Session, job_id: int, attempts: int) -> None:
    again = update(_row).where(*_running(job_id))
    again = again.values(
        status=BacktestJobStatus.QUEUED, started_at=None, worker_host=None, worker_pid=None,
        worker_started=None, done=0, total=0, text="", attempts=attempts,
    )  # fmt: skip
    session.exec(again)


def _running(job_id: int) -> tuple[Any, Any]:
    return col(_row.id) == job_id, col(_row.status) == BacktestJobStatus.RUNNING


def _end(session: Session, job_id: int, now: datetime, **values: Any) -> None:
    ended = update(_row).where(*_running(job_id)).values(finished_at=now, **values)
    if session.exec(ended.execution_options(synchronize_session=False)).rowcount != 1:
        raise InputError(f"backtest job {job_id} is not running")
