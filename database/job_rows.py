"""The last run of each job: when, how long, how it ended, how often it failed in a row."""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select, update

from database.models_engine import JobRow


class JobStatus(StrEnum):
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"


def begun(session: Session, name: str, now: datetime) -> None:
    """Note that a job begins; how often it failed before stays."""
    row = session.get(JobRow, name) or JobRow(
        name=name, status=JobStatus.RUNNING, started_at=now, failures=0
    )
    row.status = JobStatus.RUNNING
    row.started_at = now
    row.finished_at = row.milliseconds = None
    session.add(row)


def ended(session: Session, name: str, started: datetime, now: datetime, error: str | None) -> None:
    """Note how a job ended. `error` is None where it did its work, else one line.

    An error stays readable after the recovery: only the count of failures in a row goes to 0.
    """
    row = session.get(JobRow, name) or JobRow(
        name=name, status=JobStatus.RUNNING, started_at=started, failures=0
    )
    row.status = JobStatus.FAILED if error else JobStatus.OK
    row.started_at = started
    row.finished_at = now
    row.milliseconds = max(0, (now - started) // timedelta(milliseconds=1))
    row.failures = row.failures + 1 if error else 0
    row.error = error or row.error
    session.add(row)


def interrupted(session: Session) -> int:
    """Mark the runs that a killed process left behind; return how many. Nobody else runs jobs."""
    row = JobRow
    left = update(row).where(col(row.status) == JobStatus.RUNNING)
    left = left.values(status=JobStatus.FAILED, error="interrupted: the process ended")
    return session.exec(left).rowcount


def everything(session: Session) -> list[JobRow]:
    """Return the last run of every job, by name."""
    return list(session.exec(select(JobRow).order_by(col(JobRow.name))))
