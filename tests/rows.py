"""Builders of database rows: every value has a default, a test names only what it is about."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Engine
from sqlmodel import Session, SQLModel

from crypto_trader_pro.domain.timeframes import to_ms
from database import runs
from database.auto_trading_db import unit_of_work
from database.models import (
    AlertRow,
    DecisionRow,
    EquityRow,
    FillRow,
    LedgerEntryRow,
    MarketDataRow,
    ModelRow,
    OrderRow,
    PerformanceMetricRow,
    PositionRow,
    ShadowTradeRow,
    TradeRow,
)

T0: Final = datetime(2024, 1, 1, tzinfo=UTC)
T0_MS: Final = to_ms(T0)
SYMBOL: Final = "BTC/USDT:USDT"


def after(minutes: int) -> datetime:
    return T0 + timedelta(minutes=minutes)


def a_run(session: Session, **changes: Any) -> int:
    """Insert a run and return its number."""
    values: dict[str, Any] = {
        "kind": "replay", "source": "replay", "timeframe": "5m", "symbols": [SYMBOL],
        "strategies": ["ema_cross"], "inputs": {"paths": ["a.csv"]}, "config_hash": "c0ffee",
        "config": "{}", "now": T0,
    }  # fmt: skip
    return runs.create(session, **(values | changes))


def stored(database: Engine, *rows: SQLModel) -> None:
    """Insert `rows`, in the order given, in a transaction of their own."""
    with unit_of_work(database) as session:
        for row in rows:
            session.add(row)
            session.flush()


def stored_run(database: Engine, **changes: Any) -> int:
    with unit_of_work(database) as session:
        return a_run(session, **changes)


def a_decision(run_id: int, minutes: int = 0, **changes: Any) -> DecisionRow:
    values: dict[str, Any] = {
        "run_id": run_id, "at_ms": T0_MS + minutes * 60_000, "symbol": SYMBOL, "outcome": "hold",
        "direction": 0, "confidence": 0, "gate_state": "green", "gate_reason": "ok",
        "trading_state": "active", "mask": 0, "lots": 0, "bound": 0, "price": 4_200_000,
        "equity": 10**13, "window_hash": bytes(16),
    }  # fmt: skip
    return DecisionRow(**(values | changes))


def an_order(run_id: int, order_id: str = "r1o1", minutes: int = 0, **changes: Any) -> OrderRow:
    values: dict[str, Any] = {
        "client_order_id": order_id, "run_id": run_id, "epoch": 0, "symbol": SYMBOL, "side": "BUY",
        "role": "entry", "order_type": "market", "size": Decimal("0.05"), "reduce_only": False,
        "strategy": "ema_cross", "status": "filled", "filled_size": Decimal("0.05"),
        "fees": Decimal("1.05"), "reason": "", "config_hash": "c0ffee",
        "decided_at": after(minutes), "journaled_at": T0, "updated_at": after(minutes),
    }  # fmt: skip
    return OrderRow(**(values | changes))


def a_fill(run_id: int, order_id: str = "r1o1", trade_id: str = "t1", **changes: Any) -> FillRow:
    values: dict[str, Any] = {
        "run_id": run_id, "trade_id": trade_id, "client_order_id": order_id, "symbol": SYMBOL,
        "side": "BUY", "size": Decimal("0.05"), "price": Decimal("42000.1"),
        "fee": Decimal("1.05"), "fee_asset": "USDT", "is_maker": False, "reason": "entry",
        "filled_at": T0,
    }  # fmt: skip
    return FillRow(**(values | changes))


def an_entry(run_id: int, account: str, amount: str, **changes: Any) -> LedgerEntryRow:
    values: dict[str, Any] = {
        "run_id": run_id, "reference": "fill t1", "kind": "fill", "account": account,
        "asset": "USDT", "amount": Decimal(amount), "at": T0,
    }  # fmt: skip
    return LedgerEntryRow(**(values | changes))


def a_position(run_id: int, minutes: int = 0, **changes: Any) -> PositionRow:
    values: dict[str, Any] = {
        "run_id": run_id, "symbol": SYMBOL, "side": "LONG", "size": Decimal("0.05"),
        "entry_price": Decimal("42000.1"), "open_time": after(minutes), "status": "OPEN",
        "created_at": T0, "updated_at": T0,
    }  # fmt: skip
    return PositionRow(**(values | changes))


def a_trade(run_id: int, order_id: str = "r1o1", **changes: Any) -> TradeRow:
    values: dict[str, Any] = {
        "run_id": run_id, "order_id": order_id, "symbol": SYMBOL, "side": "BUY",
        "order_type": "market", "size": Decimal("0.05"), "price": Decimal("42000.1"),
        "notional": Decimal("2100.005"), "execution_time": T0, "created_at": T0, "role": "entry",
    }  # fmt: skip
    return TradeRow(**(values | changes))


def an_equity(run_id: int, minutes: int = 0, equity: str = "100000", **changes: Any) -> EquityRow:
    values: dict[str, Any] = {
        "run_id": run_id, "at": after(minutes), "equity": Decimal(equity),
        "cash": Decimal(equity), "unrealized_pnl": Decimal(0), "realized_pnl": Decimal(0),
        "drawdown": Decimal("0.0125"), "open_positions": 0, "trading_state": "active",
    }  # fmt: skip
    return EquityRow(**(values | changes))


def a_model(model_id: str = "m1", minutes: int = 0, **changes: Any) -> ModelRow:
    values: dict[str, Any] = {
        "model_id": model_id, "strategy": "ai_signal", "timeframe": "1h",
        "trained_at": after(minutes), "created_at": T0, "expires_at": after(minutes + 60),
        "data_from": T0, "data_to": after(minutes), "rows": 1000, "symbols": [SYMBOL],
        "schema_hash": "5c4e3a", "config_hash": "c0ffee", "metrics": {"brier_skill": "0.01"},
        "training_seconds": Decimal("1.25"),
    }  # fmt: skip
    return ModelRow(**(values | changes))


def a_shadow(run_id: int, minutes: int = 0, **changes: Any) -> ShadowTradeRow:
    values: dict[str, Any] = {
        "run_id": run_id, "model_id": "m1", "symbol": SYMBOL, "side": "BUY",
        "decided_at": after(minutes), "probability": 400_000, "expected_mbp": 12_000,
    }  # fmt: skip
    return ShadowTradeRow(**(values | changes))


def an_alert(**changes: Any) -> AlertRow:
    values: dict[str, Any] = {
        "kind": "DAILY_LOSS_WARNING", "severity": "warning", "code": "daily_loss_warning",
        "numbers": {"loss_pct": "2.4"}, "at": T0, "raised_at": T0,
    }  # fmt: skip
    return AlertRow(**(values | changes))


def a_market_row(**changes: Any) -> MarketDataRow:
    values: dict[str, Any] = {
        "venue": "binance", "symbol": SYMBOL, "timeframe": "5m", "source": "file", "timestamp": T0,
    }  # fmt: skip
    return MarketDataRow(**(values | changes))


def a_day(**changes: Any) -> PerformanceMetricRow:
    values: dict[str, Any] = {
        "date": T0.date(), "mode": "paper", "equity": Decimal(100_000), "created_at": T0,
    }  # fmt: skip
    return PerformanceMetricRow(**(values | changes))
