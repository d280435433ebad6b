"""Create the tables of trading.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

from database.types import BIG_ID, ExactDecimal, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    "decisions",
    "ai_signals_log",
    "orders",
    "fills",
    "ledger_entries",
    "positions",
    "trades",
    "shadow_trades",
    "market_data",
)


def upgrade() -> None:
    _decisions()
    _ai_signals_log()
    _orders()
    _fills()
    _ledger_entries()
    _positions()
    _trades()
    _shadow_trades()
    _market_data()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("strategy", sa.String(50), nullable=True),
        sa.Column("direction", sa.SmallInteger(), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("gate_state", sa.String(10), nullable=False),
        sa.Column("gate_reason", sa.String(12), nullable=False),
        sa.Column("trading_state", sa.String(10), nullable=False),
        sa.Column("mask", sa.BigInteger(), nullable=False),
        sa.Column("first_refusal", sa.String(24), nullable=True),
        sa.Column("lots", sa.BigInteger(), nullable=False),
        sa.Column("bound", sa.SmallInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("equity", sa.BigInteger(), nullable=False),
        sa.Column("window_hash", sa.LargeBinary(16), nullable=False),
        sa.Column("order_id", sa.String(32), nullable=True),
        sa.Column("inputs", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
    )
    op.create_index(
        "ix_decisions_outcome",
        "decisions",
        ["run_id", "outcome", "id"],
        sqlite_where=sa.text("outcome <> 'hold'"),
        postgresql_where=sa.text("outcome <> 'hold'"),
    )
    op.create_index(
        "ix_decisions_refused",
        "decisions",
        ["run_id", "first_refusal", "id"],
        sqlite_where=sa.text("first_refusal IS NOT NULL"),
        postgresql_where=sa.text("first_refusal IS NOT NULL"),
    )
    op.create_index("ux_decisions", "decisions", ["run_id", "at_ms", "symbol"], unique=True)


def _ai_signals_log() -> None:
    op.create_table(
        "ai_signals_log",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("strategy", sa.String(50), nullable=False),
        sa.Column("signal_type", sa.String(4), nullable=False),
        sa.Column("confidence_score", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("entry_price", ExactDecimal(), nullable=True),
        sa.Column("stop_loss", ExactDecimal(), nullable=True),
        sa.Column("take_profit", ExactDecimal(), nullable=True),
        sa.Column("executed", sa.Boolean(), nullable=False),
        sa.Column("execution_price", ExactDecimal(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("executed_at", UtcDateTime(), nullable=True),
        sa.Column("model_id", sa.String(64), nullable=True),
        sa.Column("probability", sa.Integer(), nullable=True),
        sa.Column("break_even", sa.Integer(), nullable=True),
        sa.Column("edge_mbp", sa.Integer(), nullable=True),
        sa.Column("baseline_probability", sa.Integer(), nullable=True),
        sa.Column("model_gate", sa.String(24), nullable=True),
    )
    op.create_index("ix_signals", "ai_signals_log", ["run_id", "created_at"])


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("client_order_id", sa.String(32), primary_key=True),
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("side", sa.String(4), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("order_type", sa.String(12), nullable=False),
        sa.Column("size", ExactDecimal(), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=True),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
        sa.Column("strategy", sa.String(50), nullable=False),
        sa.Column("parent_id", sa.String(32), nullable=True),
        sa.Column("stop_distance", ExactDecimal(), nullable=True),
        sa.Column("target_distance", ExactDecimal(), nullable=True),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("filled_size", ExactDecimal(), nullable=False),
        sa.Column("fees", ExactDecimal(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("risk_snapshot", sa.Text(), nullable=True),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.Column("journaled_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
    )
    open_orders = sa.text(
        "status NOT IN ('filled', 'canceled', 'expired', 'rejected', 'denied', 'absent')"
    )
    op.create_index(
        "ix_orders_open", "orders", ["run_id", "client_order_id"],
        sqlite_where=open_orders, postgresql_where=open_orders,
    )  # fmt: skip
    op.create_index("ix_orders_symbol", "orders", ["run_id", "symbol", "decided_at"])


def _fills() -> None:
    op.create_table(
        "fills",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("trade_id", sa.String(64), nullable=False),
        sa.Column(
            "client_order_id",
            sa.String(32),
            sa.ForeignKey("orders.client_order_id"),
            nullable=False,
        ),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("side", sa.String(4), nullable=False),
        sa.Column("size", ExactDecimal(), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("fee", ExactDecimal(), nullable=False),
        sa.Column("fee_asset", sa.String(16), nullable=False),
        sa.Column("is_maker", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(12), nullable=False),
        sa.Column("filled_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_fills_client_order_id", "fills", ["client_order_id"])
    op.create_index("ux_fills", "fills", ["run_id", "symbol", "trade_id"], unique=True)


def _ledger_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("reference", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("account", sa.String(48), nullable=False),
        sa.Column("asset", sa.String(32), nullable=False),
        sa.Column("amount", ExactDecimal(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index(
        "ux_ledger", "ledger_entries", ["run_id", "reference", "account", "asset"], unique=True
    )


def _positions() -> None:
    op.create_table(
        "positions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("side", sa.String(10), nullable=False),
        sa.Column("size", ExactDecimal(), nullable=False),
        sa.Column("entry_price", ExactDecimal(), nullable=False),
        sa.Column("current_price", ExactDecimal(), nullable=True),
        sa.Column("leverage", ExactDecimal(), nullable=True),
        sa.Column("margin", ExactDecimal(), nullable=True),
        sa.Column("liquidation_price", ExactDecimal(), nullable=True),
        sa.Column("unrealized_pnl", ExactDecimal(), nullable=True),
        sa.Column("realized_pnl", ExactDecimal(), nullable=True),
        sa.Column("open_time", UtcDateTime(), nullable=False),
        sa.Column("close_time", UtcDateTime(), nullable=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("strategy", sa.String(50), nullable=False),
        sa.Column("stop_price", ExactDecimal(), nullable=True),
        sa.Column("target_price", ExactDecimal(), nullable=True),
    )
    op.create_index("idx_positions_status", "positions", ["status"])
    op.create_index("idx_positions_symbol", "positions", ["symbol"])
    op.create_index(
        "ux_positions_life", "positions", ["run_id", "symbol", "open_time"], unique=True
    )


def _trades() -> None:
    op.create_table(
        "trades",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("order_id", sa.String(50), unique=True, nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("side", sa.String(10), nullable=False),
        sa.Column("order_type", sa.String(20), nullable=False),
        sa.Column("size", ExactDecimal(), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("notional", ExactDecimal(), nullable=False),
        sa.Column("commission", ExactDecimal(), nullable=True),
        sa.Column("slippage", ExactDecimal(), nullable=True),
        sa.Column("strategy", sa.String(50), nullable=True),
        sa.Column("signal_strength", ExactDecimal(), nullable=True),
        sa.Column("execution_time", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("realized_pnl", ExactDecimal(), nullable=True),
    )
    op.create_index("idx_trades_execution_time", "trades", ["execution_time"])
    op.create_index("idx_trades_symbol", "trades", ["symbol"])
    op.create_index("ix_trades_run", "trades", ["run_id", "execution_time", "id"])


def _shadow_trades() -> None:
    op.create_table(
        "shadow_trades",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("model_id", sa.String(64), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("side", sa.String(4), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("probability", sa.Integer(), nullable=False),
        sa.Column("expected_mbp", sa.Integer(), nullable=False),
        sa.Column("realized_mbp", sa.Integer(), nullable=True),
        sa.Column("exit_reason", sa.String(12), nullable=True),
    )
    op.create_index(
        "ux_shadow", "shadow_trades", ["run_id", "symbol", "side", "decided_at"], unique=True
    )


def _market_data() -> None:
    op.create_table(
        "market_data",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("venue", sa.String(16), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("timeframe", sa.String(8), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("open", ExactDecimal(), nullable=True),
        sa.Column("high", ExactDecimal(), nullable=True),
        sa.Column("low", ExactDecimal(), nullable=True),
        sa.Column("close", ExactDecimal(), nullable=True),
        sa.Column("volume", ExactDecimal(), nullable=True),
        sa.Column("funding_rate", ExactDecimal(), nullable=True),
        sa.Column("open_interest", ExactDecimal(), nullable=True),
    )
    op.create_index("idx_market_data_symbol_timestamp", "market_data", ["symbol", "timestamp"])
    op.create_index(
        "ux_market_data",
        "market_data",
        ["venue", "symbol", "timeframe", "source", "timestamp"],
        unique=True,
    )
