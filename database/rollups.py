"""Sums over the two tables that grow with every candle, so that pages answer at once.

They are written beside trading, a few rows at a time, and may be behind or missing altogether:
every read adds the rows that are not in them yet, and says what the tables say at that moment.

Retention deletes only decisions that are in the sums, and the sums stay: what is shown of a run
counts all that it ever decided.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from database.auto_trading_db import unit_of_work
from database.decision_counts import (
    OutcomeCount,
    RefusalCount,
    outcomes,
    refusals_by_hour,
    roll_up_decisions,
    rolled_up_to,
)
from database.equity_spans import Snapshot, StateTime, equity_series, roll_up_equity, state_time
from database.models import RollupMarkRow, RunRow
from database.rollup_marks import DAY_MS, DECISIONS, HOUR_MS

__all__ = [
    "DAY_MS", "HOUR_MS", "LIMIT", "OutcomeCount", "RefusalCount", "Snapshot", "StateTime",
    "catch_up", "equity_series", "never_rolled_up", "outcomes", "refusals_by_hour", "roll_up",
    "rolled_up_to", "state_time",
]  # fmt: skip

LIMIT: Final = 1_000  # decisions of one transaction: some milliseconds of the writers' queue
_SNAPSHOT_SHARE: Final = 10  # a snapshot of the equity costs about as much as ten decisions


def roll_up(session: Session, run_id: int, limit: int = LIMIT, *, whole: bool = False) -> int:
    """Add the next rows of a run to its sums; return how many, 0: all that may go in is in.

    Rows and marks change in the session's transaction: each row is counted once, whoever calls this
    and whenever it is cut off.

    Args:
        limit: decisions at most, but for the rest of an instant; snapshots a tenth.
        whole: the run has ended, its newest instant goes in, too.
    """
    counted = roll_up_decisions(session, run_id, limit, whole=whole)
    return counted + roll_up_equity(session, run_id, max(1, limit // _SNAPSHOT_SHARE))


def catch_up(
    database: Engine, run_id: int, pause: Callable[[], bool], *, limit: int = LIMIT,
    whole: bool = False,
) -> int:  # fmt: skip
    """Roll up all there is of a run, in short transactions; return the number of rows.

    Args:
        pause: called between two transactions, to let others write; True ends the work early.

    Raises:
        JournalUnavailable: the database did not serve; what was rolled up stays.
    """
    rows = 0
    while True:
        with unit_of_work(database, "roll-ups") as session:
            added = roll_up(session, run_id, limit, whole=whole)
        rows += added
        if not added or pause():
            return rows


def never_rolled_up(session: Session) -> list[int]:
    """Return the runs that have ended and have no sums, oldest first: an older version's, say."""
    run, mark = RunRow, RollupMarkRow
    is_marked = select(mark.run_id).where(
        col(mark.run_id) == col(run.id), col(mark.source) == DECISIONS
    )
    query = select(col(run.id)).where(col(run.finished_at).is_not(None), ~is_marked.exists())
    return [number for number in session.exec(query.order_by(col(run.id))) if number is not None]
