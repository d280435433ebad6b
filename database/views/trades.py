"""Positions of a run that were closed, page by page, newest first."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import tuple_
from sqlmodel import Session, col, select

from crypto_trader_pro.domain.enums import FillReason
from crypto_trader_pro.domain.instruments import plain
from database.models import FillRow, PositionRow, TradeRow
from database.views.executions import Execution, executions
from database.views.json_values import View

__all__ = ["ClosedTrade", "Execution", "closed_trades", "executions"]

_ZERO: Final = Decimal(0)
_PRICE: Final = Decimal("0.00000001")
_SHARE: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class ClosedTrade(View):
    """One position from its first execution until flat; amounts in the quote asset.

    Args:
        side: LONG, SHORT.
        quantity: bought or sold in all to open it.
        entry_price, exit_price: averages.
        realized_pnl: after fees.
        share: of the value at entry, a fraction.
        reason: of its last execution: exit, stop, target, trailing, flatten, liquidation.
    """

    id: int
    symbol: str
    side: str
    strategy: str
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    opened_at: datetime
    closed_at: datetime
    realized_pnl: Decimal
    share: Decimal | None
    fees: Decimal
    reason: str


@dataclass(slots=True)
class _Life:
    """What the executions of one position add up to."""

    position: PositionRow
    size: Decimal = _ZERO
    left: Decimal = _ZERO
    left_value: Decimal = _ZERO
    fees: Decimal = _ZERO
    reason: str = field(default="")


def closed_trades(
    session: Session, run_id: int, since: datetime | None = None, until: datetime | None = None,
    symbol: str | None = None, limit: int = 100, before_id: int | None = None,
) -> list[ClosedTrade]:  # fmt: skip
    """Return closed positions of a run, newest first.

    Args:
        since, until: closed in [since, until), trading time.
        before_id: continue after the one with this `id`.
    """
    row = PositionRow
    at = (col(row.close_time), col(row.id))
    query = select(row).where(col(row.run_id) == run_id, col(row.status) == "CLOSED")
    if since is not None:
        query = query.where(col(row.close_time) >= since)
    if until is not None:
        query = query.where(col(row.close_time) < until)
    if symbol is not None:
        query = query.where(col(row.symbol) == symbol)
    last = None if before_id is None else session.get(PositionRow, before_id)
    if last is not None:
        query = query.where(tuple_(*at) < (last.close_time, last.id))
    query = query.order_by(*(column.desc() for column in at)).limit(limit)
    found = session.exec(query).all()
    lives = [_Life(position) for position in found]
    of_symbol: dict[str, list[_Life]] = defaultdict(list)
    for life in lives:
        of_symbol[life.position.symbol].append(life)
    for fill in _fills(session, run_id, found):
        for life in of_symbol[fill.symbol]:
            if _belongs(fill, life.position):
                _add(life, fill)
    return [_view(life) for life in lives]


def _fills(session: Session, run_id: int, found: Sequence[PositionRow]) -> Iterable[FillRow]:
    """Return the executions of the orders that ended while these positions were open."""
    if not found:
        return ()
    f, t = FillRow, TradeRow
    ends = [p.close_time for p in found if p.close_time is not None]
    query = (
        select(f)
        .join(t, col(t.order_id) == col(f.client_order_id))
        .where(
            col(t.run_id) == run_id,
            col(t.execution_time) >= min(p.open_time for p in found),
            col(t.execution_time) <= max(ends),
            col(t.symbol).in_({p.symbol for p in found}),
        )
        .order_by(col(f.id))
    )
    return session.exec(query).all()


def _belongs(fill: FillRow, position: PositionRow) -> bool:
    """True for an execution of this position: one may end in the instant the next begins."""
    opened, closed = position.open_time, position.close_time
    if closed is None or not opened <= fill.filled_at <= closed:
        return False
    if opened == closed:
        return True
    return fill.filled_at != (closed if fill.reason == FillReason.ENTRY else opened)


def _add(life: _Life, fill: FillRow) -> None:
    life.fees += fill.fee
    if fill.reason == FillReason.ENTRY:
        life.size += fill.size
        return
    life.left += fill.size
    life.left_value += fill.size * fill.price
    life.reason = fill.reason


def _view(life: _Life) -> ClosedTrade:
    row = life.position
    realized = row.realized_pnl or _ZERO
    out = life.left_value / life.left if life.left else row.entry_price
    cost = life.size * row.entry_price
    return ClosedTrade(
        row.id or 0, row.symbol, row.side, row.strategy, life.size, row.entry_price,
        plain(out.quantize(_PRICE)), row.open_time, row.close_time or row.open_time, realized,
        (realized / cost).quantize(_SHARE) if cost else None, life.fees, life.reason,
    )  # fmt: skip
