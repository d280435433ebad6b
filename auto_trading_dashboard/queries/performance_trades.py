"""Closed positions one by one: filtered, page by page, and the decisions that each came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from sqlmodel import Session, col, select

from auto_trading_dashboard.queries.performance import Bools, Window
from auto_trading_dashboard.queries.performance_book import Account
from crypto_trader_pro.domain.enums import OrderRole
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.timeframes import to_ms
from database import decisions
from database.closed import ClosedPosition
from database.models import OrderRow, TradeRow

PAGE: Final = 50
WINNERS: Final = "winners"
LOSERS: Final = "losers"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which closed positions: field -> value, and how they ended ("" is any)."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    result: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some positions, newest first, and where the pages beside them begin.

    Args:
        older: give it as `before` to read on; None: there are none.
    """

    positions: tuple[ClosedPosition, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class Origin:
    """The decisions that opened and closed a position; None: not kept, or none."""

    entry: int | None
    exit: int | None


def matching(account: Account, found: Window, wanted: Wanted) -> Ints:
    """Return the places of the wanted positions of a period, newest first."""
    closed = account.closed
    chosen: Bools = found.chosen.copy()
    for name, value in wanted.kinds.items():
        kinds = closed.kinds[name]
        chosen &= kinds.of == (kinds.names.index(value) if value in kinds.names else -1)
    if wanted.result == WINNERS:
        chosen &= closed.profit > 0
    elif wanted.result == LOSERS:
        chosen &= closed.profit < 0
    return np.flatnonzero(chosen)[::-1]


def page(account: Account, places: Ints, before: int | None) -> Page:
    """Return the next positions of `places` that were closed before place `before`.

    A position that is closed meanwhile moves nothing: pages begin at a position, not at a count.
    """
    left = places if before is None else places[places < before]
    shown = left[:PAGE]
    older = int(shown[-1]) if len(left) > PAGE else None
    return Page(tuple(account.closed.positions[n] for n in shown.tolist()), older)


def origin(session: Session, run_id: int, position: ClosedPosition) -> Origin:
    """Return the decisions that opened a position and that sent the order which closed it."""
    row = TradeRow
    query = (
        select(col(row.order_id), col(row.role))
        .where(
            col(row.run_id) == run_id, col(row.symbol) == position.symbol,
            col(row.execution_time) >= position.opened_at,
            col(row.execution_time) <= position.closed_at,
        )
        .order_by(col(row.execution_time), col(row.id))
    )  # fmt: skip
    orders = session.exec(query).all()
    entries = [order for order, role in orders if role == OrderRole.ENTRY]
    exits = [order for order, role in orders if role != OrderRole.ENTRY]
    return Origin(
        _decision(session, run_id, entries[:1]), _decision(session, run_id, exits[-1:])
    )  # fmt: skip


def _decision(session: Session, run_id: int, orders: list[str]) -> int | None:
    order = session.get(OrderRow, orders[0]) if orders else None
    if order is None:
        return None
    found = decisions.at(session, run_id, order.symbol, to_ms(order.decided_at))
    return None if found is None else found.id
