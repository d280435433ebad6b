"""The limits as whole numbers: percent, Decimal and float end here."""

from typing import NamedTuple


class RiskLimits(NamedTuple):
    """Rates in parts of 1e8, money in money units, edges in thousandths of a basis point."""

    daily_warning_rate: int = 2_400_000  # 80 % of the daily limit
    daily_loss_rate: int = 3_000_000
    drawdown_reduce_rate: int = 5_000_000
    drawdown_recover_rate: int = 4_000_000
    drawdown_kill_rate: int = 10_000_000
    drawdown_reset_days: int = 7
    size_rate: int = 2_000_000  # notional of an entry
    risk_rate: int = 20_000  # loss of an entry at its stop
    leverage_rate: int = 100_000_000  # gross notional
    collar_rate: int = 5_000_000
    max_positions: int = 5
    cooldown_bars: int = 0
    max_entries_per_day: int = 200
    max_entries_per_cycle: int = 20
    edge_margin_mbp: int = 20_000
    volume_share: int = 10_000_000
    capital_cap: int = 0  # equity that sizing may count on; 0 = all of it
    max_order_notional: int = 0  # 0 = no absolute cap
    lock_after_stops: int = 0  # stops in a row that lock a symbol for the day; 0 = never
    max_volatility_rate: int = 100_000_000  # mean absolute move of a candle
    min_balance_rate: int = 0  # cash of equity
