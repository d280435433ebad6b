"""How far the rows of a run are contained in the sums, and what all roll-ups have in common."""

from typing import Any, Final

from sqlalchemy import Connection, Insert, Table, func, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select, update

from database.models import EquityRow, RollupMarkRow

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
WIDTHS: Final = (HOUR_MS, DAY_MS)  # each span of a width lies in one of the next
DECISIONS: Final = "decisions"
EQUITY: Final = "equity"
NOTHING: Final = -1  # mark of what has never been rolled up; keys are 0 or more
_LOCK_NOT_AVAILABLE: Final = "55P03"


def mark_of(session: Session, run_id: int, source: str) -> int:
    """Return the key up to which the rows of a run are in the sums; `NOTHING` before the first."""
    row = RollupMarkRow
    found = session.exec(
        select(col(row.mark)).where(col(row.run_id) == run_id, col(row.source) == source)
    ).first()
    return NOTHING if found is None else found


def taken_mark(session: Session, run_id: int, source: str) -> int:
    """Return the mark, and keep others from rolling up the same until this transaction ends."""
    row = RollupMarkRow
    new = insert_into(session.connection(), RollupMarkRow).values(
        run_id=run_id, source=source, mark=NOTHING
    )
    session.connection().execute(new.on_conflict_do_nothing())
    query = select(col(row.mark)).where(col(row.run_id) == run_id, col(row.source) == source)
    return session.exec(query.with_for_update()).one()  # SQLite's transaction is alone already


def move_mark(session: Session, run_id: int, source: str, mark: int) -> None:
    """Set the mark of what `taken_mark` returned."""
    row = RollupMarkRow
    at = update(row).where(col(row.run_id) == run_id, col(row.source) == source)
    session.exec(at.values(mark=mark).execution_options(synchronize_session=False))


def insert_into(connection: Connection, model: Any) -> Any:
    """Return an INSERT of the dialect, which knows ON CONFLICT."""
    table: Table = model.__table__
    is_server = connection.dialect.name == "postgresql"
    insert: Insert = postgresql.insert(table) if is_server else sqlite.insert(table)
    return insert


def settled_equity(session: Session) -> int | None:
    """Return an id up to which no snapshot of the equity is still on its way; None: try later.

    The engine and a job write them, each on a connection of its own. On PostgreSQL the one that
    took the lower id may commit after the other, and a mark beyond it would leave it out for good.
    A lock that is free says that nobody is writing. It is let go of at once, and not waited for, so
    that no writer ever queues behind it. On SQLite a transaction that may write is alone.
    """
    newest = select(func.coalesce(func.max(EquityRow.id), 0))
    if session.connection().dialect.name != "postgresql":
        return session.exec(newest).one()
    attempt = session.begin_nested()
    try:
        session.connection().execute(text("LOCK TABLE equity IN SHARE MODE NOWAIT"))
        return session.exec(newest).one()
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        return None
    finally:
        attempt.rollback()  # lets go of the lock
