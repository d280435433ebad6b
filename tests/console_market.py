"""Made-up candles of several symbols in whole units: a walk with quiet and wild days."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crypto_trader_pro.domain.instruments import Instrument

FIVE_MINUTES = 300_000
_DAY = 288  # candles
_START = {"BTC": 62_000.0, "ETH": 3_100.0, "SOL": 145.0, "XRP": 0.55, "BNB": 580.0, "ADA": 0.44,
          "DOGE": 0.13, "LTC": 72.0, "AVAX": 31.0, "LINK": 14.0}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Market:
    """Candle k opens at `first_ms` + k * five minutes; arrays are (candle, symbol)."""

    instruments: Sequence[Instrument]
    first_ms: int
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray  # lots

    def __len__(self) -> int:
        return len(self.close)

    def close_ms(self, k: int) -> int:
        return self.first_ms + (k + 1) * FIVE_MINUTES


def market(
    instruments: Sequence[Instrument], first_ms: int, candles: int, rng: np.random.Generator
) -> Market:
    """Return `candles` candles; prices are on each instrument's tick."""
    symbols = len(instruments)
    days = candles // _DAY + 2
    wild = np.exp(rng.normal(0.0, 0.35, (days, symbols)))
    sigma = 0.0016 * np.repeat(wild, _DAY, axis=0)[:candles]
    common = rng.normal(0.0, 1.0, (candles, 1))
    own = rng.normal(0.0, 1.0, (candles, symbols))
    steps = np.clip(sigma * (0.6 * common + 0.8 * own), -0.02, 0.02)
    ticks = np.array([i.tick_units for i in instruments])
    start = np.array([_START[i.base] / float(i.price_unit) for i in instruments])
    # pulled back to where it began: a year of a plain walk ends anywhere
    level = np.cumsum(steps, axis=0)
    level = level - 0.7 * np.linspace(0.0, 1.0, candles)[:, None] * level[-1]
    close = _on_tick(start * np.exp(level), ticks)
    opened = np.vstack([_on_tick(start[None, :], ticks), close[:-1]])
    reach = np.abs(rng.normal(0.0, 0.5, (2, candles, symbols))) * sigma
    high = _on_tick(np.maximum(opened, close) * (1 + reach[0]), ticks)
    low = _on_tick(np.minimum(opened, close) * (1 - reach[1]), ticks)
    money = np.exp(rng.normal(14.0, 0.8, (candles, symbols)))
    lot_value = close * np.array([float(i.price_unit) * float(i.lot) for i in instruments])
    volume = np.maximum(1, money / lot_value).astype(np.int64)
    high, low = (
        np.maximum(high, np.maximum(opened, close)),
        np.minimum(low, np.minimum(opened, close)),
    )
    return Market(instruments, first_ms, opened, high, low, close, volume)


def _on_tick(prices: np.ndarray, ticks: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.maximum(1, np.rint(prices / ticks)).astype(np.int64) * ticks
    return found
