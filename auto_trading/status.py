"""What the platform is doing, as `status --json` answers; with no engine and no database too."""

import json
from typing import Any

from sqlalchemy import Engine as Database
from sqlmodel import Session

from crypto_trader_pro.domain.errors import TradingError
from crypto_trader_pro.domain.instruments import money, plain_text
from database import runs
from database.auto_trading_db import schema_state, translated
from database.status import snapshot


def nothing_yet() -> dict[str, Any]:
    """Return the answer of a platform that has never run."""
    return {
        "desired_state": "stopped",
        "observed_state": "stopped",
        "trading_state": None,
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
        "last_run_id": None,
        "last_run_status": None,
        "last_error": None,
    }


def status_view(database: Database) -> dict[str, Any]:
    """Return the state of the platform; a database that does not serve is the last error."""
    answer = nothing_yet()
    try:
        if schema_state(database) != "current":
            return answer
        with translated("the status", database), Session(database) as session:
            found = snapshot(session)
            answer["open_alerts"] = found.open_alerts
            run = found.last_run
            if run is None:
                return answer
            row = runs.find(session, run.run_id)
            stored = runs.checkpoint(session, runs.number(row))
    except TradingError as e:
        return {**answer, "last_error": str(e)}
    answer.update(
        data_source=run.source,
        mode="backtest" if run.kind == "replay" else run.kind,
        open_positions=run.open_positions,
        working_orders=run.working_orders,
        orders_total=run.orders,
        fills_total=run.fills,
        decisions_total=run.decisions,
        last_run_id=run.run_id,
        last_run_status=run.status,
    )
    if stored:
        answer.update(_account(json.loads(stored)))
    return answer


def _account(state: dict[str, Any]) -> dict[str, Any]:
    """Return equity and cash of a checkpoint."""
    cash = sum(n for account, _, n in state["positions"]["ledger"] if account == "cash")
    return {"equity": plain_text(money(state["risk"]["equity"])), "cash": plain_text(money(cash))}
