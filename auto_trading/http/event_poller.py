"""What is new in the database, looked for twice a second while somebody listens."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine as Database
from sqlmodel import Session, col, func, select

from auto_trading.status import process_is_gone
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_datetime
from database.auto_trading_db import unit_of_work
from database.engine_state import engine_state
from database.models import AlertRow, DecisionRow, EquityRow, FillRow
from database.types import MAX_BIG_ID, MAX_ID
from database.views.json_values import json_value
from database.views.orders import working_orders

AT_ONCE: Final = 500  # rows of one table in one look; more come with the next
_CURSOR: Final = re.compile(r"d(\d{1,19})-f(\d{1,19})-a(\d{1,19})-e(\d{1,19})", re.ASCII)
_TABLES: Final[Sequence[Any]] = (DecisionRow, FillRow, AlertRow, EquityRow)
_MOST: Final = (MAX_BIG_ID, MAX_BIG_ID, MAX_ID, MAX_BIG_ID)

Event = dict[str, Any]


class Cursor(NamedTuple):
    """The newest rows that were told: what to go on after."""

    decisions: int
    fills: int
    alerts: int
    equity: int

    def __str__(self) -> str:
        return f"d{self.decisions}-f{self.fills}-a{self.alerts}-e{self.equity}"

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Return the cursor that an event's `id` is.

        Raises:
            InputError: no such id.
        """
        found = _CURSOR.fullmatch(text)
        numbers = [] if found is None else [int(number) for number in found.groups()]
        if not numbers or any(n > most for n, most in zip(numbers, _MOST, strict=True)):
            raise InputError("after is no id of an event, allowed: one as d1-f2-a3-e4")
        return cls(*numbers)


class EventReader:
    """Reads events; called by one thread at a time."""

    def __init__(self, reader: Database) -> None:
        self._reader = reader
        self._state: Mapping[str, Any] = {}
        self._orders: dict[str, Any] = {}

    def newest(self) -> Cursor:
        """Return where the tables end now."""
        with unit_of_work(self._reader, "the events") as session:
            ends = [session.exec(select(func.max(table.id))).one() for table in _TABLES]
        return Cursor(*(end or 0 for end in ends))

    def since(self, cursor: Cursor, now: datetime) -> tuple[list[Event], Cursor]:
        """Return what is new after `cursor`, changes of orders and state too, and where it ends."""
        with unit_of_work(self._reader, "the events") as session:
            events, cursor = _rows(session, cursor, None)
            events += self._changes(session, now, cursor)
        return events, cursor

    def between(self, cursor: Cursor, end: Cursor) -> tuple[list[Event], Cursor]:
        """Return the rows after `cursor` up to `end`, for who comes back."""
        with unit_of_work(self._reader, "the events") as session:
            return _rows(session, cursor, end)

    def snapshot(self) -> list[Event]:
        """Return the state and the working orders as they were looked at last."""
        state = [{"type": "state", "id": None, "data": dict(self._state)}] if self._state else []
        orders = [{"type": "order", "id": None, "data": o} for o in self._orders.values()]
        return state + orders

    def _changes(self, session: Session, now: datetime, cursor: Cursor) -> Iterator[Event]:
        engine = engine_state(session, now, process_is_gone)
        if engine is None:
            return
        state = {
            "desired_state": engine.desired.value, "observed_state": engine.observed.value,
            "trading_state": engine.trading.value, "alive": engine.alive, "mode": engine.mode,
            "source": engine.source, "run": f"r{engine.run_id}" if engine.run_id else None,
        }  # fmt: skip
        if state != self._state:
            self._state = state
            yield {"type": "state", "id": str(cursor), "data": state}
        rows = [] if engine.run_id is None else working_orders(session, engine.run_id)
        orders = {row.client_order_id: row.as_json() for row in rows}
        for number, order in orders.items():
            if order != self._orders.get(number):
                yield {"type": "order", "id": str(cursor), "data": order}
        for number, order in self._orders.items():
            if number not in orders:
                ended = {**order, "status": "ended"}
                yield {"type": "order", "id": str(cursor), "data": ended}
        self._orders = orders


def _rows(session: Session, cursor: Cursor, end: Cursor | None) -> tuple[list[Event], Cursor]:
    """Return events of new rows and where they end, at most `AT_ONCE` of each table."""
    events: list[Event] = []
    for place, (table, told) in enumerate(zip(_TABLES, _TOLD, strict=True)):
        until = None if end is None else end[place]
        newest = session.exec(select(func.max(table.id))).one() or 0
        last = newest if until is None else min(newest, until)
        query = select(table).where(col(table.id) > cursor[place], col(table.id) <= last)
        if table is DecisionRow:
            query = query.where(col(table.outcome) != "hold")
        found = list(session.exec(query.order_by(col(table.id)).limit(AT_ONCE)))
        for row in found:
            cursor = cursor._replace(**{Cursor._fields[place]: row.id})
            events.append({"type": told[0], "id": str(cursor), "data": json_value(told[1](row))})
        if len(found) < AT_ONCE:
            cursor = cursor._replace(**{Cursor._fields[place]: max(last, cursor[place])})
    return events, cursor


def _decision(row: DecisionRow) -> Mapping[str, Any]:
    return {
        "id": row.id, "run": f"r{row.run_id}", "at": to_datetime(row.at_ms), "symbol": row.symbol,
        "outcome": row.outcome, "strategy": row.strategy, "direction": row.direction,
        "rule": row.first_refusal, "order_id": row.order_id,
    }  # fmt: skip


def _fill(row: FillRow) -> Mapping[str, Any]:
    return {
        "id": row.id, "run": f"r{row.run_id}", "order_id": row.client_order_id,
        "symbol": row.symbol, "side": row.side, "quantity": row.size, "price": row.price,
        "fee": row.fee, "fee_asset": row.fee_asset, "reason": row.reason, "at": row.filled_at,
    }  # fmt: skip


def _alert(row: AlertRow) -> Mapping[str, Any]:
    return {
        "id": row.id, "run": f"r{row.run_id}" if row.run_id else None, "kind": row.kind,
        "severity": row.severity, "code": row.code, "numbers": row.numbers, "at": row.at,
    }  # fmt: skip


def _equity(row: EquityRow) -> Mapping[str, Any]:
    return {
        "id": row.id, "run": f"r{row.run_id}", "at": row.at, "equity": row.equity,
        "cash": row.cash, "drawdown": row.drawdown, "open_positions": row.open_positions,
    }  # fmt: skip


_TOLD: Final[Sequence[tuple[str, Any]]] = (
    ("decision", _decision), ("fill", _fill), ("alert", _alert), ("equity", _equity),
)  # fmt: skip
