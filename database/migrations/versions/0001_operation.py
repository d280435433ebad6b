"""Create the tables of the operation.

Revision: 0001, the first.
"""

import sqlalchemy as sa
from alembic import op

from database.types import BIG_ID, ExactDecimal, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "runs",
    "checkpoints",
    "auto_trading_config",
    "commands",
    "engine_lease",
    "auto_trading_logs",
    "alerts",
    "equity",
    "performance_metrics",
    "models",
)


def upgrade() -> None:
    _runs()
    _checkpoints()
    _auto_trading_config()
    _commands()
    _engine_lease()
    _auto_trading_logs()
    _alerts()
    _equity()
    _performance_metrics()
    _models()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("timeframe", sa.String(8), nullable=False),
        sa.Column("symbols", sa.JSON(), nullable=False),
        sa.Column("strategies", sa.JSON(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("code_version", sa.String(64), nullable=False),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
    )
    op.create_index("ix_runs_status", "runs", ["status"])


def _checkpoints() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
    )


def _auto_trading_config() -> None:
    op.create_table(
        "auto_trading_config",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("trading_mode", sa.String(16), nullable=False),
        sa.Column("max_daily_loss_pct", ExactDecimal(), nullable=False),
        sa.Column("max_positions", sa.Integer(), nullable=False),
        sa.Column("trading_interval", sa.Integer(), nullable=False),
        sa.Column("symbols", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("applied_by", sa.String(64), nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
    )
    op.create_index("ix_auto_trading_config_config_hash", "auto_trading_config", ["config_hash"])


def _commands() -> None:
    op.create_table(
        "commands",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("command_id", sa.String(36), unique=True, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("answer", sa.JSON(none_as_null=True), nullable=True),
    )
    op.create_index("ix_commands_waiting", "commands", ["status", "id"])


def _engine_lease() -> None:
    op.create_table(
        "engine_lease",
        sa.Column("account", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("pid_started", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.String(128), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=False),
        sa.Column("desired_state", sa.String(16), nullable=False),
        sa.Column("observed_state", sa.String(16), nullable=False),
        sa.Column("trading_state", sa.String(16), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
    )


def _auto_trading_logs() -> None:
    op.create_table(
        "auto_trading_logs",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("log_level", sa.String(10), nullable=False),
        sa.Column("component", sa.String(16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("correlation_id", sa.String(64), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
    )
    op.create_index("ix_logs_component", "auto_trading_logs", ["component", "id"])
    op.create_index("ix_logs_correlation", "auto_trading_logs", ["correlation_id"])
    op.create_index("ix_logs_level", "auto_trading_logs", ["log_level", "id"])


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("code", sa.String(48), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.String(64), nullable=True),
    )
    op.create_index("ix_alerts_open", "alerts", ["acknowledged_at", "id"])


def _equity() -> None:
    op.create_table(
        "equity",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("equity", ExactDecimal(), nullable=False),
        sa.Column("cash", ExactDecimal(), nullable=False),
        sa.Column("unrealized_pnl", ExactDecimal(), nullable=False),
        sa.Column("realized_pnl", ExactDecimal(), nullable=False),
        sa.Column("drawdown", ExactDecimal(), nullable=False),
        sa.Column("open_positions", sa.Integer(), nullable=False),
        sa.Column("trading_state", sa.String(16), nullable=False),
    )
    op.create_index("ux_equity", "equity", ["run_id", "at"], unique=True)


def _performance_metrics() -> None:
    op.create_table(
        "performance_metrics",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("equity", ExactDecimal(), nullable=False),
        sa.Column("daily_return", ExactDecimal(), nullable=True),
        sa.Column("sharpe_ratio", ExactDecimal(), nullable=True),
        sa.Column("sortino_ratio", ExactDecimal(), nullable=True),
        sa.Column("max_drawdown", ExactDecimal(), nullable=True),
        sa.Column("var_daily", ExactDecimal(), nullable=True),
        sa.Column("trade_count", sa.Integer(), nullable=True),
        sa.Column("win_rate", ExactDecimal(), nullable=True),
        sa.Column("total_commission", ExactDecimal(), nullable=True),
        sa.Column("funding_pnl", ExactDecimal(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
    op.create_index("idx_performance_date", "performance_metrics", ["date"])
    op.create_index(
        "ux_performance", "performance_metrics", ["date", "account", "mode"], unique=True
    )


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("model_id", sa.String(64), primary_key=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("strategy", sa.String(50), nullable=False),
        sa.Column("timeframe", sa.String(8), nullable=False),
        sa.Column("trained_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("data_from", UtcDateTime(), nullable=False),
        sa.Column("data_to", UtcDateTime(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("symbols", sa.JSON(), nullable=False),
        sa.Column("schema_hash", sa.String(64), nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("training_seconds", ExactDecimal(), nullable=False),
    )
    op.create_index("ix_models_run_id", "models", ["run_id"])
