"""What the strategies said last."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from database.models import AiSignalRow
from database.views.json_values import View


@dataclass(frozen=True, slots=True)
class SignalSaid(View):
    """What one strategy said about a symbol at one candle close.

    Args:
        kind: BUY, SELL, HOLD.
        confidence: 0 to 100.
        at: the close, trading time.
    """

    id: int
    symbol: str
    strategy: str
    kind: str
    confidence: int
    reason: str
    entry_price: Decimal | None
    stop_price: Decimal | None
    target_price: Decimal | None
    executed: bool
    at: datetime


def recent_signals(
    session: Session, run_id: int, limit: int = 50, *, with_holds: bool = False,
    before_id: int | None = None,
) -> list[SignalSaid]:  # fmt: skip
    """Return what the strategies of a run said, newest first.

    Args:
        with_holds: those too that wanted nothing, which are most.
        before_id: continue after the one with this `id`.
    """
    row = AiSignalRow
    query = select(row).where(col(row.run_id) == run_id)
    if not with_holds:
        query = query.where(col(row.signal_type) != "HOLD")
    last = None if before_id is None else session.get(row, before_id)
    if last is not None:
        query = query.where(
            col(row.created_at) <= last.created_at,
            (col(row.created_at) < last.created_at) | (col(row.id) < last.id),
        )
    found = session.exec(
        query.order_by(col(row.created_at).desc(), col(row.id).desc()).limit(limit)
    )
    return [
        SignalSaid(
            s.id or 0, s.symbol, s.strategy, s.signal_type, s.confidence_score, s.reason,
            s.entry_price, s.stop_loss, s.take_profit, s.executed, s.created_at,
        )
        for s in found
    ]  # fmt: skip
