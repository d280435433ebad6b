"""Reads executions."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from database.models import FillRow


def of_run(
    session: Session, run_id: int, *, limit: int = 50, before_id: int | None = None
) -> list[FillRow]:
    """Return fills of a run, newest first; `before_id` continues after the last one shown."""
    row = FillRow
    query = select(row).where(col(row.run_id) == run_id).order_by(col(row.id).desc()).limit(limit)
    if before_id is not None:
        query = query.where(col(row.id) < before_id)
    return list(session.exec(query))


def of_orders(session: Session, client_order_ids: Sequence[str]) -> list[FillRow]:
    """Return the fills of some orders, oldest first."""
    row = FillRow
    query = select(row).where(col(row.client_order_id).in_(client_order_ids))
    return list(session.exec(query.order_by(col(row.id))))
