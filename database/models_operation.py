"""Tables of the operation: runs, configuration, commands, lease, logs, alerts, models."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from sqlalchemy import JSON, BigInteger, Column, Index, Text
from sqlmodel import Field, SQLModel

from database.types import BIG_ID, ExactDecimal, UtcDateTime

Day: TypeAlias = date  # a column is named `date` too
_NULLABLE_JSON: Final = JSON(none_as_null=True)  # None is NULL, not the JSON text null


class RunRow(SQLModel, table=True):
    """One call of `replay`, or one session of the engine. Results of two runs are never mixed."""

    __tablename__ = "runs"

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=16)  # replay, paper, live
    source: str = Field(max_length=16)  # replay, demo, exchange
    status: str = Field(max_length=16, index=True)  # running, finished, failed
    started_at: datetime = Field(sa_type=UtcDateTime)  # system time
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    timeframe: str = Field(max_length=8)
    symbols: list[str] = Field(sa_column=Column(JSON, nullable=False))
    strategies: list[str] = Field(sa_column=Column(JSON, nullable=False))
    inputs: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # files and hashes
    config_hash: str = Field(max_length=64)
    config: str = Field(sa_column=Column(Text, nullable=False))  # canonical JSON
    code_version: str = Field(max_length=64)
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(_NULLABLE_JSON))


class CheckpointRow(SQLModel, table=True):
    """The engine's state as of the last commit of a run; written in that same transaction."""

    __tablename__ = "checkpoints"

    run_id: int = Field(primary_key=True, foreign_key="runs.id")
    at_ms: int = Field(sa_type=BigInteger)
    state: str = Field(sa_column=Column(Text, nullable=False))


class AutoTradingConfigRow(SQLModel, table=True):
    """Every configuration that was applied; the newest row is the one in force (document 004)."""

    __tablename__ = "auto_trading_config"

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(default=1)
    is_enabled: bool = Field(default=False)  # the desired state
    trading_mode: str = Field(default="CONSERVATIVE", max_length=16)
    max_daily_loss_pct: Decimal = Field(sa_type=ExactDecimal)
    max_positions: int
    trading_interval: int  # seconds
    symbols: list[str] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    applied_by: str = Field(max_length=64)
    config_hash: str = Field(max_length=64, index=True)
    content: str = Field(sa_column=Column(Text, nullable=False))  # canonical JSON of all files


class CommandRow(SQLModel, table=True):
    """A wish of a person or a job; the engine decides again, applies it and answers in the row."""

    __tablename__ = "commands"
    __table_args__ = (Index("ix_commands_waiting", "status", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    command_id: str = Field(max_length=36, unique=True)
    kind: str = Field(max_length=32)
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    requested_by: str = Field(max_length=64)
    requested_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    status: str = Field(default="asked", max_length=16)  # asked, taken, done, refused
    claimed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answer: dict[str, Any] | None = Field(default=None, sa_column=Column(_NULLABLE_JSON))


class EngineLeaseRow(SQLModel, table=True):
    """Who may trade an account, its fencing number, and its heartbeat."""

    __tablename__ = "engine_lease"

    account: str = Field(primary_key=True, max_length=32)
    owner: str = Field(max_length=36)
    pid: int
    pid_started: int = Field(sa_type=BigInteger)
    host: str = Field(max_length=128)
    epoch: int
    expires_at: datetime = Field(sa_type=UtcDateTime)
    heartbeat_at: datetime = Field(sa_type=UtcDateTime)
    desired_state: str = Field(default="stopped", max_length=16)
    observed_state: str = Field(default="stopped", max_length=16)
    trading_state: str = Field(default="active", max_length=16)
    run_id: int | None = Field(default=None)
    last_error: str | None = Field(default=None, sa_column=Column(Text))
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # of the process
    mode: str = Field(default="paper", max_length=10)
    source: str = Field(default="", max_length=16)  # demo, exchange
    build: str = Field(default="", max_length=160)  # code, schema and configuration that run
    view: dict[str, Any] | None = Field(default=None, sa_column=Column(_NULLABLE_JSON))


class AutoTradingLogRow(SQLModel, table=True):
    """The log table (document 004)."""

    __tablename__ = "auto_trading_logs"
    __table_args__ = (
        Index("ix_logs_level", "log_level", "id"),
        Index("ix_logs_component", "component", "id"),
        Index("ix_logs_correlation", "correlation_id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    user_id: int = Field(default=1)
    timestamp: datetime = Field(sa_type=UtcDateTime)
    log_level: str = Field(max_length=10)
    component: str = Field(max_length=16)
    message: str = Field(sa_column=Column(Text, nullable=False))
    data: dict[str, Any] | None = Field(default=None, sa_column=Column(_NULLABLE_JSON))
    correlation_id: str | None = Field(default=None, max_length=64)
    run_id: int | None = Field(default=None)


class AlertRow(SQLModel, table=True):
    """Something a person should know; a code with numbers, worded by the catalogue."""

    __tablename__ = "alerts"
    __table_args__ = (Index("ix_alerts_open", "acknowledged_at", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: int | None = Field(default=None)
    kind: str = Field(max_length=32)  # NotificationType
    severity: str = Field(max_length=10)
    code: str = Field(max_length=48)
    numbers: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: datetime = Field(sa_type=UtcDateTime)  # trading time
    raised_at: datetime = Field(sa_type=UtcDateTime)  # system time
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    acknowledged_by: str | None = Field(default=None, max_length=64)
    escalated_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # told again
    escalations: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class EquityRow(SQLModel, table=True):
    """The account at one instant of trading time."""

    __tablename__ = "equity"
    __table_args__ = (
        Index("ux_equity", "run_id", "at", unique=True),
        Index("ix_equity_run", "run_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    run_id: int = Field(foreign_key="runs.id")
    at: datetime = Field(sa_type=UtcDateTime)
    equity: Decimal = Field(sa_type=ExactDecimal)
    cash: Decimal = Field(sa_type=ExactDecimal)
    unrealized_pnl: Decimal = Field(sa_type=ExactDecimal)
    realized_pnl: Decimal = Field(sa_type=ExactDecimal)
    drawdown: Decimal = Field(sa_type=ExactDecimal)  # fraction of the peak
    open_positions: int
    trading_state: str = Field(max_length=16)


class PerformanceMetricRow(SQLModel, table=True):
    """One trading day of one account (document 002); unique over date, account and mode."""

    __tablename__ = "performance_metrics"
    __table_args__ = (
        Index("ux_performance", "date", "account", "mode", unique=True),
        Index("idx_performance_date", "date"),
    )

    id: int | None = Field(default=None, primary_key=True)
    date: Day  # trading day
    account: str = Field(default="default", max_length=32)
    mode: str = Field(max_length=16)
    equity: Decimal = Field(sa_type=ExactDecimal)
    daily_return: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    sharpe_ratio: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    sortino_ratio: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    max_drawdown: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    var_daily: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    trade_count: int | None = None
    win_rate: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    total_commission: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    funding_pnl: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    created_at: datetime = Field(sa_type=UtcDateTime)


class ModelRow(SQLModel, table=True):
    """A trained model: what it was trained on, how it did out of sample, until when it counts."""

    __tablename__ = "models"

    model_id: str = Field(primary_key=True, max_length=64)
    run_id: int | None = Field(default=None, index=True)
    strategy: str = Field(max_length=50)
    timeframe: str = Field(max_length=8)
    trained_at: datetime = Field(sa_type=UtcDateTime)  # trading time of the cutoff
    created_at: datetime = Field(sa_type=UtcDateTime)  # system time
    expires_at: datetime = Field(sa_type=UtcDateTime)
    data_from: datetime = Field(sa_type=UtcDateTime)
    data_to: datetime = Field(sa_type=UtcDateTime)
    rows: int
    symbols: list[str] = Field(sa_column=Column(JSON, nullable=False))
    schema_hash: str = Field(max_length=64)
    config_hash: str = Field(max_length=64)
    metrics: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    training_seconds: Decimal = Field(sa_type=ExactDecimal)
