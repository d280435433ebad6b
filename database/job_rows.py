"""The last run of each job: when, how long, how it ended, how often it failed in a row."""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select, update

from database.models_engine import JobRow


class JobStatus(StrEnum):
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    ASKED = "asked"  # it has never run, and somebody wants it to


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


def ask(session: Session, name: str, now: datetime) -> None:
    """Note that a person wants a job to run that another process runs. Again changes nothing."""
    row = session.get(JobRow, name) or JobRow(
        name=name, status=JobStatus.ASKED, started_at=now, failures=0
    )
    row.asked_at = row.asked_at or now
    session.add(row)


def is_any_asked(session: Session, names: Collection[str]) -> bool:
    """True when somebody wants one of `names` to run."""
    row = JobRow
    asked = select(row.name).where(col(row.name).in_(names), col(row.asked_at).is_not(None))
    return session.exec(asked.limit(1)).first() is not None


def take_asked(session: Session, names: Collection[str]) -> list[str]:
    """Return those of `names` that somebody wants to run, once."""
    row = JobRow
    query = select(row).where(col(row.name).in_(names), col(row.asked_at).is_not(None))
    asked = list(session.exec(query.order_by(col(row.name))))
    for found in asked:
        found.asked_at = None
        session.add(found)
    return [found.name for found in asked]


def interrupted(session: Session, names: Collection[str]) -> int:
    """Mark the runs that a killed process left behind; return how many.

    Args:
        names: of the jobs that this process runs, and nobody else.
    """
    row = JobRow
    left = update(row).where(col(row.status) == JobStatus.RUNNING, col(row.name).in_(names))
    left = left.values(status=JobStatus.FAILED, error="interrupted: the process ended")
    return session.exec(left).rowcount


def everything(session: Session) -> list[JobRow]:
    """Return the last run of every job, by name."""
    return list(session.exec(select(JobRow).order_by(col(JobRow.name))))
