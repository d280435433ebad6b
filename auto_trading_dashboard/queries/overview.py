"""How the engine and the account are, as every page's head and the control panel show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel import Session

from auto_trading_dashboard.queries.runs import in_work
from database import alerts, equity, wishes
from database.commands import CommandStatus
from database.engine_state import EngineState, IsGone, engine_state
from database.status import Counts, counts


@dataclass(frozen=True, slots=True)
class Head:
    """What every page's head shows.

    Args:
        engine: None before the first engine.
        source: demo, exchange, replay; of a living engine, else of the last run; "" before that.
        unread: alerts that nobody has acknowledged, `alerts.COUNTED` at most.
    """

    engine: EngineState | None
    source: str
    unread: int

    @property
    def alive(self) -> bool:
        return self.engine is not None and self.engine.alive


@dataclass(frozen=True, slots=True)
class Account:
    """The account at one instant.

    Args:
        run: the run that the figures are of, "r12".
        equity, cash: in `asset`; None before the first figure.
        at: trading time of the figures; None before the first.
        is_live: told by a living engine; else the last that was stored.
    """

    run: str
    asset: str
    equity: Decimal | None
    cash: Decimal | None
    counts: Counts
    at: datetime | None
    is_live: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A command that was asked in this browser tab, and what has become of it."""

    command_id: str
    kind: str
    status: CommandStatus
    answer: Mapping[str, Any]

    @property
    def has_ended(self) -> bool:
        return self.status in wishes.ENDED


def head(session: Session, now: datetime, is_gone: IsGone) -> Head:
    """Return the state of the engine as its lease and its process say."""
    engine = engine_state(session, now, is_gone)
    source = engine.source if engine is not None and engine.alive else ""
    if not source:
        run = in_work(session)
        source = "" if run is None else run.source
    return Head(engine, source, alerts.count_open(session))


def account(session: Session, now: datetime, is_gone: IsGone) -> Account | None:
    """Return the account as a living engine tells it, else as last stored; None before any run."""
    engine = engine_state(session, now, is_gone)
    if engine is not None and engine.account is not None and engine.run_id is not None:
        told = engine.account
        found = counts(session, engine.run_id)
        return Account(
            f"r{engine.run_id}", str(told["asset"]), Decimal(told["equity"]),
            Decimal(told["cash"]),
            Counts(
                found.orders, int(told["working_orders"]), found.fills, int(told["open_positions"])
            ),
            datetime.fromisoformat(told["at"]) if told["at"] else None, is_live=True,
        )  # fmt: skip
    run = in_work(session)
    if run is None:
        return None
    last = equity.latest(session, run.number)
    return Account(
        run.public_id, run.asset, None if last is None else last.equity,
        None if last is None else last.cash, counts(session, run.number),
        None if last is None else last.at, is_live=False,
    )  # fmt: skip


def requests(session: Session, command_ids: Sequence[str]) -> list[Request]:
    """Return what became of these commands, oldest first."""
    return [
        Request(row.command_id, row.kind, CommandStatus(row.status), row.answer or {})
        for row in wishes.found(session, command_ids)
    ]
