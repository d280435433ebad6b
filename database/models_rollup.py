"""Tables of sums over long tables, so that a page need not read a million rows.

Each row covers one span of trading time, an hour or a UTC day: `width_ms` says which. They are
written by `database.rollups` only, and stay when retention deletes the decisions they were made of.
"""

from decimal import Decimal

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from database.types import ExactDecimal


class DecisionCountRow(SQLModel, table=True):
    """How many decisions of a span ended in the same way."""

    __tablename__ = "decision_counts"

    run_id: int = Field(primary_key=True, foreign_key="runs.id")
    width_ms: int = Field(primary_key=True)
    start_ms: int = Field(primary_key=True, sa_type=BigInteger)
    symbol: str = Field(primary_key=True, max_length=32)
    strategy: str = Field(primary_key=True, max_length=50)  # "": none wanted anything
    outcome: str = Field(primary_key=True, max_length=10)
    first_refusal: str = Field(primary_key=True, max_length=24)  # "": no rule refused
    decisions: int = Field(sa_type=BigInteger)


class EquitySpanRow(SQLModel, table=True):
    """What the equity snapshots of a span say; instants are those of real snapshots, in ms."""

    __tablename__ = "equity_spans"

    run_id: int = Field(primary_key=True, foreign_key="runs.id")
    width_ms: int = Field(primary_key=True)
    start_ms: int = Field(primary_key=True, sa_type=BigInteger)
    snapshots: int
    first_ms: int = Field(sa_type=BigInteger)
    last_ms: int = Field(sa_type=BigInteger)
    last_state: str = Field(max_length=16)
    lowest_ms: int = Field(sa_type=BigInteger)
    lowest: Decimal = Field(sa_type=ExactDecimal)
    highest_ms: int = Field(sa_type=BigInteger)
    highest: Decimal = Field(sa_type=ExactDecimal)
    deepest_ms: int = Field(sa_type=BigInteger)
    drawdown: Decimal = Field(sa_type=ExactDecimal)  # the largest, fraction of the peak
    # from the first snapshot to the last, by the state that the earlier of two neighbours shows
    active_ms: int = Field(sa_type=BigInteger)
    reducing_ms: int = Field(sa_type=BigInteger)
    halted_ms: int = Field(sa_type=BigInteger)


class RollupMarkRow(SQLModel, table=True):
    """How far the rows of a run are contained in the sums; moved in the same transaction."""

    __tablename__ = "rollup_marks"

    run_id: int = Field(primary_key=True, foreign_key="runs.id")
    source: str = Field(primary_key=True, max_length=16)  # decisions, equity
    # decisions: their time in ms, which their unique index starts with. Equity: its id
    mark: int = Field(sa_type=BigInteger)
