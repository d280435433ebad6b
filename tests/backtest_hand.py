"""Small markets for sums in the head: what both engines make of them, in human units.

A candle is (open, high, low, close, volume in lots), prices in USDT; a fill comes back as
(reason, signed lots, price, fee, candles since the start), prices and fees as text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np

from auto_trading.aggregation import aggregate
from auto_trading.backtesting.candles import Candles
from auto_trading.gateways.venue_book import FundingEvent
from config.loading import load
from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.compiler import PLAIN
from crypto_trader_pro.backtest.result import (
    FILL_AT,
    FILL_FEE,
    FILL_LOTS,
    FILL_PRICE,
    FILL_REASON,
    FILL_REASONS,
    FILL_SIDE,
    BacktestResult,
)
from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.instruments import Instrument, plain_text
from crypto_trader_pro.domain.market import Bar, Ints, series_of
from tests.backtest_oracle import audit, wishes_of
from tests.backtest_parity import Case, by_kernel, by_reference, differences
from tests.builders import HOUR, START_MS

Shape = tuple[float | str, float | str, float | str, float | str, int]
HandFill = tuple[str, int, str, str, float]
REASONS: Final = (*k.KERNEL_REASONS, "up")
OPEN_HANDED: Final[Mapping[str, Any]] = {
    "paper.initial_equity": "1000000", "paper.slippage_pct": "0", "paper.volume_share_pct": "100",
    "risk_management.position_size_pct": "100", "risk_management.daily_loss_limit_pct": "50",
    "limits.risk_per_trade_pct": "10", "limits.drawdown_reduce_pct": "40",
    "limits.drawdown_recover_pct": "39", "limits.drawdown_kill_pct": "50",
    "limits.price_collar_pct": "50", "safety.max_volatility_pct": "50",
    "safety.min_balance_pct": "0", "market_data.warm_bars": 1, "market_data.outlier_multiple": 50,
    "engine.trading_day_timezone": "UTC", "engine.trading_mode": "CONSERVATIVE",
}  # fmt: skip


def a_coin(
    *, spot: bool = False, lots: int = 10, lot: str = "1", taker: str = "0.001",
    tiers: Sequence[tuple[int, str]] = (), tick: str = "0.5",
) -> Instrument:  # fmt: skip
    """Counted in 0.1 USDT, orders in steps of 0.5; the venue takes at most `lots` at a time."""
    steps = tuple((Decimal(upto), Decimal(rate)) for upto, rate in tiers)
    first = steps[0][1] if steps else Decimal(0) if spot else Decimal("0.01")
    return Instrument(
        "X/USDT" if spot else "X/USDT:USDT", MarketKind.SPOT if spot else MarketKind.LINEAR,
        tick=Decimal(tick), lot=Decimal(lot), price_unit=Decimal("0.1"), min_notional=Decimal(0),
        maker_fee=Decimal("0.0005"), taker_fee=Decimal(taker), max_lots=lots, maintenance=first,
        maintenance_tiers=steps,
    )  # fmt: skip


def flat(price: float, count: int, volume: int = 1_000_000) -> list[Shape]:
    return [(price, price, price, price, volume)] * count


def says(
    candle: int, side: int = 1, *, stop: float = 0, target: float = 0, trail: float = 0,
    hold: int = 0, opens: bool = True,
) -> tuple[int, ...]:  # fmt: skip
    """What the strategy says at the close of a candle; distances in USDT, `trail` in percent."""
    return (
        candle, 0, 0, side, 1, int(opens), round(stop * 10), round(target * 10),
        round(trail * 1_000_000), hold * HOUR, 0, 0, len(k.KERNEL_REASONS), 0, 0, 0, 0, 0,
    )  # fmt: skip


@dataclass(frozen=True)
class Hand:
    """What came out; `times` of fills in candles since the start."""

    result: BacktestResult
    case: Case

    @property
    def fills(self) -> list[HandFill]:
        i = self.case.candles.instruments[0]
        return [
            (
                FILL_REASONS[f[FILL_REASON]], f[FILL_SIDE] * f[FILL_LOTS],
                plain_text(i.price(f[FILL_PRICE])), plain_text(Decimal(f[FILL_FEE]).scaleb(-8)),
                (f[FILL_AT] - START_MS) / HOUR,
            )
            for f in self.result.fills.tolist()
        ]  # fmt: skip

    def equity(self, candle: int) -> str:
        """Return the equity at the close of a candle."""
        return plain_text(Decimal(int(self.result.equity[candle])).scaleb(-8))


def by_hand(
    folder: Path, coin: Instrument, candles: Sequence[Shape], said: Sequence[tuple[int, ...]],
    settings: Mapping[str, Any] | None = None, *, minutes: int = 60,
    funding: Sequence[tuple[int, str]] = (),
) -> Hand:  # fmt: skip
    """Play a market through both engines, which have to agree with each other and the oracle.

    Args:
        minutes: length of a candle; shorter than an hour they are played inside hours.
        funding: (hours since the start, rate in percent).
    """
    step = minutes * 60_000
    bars = []
    for n, (*prices, volume) in enumerate(candles):
        first, top, bottom, last = (coin.price_units(Decimal(str(p))) for p in prices)
        bars.append(Bar(START_MS + n * step, first, top, bottom, last, int(volume)))
    series = series_of(coin.symbol, step, bars)
    detail = None
    if step != HOUR:
        detail, series = (series,), aggregate(series, HOUR)
    paid = [FundingEvent(START_MS + at * HOUR, int(Decimal(r) * 10**6)) for at, r in funding]
    market = Candles((coin,), (series,), detail, {coin.symbol: paid}, "")
    table: Ints = np.array(said, np.int64).reshape(-1, k.EV_COLUMNS)
    values = load(None, overrides={**OPEN_HANDED, **(settings or {})}, environ={}, dotenv={})
    case = Case(market, values, table, REASONS, HOUR)
    result = by_kernel(case, PLAIN).result
    assert differences(result, by_reference(case, folder)) == []
    assert faults_of(case, result) == []
    return Hand(result, case)


def faults_of(case: Case, result: BacktestResult) -> list[str]:
    """Return what the oracle finds in a result of `case`."""
    wishes = wishes_of(case.table, case.reasons, case.candles)
    return audit(result, case.candles, case.settings, wishes, case.interval_ms)
