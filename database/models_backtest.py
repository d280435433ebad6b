"""Tables of backtests: the queue, the stored results, the trials each data window has seen."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Text
from sqlmodel import Field, SQLModel

from database.types import UtcDateTime

_NULLABLE_JSON: Final = JSON(none_as_null=True)  # None is NULL, not the JSON text null


class BacktestRow(SQLModel, table=True):
    """A finished backtest or study. Its arrays are files in `folder`; here is what lists show."""

    __tablename__ = "backtests"
    __table_args__ = (Index("ix_backtests_data", "data_sha256", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=16)  # as LabKind: backtest, sweep, optimize, ...
    name: str = Field(max_length=120)
    symbols: list[str] = Field(sa_column=Column(JSON, nullable=False))
    timeframe: str = Field(max_length=8)
    strategies: list[str] = Field(sa_column=Column(JSON, nullable=False))
    from_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # None: the first candle
    to_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    request: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    params: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    engine: str = Field(max_length=16)
    data_sha256: str = Field(max_length=64)
    config_hash: str = Field(max_length=64)
    summary: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    # curves of a few hundred points; a list of results does not read them
    charts: dict[str, Any] | None = Field(default=None, sa_column=Column(_NULLABLE_JSON))
    folder: str = Field(sa_column=Column(Text, nullable=False))  # "": nothing was written
    created_at: datetime = Field(sa_type=UtcDateTime)


class BacktestJobRow(SQLModel, table=True):
    """A backtest that somebody asked for and a worker runs, one after another."""

    __tablename__ = "backtest_jobs"
    __table_args__ = (Index("ix_backtest_jobs_status", "status", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=16)
    name: str = Field(max_length=120)
    request: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    status: str = Field(max_length=10)  # queued, running, finished, failed, canceled
    done: int = Field(default=0, sa_type=BigInteger)
    total: int = Field(default=0, sa_type=BigInteger)  # 0: not known
    text: str = Field(default="", max_length=200)  # what is being done
    requested_by: str = Field(max_length=64)
    requested_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    worker_host: str | None = Field(default=None, max_length=128)
    worker_pid: int | None = None
    worker_started: int | None = Field(default=None, sa_type=BigInteger)
    attempts: int = Field(default=0)
    cancel_asked: bool = Field(default=False)
    error: str | None = Field(default=None, sa_column=Column(Text))
    backtest_id: int | None = Field(default=None, foreign_key="backtests.id")


class ResearchTrialRow(SQLModel, table=True):
    """A set of parameters that was tried on a window of data; once, however often it is run."""

    __tablename__ = "research_trials"

    data_window: str = Field(primary_key=True, max_length=160)
    params_hash: str = Field(primary_key=True, max_length=64)
    strategy: str = Field(max_length=120)
    daily_sharpe: float | None = Field(default=None, sa_type=Float)  # of a day, not of a year
    added_at: datetime = Field(sa_type=UtcDateTime)
