"""What a chart marks on the candles of one symbol: trades, signals, lines of what is open."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import text
from sqlmodel import Session, col, select

from crypto_trader_pro.domain.enums import OrderRole, Outcome
from crypto_trader_pro.domain.timeframes import to_datetime
from database import orders
from database.candles import Origin
from database.models import (
    DecisionRow,
    LatestPriceRow,
    MarketDataRow,
    OrderRow,
    PositionRow,
    TradeRow,
)
from database.models_trading import NOT_HOLD

_ORDERS: Final = 600  # newest of a symbol that are looked through for trades
_SIGNALS: Final = 300
_LINES: Final = 20


@dataclass(frozen=True, slots=True)
class TradeMark:
    """An executed order; `reason` is a code, "" where its role says all."""

    at: datetime
    side: str
    role: str
    price: Decimal
    quantity: Decimal
    reason: str

    @property
    def opens(self) -> bool:
        return self.role == OrderRole.ENTRY


@dataclass(frozen=True, slots=True)
class SignalMark:
    """A wish of a strategy at a candle's close, and what came of it."""

    at: datetime  # close of its candle
    direction: int  # +1 long, -1 short
    strategy: str
    outcome: str
    refusal: str  # rule, "" where none refused

    @property
    def was_acted_on(self) -> bool:
        return self.outcome == Outcome.ORDERED


@dataclass(frozen=True, slots=True)
class Line:
    """A price that counts now: entry, stop, target of the position; an order that rests."""

    kind: str  # entry_price, stop, target, order, price
    price: Decimal
    side: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """All of it; hashable, so that an unchanged chart is known."""

    trades: tuple[TradeMark, ...]
    signals: tuple[SignalMark, ...]
    lines: tuple[Line, ...]


def marks(session: Session, run: int, symbol: str, origin: Origin, start: datetime) -> Marks:
    """Return what belongs on the candles of a symbol since `start`."""
    return Marks(
        _trades(session, run, symbol, start), _signals(session, run, symbol, start),
        _lines(session, run, symbol, origin),
    )  # fmt: skip


def newest_candles(session: Session, origin: Origin, timeframe: str) -> dict[str, datetime]:
    """Return when the newest candle of each priced symbol opened, in one question."""
    price, row = LatestPriceRow, MarketDataRow
    newest = (
        select(col(row.timestamp))
        .where(
            col(row.venue) == col(price.venue), col(row.symbol) == col(price.symbol),
            col(row.timeframe) == timeframe, col(row.source) == col(price.source),
        )
        .order_by(col(row.timestamp).desc())
        .limit(1)
        .correlate(price)
        .scalar_subquery()
        .label("newest")
    )  # fmt: skip
    query = select(col(price.symbol), newest).where(
        col(price.venue) == origin.venue, col(price.source) == origin.source
    )
    return {symbol: at for symbol, at in session.exec(query) if at is not None}


def _trades(session: Session, run: int, symbol: str, start: datetime) -> tuple[TradeMark, ...]:
    o, t = OrderRow, TradeRow
    newest = (
        select(col(o.client_order_id), col(o.reason))
        .where(col(o.run_id) == run, col(o.symbol) == symbol)
        .order_by(col(o.decided_at).desc())
        .limit(_ORDERS)
        .subquery()
    )
    query = select(  # type: ignore[call-overload]
        col(t.execution_time), col(t.side), col(t.role), col(t.price), col(t.size), newest.c.reason
    ).join(newest, newest.c.client_order_id == col(t.order_id))
    found = session.exec(query).all()
    return tuple(sorted((TradeMark(*r) for r in found if r[0] >= start), key=lambda m: m.at))


def _signals(session: Session, run: int, symbol: str, start: datetime) -> tuple[SignalMark, ...]:
    d = DecisionRow
    query = (
        select(  # type: ignore[call-overload]
            col(d.at_ms), col(d.direction), col(d.strategy), col(d.outcome), col(d.first_refusal)
        )
        .where(col(d.run_id) == run, col(d.symbol) == symbol, text(NOT_HOLD))
        .order_by(col(d.id).desc())
        .limit(_SIGNALS)
    )
    found = [
        SignalMark(to_datetime(at_ms), direction, strategy or "", outcome, refusal or "")
        for at_ms, direction, strategy, outcome, refusal in session.exec(query)
        if direction
    ]
    return tuple(mark for mark in reversed(found) if mark.at > start)


def _lines(session: Session, run: int, symbol: str, origin: Origin) -> tuple[Line, ...]:
    row = PositionRow
    query = select(row).where(
        col(row.run_id) == run, col(row.status) == "OPEN", col(row.symbol) == symbol
    )
    resting = [
        Line(_kind(order.role), order.price, order.side)
        for order in orders.working(session, run)
        if order.symbol == symbol and order.price is not None
    ]
    kinds = {line.kind for line in resting}
    lines = []
    for position in session.exec(query):
        lines.append(Line("entry_price", position.entry_price, position.side))
        for kind, at in (("stop", position.stop_price), ("target", position.target_price)):
            if at is not None and kind not in kinds:  # what rests is newer: a stop may trail
                lines.append(Line(kind, at))
    lines += resting
    price = session.get(LatestPriceRow, (origin.venue, symbol, origin.source))
    if price is not None:
        lines.append(Line("price", price.price))
    return tuple(lines[:_LINES])


def _kind(role: str) -> str:
    return role if role in (OrderRole.STOP, OrderRole.TARGET) else "order"
