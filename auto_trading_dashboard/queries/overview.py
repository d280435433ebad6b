"""How the engine and the account are, as every page's head and the control panel show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from auto_trading_dashboard.queries.runs import in_work
from database import alerts, wishes
from database.commands import CommandStatus
from database.engine_state import EngineState, IsGone, engine_state


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


def requests(session: Session, command_ids: Sequence[str]) -> list[Request]:
    """Return what became of these commands, oldest first."""
    return [
        Request(row.command_id, row.kind, CommandStatus(row.status), row.answer or {})
        for row in wishes.found(session, command_ids)
    ]
