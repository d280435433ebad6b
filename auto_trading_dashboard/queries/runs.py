"""Runs to choose from: results of two of them are never mixed."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from database import lease, runs
from database.models import RunRow
from database.views.runs import asset_of


@dataclass(frozen=True, slots=True)
class Run:
    """One call of `replay`, or one session of the engine."""

    number: int
    public_id: str  # "r12"
    kind: str  # replay, paper, live
    source: str  # replay, demo, exchange
    status: str
    started_at: datetime
    timeframe: str
    symbols: tuple[str, ...]
    strategies: tuple[str, ...]
    asset: str


def in_work(session: Session) -> Run | None:
    """Return the engine's session: of the engine at work or of the last; else the newest run.

    A replay that was run beside the engine is newer and is not what the engine does.
    """
    held = lease.read(session)
    row = None if held is None or held.run_id is None else session.get(RunRow, held.run_id)
    row = row or runs.last(session)
    return None if row is None else _view(row)


def newest(session: Session, limit: int = 30) -> list[Run]:
    """Return runs, newest first."""
    return [_view(row) for row in runs.newest(session, limit=limit)]


def one(session: Session, number: int) -> Run | None:
    """Return a run, None where it is not stored."""
    row = session.get(RunRow, number)
    return None if row is None else _view(row)


def _view(row: RunRow) -> Run:
    return Run(
        runs.number(row), runs.public_id(row), row.kind, row.source, row.status, row.started_at,
        row.timeframe, tuple(row.symbols), tuple(row.strategies), asset_of(row.symbols),
    )  # fmt: skip
