"""The journal's statements, written once per dialect and run with plain tuples.

Two tables get a row for every symbol and candle; compiled inserts with ready-made values are what
keeps the engine path fast (ADR 0003).
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from database.candles import CANDLE_COLUMNS
from database.statements import Statement, insert, upsert

DECISION_COLUMNS: Final = (
    "run_id", "at_ms", "symbol", "outcome", "strategy", "direction", "confidence", "gate_state",
    "gate_reason", "trading_state", "mask", "first_refusal", "lots", "bound", "price", "equity",
    "window_hash", "order_id", "inputs", "detail",
)  # fmt: skip
SIGNAL_COLUMNS: Final = (
    "user_id", "run_id", "symbol", "strategy", "signal_type", "confidence_score", "reason",
    "entry_price", "stop_loss", "take_profit", "executed", "created_at", "model_id", "probability",
    "break_even", "edge_mbp", "baseline_probability", "model_gate",
)  # fmt: skip
QUIET_COLUMNS: Final = (
    "user_id", "run_id", "symbol", "strategy", "signal_type", "confidence_score", "reason",
    "executed", "created_at",
)  # fmt: skip
ORDER_COLUMNS: Final = (
    "client_order_id", "run_id", "epoch", "symbol", "side", "role", "order_type", "size", "price",
    "reduce_only", "strategy", "parent_id", "stop_distance", "target_distance", "status",
    "filled_size", "fees", "reason", "risk_snapshot", "config_hash", "decided_at", "journaled_at",
    "updated_at",
)  # fmt: skip
FILL_COLUMNS: Final = (
    "run_id", "trade_id", "client_order_id", "symbol", "side", "size", "price", "fee", "fee_asset",
    "is_maker", "reason", "filled_at",
)  # fmt: skip
LEDGER_COLUMNS: Final = ("run_id", "reference", "kind", "account", "asset", "amount", "at")
POSITION_COLUMNS: Final = (
    "run_id", "symbol", "side", "size", "entry_price", "realized_pnl", "open_time", "close_time",
    "status", "created_at", "updated_at", "strategy",
)  # fmt: skip
TRADE_COLUMNS: Final = (
    "run_id", "order_id", "symbol", "side", "order_type", "size", "price", "notional",
    "commission", "slippage", "strategy", "execution_time", "role", "realized_pnl", "created_at",
)  # fmt: skip
EQUITY_COLUMNS: Final = (
    "run_id", "at", "equity", "cash", "unrealized_pnl", "realized_pnl", "drawdown",
    "open_positions", "trading_state",
)  # fmt: skip
ALERT_COLUMNS: Final = ("run_id", "kind", "severity", "code", "numbers", "at", "raised_at")
SHADOW_COLUMNS: Final = (
    "run_id", "model_id", "symbol", "side", "decided_at", "probability", "expected_mbp",
)  # fmt: skip
MODEL_COLUMNS: Final = (
    "model_id", "run_id", "strategy", "timeframe", "trained_at", "created_at", "expires_at",
    "data_from", "data_to", "rows", "symbols", "schema_hash", "config_hash", "metrics",
    "training_seconds",
)  # fmt: skip
COMMAND_COLUMNS: Final = (
    "command_id", "kind", "payload", "requested_by", "requested_at", "status", "finished_at",
    "answer",
)  # fmt: skip
EMERGENCY_COLUMNS: Final = (
    "run_id", "trigger", "requested_by", "status", "started_at", "finished_at", "positions",
    "remaining", "steps",
)  # fmt: skip
_LEASE: Final = {
    "sqlite": "SELECT epoch FROM engine_lease WHERE account = ? AND epoch = ?",
    "postgresql": "SELECT epoch FROM engine_lease WHERE account = ? AND epoch = ? FOR SHARE",
}


@dataclass(frozen=True, slots=True)
class Statements:
    decisions: Statement
    signals: Statement
    quiet: Statement
    executed: Statement
    orders: Statement
    order_changes: Statement
    fills: Statement
    ledger: Statement
    positions: Statement
    stops: Statement
    targets: Statement
    trades: Statement
    equity: Statement
    alerts: Statement
    shadows: Statement
    shadows_closed: Statement
    models: Statement
    candles: Statement
    commands: Statement
    emergencies: Statement
    inputs: Statement
    lease: Statement
    wanted: Statement
    checkpoint: Statement


@cache
def for_dialect(dialect: str) -> Statements:
    """Return the statements for "sqlite" or "postgresql"."""
    changing = ("side", "size", "entry_price", "realized_pnl", "close_time", "status", "updated_at",
                "strategy")  # fmt: skip
    resting = "UPDATE positions SET {} = ? WHERE run_id = ? AND symbol = ? AND open_time = ?"
    return Statements(
        decisions=insert("decisions", DECISION_COLUMNS, dialect),
        signals=insert("ai_signals_log", SIGNAL_COLUMNS, dialect),
        quiet=insert("ai_signals_log", QUIET_COLUMNS, dialect),
        executed=Statement(
            "UPDATE ai_signals_log SET executed = ?, execution_price = ?, executed_at = ?"
            " WHERE run_id = ? AND symbol = ? AND created_at = ? AND strategy = ?",
            dialect,
        ),
        orders=insert("orders", ORDER_COLUMNS, dialect),
        order_changes=Statement(
            "UPDATE orders SET size = ?, price = ?, status = ?, filled_size = ?, fees = ?,"
            " reason = ?, updated_at = ? WHERE client_order_id = ?",
            dialect,
        ),
        fills=insert("fills", FILL_COLUMNS, dialect),
        ledger=insert("ledger_entries", LEDGER_COLUMNS, dialect),
        positions=upsert(
            "positions", POSITION_COLUMNS, ("run_id", "symbol", "open_time"), changing, dialect
        ),
        stops=Statement(resting.format("stop_price"), dialect),
        targets=Statement(resting.format("target_price"), dialect),
        trades=insert("trades", TRADE_COLUMNS, dialect),
        equity=insert("equity", EQUITY_COLUMNS, dialect),
        alerts=insert("alerts", ALERT_COLUMNS, dialect),
        shadows=insert("shadow_trades", SHADOW_COLUMNS, dialect),
        shadows_closed=Statement(
            "UPDATE shadow_trades SET closed_at = ?, realized_mbp = ?, exit_reason = ?"
            " WHERE run_id = ? AND symbol = ? AND side = ? AND decided_at = ?",
            dialect,
        ),
        # the id is a hash of the content: another run may have trained the very same model
        models=upsert("models", MODEL_COLUMNS, ("model_id",), ("model_id",), dialect),
        candles=Statement(
            insert("market_data", CANDLE_COLUMNS, "sqlite").text + " ON CONFLICT DO NOTHING",
            dialect,
        ),
        # one that came by a flag file has no row yet
        commands=upsert(
            "commands",
            COMMAND_COLUMNS,
            ("command_id",),
            ("status", "finished_at", "answer"),
            dialect,
        ),
        emergencies=upsert(
            "emergency_stops",
            EMERGENCY_COLUMNS,
            ("run_id", "started_at"),
            ("status", "finished_at", "remaining", "steps"),
            dialect,
        ),
        inputs=insert("session_events", ("run_id", "seq", "at_ms", "body"), dialect),
        # shared, so that a takeover waits for this commit and this commit for a takeover
        lease=Statement(_LEASE[dialect], dialect),
        wanted=Statement(
            "UPDATE engine_lease SET desired_state = ?"
            " WHERE account = ? AND (desired_state <> 'emergency' OR ?)",
            dialect,
        ),
        checkpoint=upsert(
            "checkpoints", ("run_id", "at_ms", "state"), ("run_id",), ("at_ms", "state"), dialect
        ),
    )
