"""What a backtest found, as whole numbers: the same value from either engine, to the last unit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from crypto_trader_pro.domain.enums import FillReason, OrderRole, OrderStatus
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Ints

ROLES: Final = tuple(role.value for role in OrderRole)
STATUSES: Final = tuple(status.value for status in OrderStatus)
FILL_REASONS: Final = tuple(reason.value for reason in FillReason)

# columns of `fills`
FILL_ORDER: Final = 0  # number of the order
FILL_SYMBOL: Final = 1  # place of the symbol
FILL_SIDE: Final = 2  # +1 bought, -1 sold
FILL_LOTS: Final = 3
FILL_PRICE: Final = 4  # price units
FILL_FEE: Final = 5  # money units
FILL_MAKER: Final = 6  # 1 maker, 0 taker
FILL_REASON: Final = 7  # place in FILL_REASONS
FILL_AT: Final = 8  # ms
FILL_COLUMNS: Final = 9

# columns of `orders`
ORDER_NUMBER: Final = 0  # from 1, in the order in which they were made
ORDER_SYMBOL: Final = 1
ORDER_SIDE: Final = 2
ORDER_ROLE: Final = 3  # place in ROLES
ORDER_STRATEGY: Final = 4  # place in `strategies`; -1: the venue's own, a liquidation
ORDER_DECIDED: Final = 5  # candle close of the decision, ms
ORDER_LOTS: Final = 6
ORDER_FILLED: Final = 7  # lots
ORDER_FEES: Final = 8  # money units
ORDER_STATUS: Final = 9  # place in STATUSES
ORDER_REASON: Final = 10  # place in `reasons`: why it was made or why it ended
ORDER_COLUMNS: Final = 11

# columns of `funding`
FUNDING_AT: Final = 0
FUNDING_SYMBOL: Final = 1
FUNDING_AMOUNT: Final = 2  # money units, > 0 received
FUNDING_COLUMNS: Final = 3


class LadderEvent(NamedTuple):
    """What the loss ladders did at a candle close; `code` as the alert of the engine."""

    at_ms: int
    code: str
    equity: int  # money units


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """One backtest. Money in money units (1e-8 of the quote asset), times in ms UTC.

    Args:
        opening: balance at the start.
        start_ms: open time of the first candle.
        close_ms: closes of the candles, shape (n,).
        equity: cash plus positions at their last price at each of them, shape (n,).
        fills: shape (f, FILL_COLUMNS), in the order in which they happened.
        orders: shape (o, ORDER_COLUMNS), by number.
        reasons: texts that ORDER_REASON points to; the first is empty.
        funding: shape (p, FUNDING_COLUMNS).
        refusals: decisions by the first rule that refused.
        outcomes: decisions by how they ended.
        max_drawdown_rate: largest fall from the highest equity, parts of 1e8 of it.
        masks: every rule's verdict per decision, shape (n, symbols); only where it was asked for.
        last: last close of each symbol, price units.
    """

    instruments: tuple[Instrument, ...]
    strategies: tuple[str, ...]
    timeframe_ms: int
    opening: int
    start_ms: int
    close_ms: Ints
    equity: Ints
    fills: Ints
    orders: Ints
    reasons: tuple[str, ...]
    funding: Ints
    events: tuple[LadderEvent, ...]
    refusals: Mapping[str, int]
    outcomes: Mapping[str, int]
    time_in_state_ms: Mapping[str, int]
    trading_state: str
    max_drawdown_rate: int
    bars: int
    cash: int
    positions: tuple[int, ...]  # signed lots at the end
    last: tuple[int, ...]
    masks: Ints = field(default_factory=lambda: np.empty((0, 0), np.int64))

    @property
    def decisions(self) -> int:
        return sum(self.outcomes.values())

    @property
    def final_equity(self) -> int:
        """Equity at the last close, money units."""
        return int(self.equity[-1]) if len(self.equity) else self.opening

    @property
    def fees(self) -> int:
        return int(self.fills[:, FILL_FEE].sum())

    @property
    def funding_received(self) -> int:
        """What funding brought in all, > 0 received."""
        return int(self.funding[:, FUNDING_AMOUNT].sum())

    @property
    def open_positions(self) -> int:
        return sum(1 for lots in self.positions if lots)
