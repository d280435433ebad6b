"""Which run a starting engine goes on with, and when a new one begins."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine as Database
from sqlmodel import Session

from auto_trading.translation import enabled_strategies
from config.effects import structure
from config.settings import Settings
from crypto_trader_pro.domain.errors import ConfigError
from crypto_trader_pro.domain.orders import Order
from database import runs
from database.auto_trading_db import unit_of_work
from database.models import RunRow

KIND: Final = "paper"
# of `RiskManager.state`: what belongs to the account and not to its symbols
CARRIED: Final = (
    "equity", "peak", "high", "_low", "max_drawdown_rate", "day", "_day_end_ms",
    "day_start_equity", "daily_level", "drawdown_level", "halt_reason", "entries_today",
    "time_in_state", "_flat_days", "_held", "paused",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a session's market comes from; sessions of different origins are never mixed."""

    source: str
    venue: str


@dataclass(frozen=True, slots=True)
class Found:
    """The run to trade: its settings as it began, and its last checkpoint if it has one."""

    run_id: int
    settings: Settings
    state: str | None
    opening_cash: int  # money units; 0 is what the settings say
    # of the session before this one, for the risk manager when the account is opened; None: nothing
    carried: Mapping[str, Any] | None = None


def unfinished(database: Database) -> tuple[Origin, int] | None:
    """Return the origin of the session that was not ended; how many positions and orders it has."""
    with unit_of_work(database, "the session") as session:
        row = _unfinished(session)
        if row is None:
            return None
        state = runs.checkpoint(session, runs.number(row))
    return _origin(row), len(_held(row, state))


def find_or_begin(database: Database, settings: Settings, origin: Origin, now: datetime) -> Found:
    """Return the session to go on with; a new one if none fits.

    A session is ended when what it is made of has changed (symbols, timeframe, source, money), and
    only when it is flat: no positions, no orders. In the same market the new one goes on with the
    cash, the day's loss, the peak and a halt: another symbol list does not forgive a loss.

    Raises:
        ConfigError: it has changed while positions or orders are open.
    """
    with unit_of_work(database, "the session") as session:
        row = _unfinished(session)
        if row is None:
            return _begin(session, settings, origin, now, 0, None)
        state = runs.checkpoint(session, runs.number(row))
        changes = _changes(row, settings, origin)
        if not changes:
            first = Settings.model_validate_json(row.config, strict=False)
            cash, carried = row.inputs.get("opening_cash", 0), row.inputs.get("carried")
            return Found(runs.number(row), first, state, cash, carried)
        held = _held(row, state)
        if held:
            raise ConfigError(
                f"{'; '.join(changes)}: not while {runs.public_id(row)} holds {', '.join(held)};"
                " close the positions and orders first, or set it back"
            )
        runs.finish(session, runs.number(row), "finished", None, now)
        if _origin(row) != origin or _money_changed(row, settings):
            return _begin(session, settings, origin, now, 0, None)
        if state is None:  # it never traded: what came before it counts on
            cash, carried = row.inputs.get("opening_cash", 0), row.inputs.get("carried")
        else:
            cash, carried = _cash(state), _risk(state)
        return _begin(session, settings, origin, now, cash, carried)


def _unfinished(session: Session) -> RunRow | None:
    row = runs.last(session, kind=KIND)
    return row if row is not None and row.finished_at is None else None


def _begin(
    session: Session, settings: Settings, origin: Origin, now: datetime, opening_cash: int,
    carried: Mapping[str, Any] | None,
) -> Found:  # fmt: skip
    run_id = runs.create(
        session, kind=KIND, source=origin.source, timeframe=settings.engine.timeframe,
        symbols=settings.symbols, strategies=enabled_strategies(settings),
        inputs={
            "venue": origin.venue, "opening_cash": opening_cash,
            "carried": None if carried is None else dict(carried), **structure(settings),
        },
        config_hash=settings.hash(), config=settings.canonical_json(), now=now,
    )  # fmt: skip
    return Found(run_id, settings, None, opening_cash, carried)


def _origin(row: RunRow) -> Origin:
    return Origin(row.source, str(row.inputs["venue"]))


def _changes(row: RunRow, settings: Settings, origin: Origin) -> list[str]:
    """Return one phrase per difference between a stored session and what is wanted now."""
    wanted = {"source": origin.source, "venue": origin.venue, **structure(settings)}
    stored = {"source": row.source, **row.inputs}
    return [
        f"{name} was {stored.get(name)}, is now {value}"
        for name, value in wanted.items()
        if name != "market" and stored.get(name) != value  # source and venue say what it became
    ]


def _money_changed(row: RunRow, settings: Settings) -> bool:
    return bool(row.inputs.get("paper equity") != structure(settings)["paper equity"])


def _held(row: RunRow, state: str | None) -> list[str]:
    """Return the symbols with a position, and the ids of the orders without one."""
    if state is None:
        return []
    found = json.loads(state)
    positions = found["positions"]["positions"]
    symbols = [symbol for symbol, p in zip(row.symbols, positions, strict=True) if p[0]]
    orders = [dict(zip(Order.__slots__, o, strict=True)) for o in found["executor"]["orders"]]
    loose = [o for o in orders if o["symbol"] not in symbols]
    return [*symbols, *(f"order {o['client_order_id']}" for o in loose)]


def _cash(state: str) -> int:
    return int(json.loads(state)["venue"]["cash"])


def _risk(state: str) -> dict[str, Any]:
    """Return what the risk manager must not forget with the session."""
    risk = json.loads(state)["risk"]
    # a checkpoint of an earlier version lacks what was added since
    return {name: risk[name] for name in CARRIED if name in risk}
