"""The account as risk and the screen see it: cash, positions, and their value at the last price."""

from dataclasses import dataclass

from crypto_trader_pro.domain.enums import TradingState


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account at one instant, marked to the latest prices. Money in money units."""

    at_ms: int
    asset: str
    cash: int
    equity: int  # cash + sum of positions at their last price
    gross: int  # sum of absolute position values
    realized: int  # after fees and funding
    unrealized: int
    fees: int
    funding: int
    open_positions: int
    working_orders: int
    peak: int
    drawdown_rate: int  # fall from the peak, parts of 1e8 of it
    day_start_equity: int
    trading_state: TradingState

    @property
    def daily_result(self) -> int:
        return self.equity - self.day_start_equity
