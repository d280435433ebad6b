"""What pages show, read from the database into frozen views."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from crypto_trader_pro.domain.errors import TradingError
from database import equity, runs, wishes
from database.auto_trading_db import SchemaState, schema_state, unit_of_work
from database.commands import CommandStatus
from database.engine_state import EngineState, IsGone, engine_state
from database.status import Counts, counts

NOTHING = Counts(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page at one instant.

    Args:
        schema: of the database; None while it does not serve, and `trouble` says why.
        run: the run that the figures are of, "r12".
        equity, cash: in `asset`; None before the first run.
    """

    schema: SchemaState | None
    trouble: str = ""
    engine: EngineState | None = None
    run: str | None = None
    source: str = ""  # demo, exchange, replay
    asset: str = ""
    equity: Decimal | None = None
    cash: Decimal | None = None
    counts: Counts = NOTHING

    @property
    def alive(self) -> bool:
        return self.engine is not None and self.engine.alive


@dataclass(frozen=True, slots=True)
class Request:
    """A command that was asked on this page, and what has become of it."""

    command_id: str
    kind: str
    status: CommandStatus
    answer: Mapping[str, Any]

    @property
    def has_ended(self) -> bool:
        return self.status in wishes.ENDED


def overview(database: Engine, now: datetime, is_gone: IsGone) -> Overview:
    """Return what the first page shows; a database that does not serve is part of it."""
    try:
        schema = schema_state(database)
        if schema != "current":
            return Overview(schema)
        with unit_of_work(database, "the overview") as session:
            return _overview(session, now, is_gone)
    except TradingError as e:
        return Overview(None, trouble=str(e))


def requests(database: Engine, command_ids: Sequence[str]) -> list[Request]:
    """Return what became of these commands, oldest first; none while the database is silent."""
    if not command_ids:
        return []

    def read() -> list[Request]:
        with unit_of_work(database, "the requests") as session:
            return [
                Request(row.command_id, row.kind, CommandStatus(row.status), row.answer or {})
                for row in wishes.found(session, command_ids)
            ]

    return _or_nothing(read)


def _or_nothing(read: Callable[[], list[Request]]) -> list[Request]:
    try:
        return read()
    except TradingError:
        return []  # the overview beside it says what is wrong


def _overview(session: Session, now: datetime, is_gone: IsGone) -> Overview:
    engine = engine_state(session, now, is_gone)
    living = engine is not None and engine.alive
    if engine is not None and living and engine.account is not None and engine.run_id is not None:
        account = engine.account
        found = counts(session, engine.run_id)
        return Overview(
            "current", engine=engine, run=f"r{engine.run_id}", source=engine.source,
            asset=str(account["asset"]), equity=Decimal(account["equity"]),
            cash=Decimal(account["cash"]),
            counts=Counts(
                found.orders, int(account["working_orders"]), found.fills,
                int(account["open_positions"]),
            ),
        )  # fmt: skip
    row = runs.last(session)
    source = engine.source if engine is not None and living else ""
    if row is None:
        return Overview("current", engine=engine, source=source)
    number = runs.number(row)
    last = equity.latest(session, number)
    return Overview(
        "current", engine=engine, run=runs.public_id(row), source=source or row.source,
        asset=_asset(row.symbols), equity=None if last is None else last.equity,
        cash=None if last is None else last.cash, counts=counts(session, number),
    )  # fmt: skip


def _asset(symbols: Sequence[str]) -> str:
    """Return the currency of an account: all its symbols are quoted in one."""
    return symbols[0].split("/")[1].split(":")[0] if symbols else ""
