"""A market with a daily rhythm that a model can learn, and settings that need little history.

Hourly candles from 2024-01-01: prices rise from 00 to 12 UTC and fall from 12 to 24, with noise.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from config.loading import load
from config.settings import Settings
from crypto_trader_pro.domain.market import CandleSeries
from tests.builders import HOUR, START_MS

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
SYMBOLS: Final = (BTC, ETH)
DAYS: Final = 118
SHORT_HISTORY: Final = {
    "strategies.ai_signal.train_months": 2,
    "strategies.ai_signal.min_months": 1,
    "strategies.ai_signal.retrain_months": 1,
    "strategies.ai_signal.expire_months": 2,
}


def hours(symbol: str, seed: int, days: int = DAYS) -> CandleSeries:
    """Return hourly candles that rise from 00 to 12 UTC and fall from 12 to 24, with noise."""
    rng = np.random.default_rng(seed)
    n = days * 24
    rhythm = np.where(np.arange(n) % 24 < 12, 0.0025, -0.0025)
    close = 30_000.0 * np.exp(np.cumsum(rhythm + rng.normal(0.0, 0.0025, n)))
    open_ = np.concatenate(([30_000.0], close[:-1]))
    high = np.maximum(open_, close) * (1 + rng.uniform(0.0, 0.001, n))
    low = np.minimum(open_, close) * (1 - rng.uniform(0.0, 0.001, n))
    first, top, bottom, last = (
        np.rint(x * 100).astype(np.int64) for x in (open_, high, low, close)
    )
    at = START_MS + np.arange(n) * HOUR
    volume = rng.integers(100_000, 900_000, n)
    return CandleSeries(symbol, HOUR, at, first, top, bottom, last, volume)


@cache
def market() -> tuple[CandleSeries, ...]:
    return tuple(hours(symbol, seed) for seed, symbol in enumerate(SYMBOLS, 11))


def model_settings(**more: Any) -> Settings:
    named = {key.replace("__", "."): value for key, value in more.items()}
    return load(overrides=SHORT_HISTORY | named, environ={}, dotenv={})


def without(series: CandleSeries, first_ms: int, count: int) -> CandleSeries:
    kept = (series.open_ms < first_ms) | (series.open_ms >= first_ms + count * HOUR)
    columns = (series.open, series.high, series.low, series.close, series.volume)
    return CandleSeries(series.symbol, HOUR, series.open_ms[kept], *(c[kept] for c in columns))


def halved(series: CandleSeries) -> CandleSeries:
    """Return candles of 30 minutes that add up to the hours."""
    turn = (series.open + series.close) // 2
    at = np.repeat(series.open_ms, 2)
    at[1::2] += HOUR // 2
    first, second = np.stack([series.open, turn]), np.stack([turn, series.close])
    # the first half reaches the high, the second the low
    high = np.stack([series.high, second.max(axis=0)])
    low = np.stack([first.min(axis=0), series.low])
    volume = np.stack([series.volume // 2, series.volume - series.volume // 2])
    open_ = np.stack([series.open, turn])
    close = np.stack([turn, series.close])
    columns = (np.ascontiguousarray(x.T.reshape(-1)) for x in (open_, high, low, close, volume))
    return CandleSeries(series.symbol, HOUR // 2, at, *columns)


_kept: list[TemporaryDirectory[str]] = []


def a_folder() -> Path:
    """Return a folder that lives as long as this process."""
    folder = TemporaryDirectory(prefix="ctp-models-")
    _kept.append(folder)
    return Path(folder.name)
