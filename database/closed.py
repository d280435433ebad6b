"""Closed positions of a run, read on from where the last read ended.

Positions have no order in which they were closed: their rows are updated, and their times are the
venue's. Executions have one. Their rows are only added, by the one writer of a run, in the same
transaction as what they do to the position: after an id, none with a lower one appears. So the
executions are followed, and when those of a symbol add up to nothing, a position was closed; its
row is found by the symbol and the time of the first.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, select, tuple_, type_coerce
from sqlalchemy.types import NullType
from sqlmodel import Session

from crypto_trader_pro.domain.enums import Side
from database.models import FillRow, PositionRow, TradeRow
from database.types import canonical

_fills: Table = FillRow.__table__  # type: ignore[attr-defined]
_trades: Table = TradeRow.__table__  # type: ignore[attr-defined]
_positions: Table = PositionRow.__table__  # type: ignore[attr-defined]
_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
_FEW: Final = 200  # positions looked up by their key; more are read as a whole
_MONEY: Final = Decimal("0.00000001")
_Key = tuple[str, datetime]  # symbol, opened


@dataclass(frozen=True, slots=True)
class ClosedPosition:
    """One position from its first execution until flat; amounts in the quote asset."""

    id: int
    symbol: str
    strategy: str
    side: str  # LONG, SHORT
    opened_at: datetime
    closed_at: datetime
    size: Decimal  # bought or sold in all to open it
    entry_price: Decimal  # average
    exit_price: Decimal  # average
    realized_pnl: Decimal  # after fees
    fees: Decimal
    slippage: Decimal  # money lost by it, of the orders that had ended when it was closed
    reason: str  # of its last execution: entry, exit, stop, target, liquidation, ...


@dataclass(slots=True)
class OpenLife:
    """The executions of a position so far; it grows with each."""

    opened_at: datetime
    lots: Decimal = _ZERO  # signed
    size: Decimal = _ZERO
    left: Decimal = _ZERO  # size of what reduced it
    left_value: Decimal = _ZERO
    fees: Decimal = _ZERO
    slippage: Decimal = _ZERO


@dataclass(frozen=True, slots=True)
class Followed:
    """How far the executions of a run were followed, and what of open positions was seen."""

    fill_id: int = 0
    lives: Mapping[str, OpenLife] = field(default_factory=dict)


START: Final = Followed()


@dataclass(frozen=True, slots=True)
class _Flat:
    """A position whose executions add up to nothing."""

    life: OpenLife
    closed_at: datetime
    reason: str


class _Reader:
    """Turns what the driver returns into values; by the column types 100,000 rows take a second."""

    def __init__(self, session: Session) -> None:
        is_sqlite = session.connection().dialect.name == "sqlite"
        self.number: Callable[[Any], Decimal] = Decimal if is_sqlite else canonical
        self.time: Callable[[Any], datetime] = _utc_of_text if is_sqlite else _utc

    def number_or_none(self, value: Any) -> Decimal | None:
        return None if value is None else self.number(value)


def _utc_of_text(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _raw(*columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    return [type_coerce(column, NullType()) for column in columns]


def closed_positions(
    session: Session, run_id: int, after: Followed = START
) -> tuple[list[ClosedPosition], Followed]:
    """Return the positions that were closed since `after`, and what to give the next time.

    Each is returned once, in the order in which they were closed. None is missed: see above.
    """
    lives = {symbol: replace(life) for symbol, life in after.lives.items()}
    flat: dict[_Key, _Flat] = {}
    last_id = after.fill_id
    for number, symbol, side, size, price, fee, reason, at, slipped in _executions(
        session, run_id, after.fill_id
    ):
        last_id = number
        life = lives.pop(symbol, None) or OpenLife(at)
        _grow(life, size if side == Side.BUY else -size, price, fee, slipped)
        if life.lots:
            lives[symbol] = life
        else:
            flat[symbol, life.opened_at] = _Flat(life, at, reason)
    return _closed(session, run_id, flat), Followed(last_id, lives)


def _executions(session: Session, run_id: int, after_id: int) -> Iterator[tuple[Any, ...]]:
    f, t, read = _fills.c, _trades.c, _Reader(session)
    columns = _raw(f.size, f.price, f.fee, f.filled_at, t.slippage, t.notional, t.size)
    query = (
        select(f.id, f.symbol, f.side, f.reason, *columns)
        .select_from(_fills.outerjoin(_trades, t.order_id == f.client_order_id))
        .where(f.run_id == run_id, f.id > after_id)
        .order_by(f.id)
    )
    number, maybe = read.number, read.number_or_none
    for row in session.connection().execute(query):
        fill_id, symbol, side, reason, size, price, fee, at, slippage, notional, whole = row
        lots = number(size)
        of_order = (maybe(slippage), maybe(notional), maybe(whole))
        slipped = _slipped(side, lots, *of_order)
        yield (
            fill_id,
            symbol,
            side,
            lots,
            number(price),
            number(fee),
            reason,
            read.time(at),
            slipped,
        )


def _slipped(
    side: str, size: Decimal, slippage: Decimal | None, notional: Decimal | None,
    whole: Decimal | None,
) -> Decimal:  # fmt: skip
    """Return the money that an execution lost to slippage: its share of its order's."""
    if not slippage or not notional or not whole:
        return _ZERO
    # the fraction is one of the expected price, and the value is that of the price it came to
    expected = notional / (_ONE + slippage if side == Side.BUY else _ONE - slippage)
    return (expected * slippage * size / whole).quantize(_MONEY)


def _grow(
    life: OpenLife, lots: Decimal, price: Decimal, fee: Decimal, slipped: Decimal
) -> None:  # fmt: skip
    """Add one more execution."""
    size = abs(lots)
    if not life.lots or (life.lots > 0) == (lots > 0):
        life.size += size
    else:
        life.left += size
        life.left_value += size * price
    life.lots += lots
    life.fees += fee
    life.slippage += slipped


def _closed(session: Session, run_id: int, flat: Mapping[_Key, _Flat]) -> list[ClosedPosition]:
    read = _Reader(session)
    rows = {(row[1], read.time(row[4])): row for row in _rows_of(session, run_id, flat)}
    found: list[ClosedPosition] = []
    for key, end in flat.items():
        number, symbol, strategy, side, _, entry_price, realized = rows[key]
        life = end.life
        found.append(
            ClosedPosition(
                number, symbol, strategy, side, key[1], end.closed_at, life.size,
                read.number(entry_price), life.left_value / life.left,
                read.number_or_none(realized) or _ZERO, life.fees, life.slippage, end.reason,
            )
        )  # fmt: skip
    return found


def _rows_of(session: Session, run_id: int, flat: Mapping[_Key, _Flat]) -> Iterable[Any]:
    if not flat:
        return ()
    c = _positions.c
    columns = (c.id, c.symbol, c.strategy, c.side)
    query = select(*columns, *_raw(c.open_time, c.entry_price, c.realized_pnl)).where(
        c.run_id == run_id
    )
    if len(flat) <= _FEW:
        query = query.where(tuple_(c.symbol, c.open_time).in_(list(flat)))
    return session.connection().execute(query)
