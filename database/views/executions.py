"""Orders of a run that were executed and have ended: one row each (document 002)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import tuple_
from sqlmodel import Session, col, select

from database.models import OrderRow, TradeRow
from database.views.json_values import View


@dataclass(frozen=True, slots=True)
class Execution(View):
    """An executed order. Prices in quote, quantity in base currency.

    Args:
        price: average of its fills.
        notional: value in the quote currency.
        slippage: fraction of the expected price, > 0 where it cost; None: not known.
        realized_pnl: what it realized after fees; None: it opened a position.
        reason: why it was sent, a code; "": the journal says none.
        executed_at: of its last fill, trading time.
        decided_at: of the decision behind it, trading time.
    """

    id: int
    order_id: str
    symbol: str
    side: str
    type: str
    role: str
    quantity: Decimal
    price: Decimal
    notional: Decimal
    fee: Decimal | None
    slippage: Decimal | None
    realized_pnl: Decimal | None
    strategy: str
    reason: str
    executed_at: datetime
    decided_at: datetime


def executions(
    session: Session, run_id: int, since: datetime | None = None, until: datetime | None = None,
    symbol: str | None = None, limit: int = 100, before_id: int | None = None,
) -> list[Execution]:  # fmt: skip
    """Return executed orders of a run, newest first.

    Args:
        since, until: executed in [since, until), trading time.
        before_id: continue after the one with this `id`.
    """
    t, o = TradeRow, OrderRow
    at = (col(t.execution_time), col(t.id))
    query = (
        select(t, col(o.reason), col(o.decided_at))
        .join(o, col(o.client_order_id) == col(t.order_id), isouter=True)
        .where(col(t.run_id) == run_id)
        .order_by(*(column.desc() for column in at))
        .limit(limit)
    )
    if since is not None:
        query = query.where(col(t.execution_time) >= since)
    if until is not None:
        query = query.where(col(t.execution_time) < until)
    if symbol is not None:
        query = query.where(col(t.symbol) == symbol)
    last = None if before_id is None else session.get(TradeRow, before_id)
    if last is not None:
        query = query.where(tuple_(*at) < (last.execution_time, last.id))
    return [_view(row, reason, decided) for row, reason, decided in session.exec(query)]


def _view(row: TradeRow, reason: str | None, decided_at: datetime | None) -> Execution:
    return Execution(
        row.id or 0, row.order_id, row.symbol, row.side, row.order_type, row.role, row.size,
        row.price, row.notional, row.commission, row.slippage, row.realized_pnl,
        row.strategy or "", reason or "", row.execution_time, decided_at or row.execution_time,
    )  # fmt: skip
