"""`GET /ready`: each thing that trading needs, asked at the same time, each for two seconds."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
from sqlmodel import col, select

from auto_trading.http.bench import Bench
from auto_trading.http.health import LATE_SECONDS, read_state
from auto_trading.reach.tools import ReachTools
from crypto_trader_pro.domain.enums import ObservedState
from crypto_trader_pro.domain.errors import TradingError
from database.auto_trading_db import schema_state, unit_of_work
from database.engine_state import EngineState
from database.models import LatestPriceRow, OutboxRow
from database.outbox import OutboxStatus

ASK_SECONDS: Final = 2.0
FREE_BYTES: Final = 500 * 1024 * 1024
FEED_SECONDS: Final = 180.0
OUTBOX_SECONDS: Final = 900.0  # that a message may have waited for its channel
_OFF: Final = ("model_expired", "model_lost")


class Part(BaseModel):
    """One thing; `required` says whether trading can do without it."""

    ok: bool
    required: bool
    detail: str


class Ready(BaseModel):
    """`ready` is true when everything that is required is there."""

    ready: bool
    parts: dict[str, Part]


class _Found(NamedTuple):
    ok: bool
    detail: str


class ReadyCheck:
    """Asks everything in threads of its own: what hangs is not ready, and delays no other."""

    def __init__(self, tools: ReachTools) -> None:
        self._tools = tools
        self._asks: Mapping[str, tuple[bool, Callable[[], _Found]]] = {
            "database": (True, self._database),
            "engine": (True, self._engine),
            "market_feed": (True, self._feed),
            "disk": (True, self._disk),
            "outbox": (False, self._outbox),
            "model": (False, self._model),
        }
        self._benches = {name: Bench(name, 2) for name in self._asks}

    async def look(self) -> Ready:
        """Return what is ready; never raises for what is broken."""
        parts = await asyncio.gather(*(self._ask(name) for name in self._asks))
        found = dict(zip(self._asks, parts, strict=True))
        return Ready(ready=all(part.ok or not part.required for part in parts), parts=found)

    async def _ask(self, name: str) -> Part:
        required, call = self._asks[name]
        try:
            found = await self._benches[name].ask(ASK_SECONDS, call)
        except (TradingError, OSError) as e:
            found = _Found(False, self._tools.redactor.text(str(e)))
        return Part(ok=found.ok, required=required, detail=found.detail)

    # --- one each, in threads ---------------------------------------------------------------

    def _database(self) -> _Found:
        state = schema_state(self._tools.reader)
        return _Found(state == "current", f"schema is {state}")

    def _state(self) -> tuple[EngineState | None, datetime]:
        now = self._tools.now()
        return read_state(self._tools.reader, now), now

    def _engine(self) -> _Found:
        state, _ = self._state()
        if state is None:
            return _Found(False, "no engine has run yet")
        age = f"{state.observed.value}, heartbeat {state.heartbeat_age_seconds:.1f} s ago"
        if not state.alive:
            return _Found(False, f"not alive: {age}")
        is_well = state.observed in (ObservedState.RUNNING, ObservedState.STOPPED)
        return _Found(is_well and state.heartbeat_age_seconds <= LATE_SECONDS, age)

    def _feed(self) -> _Found:
        state, now = self._state()
        told = None if state is None or state.account is None else state.account.get("vitals")
        if isinstance(told, Mapping) and told.get("feed_age_seconds") is not None:
            age = float(told["feed_age_seconds"])
        else:
            with unit_of_work(self._tools.reader, "the prices") as session:
                row = LatestPriceRow
                newest = select(col(row.received_at)).order_by(col(row.received_at).desc()).limit(1)
                received = session.exec(newest).first()
            if received is None:
                return _Found(False, "no price has come yet")
            age = max(0.0, (now - received).total_seconds())
        return _Found(age <= FEED_SECONDS, f"newest price {age:.1f} s ago")

    def _disk(self) -> _Found:
        free = shutil.disk_usage(self._tools.environment.var_dir).free
        return _Found(free >= FREE_BYTES, f"{free // 1024**2} MiB free")

    def _outbox(self) -> _Found:
        row, now = OutboxRow, self._tools.now()
        with unit_of_work(self._tools.reader, "the outbox") as session:
            waiting = col(row.status) == OutboxStatus.WAITING.value
            oldest = select(col(row.created_at), col(row.channel)).where(waiting)
            found = session.exec(oldest.order_by(col(row.id)).limit(1)).first()
        if found is None:
            return _Found(True, "nothing waits")
        age = max(0.0, (now - found[0]).total_seconds())
        return _Found(age <= OUTBOX_SECONDS, f"a message for {found[1]} waits since {age:.0f} s")

    def _model(self) -> _Found:
        state, _ = self._state()
        told: Any = None if state is None or state.account is None else state.account.get("model")
        if not isinstance(told, Mapping):
            return _Found(True, "no model is in use")
        code = str(told.get("code", ""))
        return _Found(code not in _OFF and not told.get("failure"), code)
