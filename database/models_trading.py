"""Tables of trading: decisions, signals, orders, fills, ledger, positions, trades."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Column, Index, LargeBinary, SmallInteger, Text, text
from sqlmodel import Field, SQLModel

from database.types import BIG_ID, ExactDecimal, UtcDateTime

NOT_HOLD = "outcome <> 'hold'"  # few of many: only these get indexes beside the unique one
OPEN_ORDERS = "status NOT IN ('filled', 'canceled', 'expired', 'rejected', 'denied', 'absent')"


def _but_holds(name: str, *columns: str) -> Index:
    return Index(name, *columns, sqlite_where=text(NOT_HOLD), postgresql_where=text(NOT_HOLD))


class DecisionRow(SQLModel, table=True):
    """What one cycle decided about one symbol, traded or not.

    Whole numbers in the engine's units, because a row is written for every symbol and candle; the
    numbers of every rule are rebuilt from `inputs` by the rules themselves.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        Index("ux_decisions", "run_id", "at_ms", "symbol", unique=True),
        _but_holds("ix_decisions_outcome", "run_id", "outcome", "id"),
        _but_holds("ix_decisions_symbol", "run_id", "symbol", "id"),
        _but_holds("ix_decisions_strategy", "run_id", "strategy", "id"),
        _but_holds("ix_decisions_done", "run_id", "id"),
        Index(
            "ix_decisions_refused",
            "run_id",
            "first_refusal",
            "id",
            sqlite_where=text("first_refusal IS NOT NULL"),
            postgresql_where=text("first_refusal IS NOT NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    run_id: int = Field(foreign_key="runs.id")
    at_ms: int = Field(sa_type=BigInteger)  # candle close, trading time
    symbol: str = Field(max_length=32)
    outcome: str = Field(max_length=10)
    strategy: str | None = Field(default=None, max_length=50)
    direction: int = Field(sa_type=SmallInteger)
    confidence: int  # parts of 1e6
    gate_state: str = Field(max_length=10)
    gate_reason: str = Field(max_length=12)
    trading_state: str = Field(max_length=10)
    mask: int = Field(sa_type=BigInteger)  # one bit per rule that refused
    first_refusal: str | None = Field(default=None, max_length=24)
    lots: int = Field(sa_type=BigInteger)
    bound: int = Field(sa_type=SmallInteger)
    price: int = Field(sa_type=BigInteger)  # close, price units
    equity: int = Field(sa_type=BigInteger)  # money units
    window_hash: bytes = Field(sa_column=Column(LargeBinary(16), nullable=False))
    order_id: str | None = Field(default=None, max_length=32)
    inputs: str | None = Field(default=None, sa_column=Column(Text))  # RiskInputs, JSON array
    detail: str | None = Field(default=None, sa_column=Column(Text))  # other candidates, JSON


class AiSignalRow(SQLModel, table=True):
    """What one strategy said at one candle close, HOLD included (document 004)."""

    __tablename__ = "ai_signals_log"
    __table_args__ = (Index("ix_signals", "run_id", "created_at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    user_id: int = Field(default=1)
    run_id: int = Field(foreign_key="runs.id")
    symbol: str = Field(max_length=32)
    strategy: str = Field(max_length=50)
    signal_type: str = Field(max_length=4)  # BUY, SELL, HOLD
    confidence_score: int  # 0..100
    reason: str = Field(max_length=32)
    entry_price: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    stop_loss: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    take_profit: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    executed: bool = Field(default=False)
    execution_price: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    created_at: datetime = Field(sa_type=UtcDateTime)
    executed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    model_id: str | None = Field(default=None, max_length=64)
    probability: int | None = None  # parts of 1e6
    break_even: int | None = None  # parts of 1e6
    edge_mbp: int | None = None  # thousandths of a basis point after costs
    baseline_probability: int | None = None  # logistic regression, parts of 1e6
    model_gate: str | None = Field(default=None, max_length=24)


class OrderRow(SQLModel, table=True):
    """The order journal: written before an order is sent, updated as the venue answers."""

    __tablename__ = "orders"
    __table_args__ = (
        Index(
            "ix_orders_open",
            "run_id",
            "client_order_id",
            sqlite_where=text(OPEN_ORDERS),
            postgresql_where=text(OPEN_ORDERS),
        ),
        Index("ix_orders_symbol", "run_id", "symbol", "decided_at"),
        Index("ix_orders_parent", "parent_id"),
    )

    client_order_id: str = Field(primary_key=True, max_length=32)
    run_id: int = Field(foreign_key="runs.id")
    epoch: int
    symbol: str = Field(max_length=32)
    side: str = Field(max_length=4)
    role: str = Field(max_length=10)
    order_type: str = Field(max_length=12)
    size: Decimal = Field(sa_type=ExactDecimal)
    price: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    reduce_only: bool
    strategy: str = Field(max_length=50)
    parent_id: str | None = Field(default=None, max_length=32)
    stop_distance: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    target_distance: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    status: str = Field(max_length=12)
    filled_size: Decimal = Field(sa_type=ExactDecimal)
    fees: Decimal = Field(sa_type=ExactDecimal)
    reason: str = Field(max_length=32)
    risk_snapshot: str | None = Field(default=None, sa_column=Column(Text))
    config_hash: str = Field(max_length=64)
    decided_at: datetime = Field(sa_type=UtcDateTime)  # candle close
    journaled_at: datetime = Field(sa_type=UtcDateTime)  # system time
    updated_at: datetime = Field(sa_type=UtcDateTime)  # trading time


class FillRow(SQLModel, table=True):
    """Single executions; the same one is never booked twice."""

    __tablename__ = "fills"
    __table_args__ = (
        Index("ux_fills", "run_id", "symbol", "trade_id", unique=True),
        Index("ix_fills_run", "run_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    run_id: int = Field(foreign_key="runs.id")
    trade_id: str = Field(max_length=64)
    client_order_id: str = Field(max_length=32, foreign_key="orders.client_order_id", index=True)
    symbol: str = Field(max_length=32)
    side: str = Field(max_length=4)
    size: Decimal = Field(sa_type=ExactDecimal)
    price: Decimal = Field(sa_type=ExactDecimal)
    fee: Decimal = Field(sa_type=ExactDecimal)
    fee_asset: str = Field(max_length=16)
    is_maker: bool
    reason: str = Field(max_length=12)
    filled_at: datetime = Field(sa_type=UtcDateTime)


class LedgerEntryRow(SQLModel, table=True):
    """Double entry: the amounts of one reference sum to zero per asset."""

    __tablename__ = "ledger_entries"
    __table_args__ = (Index("ux_ledger", "run_id", "reference", "account", "asset", unique=True),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    run_id: int = Field(foreign_key="runs.id")
    reference: str = Field(max_length=80)
    kind: str = Field(max_length=12)
    account: str = Field(max_length=48)
    asset: str = Field(max_length=32)
    amount: Decimal = Field(sa_type=ExactDecimal)
    at: datetime = Field(sa_type=UtcDateTime)


class PositionRow(SQLModel, table=True):
    """One life of a position, from the first fill until flat (document 002)."""

    __tablename__ = "positions"
    __table_args__ = (
        Index("idx_positions_symbol", "symbol"),
        Index("idx_positions_status", "status"),
        Index("ux_positions_life", "run_id", "symbol", "open_time", unique=True),
        Index("ix_positions_run", "run_id", "status", "close_time"),
    )

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="runs.id")
    symbol: str = Field(max_length=32)
    side: str = Field(max_length=10)  # LONG, SHORT
    size: Decimal = Field(sa_type=ExactDecimal)  # open now; 0 once closed
    entry_price: Decimal = Field(sa_type=ExactDecimal)  # average
    current_price: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    leverage: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    margin: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    liquidation_price: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    unrealized_pnl: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    realized_pnl: Decimal | None = Field(default=None, sa_type=ExactDecimal)  # after fees
    open_time: datetime = Field(sa_type=UtcDateTime)
    close_time: datetime | None = Field(default=None, sa_type=UtcDateTime)
    status: str = Field(max_length=20)  # OPEN, CLOSED
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    strategy: str = Field(default="", max_length=50)
    stop_price: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    target_price: Decimal | None = Field(default=None, sa_type=ExactDecimal)


class TradeRow(SQLModel, table=True):
    """One row per order that was executed (document 002)."""

    __tablename__ = "trades"
    __table_args__ = (
        Index("idx_trades_symbol", "symbol"),
        Index("idx_trades_execution_time", "execution_time"),
        Index("ix_trades_run", "run_id", "execution_time", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="runs.id")
    order_id: str = Field(max_length=50, unique=True)
    symbol: str = Field(max_length=32)
    side: str = Field(max_length=10)
    order_type: str = Field(max_length=20)
    size: Decimal = Field(sa_type=ExactDecimal)
    price: Decimal = Field(sa_type=ExactDecimal)  # average of the order's fills
    notional: Decimal = Field(sa_type=ExactDecimal)
    commission: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    slippage: Decimal | None = Field(default=None, sa_type=ExactDecimal)  # fraction of the price
    strategy: str | None = Field(default=None, max_length=50)
    signal_strength: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    execution_time: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    role: str = Field(max_length=10)
    realized_pnl: Decimal | None = Field(default=None, sa_type=ExactDecimal)  # of this order


class ShadowTradeRow(SQLModel, table=True):
    """A model signal that was followed on paper only, joined with how it ended."""

    __tablename__ = "shadow_trades"
    __table_args__ = (
        Index("ux_shadow", "run_id", "symbol", "side", "decided_at", unique=True),
        Index("ix_shadow_run", "run_id", "id"),
        Index("ix_shadow_model", "run_id", "model_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="runs.id")
    model_id: str = Field(max_length=64)
    symbol: str = Field(max_length=32)
    side: str = Field(max_length=4)
    decided_at: datetime = Field(sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    probability: int  # parts of 1e6
    expected_mbp: int  # thousandths of a basis point after costs
    realized_mbp: int | None = None
    exit_reason: str | None = Field(default=None, max_length=12)


class MarketDataRow(SQLModel, table=True):
    """Candles, and funding and open interest where the source has them (document 002)."""

    __tablename__ = "market_data"
    __table_args__ = (
        Index("ux_market_data", "venue", "symbol", "timeframe", "source", "timestamp", unique=True),
        Index("idx_market_data_symbol_timestamp", "symbol", "timestamp"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    venue: str = Field(max_length=16)
    symbol: str = Field(max_length=32)
    timeframe: str = Field(max_length=8)  # "funding" for a row that holds only a rate
    source: str = Field(max_length=16)
    timestamp: datetime = Field(sa_type=UtcDateTime)  # open time
    open: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    high: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    low: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    close: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    volume: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    funding_rate: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    open_interest: Decimal | None = Field(default=None, sa_type=ExactDecimal)
