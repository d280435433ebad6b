"""The 36 features of the model signal: pure functions of the last 721 closed candles.

No state is carried and nothing after the candle is read, so the whole history at once and one
live window give the same bits (see `crypto_trader_pro.indicators`). Lengths are in candles; the
names d1, d7, pos_30d and vol_7d say what 24, 168, 720 and 168 candles are at the 1h timeframe.

name         meaning
ret_k        return over k candles / (vol_96 * sqrt(k))
vol_k        realized volatility of k one-candle returns, per candle; vol_7d over 168
vol_ratio    vol_12 / vol_96
atr_pct      ATR(14) / close
atr_ratio    ATR(14) / mean true range of 96
pk_ratio     Parkinson volatility of 96 / vol_96
skew_96      realized skewness of 96 returns
pos_k        where the close stands between lowest low (0) and highest high (1) of k; pos_30d of 720
dist_hi_96   (highest high of 96 - close) / ATR(14)
dist_lo_96   (close - lowest low of 96) / ATR(14)
vr_1         volume / mean volume of 96
vr_24        mean volume of 24 / mean volume of 168
svol_24      volume of rising less that of falling candles, share of the volume of 24
rsi_14, macd_h (MACD 12/26/9 less its signal, in ATR), adx_14
ema_200      (close - EMA(200) cut to 720 candles) / ATR(14)
eff_24       Kaufman's efficiency ratio of 24
ac1_96       lag-1 autocorrelation of 96 returns
hour, weekday  sine and cosine of the UTC hour and weekday of the close
funding_3d   mean funding rate of the last three days, basis points; NaN if one is missing in them
d1, d7       return over 24 and over 168 candles
btc_12       the ret_12 of BTC at the same close; NaN without it

A ratio whose denominator is zero is NaN. Measured choice: 36 of 54 features, one per idea; no group
of them is worth more than another random seed is.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro import indicators as ind
from crypto_trader_pro.ai.calendar import DAY_MS, HOUR_MS
from crypto_trader_pro.ai.candle_features import (
    EMA_VALUES,
    VOLATILITY,
    WINDOW,
    candle_features,
    scaled_return,
)
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries, Floats, Ints

DEFINITION_VERSION: Final = 1  # raise it when a formula below changes
NAMES: Final = (
    "ret_1", "ret_6", "ret_12", "ret_24", "ret_48", "ret_96", "vol_12", "vol_96", "vol_ratio",
    "atr_pct", "atr_ratio", "pk_ratio", "skew_96", "pos_48", "pos_288", "dist_hi_96", "dist_lo_96",
    "vr_1", "vr_24", "svol_24", "rsi_14", "macd_h", "adx_14", "ema_200", "eff_24", "ac1_96",
    "hour_sin", "hour_cos", "weekday_sin", "weekday_cos", "funding_3d", "d1", "d7", "pos_30d",
    "vol_7d", "btc_12",
)  # fmt: skip
COUNT: Final = len(NAMES)

_BTC_BARS: Final = 12
_BTC_WINDOW: Final = VOLATILITY + 1
_FUNDING_MS: Final = 3 * DAY_MS
_FUNDING_GAP_MS: Final = 9 * HOUR_MS  # payments are 8 hours apart at most
_FUNDING_UNIT: Final = 10_000  # parts of 1e8 in a basis point
_STEPS: Final = {
    "wilder": ind.WILDER_VALUES,
    "macd": ind.MACD_VALUES,
    "ema_200": EMA_VALUES,
    "btc": _BTC_WINDOW,
}

# sin(2 pi k / 24) and of sevenths, written out: a library's sine differs between CPUs
_S1, _S2, _S3, _S4, _S5 = (
    0.25881904510252074, 0.5, 0.7071067811865476, 0.8660254037844386, 0.9659258262890683,
)  # fmt: skip
_QUARTER: Final = (0.0, _S1, _S2, _S3, _S4, _S5, 1.0, _S5, _S4, _S3, _S2, _S1)
_HOUR_SIN: Final = np.array([*_QUARTER, *(-s if s else 0.0 for s in _QUARTER)])
_HOUR_COS: Final = np.array([_HOUR_SIN[(k + 6) % 24] for k in range(24)])
_W1, _W2, _W3 = 0.7818314824680298, 0.9749279121818236, 0.4338837391175582
_WEEKDAY_SIN: Final = np.array([0.0, _W1, _W2, _W3, -_W3, -_W2, -_W1])
_V1, _V2, _V3 = 0.6234898018587336, -0.2225209339563144, -0.9009688679024191
_WEEKDAY_COS: Final = np.array([1.0, _V1, _V2, _V3, _V3, _V2, _V1])
_THURSDAY: Final = 3  # 1970-01-01, Monday is 0


def _schema_hash() -> str:
    schema = {"names": NAMES, "window": WINDOW, "steps": _STEPS, "version": DEFINITION_VERSION}
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


SCHEMA_HASH: Final = _schema_hash()
"""Names, window, steps and definition version: a model of another schema is refused."""


@dataclass(frozen=True, slots=True, eq=False)
class FundingSeries:
    """Funding payments of one perpetual, oldest first. `rate`: parts of 1e8, longs pay if > 0.

    Raises:
        ValueError: lengths differ or times do not increase.
    """

    symbol: str
    at_ms: Ints
    rate: Ints

    def __post_init__(self) -> None:
        if len(self.at_ms) != len(self.rate):
            raise ValueError(
                f"{self.symbol}: {len(self.at_ms)} funding times, {len(self.rate)} rates"
            )
        if len(self.at_ms) > 1 and int(np.diff(self.at_ms).min()) <= 0:
            raise ValueError(f"{self.symbol}: funding times must increase")


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFrame:
    """Features at the close of n candles.

    Row i was known at `close_ms[i]`. `values` is (n, 36) in the order of `NAMES`; a row that is not
    `ready` is NaN throughout. `atr` is ATR(14) in whole price units, rounded up, 0 where not ready.
    A row is ready when its last 721 candles have no gap and are possible.
    """

    close_ms: Ints
    values: Floats
    atr: Ints
    ready: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.close_ms)


def compute(
    series: CandleSeries,
    *,
    btc: CandleSeries | None = None,
    funding: FundingSeries | None = None,
) -> FeatureFrame:
    """Return the features at the close of every candle of `series`.

    Raises:
        InputError: the timeframe of `btc` differs.
    """
    n = len(series)
    close_ms = series.open_ms + series.timeframe_ms
    values = np.full((n, COUNT), np.nan)
    atr = np.zeros(n, dtype=np.int64)
    ready = _whole_windows(series, WINDOW)
    if n >= WINDOW:
        columns, ranges = candle_features(
            *(_floats(a) for a in (series.high, series.low, series.close, series.volume))
        )
        _fill(values[WINDOW - 1 :], columns)
        atr[WINDOW - 1 :] = whole_units(ranges)
    _fill(values, time_features(close_ms))
    values[:, NAMES.index("funding_3d")] = _funding_mean(funding, close_ms)
    values[:, NAMES.index("btc_12")] = _btc_lead(btc, series.timeframe_ms, close_ms)
    values[~ready] = np.nan
    atr[~ready] = 0
    return FeatureFrame(close_ms, values, atr, ready)


def compute_rows(
    windows: Sequence[CandleSeries],
    *,
    btc: CandleSeries | None = None,
    funding: Mapping[str, FundingSeries] | None = None,
) -> FeatureFrame:
    """Return one row per window: the features at its last close, bit-equal to `compute`.

    Args:
        windows: the latest candles of each symbol, at least `WINDOW` of them; with fewer the row is
            not ready. All of one timeframe.
        btc: the latest candles of BTC, at least 97 for `btc_12`.
        funding: recent payments by symbol, at least the last three days.

    Raises:
        InputError: a window is empty or timeframes differ.
    """
    _check_windows(windows)
    k = len(windows)
    close_ms = np.array([int(w.open_ms[-1]) + w.timeframe_ms for w in windows], dtype=np.int64)
    values = np.full((k, COUNT), np.nan)
    atr = np.zeros(k, dtype=np.int64)
    ready = np.array([bool(_whole_windows(w, WINDOW)[-1]) for w in windows], dtype=np.bool_)
    chosen = [w for w, good in zip(windows, ready.tolist(), strict=True) if good]
    if chosen:
        columns, ranges = candle_features(
            *(
                np.array([getattr(w, name)[-WINDOW:] for w in chosen], dtype=np.float64)
                for name in ("high", "low", "close", "volume")
            )
        )
        block = np.empty((len(chosen), COUNT))
        _fill(block, {name: column[..., 0] for name, column in columns.items()})
        values[ready] = block
        atr[ready] = whole_units(ranges[..., 0])
    _fill(values, time_features(close_ms))
    known = funding or {}
    for row, window in enumerate(windows):
        at = close_ms[row : row + 1]
        values[row, NAMES.index("funding_3d")] = _funding_mean(known.get(window.symbol), at)[0]
    if windows:
        lead = _btc_lead(btc, windows[0].timeframe_ms, close_ms)
        values[:, NAMES.index("btc_12")] = lead
    values[~ready] = np.nan
    return FeatureFrame(close_ms, values, atr, ready)


def _check_windows(windows: Sequence[CandleSeries]) -> None:
    for window in windows:
        if len(window) == 0:
            raise InputError(f"{window.symbol}: the window has no candle, at least 1 is needed")
        if window.timeframe_ms != windows[0].timeframe_ms:
            raise InputError(
                f"{window.symbol}: timeframe was {window.timeframe_ms} ms, allowed: "
                f"{windows[0].timeframe_ms} ms as {windows[0].symbol}"
            )


def _floats(whole: Ints) -> Floats:
    return whole.astype(np.float64)


def whole_units(atr: Floats) -> Ints:
    """Return true ranges in whole price units, rounded up."""
    # rows that will be blanked may hold values of impossible candles; they must fit all the same
    return np.ceil(np.clip(atr, 0.0, 2.0**52)).astype(np.int64)


def _fill(values: Floats, columns: Mapping[str, Floats]) -> None:
    for name, column in columns.items():
        values[:, NAMES.index(name)] = column


def _whole_windows(series: CandleSeries, length: int) -> NDArray[np.bool_]:
    n = len(series)
    ready = np.zeros(n, dtype=np.bool_)
    if n < length:
        return ready
    high, low = series.high, series.low
    possible = (low > 0) & (series.volume >= 0)
    for price in (series.open, series.close):
        possible &= (low <= price) & (price <= high)
    joined = np.diff(series.open_ms) == series.timeframe_ms
    faults = np.concatenate(([0], np.cumsum(~possible)))
    gaps = np.concatenate(([0], np.cumsum(~joined)))
    ready[length - 1 :] = (faults[length:] == faults[:-length]) & (
        gaps[length - 1 :] == gaps[: n - length + 1]
    )
    return ready


def time_features(close_ms: Ints) -> dict[str, Floats]:
    """Return the columns that only depend on the instant of the close."""
    hour = close_ms // HOUR_MS % 24
    weekday = (close_ms // DAY_MS + _THURSDAY) % 7
    return {
        "hour_sin": _HOUR_SIN[hour],
        "hour_cos": _HOUR_COS[hour],
        "weekday_sin": _WEEKDAY_SIN[weekday],
        "weekday_cos": _WEEKDAY_COS[weekday],
    }


def _funding_mean(funding: FundingSeries | None, close_ms: Ints) -> Floats:
    mean = np.full(len(close_ms), np.nan)
    if funding is None or len(funding.at_ms) == 0:
        return mean
    at = funding.at_ms
    first = np.searchsorted(at, close_ms - _FUNDING_MS, "right")
    last = np.searchsorted(at, close_ms, "right") - 1  # the newest one known
    rows = np.flatnonzero(first <= last)
    first, last = first[rows], last[rows]
    holes = np.concatenate(([0], np.cumsum(np.diff(at) > _FUNDING_GAP_MS)))
    whole = (
        (holes[first] == holes[last])
        & (at[first] - (close_ms[rows] - _FUNDING_MS) <= _FUNDING_GAP_MS)
        & (close_ms[rows] - at[last] <= _FUNDING_GAP_MS)
    )
    rows, first, last = rows[whole], first[whole], last[whole]
    # a sum of whole numbers does not depend on where the series starts
    total = np.concatenate(([0], np.cumsum(funding.rate)))
    mean[rows] = (total[last + 1] - total[first]) / ((last + 1 - first) * _FUNDING_UNIT)
    return mean


def _btc_lead(btc: CandleSeries | None, timeframe_ms: int, close_ms: Ints) -> Floats:
    lead = np.full(len(close_ms), np.nan)
    if btc is None:
        return lead
    if btc.timeframe_ms != timeframe_ms:
        raise InputError(
            f"{btc.symbol}: timeframe was {btc.timeframe_ms} ms, allowed: {timeframe_ms} ms"
        )
    if len(btc) < _BTC_WINDOW:
        return lead
    own = np.full(len(btc), np.nan)
    close = _floats(btc.close)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        volatility = ind.realized_volatility(ind.simple_returns(close, 1), VOLATILITY)
        scaled = scaled_return(close, volatility, _BTC_BARS)
    own[_BTC_WINDOW - 1 :] = scaled
    own[~_whole_windows(btc, _BTC_WINDOW)] = np.nan
    btc_close_ms = btc.open_ms + timeframe_ms
    at = np.minimum(np.searchsorted(btc_close_ms, close_ms), len(btc) - 1)
    found = btc_close_ms[at] == close_ms
    lead[found] = own[at[found]]
    return lead
