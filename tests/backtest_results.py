"""Backtest results made by hand: a test names only what it is about."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from crypto_trader_pro.backtest.result import (
    FILL_COLUMNS,
    FILL_REASONS,
    FUNDING_COLUMNS,
    ORDER_COLUMNS,
    ROLES,
    STATUSES,
    BacktestResult,
)
from crypto_trader_pro.domain.enums import FillReason, OrderRole, OrderStatus
from crypto_trader_pro.domain.instruments import Instrument
from tests.builders import HOUR, START_MS, USDT, a_round_instrument

DAY: Final = 24 * HOUR


def a_fill_row(
    order: int = 1, side: int = 1, lots: int = 1, price: int = 100, *, fee: int = 0,
    symbol: int = 0, reason: FillReason = FillReason.ENTRY, at_ms: int = START_MS,
) -> tuple[int, ...]:  # fmt: skip
    """Return one row of `fills`."""
    return (order, symbol, side, lots, price, fee, 0, FILL_REASONS.index(reason), at_ms)


def an_order_row(
    number: int = 1, side: int = 1, *, symbol: int = 0, strategy: int = 0,
    role: OrderRole = OrderRole.ENTRY, at_ms: int = START_MS,
) -> tuple[int, ...]:  # fmt: skip
    """Return one row of `orders`."""
    filled = STATUSES.index(OrderStatus.FILLED)
    return (number, symbol, side, ROLES.index(role), strategy, at_ms, 1, 1, 0, filled, 0)


def a_result(
    *,
    fills: Sequence[tuple[int, ...]] = (),
    orders: Sequence[tuple[int, ...]] = (),
    funding: Sequence[tuple[int, int, int]] = (),
    equity: Sequence[int] = (1_000 * USDT,),
    close_ms: Sequence[int] | None = None,
    opening: int = 1_000 * USDT,
    timeframe_ms: int = HOUR,
    instruments: Sequence[Instrument] | None = None,
) -> BacktestResult:
    """Return a result whose candles close one after the other unless `close_ms` says when.

    Default instrument: one price unit of one lot is one USDT.
    """
    closes = [START_MS + (k + 1) * timeframe_ms for k in range(len(equity))]
    known = (a_round_instrument(),) if instruments is None else tuple(instruments)
    return BacktestResult(
        instruments=known,
        strategies=("one", "two"),
        timeframe_ms=timeframe_ms,
        opening=opening,
        start_ms=START_MS,
        close_ms=np.array(closes if close_ms is None else close_ms, np.int64),
        equity=np.array(equity, np.int64),
        fills=np.array(fills, np.int64).reshape(-1, FILL_COLUMNS),
        orders=np.array(orders, np.int64).reshape(-1, ORDER_COLUMNS),
        reasons=("",),
        funding=np.array(funding, np.int64).reshape(-1, FUNDING_COLUMNS),
        events=(),
        refusals={},
        outcomes={},
        time_in_state_ms={},
        trading_state="active",
        max_drawdown_rate=0,
        bars=len(equity) * len(known),
        cash=opening,
        positions=(0,) * len(known),
        last=(100,) * len(known),
    )
