"""Reads the equity curve."""

from sqlmodel import Session, col, select

from database.models import EquityRow


def curve(
    session: Session, run_id: int, *, after_id: int = 0, limit: int = 10_000
) -> list[EquityRow]:
    """Return snapshots of a run, oldest first; `after_id` fetches only what is new."""
    row = EquityRow
    query = select(row).where(col(row.run_id) == run_id, col(row.id) > after_id)
    return list(session.exec(query.order_by(col(row.id)).limit(limit)))


def latest(session: Session, run_id: int) -> EquityRow | None:
    """Return the newest snapshot of a run, or None before the first."""
    row = EquityRow
    query = select(row).where(col(row.run_id) == run_id).order_by(col(row.at).desc()).limit(1)
    return session.exec(query).first()
