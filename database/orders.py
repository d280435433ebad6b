"""Reads the order journal."""

from sqlalchemy import or_, text, tuple_
from sqlmodel import Session, col, select

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_datetime
from database.models import OrderRow
from database.models_trading import OPEN_ORDERS


def get(session: Session, client_order_id: str) -> OrderRow:
    """Return an order by our id.

    Raises:
        InputError: no such order.
    """
    row = session.get(OrderRow, client_order_id)
    if row is None:
        raise InputError(f"there is no order {client_order_id!r}")
    return row


def of_run(
    session: Session, run_id: int, *, limit: int = 50, before: OrderRow | None = None
) -> list[OrderRow]:
    """Return orders of a run, newest first; `before` continues after the last one shown."""
    row = OrderRow
    key = (col(row.decided_at), col(row.client_order_id))
    query = select(row).where(col(row.run_id) == run_id)
    query = query.order_by(*(column.desc() for column in key)).limit(limit)
    if before is not None:
        query = query.where(tuple_(*key) < (before.decided_at, before.client_order_id))
    return list(session.exec(query))


def of_decision(session: Session, run_id: int, symbol: str, at_ms: int) -> list[OrderRow]:
    """Return the orders that a decision led to, the protection of its entry included."""
    row = OrderRow
    own = (
        col(row.run_id) == run_id,
        col(row.symbol) == symbol,
        col(row.decided_at) == to_datetime(at_ms),
    )
    decided = select(row.client_order_id).where(*own)
    query = select(row).where(
        col(row.run_id) == run_id,
        or_(col(row.client_order_id).in_(decided), col(row.parent_id).in_(decided)),
    )
    return list(session.exec(query.order_by(col(row.decided_at), col(row.client_order_id))))


def working(session: Session, run_id: int) -> list[OrderRow]:
    """Return the orders of a run that have not ended, oldest first."""
    row = OrderRow
    query = select(row).where(col(row.run_id) == run_id, text(OPEN_ORDERS))
    # in this order SQLite takes the index of open orders, in another it reads those of the run
    found = session.exec(query.order_by(col(row.client_order_id)))
    return sorted(found, key=lambda order: (order.decided_at, order.client_order_id))
