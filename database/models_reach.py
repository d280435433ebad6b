"""Tables of what reaches in and out: strategies from outside, their journal, chat, tokens."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Column, Index, Text, text
from sqlmodel import Field, SQLModel

from database.types import BIG_ID, ExactDecimal, UtcDateTime

_NULLABLE_JSON: Final = JSON(none_as_null=True)


class StrategyRow(SQLModel, table=True):
    """A strategy whose signals come from outside (document 001). Its key is never stored."""

    __tablename__ = "strategies"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=40, unique=True)
    description: str = Field(default="", max_length=200)
    is_active: bool = Field(default=True)
    key_hash: str = Field(max_length=64, unique=True)  # SHA-256 of the 256-bit key, hex
    key_hint: str = Field(max_length=8)  # its last characters, to tell keys apart
    key_made_at: datetime = Field(sa_type=UtcDateTime)
    hmac_required: bool = Field(default=False)
    allowed_ips: list[str] = Field(sa_column=Column(JSON, nullable=False))  # none: any
    symbols: list[str] = Field(sa_column=Column(JSON, nullable=False))  # none: all configured
    per_minute: int = Field(default=30)  # signals that are taken
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(max_length=64)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class StrategyAccountRow(SQLModel, table=True):
    """Which account a strategy trades on (document 001)."""

    __tablename__ = "strategy_accounts"
    __table_args__ = (Index("ux_strategy_accounts", "strategy_id", "account", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    strategy_id: int = Field(foreign_key="strategies.id")
    account: str = Field(default="default", max_length=32)
    is_active: bool = Field(default=True)


class StrategyCapitalRow(SQLModel, table=True):
    """How much of an account's money a strategy may hold at most (document 001)."""

    __tablename__ = "strategy_capital"

    id: int | None = Field(default=None, primary_key=True)
    strategy_account_id: int = Field(foreign_key="strategy_accounts.id", unique=True)
    allocated_capital: Decimal = Field(sa_type=ExactDecimal)  # in the account's quote currency
    updated_at: datetime = Field(sa_type=UtcDateTime)
    updated_by: str = Field(max_length=64)


class WebhookLogRow(SQLModel, table=True):
    """One signal from outside and what became of it (document 001); stored before the answer."""

    __tablename__ = "webhook_logs"
    __table_args__ = (
        Index(
            "ux_webhook_alerts", "strategy_id", "alert_id", unique=True,
            sqlite_where=text("status = 'accepted'"),
            postgresql_where=text("status = 'accepted'"),
        ),
        Index("ix_webhook_received", "received_at"),
        Index("ix_webhook_strategy", "strategy_id", "received_at"),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    strategy_id: int = Field(foreign_key="strategies.id")
    strategy: str = Field(max_length=40)  # its name then
    received_at: datetime = Field(sa_type=UtcDateTime)
    remote: str = Field(max_length=45)  # address it came from
    form: str = Field(max_length=12)  # json, tradingview, text
    alert_id: str = Field(max_length=64)
    body: str = Field(sa_column=Column(Text, nullable=False))  # as it came, at most 8 KiB
    status: str = Field(max_length=10)  # accepted, duplicate, refused
    reason: str = Field(default="", max_length=200)  # why it was refused, in one line
    command_id: str | None = Field(default=None, max_length=36)  # what was asked of the engine
    replay_of: int | None = Field(default=None, sa_type=BigInteger)
    replayed_by: str | None = Field(default=None, max_length=64)


class ApiTokenRow(SQLModel, table=True):
    """A token that reads the JSON API. Only its hash is stored."""

    __tablename__ = "api_tokens"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=40, unique=True)
    token_hash: str = Field(max_length=64, unique=True)  # SHA-256, hex
    hint: str = Field(max_length=8)
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(max_length=64)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ChatCommandRow(SQLModel, table=True):
    """Everything that came by chat and what became of it: the audit of remote control."""

    __tablename__ = "chat_commands"
    __table_args__ = (Index("ux_chat_commands", "bot", "update_id", unique=True),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    bot: str = Field(max_length=24)  # number of the bot, the part of its token that is no secret
    update_id: int = Field(sa_type=BigInteger)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # as the service says
    received_at: datetime = Field(sa_type=UtcDateTime)
    chat_id: int | None = Field(default=None, sa_type=BigInteger)
    user_id: int | None = Field(default=None, sa_type=BigInteger)
    text: str = Field(max_length=256)  # the command, without secrets
    outcome: str = Field(max_length=24)  # done, asked, refused and the reason's code
    command_id: str | None = Field(default=None, max_length=36)


class ReachStateRow(SQLModel, table=True):
    """What the process that talks to the outside remembers, by name."""

    __tablename__ = "reach_state"

    name: str = Field(primary_key=True, max_length=48)
    value: dict[str, Any] | None = Field(default=None, sa_column=Column(_NULLABLE_JSON))
    updated_at: datetime = Field(sa_type=UtcDateTime)
