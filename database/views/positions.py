"""Open positions of a run, and whether they are protected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlmodel import Session, col, select

from crypto_trader_pro.domain.enums import OrderRole, OrderStatus
from crypto_trader_pro.domain.instruments import plain
from database import orders, prices
from database.models import OrderRow, PositionRow, RunRow
from database.views.json_values import View
from database.views.runs import origin_of

_MONEY: Final = Decimal("0.00000001")
_SHARE: Final = Decimal("0.000001")
_AT_VENUE: Final = (OrderStatus.WORKING, OrderStatus.PARTIAL)


@dataclass(frozen=True, slots=True)
class Protection(View):
    """Whether stops that the venue has cover a whole position.

    Args:
        code: `covered`, `none`, `part` (some of it), `waiting` (a stop that the venue has not
            confirmed).
        covered: quantity that is protected, base currency.
        status: of the stop that is waited for; "" else.
    """

    code: str
    covered: Decimal
    status: str = ""

    @property
    def is_whole(self) -> bool:
        return self.code == "covered"


@dataclass(frozen=True, slots=True)
class OpenPosition(View):
    """An open position. Prices in quote, quantity in base currency, > 0.

    Args:
        side: LONG, SHORT.
        mark_price: newest there is; None: none is known.
        value: quantity at the mark, at entry where no mark is known.
        unrealized_pnl: what closing at the mark would bring before fees; None: no mark.
        share: of the value at entry, a fraction.
    """

    symbol: str
    side: str
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal | None
    value: Decimal
    unrealized_pnl: Decimal | None
    share: Decimal | None
    strategy: str
    opened_at: datetime
    stop_price: Decimal | None
    target_price: Decimal | None
    protection: Protection


def open_positions(session: Session, run_id: int) -> list[OpenPosition]:
    """Return the open positions of a run, oldest first."""
    row = PositionRow
    query = select(row).where(col(row.run_id) == run_id, col(row.status) == "OPEN")
    found = session.exec(query.order_by(col(row.open_time), col(row.symbol))).all()
    run = session.get(RunRow, run_id) if found else None
    if run is None:
        return []
    marks = {p.symbol: p.price for p in prices.latest(session, origin_of(run))}
    resting = orders.working(session, run_id)
    return [_view(p, marks, [o for o in resting if o.symbol == p.symbol]) for p in found]


def protection(quantity: Decimal, side: str, stops: Sequence[OrderRow]) -> Protection:
    """Judge the open stops of a position's symbol."""
    closes = "SELL" if side == "LONG" else "BUY"
    own = [o for o in stops if o.side == closes]
    rests = sum((o.size - o.filled_size for o in own if o.status in _AT_VENUE), Decimal(0))
    if rests >= quantity:
        return Protection("covered", quantity)
    waiting = next((o.status for o in own if o.status not in _AT_VENUE), "")
    if waiting:
        return Protection("waiting", rests, waiting)
    return Protection("part" if rests else "none", rests)


def _view(
    row: PositionRow, marks: Mapping[str, Decimal], resting: Sequence[OrderRow]
) -> OpenPosition:
    stops = [o for o in resting if o.role == OrderRole.STOP]
    targets = [o for o in resting if o.role == OrderRole.TARGET]
    price = marks.get(row.symbol, row.current_price)
    profit = share = None
    if price is not None:
        signed = row.size if row.side == "LONG" else -row.size
        profit = plain((signed * (price - row.entry_price)).quantize(_MONEY))
        cost = row.size * row.entry_price
        share = (profit / cost).quantize(_SHARE) if cost else None
    value = row.size * (row.entry_price if price is None else price)
    return OpenPosition(
        row.symbol, row.side, row.size, row.entry_price, price, plain(value.quantize(_MONEY)),
        profit, share, row.strategy, row.open_time, _resting_at(stops, row.stop_price),
        _resting_at(targets, row.target_price), protection(row.size, row.side, stops),
    )  # fmt: skip


def _resting_at(found: Sequence[OrderRow], noted: Decimal | None) -> Decimal | None:
    """Return where an order rests, newer than what the position notes: a stop may trail."""
    return next((o.price for o in found if o.price is not None), noted)
