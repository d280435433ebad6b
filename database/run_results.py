"""What a run did, counted and summed from its rows."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, select

from crypto_trader_pro.domain.timeframes import to_ms
from database.models import DecisionRow, FillRow, OrderRow, ShadowTradeRow

_decisions = DecisionRow.__table__  # type: ignore[attr-defined]
_fills = FillRow.__table__  # type: ignore[attr-defined]
_orders = OrderRow.__table__  # type: ignore[attr-defined]
_shadows = ShadowTradeRow.__table__  # type: ignore[attr-defined]


class Counts(NamedTuple):
    decisions: int
    orders: int  # sent entries and exits; protection is placed with its entry
    fills: int


def counts(connection: Connection, run_id: int) -> Counts:
    """Count the rows of a run."""

    def count(table: object, *where: object) -> int:
        query = select(func.count()).select_from(table).where(table.c.run_id == run_id, *where)  # type: ignore[attr-defined,arg-type]
        return int(connection.execute(query).scalar_one())

    return Counts(count(_decisions), count(_orders, _orders.c.parent_id.is_(None)), count(_fills))


def tally(connection: Connection, run_id: int, column: str) -> dict[str, int]:
    """Return value -> number of decisions for one column of the decisions; NULL is left out."""
    c = _decisions.c[column]
    query = (
        select(c, func.count())
        .where(_decisions.c.run_id == run_id, c.is_not(None))
        .group_by(c)
        .order_by(func.count().desc(), c)
    )
    return {str(value): int(number) for value, number in connection.execute(query)}


def fills_sha256(connection: Connection, run_id: int) -> str:
    """Return the SHA-256 over time, symbol, side, price, quantity and fee of each fill, in order.

    Two runs with the same hash traded the same.
    """
    digest = hashlib.sha256()
    for line in _fill_lines(connection, run_id):
        digest.update(line.encode())
    return digest.hexdigest()


def _fill_lines(connection: Connection, run_id: int) -> Iterator[str]:
    c = _fills.c
    query = (
        select(c.filled_at, c.symbol, c.side, c.price, c.size, c.fee)
        .where(c.run_id == run_id)
        .order_by(c.id)
    )
    for at, symbol, side, price, size, fee in connection.execute(query):
        numbers = ",".join(format(Decimal(n), "f") for n in (price, size, fee))
        yield f"{at.isoformat()},{symbol},{side},{numbers}\n"


def orders_sha256(connection: Connection, run_id: int) -> str:
    """Return the SHA-256 over what each order was and became, by its number in the run."""
    c = _orders.c
    columns = (
        c.client_order_id, c.symbol, c.side, c.role, c.order_type, c.size, c.price, c.status,
        c.filled_size, c.fees, c.reason, c.decided_at,
    )  # fmt: skip
    query = select(*columns).where(c.run_id == run_id).order_by(c.client_order_id)
    digest = hashlib.sha256()
    for name, *values in connection.execute(query):
        number = name.removeprefix(f"r{run_id}o")
        digest.update(f"{number},{','.join(map(_plain, values))}\n".encode())
    return digest.hexdigest()


def decisions_sha256(connection: Connection, run_id: int) -> str:
    """Return the SHA-256 over what was decided about each symbol at each close, and on what."""
    c = _decisions.c
    columns = (
        c.at_ms, c.symbol, c.outcome, c.strategy, c.direction, c.confidence, c.gate_state,
        c.gate_reason, c.trading_state, c.mask, c.lots, c.price, c.equity, c.window_hash, c.inputs,
    )  # fmt: skip
    query = select(*columns).where(c.run_id == run_id).order_by(c.at_ms, c.symbol)
    digest = hashlib.sha256()
    for values in connection.execute(query.execution_options(yield_per=5_000)):
        digest.update(f"{','.join(map(_plain, values))}\n".encode())
    return digest.hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


def shadow_results(database: Engine, run_id: int) -> list[tuple[int, int, int, int]]:
    """Return (decided, closed, expected, realized) of the ended shadow trades of a run.

    Times in ms, results in thousandths of a basis point, in the order in which they were decided.
    """
    c = _shadows.c
    query = (
        select(c.decided_at, c.closed_at, c.expected_mbp, c.realized_mbp)
        .where(c.run_id == run_id, c.closed_at.is_not(None))
        .order_by(c.id)
    )
    with database.connect() as connection:
        rows = connection.execute(query).all()
    return [(to_ms(decided), to_ms(closed), e, r) for decided, closed, e, r in rows]
