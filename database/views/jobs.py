"""The engine's background jobs: when they run, and how their last run went."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session

from config.job_schedule import ALL_TURNS, HANGING_SECONDS, Turn
from database import job_rows
from database.engine_state import IsGone, engine_state
from database.job_rows import JobStatus
from database.models_engine import JobRow
from database.views.json_values import View


class JobState(StrEnum):
    """How a job stands."""

    NEVER = "never"  # no run is recorded
    RUNNING = "running"
    HANGS = "hangs"  # it has been running for longer than any job should
    LEFT = "left"  # the engine ended while it ran
    OK = "ok"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job(View):
    """One job and its last run that left a row.

    Args:
        seconds: between two turns; None: this version has no such job.
        is_quiet: it looks each turn and leaves a row only where there was something to do.
        seconds_taken: None before its end.
        failures: in a row.
        error: of the last run that failed, which may be before the last.
        next_by: the next turn comes by then; None where no engine lives or the job is quiet.
        asked_at: since when a person waits for a run; None: nobody does.
    """

    name: str
    seconds: float | None
    is_quiet: bool
    state: JobState
    started_at: datetime | None
    seconds_taken: float | None
    failures: int
    error: str
    next_by: datetime | None
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Jobs(View):
    """All jobs, in the order of the schedule; `alive` says whether an engine runs them."""

    jobs: tuple[Job, ...]
    alive: bool


def everything(session: Session, now: datetime, is_gone: IsGone) -> Jobs:
    """Return every job of the schedule, run or not, and others that are recorded."""
    engine = engine_state(session, now, is_gone)
    since = engine.started_at if engine is not None and engine.alive else None
    known = job_rows.everything(session)
    rows = {row.name: row for row in known if row.status != JobStatus.ASKED}
    turns = {name: turn for turn in ALL_TURNS.values() for name in turn.names}
    alive = engine is not None and engine.alive
    names = [*turns, *(name for name in rows if name not in turns)]
    asked = {row.name: row.asked_at for row in known}
    jobs = (
        replace(
            _view(name, turns.get(name), rows.get(name), now, alive, since),
            asked_at=asked.get(name),
        )
        for name in names
    )
    return Jobs(tuple(jobs), alive)


def _view(
    name: str, turn: Turn | None, row: JobRow | None, now: datetime, alive: bool,
    since: datetime | None,
) -> Job:  # fmt: skip
    milliseconds = None if row is None else row.milliseconds
    return Job(
        name, None if turn is None else turn.seconds, turn is not None and turn.quiet,
        _state(row, now, alive), None if row is None else row.started_at,
        None if milliseconds is None else milliseconds / 1000,
        0 if row is None else row.failures, "" if row is None else row.error or "",
        _next_by(turn, row, since) if alive else None,
    )  # fmt: skip


def _state(row: JobRow | None, now: datetime, alive: bool) -> JobState:
    if row is None:
        return JobState.NEVER
    if row.status != JobStatus.RUNNING:
        return JobState.OK if row.status == JobStatus.OK else JobState.FAILED
    if not alive:
        return JobState.LEFT
    is_hanging = now - row.started_at >= timedelta(seconds=HANGING_SECONDS)
    return JobState.HANGS if is_hanging else JobState.RUNNING


def _next_by(turn: Turn | None, row: JobRow | None, since: datetime | None) -> datetime | None:
    """Return when the next turn comes at the latest: a turn after the last start, asked or due."""
    begun = [at for at in (None if row is None else row.started_at, since) if at is not None]
    if turn is None or turn.quiet or not begun:
        return None
    return max(begun) + timedelta(seconds=turn.seconds)
