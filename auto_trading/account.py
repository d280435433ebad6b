"""The account as one frozen view, for snapshots, reports and screens."""

from auto_trading.position_manager import PositionManager
from auto_trading.risk_manager import RiskManager
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.risk.limits import drawdown_rate


def account_view(
    positions: PositionManager, risk: RiskManager, *, at_ms: int, working_orders: int
) -> AccountView:
    """Return the account marked to the latest prices."""
    equity = positions.equity()
    return AccountView(
        at_ms=at_ms,
        asset=positions.asset,
        cash=positions.cash,
        equity=equity,
        gross=positions.gross(),
        realized=positions.realized(),
        unrealized=positions.unrealized(),
        fees=positions.fees(),
        funding=positions.funding(),
        open_positions=positions.open_count,
        working_orders=working_orders,
        peak=risk.peak,
        drawdown_rate=drawdown_rate(equity, risk.peak),
        day_start_equity=risk.day_start_equity,
        trading_state=risk.trading_state,
    )
