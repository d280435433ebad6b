"""What the platform is doing, as `status --json` answers; with no engine and no database too."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database
from sqlmodel import Session

from auto_trading import engine_file
from crypto_trader_pro.domain.enums import ObservedState
from crypto_trader_pro.domain.errors import TradingError
from crypto_trader_pro.domain.instruments import money, plain_text
from database import runs
from database.auto_trading_db import schema_state, translated
from database.engine_state import EngineState, engine_state
from database.status import LastRun, snapshot
from utils.processes import ProcessId, is_gone

_AT_WORK = (ObservedState.STARTING, ObservedState.RUNNING, ObservedState.STOPPING)
_OUTDATED = 'the database has the schema of another version: run "init-db"'


def nothing_yet() -> dict[str, Any]:
    """Return the answer of a platform that has never run."""
    return {
        "desired_state": "stopped",
        "observed_state": "stopped",
        "trading_state": None,
        "paused": None,  # by a person; known of a living engine only
        "mode": None,
        "data_source": None,
        "engine_pid": None,
        "epoch": None,
        "heartbeat_age_seconds": None,
        "equity": None,
        "cash": None,
        "open_positions": 0,
        "working_orders": 0,
        "orders_total": 0,
        "fills_total": 0,
        "decisions_total": 0,
        "open_alerts": 0,
        "waiting_commands": 0,
        "run_id": None,  # the run that the figures are of
        "last_run_id": None,
        "last_run_status": None,
        "last_error": None,
    }


def status_view(database: Database, now: datetime, var_dir: Path) -> dict[str, Any]:
    """Return the state of the platform; a database that does not serve is the last error.

    The figures are those of a living engine's session, else of the newest run.

    Args:
        now: system time.
        var_dir: whose engine file tells of the engine while the database does not.
    """
    try:
        schema = schema_state(database)
        if schema == "missing":
            return nothing_yet()
        if schema != "current":
            return {**_without_database(now, var_dir), "last_error": _OUTDATED}
        with translated("the status", database), Session(database) as session:
            return _stored(session, now)
    except TradingError as e:
        return {**_without_database(now, var_dir), "last_error": str(e)}


def process_is_gone(host: str, pid: int, started: int) -> bool:
    """True when the process that a lease names has provably ended."""
    return is_gone(ProcessId(host, pid, started))


def _stored(session: Session, now: datetime) -> dict[str, Any]:
    answer = nothing_yet()
    engine = engine_state(session, now, process_is_gone)
    if engine is not None:
        answer.update(_engine(engine))
    living = engine.run_id if engine is not None and engine.alive else None
    found = snapshot(session, living)
    answer.update(open_alerts=found.open_alerts, waiting_commands=found.waiting_commands)
    if found.last_run is not None:
        answer.update(_run(found.last_run))
        answer.update(_last(session))
        answer.update(_account(session, found.last_run, engine))
    if engine is not None and engine.alive:  # before its session there is an older run's
        answer.update(mode=engine.mode, data_source=engine.source or None)
    return answer


def _engine(engine: EngineState) -> dict[str, Any]:
    known: dict[str, Any] = {
        "desired_state": engine.desired.value,
        "observed_state": engine.observed.value,
        "last_error": engine.last_error,
    }
    if engine.epoch:  # an engine has been there
        known.update(
            trading_state=engine.trading.value,
            mode=engine.mode,
            data_source=engine.source or None,
            engine_pid=engine.pid if engine.alive else None,
            epoch=engine.epoch,
            heartbeat_age_seconds=round(engine.heartbeat_age_seconds, 1),
        )
    if engine.account is not None:
        known["paused"] = bool(engine.account.get("paused"))
    return known


def _run(run: LastRun) -> dict[str, Any]:
    return {
        "data_source": run.source,
        "mode": "backtest" if run.kind == "replay" else run.kind,
        "open_positions": run.open_positions,
        "working_orders": run.working_orders,
        "orders_total": run.orders,
        "fills_total": run.fills,
        "decisions_total": run.decisions,
        "run_id": run.run_id,
    }


def _last(session: Session) -> dict[str, Any]:
    row = runs.last(session)
    return (
        {} if row is None else {"last_run_id": runs.public_id(row), "last_run_status": row.status}
    )


def _account(session: Session, run: LastRun, engine: EngineState | None) -> dict[str, Any]:
    """Return equity and cash: of the heartbeat, else of the last commit, as the positions are."""
    if engine is not None and engine.account is not None:
        names = ("equity", "cash", "open_positions", "working_orders")
        return {name: engine.account[name] for name in names if name in engine.account}
    row = runs.find(session, run.run_id)
    stored = runs.checkpoint(session, runs.number(row))
    return {} if stored is None else _of_checkpoint(json.loads(stored))


def _of_checkpoint(state: dict[str, Any]) -> dict[str, Any]:
    cash = sum(n for account, _, n in state["positions"]["ledger"] if account == "cash")
    return {"equity": plain_text(money(state["risk"]["equity"])), "cash": plain_text(money(cash))}


def _without_database(now: datetime, var_dir: Path) -> dict[str, Any]:
    """Return what the engine's own file tells; what people want of it stands in the database."""
    answer = nothing_yet()
    found = engine_file.read(var_dir)
    if found is None:
        return answer
    observed = ObservedState(found.observed_state)
    if not found.is_alive and observed in _AT_WORK:
        observed = ObservedState.FAULTED
    return answer | {
        "desired_state": None,
        "observed_state": observed.value,
        "trading_state": found.trading_state,
        "engine_pid": found.pid if found.is_alive else None,
        "epoch": found.epoch,
        "heartbeat_age_seconds": round(
            max(0.0, (now - datetime.fromisoformat(found.at)).total_seconds()), 1
        ),
    }
