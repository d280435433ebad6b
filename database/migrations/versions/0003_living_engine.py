"""Add what the living engine keeps: session record, prices, stops, outbox, jobs, daily books.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

from database.types import BIG_ID, ExactDecimal, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = (
    "jobs",
    "latest_prices",
    "notification_outbox",
    "daily_account_summary",
    "emergency_stops",
    "session_events",
)
LEASE_COLUMNS = ("started_at", "mode", "source", "build", "view")


def upgrade() -> None:
    _jobs()
    _latest_prices()
    _notification_outbox()
    _daily_account_summary()
    _emergency_stops()
    _session_events()
    _lease_columns()


def downgrade() -> None:
    with op.batch_alter_table("engine_lease") as lease:
        for name in LEASE_COLUMNS:
            lease.drop_column(name)
    for table in reversed(TABLES):
        op.drop_table(table)


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )


def _latest_prices() -> None:
    op.create_table(
        "latest_prices",
        sa.Column("venue", sa.String(16), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("funding_rate", ExactDecimal(), nullable=True),
        sa.Column("open_interest", ExactDecimal(), nullable=True),
        sa.PrimaryKeyConstraint("venue", "symbol", "source"),
    )


def _notification_outbox() -> None:
    op.create_table(
        "notification_outbox",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("alert_id", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("next_try_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_outbox_waiting", "notification_outbox", ["status", "next_try_at"], unique=False
    )


def _daily_account_summary() -> None:
    op.create_table(
        "daily_account_summary",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("starting_equity", ExactDecimal(), nullable=False),
        sa.Column("ending_equity", ExactDecimal(), nullable=False),
        sa.Column("realized_pnl", ExactDecimal(), nullable=False),
        sa.Column("unrealized_pnl", ExactDecimal(), nullable=False),
        sa.Column("fees", ExactDecimal(), nullable=False),
        sa.Column("funding", ExactDecimal(), nullable=False),
        sa.Column("max_drawdown", ExactDecimal(), nullable=False),
        sa.Column("trade_count", sa.Integer(), nullable=False),
        sa.Column("win_count", sa.Integer(), nullable=False),
        sa.Column("loss_count", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ux_daily_summary", "daily_account_summary", ["date", "account", "mode"], unique=True
    )


def _emergency_stops() -> None:
    op.create_table(
        "emergency_stops",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(32), nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("positions", sa.Integer(), nullable=False),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ux_emergency_stops", "emergency_stops", ["run_id", "started_at"], unique=True)


def _session_events() -> None:
    op.create_table(
        "session_events",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "seq"),
    )


def _lease_columns() -> None:
    with op.batch_alter_table("engine_lease", schema=None) as batch_op:
        batch_op.add_column(sa.Column("started_at", UtcDateTime(), nullable=True))
        batch_op.add_column(
            sa.Column("mode", sa.String(10), nullable=False, server_default="paper")
        )
        batch_op.add_column(sa.Column("source", sa.String(16), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("build", sa.String(160), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("view", sa.JSON(none_as_null=True), nullable=True))
