"""How far the rows of a run are contained in the sums, and what all roll-ups have in common."""

from typing import Any, Final

from sqlalchemy import Connection, Insert, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select, update

from database.models import RollupMarkRow

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


def is_settled(session: Session) -> bool:
    """Say whether no snapshot of the equity is on its way into the table right now.

    Two processes' parts write them: the engine and a job. On PostgreSQL the one that took the lower
    id may commit after the other, and a mark beyond it would leave it out for good. A lock that is
    free says that nobody is writing; it is let go of at once and never waited for, so that no
    writer ever queues behind it. On SQLite a transaction that may write is alone.
    """
    if session.connection().dialect.name != "postgresql":
        return True
    attempt = session.begin_nested()
    try:
        session.connection().execute(text("LOCK TABLE equity IN SHARE MODE NOWAIT"))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        return False
    finally:
        attempt.rollback()  # also lets go of the lock
    return True
