"""Open positions, working orders and executed trades of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from crypto_trader_pro.domain.enums import OrderRole, OrderStatus
from crypto_trader_pro.domain.instruments import plain
from crypto_trader_pro.domain.timeframes import to_ms
from database import orders, prices
from database.candles import Origin
from database.models import DecisionRow, OrderRow, PositionRow, TradeRow

_MONEY = Decimal("0.00000001")
_AT_VENUE = (OrderStatus.WORKING, OrderStatus.PARTIAL)


@dataclass(frozen=True, slots=True)
class Protection:
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
class Held:
    """An open position. Prices in quote, quantity in base currency, > 0.

    Args:
        price: newest there is; None: none is known.
        profit: what closing at `price` would bring before fees; None: no price.
        share: of the value at entry, a fraction.
    """

    symbol: str
    side: str  # LONG, SHORT
    quantity: Decimal
    entry: Decimal
    price: Decimal | None
    stop: Decimal | None
    target: Decimal | None
    profit: Decimal | None
    share: Decimal | None
    strategy: str
    opened_at: datetime
    protection: Protection


@dataclass(frozen=True, slots=True)
class Working:
    """An order that has not ended; `price` is None for one at market."""

    client_order_id: str
    symbol: str
    side: str
    role: str
    type: str
    price: Decimal | None
    quantity: Decimal
    filled: Decimal
    status: str
    strategy: str
    decided_at: datetime

    @property
    def can_be_canceled(self) -> bool:
        """The engine cancels entries only: all others protect or close a position."""
        return self.role == OrderRole.ENTRY


@dataclass(frozen=True, slots=True)
class Traded:
    """An executed order. `profit` is what it realized after fees; None: it opened a position."""

    order_id: str
    symbol: str
    side: str
    role: str
    quantity: Decimal
    price: Decimal
    fee: Decimal | None
    profit: Decimal | None
    strategy: str
    reason: str
    at: datetime
    decided_at: datetime


def held(session: Session, run: int, origin: Origin) -> list[Held]:
    """Return the open positions of a run, oldest first."""
    row = PositionRow
    query = select(row).where(col(row.run_id) == run, col(row.status) == "OPEN")
    found = session.exec(query.order_by(col(row.open_time), col(row.symbol))).all()
    if not found:
        return []
    marks = {p.symbol: p.price for p in prices.latest(session, origin)}
    resting = orders.working(session, run)
    return [_held(p, marks, [o for o in resting if o.symbol == p.symbol]) for p in found]


def working(session: Session, run: int) -> list[Working]:
    """Return the orders of a run that have not ended, oldest first."""
    return [
        Working(
            o.client_order_id, o.symbol, o.side, o.role, o.order_type, o.price, o.size,
            o.filled_size, o.status, o.strategy, o.decided_at,
        )
        for o in orders.working(session, run)
    ]  # fmt: skip


def traded(session: Session, run: int, limit: int = 20) -> list[Traded]:
    """Return the newest executed orders of a run, newest first."""
    t, o = TradeRow, OrderRow
    query = (
        select(t, col(o.reason), col(o.decided_at))
        .join(o, col(o.client_order_id) == col(t.order_id), isouter=True)
        .where(col(t.run_id) == run)
        .order_by(col(t.execution_time).desc(), col(t.id).desc())
        .limit(limit)
    )
    return [_traded(row, reason, decided) for row, reason, decided in session.exec(query)]


def decision_of(session: Session, run: int, symbol: str, decided_at: datetime) -> int | None:
    """Return the number of the decision that an order came from; None: it is no longer stored."""
    row = DecisionRow
    query = select(col(row.id)).where(
        col(row.run_id) == run, col(row.at_ms) == to_ms(decided_at), col(row.symbol) == symbol
    )
    return session.exec(query).first()


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


def _held(row: PositionRow, marks: Mapping[str, Decimal], resting: Sequence[OrderRow]) -> Held:
    stops = [o for o in resting if o.role == OrderRole.STOP]
    targets = [o for o in resting if o.role == OrderRole.TARGET]
    price = marks.get(row.symbol, row.current_price)
    profit = share = None
    if price is not None:
        signed = row.size if row.side == "LONG" else -row.size
        profit = plain((signed * (price - row.entry_price)).quantize(_MONEY))
        value = row.size * row.entry_price
        share = profit / value if value else None
    return Held(
        row.symbol, row.side, row.size, row.entry_price, price,
        _resting_at(stops, row.stop_price), _resting_at(targets, row.target_price), profit, share,
        row.strategy, row.open_time, protection(row.size, row.side, stops),
    )  # fmt: skip


def _resting_at(found: Sequence[OrderRow], noted: Decimal | None) -> Decimal | None:
    """Return where an order rests, newer than what the position notes: a stop may trail."""
    return next((o.price for o in found if o.price is not None), noted)


def _traded(row: TradeRow, reason: str | None, decided_at: datetime | None) -> Traded:
    return Traded(
        row.order_id, row.symbol, row.side, row.role, row.size, row.price, row.commission,
        row.realized_pnl, row.strategy or "", reason or "", row.execution_time,
        decided_at or row.execution_time,
    )  # fmt: skip
