"""`GET /health`: is this process alive, and is the engine; answered in time whatever hangs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Engine as Database

from auto_trading import engine_file
from auto_trading.http.bench import Bench
from auto_trading.reach.tools import ReachTools
from auto_trading.status import process_is_gone
from crypto_trader_pro.domain.enums import ObservedState
from crypto_trader_pro.domain.errors import TradingError
from database.auto_trading_db import unit_of_work
from database.engine_state import EngineState, engine_state

ASK_SECONDS: Final = 2.0  # twice at most: the whole answer comes within five
LATE_SECONDS: Final = 5.0  # a heartbeat comes each second
Status = Literal["ok", "degraded", "down"]


class EngineHealth(BaseModel):
    """The engine as its lease tells, or its own file where the database does not answer."""

    alive: bool
    observed_state: str
    trading_state: str | None = None
    mode: str | None = None
    source: str | None = None
    heartbeat_age_seconds: float | None = None
    last_error: str | None = None
    told_by: Literal["database", "file", "nobody"]


class Health(BaseModel):
    """Whether things work: `down` is an engine that hangs, has failed or is gone."""

    status: Status
    at: datetime
    database: str = Field(description='"ok", or why it does not answer.')
    engine: EngineHealth


class HealthCheck:
    """Asks the database first, then the engine's file, each for so long and no longer."""

    def __init__(self, tools: ReachTools) -> None:
        self._tools = tools
        self._database = Bench("health", 2)
        self._files = Bench("health-file", 2)

    async def look(self) -> Health:
        """Return how things are; never raises for what is broken."""
        now = self._tools.now()
        trouble = "ok"
        try:
            state = await self._database.ask(
                ASK_SECONDS, lambda: read_state(self._tools.reader, now)
            )
            engine = _of_state(state)
        except TradingError as e:
            trouble = self._tools.redactor.text(str(e))
            engine = await self._of_file(now)
        return Health(status=_status(engine, trouble), at=now, database=trouble, engine=engine)

    async def _of_file(self, now: datetime) -> EngineHealth:
        folder = self._tools.environment.var_dir
        try:
            found = await self._files.ask(ASK_SECONDS, lambda: engine_file.read(folder))
        except TradingError:
            found = None
        if found is None:
            return EngineHealth(alive=False, observed_state="unknown", told_by="nobody")
        age = max(0.0, (now - datetime.fromisoformat(found.at)).total_seconds())
        return EngineHealth(
            alive=found.is_alive, observed_state=found.observed_state,
            trading_state=found.trading_state, heartbeat_age_seconds=round(age, 1), told_by="file",
        )  # fmt: skip


def read_state(reader: Database, now: datetime) -> EngineState | None:
    """Return how the engine is; None before the first."""
    with unit_of_work(reader, "the state of the engine") as session:
        return engine_state(session, now, process_is_gone)


def http_status(health: Health) -> int:
    """Return 503 where the engine is no good, as those who restart things want it."""
    return 503 if health.status == "down" else 200


def public(health: Health) -> Mapping[str, Any]:
    """Return what anybody may know."""
    return {"status": health.status}


def _of_state(state: EngineState | None) -> EngineHealth:
    if state is None:
        return EngineHealth(alive=False, observed_state="stopped", told_by="database")
    return EngineHealth(
        alive=state.alive, observed_state=state.observed.value, trading_state=state.trading.value,
        mode=state.mode, source=state.source or None, last_error=state.last_error,
        heartbeat_age_seconds=round(state.heartbeat_age_seconds, 1) if state.epoch else None,
        told_by="database",
    )  # fmt: skip


def _status(engine: EngineHealth, trouble: str) -> Status:
    late = engine.heartbeat_age_seconds is None or engine.heartbeat_age_seconds > LATE_SECONDS
    if not engine.alive or engine.observed_state == ObservedState.FAULTED:
        return "down"
    if engine.told_by == "file" and late:
        return "down"  # neither the database nor the engine says a word
    return "degraded" if late or trouble != "ok" else "ok"
