"""Add what keeps the console fast: sums over decisions and equity, indexes of what it filters by.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

from database.types import ExactDecimal

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("decision_counts", "equity_spans", "rollup_marks")
INDEXES = {
    "ix_equity_run": ("equity", ["run_id", "id"]),
    "ix_fills_run": ("fills", ["run_id", "id"]),
    "ix_orders_parent": ("orders", ["parent_id"]),
    "ix_positions_run": ("positions", ["run_id", "status", "close_time"]),
    "ix_shadow_run": ("shadow_trades", ["run_id", "id"]),
    "ix_shadow_model": ("shadow_trades", ["run_id", "model_id", "id"]),
}
DECISION_INDEXES = {  # partial: most rows are holds, and writing those must stay fast
    "ix_decisions_symbol": ["run_id", "symbol", "id"],
    "ix_decisions_strategy": ["run_id", "strategy", "id"],
    "ix_decisions_done": ["run_id", "id"],
}


def upgrade() -> None:
    _decision_counts()
    _equity_spans()
    _rollup_marks()
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)
    but_holds = sa.text("outcome <> 'hold'")
    for name, columns in DECISION_INDEXES.items():
        op.create_index(
            name, "decisions", columns, sqlite_where=but_holds, postgresql_where=but_holds
        )


def downgrade() -> None:
    for name in reversed(DECISION_INDEXES):
        op.drop_index(name, "decisions")
    for name, (table, _) in reversed(INDEXES.items()):
        op.drop_index(name, table)
    for table in reversed(TABLES):
        op.drop_table(table)


def _decision_counts() -> None:
    op.create_table(
        "decision_counts",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("width_ms", sa.Integer(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("strategy", sa.String(50), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("first_refusal", sa.String(24), nullable=False),
        sa.Column("decisions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "run_id", "width_ms", "start_ms", "symbol", "strategy", "outcome", "first_refusal"
        ),
    )


def _equity_spans() -> None:
    op.create_table(
        "equity_spans",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("width_ms", sa.Integer(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("snapshots", sa.Integer(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_state", sa.String(16), nullable=False),
        sa.Column("lowest_ms", sa.BigInteger(), nullable=False),
        sa.Column("lowest", ExactDecimal(), nullable=False),
        sa.Column("highest_ms", sa.BigInteger(), nullable=False),
        sa.Column("highest", ExactDecimal(), nullable=False),
        sa.Column("deepest_ms", sa.BigInteger(), nullable=False),
        sa.Column("drawdown", ExactDecimal(), nullable=False),
        sa.Column("active_ms", sa.BigInteger(), nullable=False),
        sa.Column("reducing_ms", sa.BigInteger(), nullable=False),
        sa.Column("halted_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "width_ms", "start_ms"),
    )


def _rollup_marks() -> None:
    op.create_table(
        "rollup_marks",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "source"),
    )
