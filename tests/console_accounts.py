"""What the books of a made-up run keep of a position and of a day, and the tables they fill."""

from dataclasses import dataclass
from typing import Final

from crypto_trader_pro.domain.calendar import TradingDay
from database.journal_sql import (
    EQUITY_COLUMNS,
    FILL_COLUMNS,
    LEDGER_COLUMNS,
    ORDER_COLUMNS,
    TRADE_COLUMNS,
)
from tests.console_plan import Life

POSITIONS: Final = (
    "run_id", "symbol", "side", "size", "entry_price", "current_price", "unrealized_pnl",
    "realized_pnl", "open_time", "close_time", "status", "created_at", "updated_at", "strategy",
    "stop_price", "target_price",
)  # fmt: skip
TABLES: Final = {
    "orders": ORDER_COLUMNS, "fills": FILL_COLUMNS, "trades": TRADE_COLUMNS, "positions": POSITIONS,
    "ledger_entries": LEDGER_COLUMNS, "equity": EQUITY_COLUMNS,
}  # fmt: skip


@dataclass(slots=True)
class Held:
    """An open position."""

    life: Life
    number: int  # of its entry order
    lots: int
    price: int  # of the entry's fill
    reference: int  # close at the decision
    fee: int
    opened_ms: int


@dataclass(slots=True)
class Day:
    """A trading day of the run, money units."""

    day: TradingDay
    opened: int  # equity
    realized_before: int
    ended: int = 0
    realized: int = 0
    unrealized: int = 0
    fees: int = 0
    trades: int = 0
    wins: int = 0
    losses: int = 0
    high: int = 0
    drawdown: float = 0.0
