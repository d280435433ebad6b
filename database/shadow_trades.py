"""Reads shadow trades: model signals that were followed without an order."""

from sqlmodel import Session, col, select

from database.models import ShadowTradeRow


def following(session: Session, run_id: int) -> list[ShadowTradeRow]:
    """Return the shadow trades of a run that have not ended, oldest first."""
    row = ShadowTradeRow
    query = select(row).where(col(row.run_id) == run_id, col(row.closed_at).is_(None))
    return list(session.exec(query.order_by(col(row.id))))


def ended(
    session: Session, run_id: int, *, model_id: str | None = None, limit: int = 1_000,
    before_id: int | None = None,
) -> list[ShadowTradeRow]:  # fmt: skip
    """Return ended shadow trades of a run, newest first; `before_id` continues."""
    row = ShadowTradeRow
    query = select(row).where(col(row.run_id) == run_id, col(row.closed_at).is_not(None))
    if model_id is not None:
        query = query.where(col(row.model_id) == model_id)
    if before_id is not None:
        query = query.where(col(row.id) < before_id)
    return list(session.exec(query.order_by(col(row.id).desc()).limit(limit)))
