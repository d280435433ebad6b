"""What `status` shows of the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, func, select, text
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col

from database import runs
from database.commands import CommandStatus
from database.models import (
    AlertRow,
    CommandRow,
    DecisionRow,
    FillRow,
    OrderRow,
    PositionRow,
    RunRow,
)
from database.models_trading import OPEN_ORDERS


@dataclass(frozen=True, slots=True)
class LastRun:
    """A run, by default the newest, and what it has done so far."""

    run_id: str  # "r12"
    kind: str
    source: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    decisions: int
    orders: int
    working_orders: int
    fills: int
    open_positions: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest run, and what waits for somebody."""

    last_run: LastRun | None = None
    open_alerts: int = 0
    waiting_commands: int = 0


def snapshot(session: Session, run_id: int | None = None) -> Snapshot:
    """Return what stands in the database; an empty snapshot before the first run.

    Args:
        run_id: of the run to tell of instead of the newest.
    """
    waiting = select(
        _count(col(AlertRow.id), col(AlertRow.acknowledged_at).is_(None)),
        _count(col(CommandRow.id), col(CommandRow.status) == CommandStatus.ASKED),
    )
    alerts, commands = session.connection().execute(waiting).one()
    run = runs.last(session) if run_id is None else session.get(RunRow, run_id)
    return Snapshot(None if run is None else _last_run(session, run), alerts, commands)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a run has done."""

    orders: int
    working_orders: int
    fills: int
    open_positions: int


def counts(session: Session, number: int) -> Counts:
    """Return the counts of one run; a long one takes a while, see `open_counts`."""
    own_orders = col(OrderRow.run_id) == number
    is_open = col(PositionRow.status) == "OPEN"
    query = select(
        _count(col(OrderRow.client_order_id), own_orders),
        _working(number),
        _count(col(FillRow.id), col(FillRow.run_id) == number),
        _count(col(PositionRow.id), col(PositionRow.run_id) == number, is_open),
    )
    return Counts(*session.connection().execute(query).one())


@dataclass(frozen=True, slots=True)
class Open:
    """What of a run is still open; quick however long the run is."""

    working_orders: int
    positions: int


def open_counts(session: Session, number: int) -> Open:
    """Return how much of a run is open; partial indexes answer it."""
    query = select(
        _working(number),
        _count(
            col(PositionRow.id), col(PositionRow.run_id) == number,
            col(PositionRow.status) == "OPEN",
        ),
    )  # fmt: skip
    return Open(*session.connection().execute(query).one())


def _last_run(session: Session, run: RunRow) -> LastRun:
    number = runs.number(run)
    decided = select(_count(col(DecisionRow.id), col(DecisionRow.run_id) == number))
    decisions = session.connection().execute(decided).scalar_one()
    found = counts(session, number)
    return LastRun(
        runs.public_id(run), run.kind, run.source, run.status, run.started_at, run.finished_at,
        decisions, found.orders, found.working_orders, found.fills, found.open_positions,
    )  # fmt: skip


def _working(number: int) -> ScalarSelect[int]:
    # in the words and the order of the partial index: SQLite takes another index otherwise
    key = col(OrderRow.client_order_id)
    found = select(key).where(col(OrderRow.run_id) == number, text(OPEN_ORDERS)).order_by(key)
    return select(func.count()).select_from(found.subquery()).scalar_subquery()


def _count(key: Mapped[Any], *where: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count(key)).where(*where).scalar_subquery()
