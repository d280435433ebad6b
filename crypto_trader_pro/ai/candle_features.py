"""The features that need nothing but the candles of the symbol itself.

Every function takes float64 arrays with time on the last axis and gives back columns that end at
the same last candle; what each feature means stands in `crypto_trader_pro.ai.features`.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from crypto_trader_pro import indicators as ind
from crypto_trader_pro.domain.market import Floats
from crypto_trader_pro.indicators import ratio, tail

WINDOW: Final = 721  # 720 returns, 30 days at 1h
VOLATILITY: Final = 96  # returns in the volatility that scales other features
EMA_VALUES: Final = 720
_RETURNS: Final = (1, 6, 12, 24, 48, 96)
_ATR: Final = 14


@dataclass(frozen=True, slots=True, eq=False)
class _Prices:
    """Candles as float64 of shape (..., n), and what several features share."""

    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    returns: Floats
    volatility: Floats
    atr: Floats

    @property
    def rows(self) -> int:
        columns: int = self.close.shape[-1]
        return columns - WINDOW + 1


def candle_features(
    high: Floats, low: Floats, close: Floats, volume: Floats
) -> tuple[dict[str, Floats], Floats]:
    """Return the columns by name and ATR(14), for each close from the 721st candle on."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # impossible candles
        returns = ind.simple_returns(close, 1)
        volatility = ind.realized_volatility(returns, VOLATILITY)
        atr = ind.average_true_range(high, low, close, _ATR)
        p = _Prices(high, low, close, volume, returns, volatility, atr)
        columns = {
            **_return_features(p),
            **_volatility_features(p),
            **_range_features(p),
            **_volume_features(p),
            **_trend_features(p),
        }
    return {name: tail(x, p.rows) for name, x in columns.items()}, tail(atr, p.rows)


def scaled_return(close: Floats, volatility: Floats, bars: int) -> Floats:
    """Return the return over `bars` candles in units of volatility * sqrt(bars)."""
    move = ind.simple_returns(close, bars)
    count = min(move.shape[-1], volatility.shape[-1])
    return ratio(tail(move, count), tail(volatility, count) * math.sqrt(bars))


def _return_features(p: _Prices) -> dict[str, Floats]:
    columns = {f"ret_{k}": scaled_return(p.close, p.volatility, k) for k in _RETURNS}
    columns["d1"] = ind.simple_returns(p.close, 24)
    columns["d7"] = ind.simple_returns(p.close, 168)
    return columns


def _volatility_features(p: _Prices) -> dict[str, Floats]:
    rows = p.rows
    volatility, atr = tail(p.volatility, rows), tail(p.atr, rows)
    short = tail(ind.realized_volatility(p.returns, 12), rows)
    spread = ind.rolling_mean(ind.true_range(p.high, p.low, p.close), 96)
    return {
        "vol_12": short,
        "vol_96": volatility,
        "vol_7d": ind.realized_volatility(p.returns, 168),
        "vol_ratio": ratio(short, volatility),
        "atr_pct": ratio(atr, tail(p.close, rows)),
        "atr_ratio": ratio(atr, tail(spread, rows)),
        "pk_ratio": ratio(tail(ind.parkinson_volatility(p.high, p.low, 96), rows), volatility),
        "skew_96": ind.realized_skewness(p.returns, 96),
    }


def _range_features(p: _Prices) -> dict[str, Floats]:
    close, atr = tail(p.close, p.rows), tail(p.atr, p.rows)
    return {
        "pos_48": ind.position_in_range(p.high, p.low, p.close, 48),
        "pos_288": ind.position_in_range(p.high, p.low, p.close, 288),
        "pos_30d": ind.position_in_range(p.high, p.low, p.close, 720),
        "dist_hi_96": ratio(tail(ind.rolling_max(p.high, 96), p.rows) - close, atr),
        "dist_lo_96": ratio(close - tail(ind.rolling_min(p.low, 96), p.rows), atr),
    }


def _volume_features(p: _Prices) -> dict[str, Floats]:
    rows, volume = p.rows, p.volume
    change = p.close[..., 1:] - p.close[..., :-1]
    signed = np.where(change > 0.0, volume[..., 1:], np.where(change < 0.0, -volume[..., 1:], 0.0))
    day = tail(ind.rolling_sum(volume, 24), rows)
    return {
        "vr_1": ratio(tail(volume, rows), tail(ind.rolling_mean(volume, 96), rows)),
        "vr_24": ratio(day / 24, tail(ind.rolling_mean(volume, 168), rows)),
        "svol_24": ratio(tail(ind.rolling_sum(signed, 24), rows), day),
    }


def _trend_features(p: _Prices) -> dict[str, Floats]:
    rows = p.rows
    close, atr = tail(p.close, rows), tail(p.atr, rows)
    average = tail(ind.ema(p.close, 200, EMA_VALUES), rows)
    return {
        "rsi_14": ind.relative_strength(p.close, 14),
        "macd_h": ratio(tail(ind.macd_histogram(p.close, 12, 26, 9), rows), atr),
        "adx_14": ind.average_directional_index(p.high, p.low, p.close, 14),
        "ema_200": ratio(close - average, atr),
        "eff_24": ind.efficiency_ratio(p.close, 24),
        "ac1_96": ind.autocorrelation(p.returns, 96),
    }
