"""Which run a starting engine goes on with, and when a new one begins."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine as Database
from sqlmodel import Session

from auto_trading.translation import enabled_strategies
from config.settings import Settings
from crypto_trader_pro.domain.errors import ConfigError
from database import runs
from database.auto_trading_db import unit_of_work
from database.models import RunRow

KIND = "paper"


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


def unfinished(database: Database) -> tuple[Origin, int] | None:
    """Return the origin of the session that was not ended, and how many positions it holds."""
    with unit_of_work(database, "the session") as session:
        row = _unfinished(session)
        if row is None:
            return None
        state = runs.checkpoint(session, runs.number(row))
    return _origin(row), len(_open_symbols(row, state))


def find_or_begin(database: Database, settings: Settings, origin: Origin, now: datetime) -> Found:
    """Return the session to go on with; a new one if none fits.

    A session is ended when what it is made of has changed (symbols, timeframe, source, money), and
    only when it is flat.

    Raises:
        ConfigError: it has changed while positions are open.
    """
    with unit_of_work(database, "the session") as session:
        row = _unfinished(session)
        if row is None:
            return _begin(session, settings, origin, now, 0)
        state = runs.checkpoint(session, runs.number(row))
        changes = _changes(row, settings, origin)
        if not changes:
            first = Settings.model_validate_json(row.config, strict=False)
            return Found(runs.number(row), first, state, row.inputs.get("opening_cash", 0))
        held = _open_symbols(row, state)
        if held:
            raise ConfigError(
                f"{'; '.join(changes)}: not while {runs.public_id(row)} holds {', '.join(held)};"
                " close the positions first, or set it back"
            )
        runs.finish(session, runs.number(row), "finished", None, now)
        same_market = _origin(row) == origin and not _money_changed(row, settings)
        return _begin(session, settings, origin, now, _cash(state) if same_market else 0)


def structure(settings: Settings) -> dict[str, Any]:
    """Return what a session is made of and cannot change without a new one."""
    return {
        "symbols": list(settings.symbols),
        "timeframe": settings.engine.timeframe,
        "trading_interval": settings.engine.trading_interval,
        "mode": settings.engine.mode.value,
        "paper equity": str(settings.paper_equity),
        "market": [
            settings.market_data.source,
            settings.market_data.venue,
            settings.market_data.demo_seed,
        ],
    }


def _unfinished(session: Session) -> RunRow | None:
    row = runs.last(session, kind=KIND)
    return row if row is not None and row.finished_at is None else None


def _begin(
    session: Session, settings: Settings, origin: Origin, now: datetime, opening_cash: int
) -> Found:
    run_id = runs.create(
        session, kind=KIND, source=origin.source, timeframe=settings.engine.timeframe,
        symbols=settings.symbols, strategies=enabled_strategies(settings),
        inputs={"venue": origin.venue, "opening_cash": opening_cash, **structure(settings)},
        config_hash=settings.hash(), config=settings.canonical_json(), now=now,
    )  # fmt: skip
    return Found(run_id, settings, None, opening_cash)


def _origin(row: RunRow) -> Origin:
    return Origin(row.source, str(row.inputs["venue"]))


def _changes(row: RunRow, settings: Settings, origin: Origin) -> list[str]:
    """Return one phrase per difference between a stored session and what is wanted now."""
    wanted = {"source": origin.source, "venue": origin.venue, **structure(settings)}
    stored = {"source": row.source, **row.inputs}
    return [
        f"{name} was {stored[name]}, is now {value}"
        for name, value in wanted.items()
        if name != "market" and stored[name] != value  # source and venue say what it became
    ]


def _money_changed(row: RunRow, settings: Settings) -> bool:
    return bool(row.inputs["paper equity"] != structure(settings)["paper equity"])


def _open_symbols(row: RunRow, state: str | None) -> list[str]:
    if state is None:
        return []
    positions = json.loads(state)["positions"]["positions"]
    return [symbol for symbol, p in zip(row.symbols, positions, strict=True) if p[0]]


def _cash(state: str | None) -> int:
    if state is None:
        return 0
    found: Mapping[str, Any] = json.loads(state)["venue"]
    return int(found["cash"])
