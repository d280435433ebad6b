"""Add what reaches in and out: strategies from outside, webhook journal, tokens, chat audit.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

from database.types import BIG_ID, ExactDecimal, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = (
    "strategies",
    "strategy_accounts",
    "strategy_capital",
    "webhook_logs",
    "api_tokens",
    "chat_commands",
    "reach_state",
)


def upgrade() -> None:
    _strategies()
    _webhook_logs()
    _api_tokens()
    _chat_commands()
    _reach_state()
    _outbox_columns()
    _alert_columns()
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("asked_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("asked_at")
    with op.batch_alter_table("alerts") as alerts:
        for name in ("escalated_at", "escalations"):
            alerts.drop_column(name)
    op.drop_index("ux_outbox_key", "notification_outbox")
    with op.batch_alter_table("notification_outbox") as outbox:
        for name in ("key", "image", "digest_id"):
            outbox.drop_column(name)
    for table in reversed(TABLES):
        op.drop_table(table)


def _strategies() -> None:
    op.create_table(
        "strategies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("key_hint", sa.String(8), nullable=False),
        sa.Column("key_made_at", UtcDateTime(), nullable=False),
        sa.Column("hmac_required", sa.Boolean(), nullable=False),
        sa.Column("allowed_ips", sa.JSON(), nullable=False),
        sa.Column("symbols", sa.JSON(), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("key_hash"),
    )
    op.create_table(
        "strategy_accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("strategy_id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["strategy_id"], ["strategies.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ux_strategy_accounts", "strategy_accounts", ["strategy_id", "account"], unique=True
    )
    op.create_table(
        "strategy_capital",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("strategy_account_id", sa.Integer(), nullable=False),
        sa.Column("allocated_capital", ExactDecimal(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["strategy_account_id"], ["strategy_accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("strategy_account_id"),
    )


def _webhook_logs() -> None:
    op.create_table(
        "webhook_logs",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("strategy_id", sa.Integer(), nullable=False),
        sa.Column("strategy", sa.String(40), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("remote", sa.String(45), nullable=False),
        sa.Column("form", sa.String(12), nullable=False),
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("command_id", sa.String(36), nullable=True),
        sa.Column("replay_of", sa.BigInteger(), nullable=True),
        sa.Column("replayed_by", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(["strategy_id"], ["strategies.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    only = sa.text("status = 'accepted'")
    op.create_index(
        "ux_webhook_alerts", "webhook_logs", ["strategy_id", "alert_id"], unique=True,
        sqlite_where=only, postgresql_where=only,
    )  # fmt: skip
    op.create_index("ix_webhook_received", "webhook_logs", ["received_at"])
    op.create_index("ix_webhook_strategy", "webhook_logs", ["strategy_id", "received_at"])


def _api_tokens() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("hint", sa.String(8), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("token_hash"),
    )


def _chat_commands() -> None:
    op.create_table(
        "chat_commands",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("bot", sa.String(24), nullable=False),
        sa.Column("update_id", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.String(256), nullable=False),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("command_id", sa.String(36), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ux_chat_commands", "chat_commands", ["bot", "update_id"], unique=True)


def _reach_state() -> None:
    op.create_table(
        "reach_state",
        sa.Column("name", sa.String(48), nullable=False),
        sa.Column("value", sa.JSON(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _outbox_columns() -> None:
    with op.batch_alter_table("notification_outbox") as outbox:
        outbox.add_column(sa.Column("key", sa.String(64), nullable=True))
        outbox.add_column(sa.Column("image", sa.LargeBinary(), nullable=True))
        outbox.add_column(sa.Column("digest_id", sa.BigInteger(), nullable=True))
    op.create_index("ux_outbox_key", "notification_outbox", ["channel", "key"], unique=True)


def _alert_columns() -> None:
    with op.batch_alter_table("alerts") as alerts:
        alerts.add_column(sa.Column("escalated_at", UtcDateTime(), nullable=True))
        alerts.add_column(
            sa.Column("escalations", sa.Integer(), nullable=False, server_default="0")
        )
