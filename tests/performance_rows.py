"""Positions that were opened and closed, with the orders, fills and trades that did it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel import SQLModel

from tests.rows import SYMBOL, a_decision, a_fill, a_position, a_trade, after, an_equity, an_order

HOUR = 60  # minutes


def a_round_trip(
    run_id: int, number: int, minutes: int, profit: str, *, symbol: str = SYMBOL,
    strategy: str = "ema_cross", side: str = "LONG", reason: str = "exit", held: int = 30,
    fee: str = "1", slippage: str = "0",
) -> list[SQLModel]:  # fmt: skip
    """Return the rows of a position of one coin, opened at 100 and closed `held` minutes later.

    Args:
        number: of it within the run.
        profit: after fees.
        fee: of each of its two orders.
        slippage: of each, fraction.
    """
    opened, closed = after(minutes), after(minutes + held)
    sides = ("BUY", "SELL") if side == "LONG" else ("SELL", "BUY")
    gross = Decimal(profit) + 2 * Decimal(fee)
    out = Decimal(100) + (gross if side == "LONG" else -gross)
    role = reason if reason in ("exit", "stop", "target", "flatten") else "stop"
    legs = (
        (f"r{run_id}o{2 * number}", sides[0], "entry", "entry", opened, Decimal(100)),
        (f"r{run_id}o{2 * number + 1}", sides[1], role, reason, closed, out),
    )
    rows: list[SQLModel] = []
    for order_id, way, kind, why, at, price in legs:
        rows += _leg(run_id, order_id, way, kind, why, at, price, symbol, strategy, fee, slippage)
    rows[1:1] = [_decision(run_id, number, minutes, symbol, strategy)]
    return [
        *rows,
        a_position(
            run_id, minutes, symbol=symbol, side=side, size=Decimal(0), entry_price=Decimal(100),
            realized_pnl=Decimal(profit), close_time=closed, status="CLOSED", strategy=strategy,
        ),
    ]  # fmt: skip


def _leg(
    run_id: int, order_id: str, way: str, role: str, reason: str, at: datetime, price: Decimal,
    symbol: str, strategy: str, fee: str, slippage: str,
) -> list[SQLModel]:  # fmt: skip
    common: dict[str, Any] = {"symbol": symbol, "side": way, "size": Decimal(1)}
    return [
        an_order(run_id, order_id, role=role, strategy=strategy, decided_at=at, **common),
        a_fill(
            run_id, order_id, f"t{order_id}", price=price, fee=Decimal(fee), reason=reason,
            filled_at=at, **common,
        ),
        a_trade(
            run_id, order_id, price=price, notional=price, commission=Decimal(fee), role=role,
            slippage=Decimal(slippage), execution_time=at, strategy=strategy, **common,
        ),
    ]  # fmt: skip


def _decision(run_id: int, number: int, minutes: int, symbol: str, strategy: str) -> SQLModel:
    return a_decision(
        run_id, minutes, symbol=symbol, outcome="ordered", strategy=strategy,
        order_id=f"r{run_id}o{2 * number}",
    )  # fmt: skip


def hourly(run_id: int, equities: list[str], **changes: Any) -> list[SQLModel]:
    """Return one snapshot each hour, the first an hour after the beginning."""
    return [
        an_equity(run_id, HOUR * (n + 1), equity, **changes) for n, equity in enumerate(equities)
    ]
