"""Which run everything is told of, unless another is asked for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from database import lease, runs
from database.candles import Origin
from database.engine_state import IsGone, engine_state
from database.models import RunRow
from database.views.json_values import View


@dataclass(frozen=True, slots=True)
class RunRef(View):
    """One call of `replay`, or one session of the engine.

    Args:
        public_id: "r12", as people write it.
        mode: backtest, paper, live.
        source: replay, demo, exchange.
        is_simulated: no order of it reached a venue outside.
        status: running, finished, failed.
        asset: the currency of its account.
    """

    id: int
    public_id: str
    mode: str
    source: str
    is_simulated: bool
    status: str
    started_at: datetime
    timeframe: str
    symbols: tuple[str, ...]
    strategies: tuple[str, ...]
    asset: str

    @property
    def tag(self) -> str:
        """What keeps the daily figures of different sources apart: "paper-demo"."""
        return f"{self.mode}-{self.source}"


def current_run(session: Session, now: datetime, is_gone: IsGone) -> RunRef | None:
    """Return the session of the living engine, else the newest one, else the newest replay.

    What a replay held is nobody's: it is told only where no session ever was. None before any run.

    Args:
        now: system time.
        is_gone: says whether the engine's process has provably ended.
    """
    engine = engine_state(session, now, is_gone)
    row = None
    if engine is not None and engine.alive and engine.run_id is not None:
        row = session.get(RunRow, engine.run_id)
    row = row or runs.last_session(session) or runs.last(session)
    return None if row is None else ref(row)


def ref(row: RunRow) -> RunRef:
    """Return a stored run as others name it."""
    mode = "backtest" if row.kind == "replay" else row.kind
    return RunRef(
        runs.number(row), runs.public_id(row), mode, row.source, mode != "live", row.status,
        row.started_at, row.timeframe, tuple(row.symbols), tuple(row.strategies),
        asset_of(row.symbols),
    )  # fmt: skip


def asset_of(symbols: Sequence[str]) -> str:
    """Return the currency of an account: all its symbols are quoted in one.

    >>> asset_of(["BTC/USDT:USDT", "ETH/USDT:USDT"])
    'USDT'
    """
    return symbols[0].split("/")[1].split(":")[0] if symbols else ""


def origin_of(row: RunRow) -> Origin:
    """Return where the prices of a run come from."""
    return Origin(str(row.inputs.get("venue", "")), row.source)


def day_zone(row: RunRow) -> str:
    """Return the zone of trading days that a run began with; it keeps it to its end."""
    stored = json.loads(row.config)
    return str(stored.get("engine", {}).get("trading_day_timezone", "UTC"))


def told_of(session: Session, run_id: int, now: datetime) -> Mapping[str, Any] | None:
    """Return the account of a run as its living engine told it last, as `account_report` says.

    None: no engine holds the lease with this run at `now`, system time.
    """
    row = lease.read(session)
    if row is None or row.run_id != run_id or not row.owner or row.expires_at <= now:
        return None
    return row.view
