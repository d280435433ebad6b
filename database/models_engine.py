"""Tables of the living engine: session record, prices, stops, messages, jobs, daily books."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from sqlalchemy import JSON, BigInteger, Column, Index, LargeBinary, Text
from sqlmodel import Field, SQLModel

from database.types import BIG_ID, ExactDecimal, UtcDateTime

Day: TypeAlias = date  # a column is named `date` too
_NULLABLE_JSON: Final = JSON(none_as_null=True)


class SessionEventRow(SQLModel, table=True):
    """Everything that came into a session between two commits, packed: what `replay` repeats.

    Candles, prices that the paper venue filled against, operator events, models. One row per
    commit, in the same transaction, so that the record never lacks what the books contain.
    """

    __tablename__ = "session_events"

    run_id: int = Field(primary_key=True, foreign_key="runs.id")
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    at_ms: int = Field(sa_type=BigInteger)  # trading time of the last event in it
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # zlib of a JSON list


class LatestPriceRow(SQLModel, table=True):
    """The newest price of a symbol, and what its source tells beside it."""

    __tablename__ = "latest_prices"

    venue: str = Field(primary_key=True, max_length=16)
    symbol: str = Field(primary_key=True, max_length=32)
    source: str = Field(primary_key=True, max_length=16)
    price: Decimal = Field(sa_type=ExactDecimal)
    at: datetime = Field(sa_type=UtcDateTime)  # trading time
    received_at: datetime = Field(sa_type=UtcDateTime)  # system time
    funding_rate: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    open_interest: Decimal | None = Field(default=None, sa_type=ExactDecimal)


class EmergencyStopRow(SQLModel, table=True):
    """One emergency stop: its steps as they happen, and the report at the end."""

    __tablename__ = "emergency_stops"
    __table_args__ = (Index("ux_emergency_stops", "run_id", "started_at", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="runs.id")
    trigger: str = Field(max_length=32)  # EmergencyTrigger
    requested_by: str = Field(max_length=64)
    status: str = Field(max_length=16)  # halting, flattening, flat, kept, rearmed
    started_at: datetime = Field(sa_type=UtcDateTime)  # system time
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    positions: int  # open when it began
    remaining: int  # open now
    steps: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))


class OutboxRow(SQLModel, table=True):
    """A message that a channel has to deliver; written first, sent later, never lost."""

    __tablename__ = "notification_outbox"
    __table_args__ = (
        Index("ix_outbox_waiting", "status", "next_try_at"),
        Index("ux_outbox_key", "channel", "key", unique=True),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    channel: str = Field(max_length=16)
    kind: str = Field(max_length=32)  # NotificationType
    severity: str = Field(max_length=10)
    message: str = Field(sa_column=Column(Text, nullable=False))
    data: dict[str, Any] | None = Field(default=None, sa_column=Column(_NULLABLE_JSON))
    alert_id: int | None = Field(default=None)
    status: str = Field(default="waiting", max_length=10)  # an `OutboxStatus`
    attempts: int = Field(default=0)
    created_at: datetime = Field(sa_type=UtcDateTime)
    next_try_at: datetime = Field(sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_error: str | None = Field(default=None, sa_column=Column(Text))
    key: str | None = Field(default=None, max_length=64)  # of the notice: stored once per channel
    image: bytes | None = Field(default=None, sa_column=Column(LargeBinary))  # PNG that goes along
    digest_id: int | None = Field(default=None, sa_type=BigInteger)  # the message it went into


class DailyAccountSummaryRow(SQLModel, table=True):
    """One trading day of one account and mode in money (document 001)."""

    __tablename__ = "daily_account_summary"
    __table_args__ = (Index("ux_daily_summary", "date", "account", "mode", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    date: Day  # trading day
    account: str = Field(default="default", max_length=32)
    mode: str = Field(max_length=16)  # paper-demo, paper-exchange, live
    run_id: int = Field(foreign_key="runs.id")
    starting_equity: Decimal = Field(sa_type=ExactDecimal)
    ending_equity: Decimal = Field(sa_type=ExactDecimal)
    realized_pnl: Decimal = Field(sa_type=ExactDecimal)
    unrealized_pnl: Decimal = Field(sa_type=ExactDecimal)
    fees: Decimal = Field(sa_type=ExactDecimal)
    funding: Decimal = Field(sa_type=ExactDecimal)
    max_drawdown: Decimal = Field(sa_type=ExactDecimal)  # fraction of the day's highest equity
    trade_count: int  # closed
    win_count: int
    loss_count: int
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class JobRow(SQLModel, table=True):
    """The last run of each job."""

    __tablename__ = "jobs"

    name: str = Field(primary_key=True, max_length=32)
    status: str = Field(max_length=10)  # ok, failed, running
    started_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    milliseconds: int | None = None
    failures: int = Field(default=0)  # in a row
    error: str | None = Field(default=None, sa_column=Column(Text))
    asked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # by a person, not begun
