"""Reads what the strategies said."""

from datetime import datetime

from sqlmodel import Session, col, select

from database.models import AiSignalRow


def of_decision(session: Session, run_id: int, symbol: str, at: datetime) -> list[AiSignalRow]:
    """Return what each strategy said about `symbol` at the candle close `at`, in their order."""
    row = AiSignalRow
    query = select(row).where(
        col(row.run_id) == run_id, col(row.symbol) == symbol, col(row.created_at) == at
    )
    return list(session.exec(query.order_by(col(row.id))))
