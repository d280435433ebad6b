"""The features of the newest candle alone, for many symbols at once: what a live cycle needs.

`features.compute` gives every row of a history and works through the window about 150 times. Here
only what the last row depends on is added up, each sum as the tree of pairs that
`crypto_trader_pro.indicators` defines, so that both give the same bits (tested on any candles).

Arrays have time on the first axis, oldest first, and symbols on the second: a step back in time is
then a neighbouring row of memory.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro import indicators as ind
from crypto_trader_pro.ai.candle_features import EMA_VALUES, VOLATILITY, WINDOW
from crypto_trader_pro.ai.features import COUNT, NAMES, FeatureFrame, time_features, whole_units
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats
from crypto_trader_pro.indicators import ratio

LEAD_WINDOW: Final = VOLATILITY + 1  # candles of BTC that `btc_12` looks at
_RETURNS: Final = (1, 6, 12, 24, 48, 96)
_LEAD: Final = "ret_12"
_WILDER_DECAY: Final = 1.0 - 1.0 / 14
_WILDER: Final = ind.WILDER_VALUES
_MACD: Final = ind.MACD_VALUES
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """The last `WINDOW` candles of k symbols that all end at the same close, shape (WINDOW, k).

    Where a symbol is not ready its numbers may be anything.
    """

    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def last_rows(
    candles: Candles, close_ms: int, ready: Bools, *, lead: int | None, lead_ready: bool
) -> FeatureFrame:
    """Return one row per symbol: the features at `close_ms`, bit-equal to `features.compute`.

    Funding is not read: `funding_3d` is NaN.

    Args:
        ready: shape (k,), whose last `WINDOW` candles are whole.
        lead: which of the symbols is BTC, None without it.
        lead_ready: its last `LEAD_WINDOW` candles are whole.

    Raises:
        InputError: arrays of another shape.
    """
    k = len(ready)
    if candles.close.shape != (WINDOW, k):
        raise InputError(f"candles were {candles.close.shape}, allowed: ({WINDOW}, {k})")
    at = np.full(k, close_ms, dtype=np.int64)
    if not ready.any():
        return FeatureFrame(at, np.full((k, COUNT), np.nan), np.zeros(k, dtype=np.int64), ready)
    with np.errstate(all="ignore"):  # of symbols that are not ready
        columns, ranges = _columns(candles)
        atr = np.where(ready, whole_units(ranges), 0)
    columns["btc_12"] = np.full(k, columns[_LEAD][lead] if lead_ready else np.nan)
    columns["funding_3d"] = np.full(k, np.nan)
    columns |= time_features(at)
    values = np.empty((k, COUNT))
    for column, name in enumerate(NAMES):
        values[:, column] = columns[name]
    values[~ready] = np.nan
    return FeatureFrame(at, values, atr, ready)


def _columns(c: Candles) -> tuple[dict[str, Floats], Floats]:
    """Return every feature of the candles themselves, shape (k,) each, and ATR(14)."""
    returns = ratio(c.close[1:] - c.close[:-1], c.close[:-1])
    true_range = np.maximum(c.high[1:], c.close[:-1]) - np.minimum(c.low[1:], c.close[:-1])
    change = c.close[1:] - c.close[:-1]
    squares = returns[-168:] * returns[-168:]
    spread = ratio(c.high[-96:] - c.low[-96:], (c.high[-96:] + c.low[-96:]) * 0.5)
    last = returns[-96:]
    square_96, range_96, spread_96, cube_96, product_96, volume_96 = _sums(
        96, squares, true_range, spread * spread, last * last * last,
        last * returns[-97:-1], c.volume,
    )  # fmt: skip
    square_168, volume_168 = _sums(168, squares, c.volume)
    (square_12,) = _sums(12, squares)
    volatility, short = np.sqrt(square_96 / 96), np.sqrt(square_12 / 12)
    range_14, gain, loss = _last_means(
        _WILDER, _WILDER_DECAY, true_range, np.maximum(change, 0.0), np.maximum(-change, 0.0)
    )
    atr = range_14
    close = c.close[-1]
    columns = {
        **_return_features(c.close, volatility),
        **_range_features(c, close, atr),
        **_volume_features(c, change, volume_96, volume_168),
        "vol_12": short,
        "vol_96": volatility,
        "vol_7d": np.sqrt(square_168 / 168),
        "vol_ratio": ratio(short, volatility),
        "atr_pct": ratio(atr, close),
        "atr_ratio": ratio(atr, range_96 / 96),
        "pk_ratio": ratio(np.sqrt(spread_96 / 96 * ind.PARKINSON), volatility),
        "skew_96": ratio(cube_96 / 96, volatility * volatility * volatility),
        "ac1_96": ratio(product_96, square_96),
        "rsi_14": np.where(gain + loss == 0.0, 50.0, 100.0 * ratio(gain, gain + loss)),
        "macd_h": ratio(_macd_histogram(c.close), atr),
        "adx_14": _directional_index(c.high, c.low),
        "ema_200": ratio(close - _last_means(EMA_VALUES, _decay(200), c.close)[0], atr),
    }
    return columns, atr


def _return_features(close: Floats, volatility: Floats) -> dict[str, Floats]:
    def move(bars: int) -> Floats:
        before = close[-1 - bars]
        return ratio(close[-1] - before, before)

    columns = {f"ret_{k}": ratio(move(k), volatility * math.sqrt(k)) for k in _RETURNS}
    return {**columns, "d1": move(24), "d7": move(168)}


def _range_features(c: Candles, close: Floats, atr: Floats) -> dict[str, Floats]:
    top, bottom = c.high[-48:].max(axis=0), c.low[-48:].min(axis=0)
    columns = {"pos_48": ratio(close - bottom, top - bottom)}
    before = 48
    for length, name in ((96, "96"), (288, "pos_288"), (720, "pos_30d")):
        top = np.maximum(top, c.high[-length:-before].max(axis=0))
        bottom = np.minimum(bottom, c.low[-length:-before].min(axis=0))
        before = length
        if length == VOLATILITY:
            columns["dist_hi_96"] = ratio(top - close, atr)
            columns["dist_lo_96"] = ratio(close - bottom, atr)
        else:
            columns[name] = ratio(close - bottom, top - bottom)
    return columns


def _volume_features(
    c: Candles, change: Floats, volume_96: Floats, volume_168: Floats
) -> dict[str, Floats]:
    volume, moved = c.volume[-24:], change[-24:]
    signed = np.where(moved > 0.0, volume, np.where(moved < 0.0, -volume, 0.0))
    day, balance, path = _sums(24, volume, signed, np.abs(moved))
    return {
        "vr_1": ratio(c.volume[-1], volume_96 / 96),
        "vr_24": ratio(day / 24, volume_168 / 168),
        "svol_24": ratio(balance, day),
        "eff_24": ratio(np.abs(c.close[-1] - c.close[-25]), path),
    }


def _macd_histogram(close: Floats) -> Floats:
    reach = 2 * _MACD - 1
    macd = _rolling_mean(close[-reach:], _MACD, _decay(12)) - _rolling_mean(
        close[-reach:], _MACD, _decay(26)
    )
    result: Floats = macd[-1] - _last_means(_MACD, _decay(9), macd)[0]
    return result


def _directional_index(high: Floats, low: Floats) -> Floats:
    reach = 2 * _WILDER
    k = high.shape[1]
    up = high[1 - reach :] - high[-reach:-1]
    down = low[-reach:-1] - low[1 - reach :]
    both = np.empty((reach - 1, 2 * k))  # rises and falls side by side
    both[:, :k] = np.where((up > down) & (up > 0.0), up, 0.0)
    both[:, k:] = np.where((down > up) & (down > 0.0), down, 0.0)
    means = _rolling_mean(both, _WILDER, _WILDER_DECAY)
    plus, minus = means[:, :k], means[:, k:]
    total = plus + minus
    index = np.where(total == 0.0, 0.0, 100.0 * ratio(np.abs(plus - minus), total))
    return _last_means(_WILDER, _WILDER_DECAY, index)[0]


# --- sums in the order of `indicators` ----------------------------------------------------------


def _decay(span: int) -> float:
    return 1.0 - 2.0 / (span + 1)


def _sums(length: int, *columns: Floats) -> Sequence[Floats]:
    """Return the sum of the last `length` rows of each array."""
    return _split(_last_sum(_beside(length, columns), length, 1.0), len(columns))


def _last_means(length: int, decay: float, *columns: Floats) -> Sequence[Floats]:
    """Return the mean of the last `length` rows of each, weights 1, decay, decay**2 backward."""
    total = _last_sum(_beside(length, columns), length, decay)
    return _split(total / ind.weight_total(length, decay), len(columns))


def _beside(length: int, columns: Sequence[Floats]) -> Floats:
    if len(columns) == 1:
        return columns[0][-length:]
    return np.concatenate([column[-length:] for column in columns], axis=1)


def _split(row: Floats, count: int) -> Sequence[Floats]:
    return list(row.reshape(count, -1))


def _last_sum(x: Floats, length: int, decay: float) -> Floats:
    """Return the weighted sum of all `length` rows: pairs, pairs of pairs, and so on."""
    result: Floats | None = None
    end, size, weight, covered_weight = length, 1, decay, 1.0
    while size <= length:
        if length & size:
            block = _folded(x[end - size : end], decay)
            if result is None:
                result = block
            else:
                result = result + (covered_weight * block if decay != 1.0 else block)
            end -= size
            covered_weight *= weight
        size *= 2
        weight *= weight
    if result is None:
        raise ValueError(f"length was {length}, at least 1")
    return result


def _folded(block: Floats, weight: float) -> Floats:
    """Return newer + weight * older of each pair of rows until one is left."""
    while len(block) > 1:
        older = block[0::2]
        block = block[1::2] + (weight * older if weight != 1.0 else older)
        weight *= weight
    row: Floats = block[0]
    return row


def _rolling_mean(x: Floats, length: int, decay: float) -> Floats:
    """Return the weighted mean of each `length` rows, a power of two; `length` - 1 fewer rows."""
    size, weight, block = 1, decay, x
    while size < length:
        block = block[size:] + weight * block[:-size]
        size *= 2
        weight *= weight
    return block / ind.weight_total(length, decay)
