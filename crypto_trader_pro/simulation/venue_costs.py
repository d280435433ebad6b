"""What the simulated market takes, as whole numbers."""

from typing import NamedTuple


class VenueCosts(NamedTuple):
    """What the simulated market takes; rates in parts of 1e8."""

    slippage_rate: int = 20_000  # 0.02 % against the taker
    volume_share: int = 10_000_000  # 10 % of a candle's volume may be ours
    entry_ttl_bars: int = 3  # candles that an unfilled entry works
    liquidation_rate: int = 500_000  # 0.5 % of the notional of a liquidated position
    half_spread_rate: int = 0  # against the taker, beside the slippage
    impact_rate: int = 0  # against a taker who takes the candle's whole volume
    range_share: int = 0  # part of the range of the candle before, against the taker
    latency_bars: int = 0  # candles that a market order is on its way
    isolated_rate: int = 0  # margin of a position, part of its cost; 0: cross margin
