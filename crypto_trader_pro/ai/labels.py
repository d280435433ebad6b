"""Labels: how the configured trade itself would have ended, decided at the close of each candle.

The trade is that of the paper venue (`crypto_trader_pro.simulation.matching`), for whole arrays:
entry at the next candle's open, slipped. The bracket works from the entry candle on; if one candle
touches both the stop counts; a stop fills at the worse of its price and the open, slipped; a target
at its price. After `horizon` candles the trade ends at the next open, slipped. Fees are `fee_rate`
on both sides (a target, too, pays it: the venue's maker fee would be lower).

The price path is counted in whole price units.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.domain.market import CandleSeries, Floats, Ints
from crypto_trader_pro.domain.units import RATE

OPEN: Final = 0  # not ended, or the candles do not tell
STOPPED: Final = 1
TARGET_HIT: Final = 2
TIMED_OUT: Final = 3
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """The trade of one side decided at each of n closes; arrays of shape (n,).

    `known` is False where the candles end or have a gap before the trade ends, or the distance of
    the stop is 0; then `exit_index` is -1, `exit_ms` 0 and `net_bp` NaN.
    """

    side: int  # +1 long, -1 short
    entry: Ints  # price units, slipped
    exit: Ints
    exit_index: Ints  # candle in which the trade ended
    exit_ms: Ints  # when that was known: its close, for a time-out its open
    reason: Ints  # OPEN, STOPPED, TARGET_HIT, TIMED_OUT
    net_bp: Floats  # after fees and slippage, basis points of the entry's notional
    stop_units: Ints  # distance of the stop from the entry, price units
    stop_bp: Floats  # the same in basis points of the decision's close
    known: Bools


@dataclass(slots=True, eq=False)
class _Trades:
    """The trades of all rows while the candles after them are walked through."""

    exit: Ints
    exit_index: Ints
    reason: Ints
    open: Bools

    def close(self, where: Bools, price: Ints, index: Ints, reason: int) -> None:
        self.exit[where] = price[where]
        self.exit_index[where] = index[where]
        self.reason[where] = reason
        self.open &= ~where


def outcomes(
    series: CandleSeries,
    atr: Ints,
    side: Literal[1, -1],
    cfg: AiConfig,
    *,
    tick_units: int = 1,
) -> Outcomes:
    """Return how the trade decided at the close of each candle ended.

    Args:
        series: candles of `cfg.timeframe_ms`.
        atr: shape (n,), price units, known at each close; not read for the label "fixed".
        side: +1 long, -1 short.
        tick_units: price units in the instrument's tick, on which all orders lie.
    """
    n = len(series)
    stop_units, target_units = distances(series.close, atr, cfg)
    ahead = _Ahead(series, cfg.horizon + 1)
    first = ahead.candle(1)
    entry = _slipped(first.open, side, cfg.slippage_rate, tick_units)
    stop = _stop_price(side, entry, stop_units, tick_units)
    target = _target_price(side, entry, target_units, tick_units)
    trades = _Trades(
        np.zeros(n, dtype=np.int64),
        np.full(n, -1, dtype=np.int64),
        np.full(n, OPEN, dtype=np.int64),
        first.present & (stop_units > 0),
    )
    for k in range(1, cfg.horizon + 1):
        _walk(trades, ahead.candle(k), side, stop, target, cfg.slippage_rate, tick_units)
    last = ahead.candle(cfg.horizon + 1)
    out = _slipped(last.open, -side, cfg.slippage_rate, tick_units)
    trades.close(trades.open & last.present, out, last.index, TIMED_OUT)
    return _outcomes(series, side, cfg, entry, stop_units, trades)


def distances(close: Ints, atr: Ints, cfg: AiConfig) -> tuple[Ints, Ints]:
    """Return the distances of stop and target from the entry, price units, rounded up.

    They are fixed at the decision's close: multiples of `atr`, or shares of `close`.
    """
    if cfg.label == "atr":
        return _rate_ceil(atr, cfg.stop_atr_rate), _rate_ceil(atr, cfg.target_atr_rate)
    return _rate_ceil(close, cfg.stop_rate), _rate_ceil(close, cfg.target_rate)


def whole_horizon(series: CandleSeries, cfg: AiConfig) -> Bools:
    """Return where every candle that a trade could need is there, shape (n,).

    Only these rows may train or score a model: near a gap or the end, the trades that are known are
    those that ended early, which are not a fair sample.
    """
    reach = cfg.horizon + 1
    whole = np.zeros(len(series), dtype=np.bool_)
    if len(series) > reach:
        span = series.open_ms[reach:] - series.open_ms[:-reach]
        whole[:-reach] = span == reach * series.timeframe_ms
    return whole


def results_of(
    numbers: Ints, stop_units: Ints, target_units: Ints, side: Literal[1, -1], cfg: AiConfig,
    tick_units: Ints,
) -> Floats:  # fmt: skip
    """Return the net results of k trades decided at one close, the same as `outcomes` has them.

    Args:
        numbers: open, high, low, close and volume of the `cfg.horizon` + 1 candles after the
            close, all there and possible; shape (horizon + 1, 5, k).
        stop_units: distances as `distances` returns them, above 0; shape (k,), as `target_units`.
        tick_units: price units in each instrument's tick, shape (k,).
    """
    open_, high, low = numbers[:, 0], numbers[:-1, 1], numbers[:-1, 2]
    slippage, k = cfg.slippage_rate, np.arange(numbers.shape[2])
    entry = _slipped(open_[0], side, slippage, tick_units)
    stop = _stop_price(side, entry, stop_units, tick_units)
    target = _target_price(side, entry, target_units, tick_units)
    reached = (low <= stop, high >= target) if side > 0 else (high >= stop, low <= target)
    at_stop, at_target = (_first(rows) for rows in reached)
    stopped = (at_stop <= at_target) & (at_stop < cfg.horizon)
    hit = ~stopped & (at_target < cfg.horizon)
    at = np.minimum(at_stop, cfg.horizon)  # the candle after the last ends those by time
    worse = np.minimum(open_[at, k], stop) if side > 0 else np.maximum(open_[at, k], stop)
    price = np.where(stopped, worse, open_[-1])
    out = np.where(hit, target, _slipped(price, -side, slippage, tick_units))
    return net_result_bp(side, entry, out, cfg.fee_rate)


def _first(rows: Bools) -> Ints:
    """Return the first row that is True of each column; the number of rows where none is."""
    first: Ints = np.where(rows.any(axis=0), rows.argmax(axis=0), len(rows))
    return first


@dataclass(frozen=True, slots=True, eq=False)
class _Candle:
    """The candle k after each row. Where it is not `present` its prices mean nothing."""

    index: Ints
    open: Ints
    high: Ints
    low: Ints
    present: Bools


class _Ahead:
    """Looks k candles ahead of every row at once."""

    def __init__(self, series: CandleSeries, reach: int) -> None:
        self._series = series
        self._n = len(series)
        pad = (0, reach)
        self._open_ms = np.pad(series.open_ms, pad, constant_values=-1)
        self._open, self._high, self._low = (
            np.pad(x, pad, constant_values=1) for x in (series.open, series.high, series.low)
        )

    def candle(self, k: int) -> _Candle:
        cut = slice(k, k + self._n)
        due = self._series.open_ms + k * self._series.timeframe_ms
        low, high, open_ = self._low[cut], self._high[cut], self._open[cut]
        possible = (low > 0) & (low <= open_) & (open_ <= high)
        present = (self._open_ms[cut] == due) & possible
        return _Candle(np.arange(k, k + self._n), open_, high, low, present)


def _walk(
    trades: _Trades,
    candle: _Candle,
    side: int,
    stop: Ints,
    target: Ints,
    slippage: int,
    tick: int,
) -> None:
    trades.open &= candle.present
    if side > 0:
        stopped = trades.open & (candle.low <= stop)
        hit = trades.open & ~stopped & (candle.high >= target)
        worse = np.minimum(candle.open, stop)
    else:
        stopped = trades.open & (candle.high >= stop)
        hit = trades.open & ~stopped & (candle.low <= target)
        worse = np.maximum(candle.open, stop)
    trades.close(stopped, _slipped(worse, -side, slippage, tick), candle.index, STOPPED)
    trades.close(hit, target, candle.index, TARGET_HIT)


def _outcomes(
    series: CandleSeries, side: int, cfg: AiConfig, entry: Ints, stop_units: Ints, trades: _Trades
) -> Outcomes:
    known = trades.reason != OPEN
    at = trades.exit_index[known]
    exit_ms = np.zeros(len(series), dtype=np.int64)
    by_time = trades.reason[known] == TIMED_OUT
    exit_ms[known] = series.open_ms[at] + np.where(by_time, 0, series.timeframe_ms)
    net_bp = np.full(len(series), np.nan)
    net_bp[known] = net_result_bp(side, entry[known], trades.exit[known], cfg.fee_rate)
    with np.errstate(divide="ignore", invalid="ignore"):  # impossible candles
        stop_bp = stop_units / series.close * 10_000.0
    return Outcomes(
        side,
        entry,
        trades.exit,
        trades.exit_index,
        exit_ms,
        trades.reason,
        net_bp,
        stop_units,
        stop_bp,
        known,
    )


def net_result_bp(side: int, entry: Ints, exit_: Ints, fee_rate: int) -> Floats:
    """Return the result after fees on both sides, basis points of the entry's notional.

    Prices in price units. The sign is exact: whole numbers decide between profit and loss.
    """
    result = side * (exit_ - entry) * RATE - fee_rate * (entry + exit_)
    return result / (entry * (RATE // 10_000))


def _rate_ceil(x: Ints, rate: int) -> Ints:
    # ceil(x * rate / 1e8) in 64 bits, as `units.rate_ceil` does for one number
    result: Ints = -(-x // RATE * rate + -x % RATE * rate // RATE)
    return result


def _up(x: Ints, step: int | Ints) -> Ints:
    result: Ints = -(-x // step) * step
    return result


def _slipped(price: Ints, side: int, rate: int, tick: int | Ints) -> Ints:
    if side > 0:
        return _up(price + _rate_ceil(price, rate), tick)
    return _down(price - _rate_ceil(price, rate), tick)


def _stop_price(side: int, entry: Ints, distance: Ints, tick: int | Ints) -> Ints:
    return _down(entry - distance, tick) if side > 0 else _up(entry + distance, tick)


def _target_price(side: int, entry: Ints, distance: Ints, tick: int | Ints) -> Ints:
    return _up(entry + distance, tick) if side > 0 else _down(entry - distance, tick)


def _down(x: Ints, step: int | Ints) -> Ints:
    result: Ints = np.maximum(x // step * step, step)  # a price is at least one tick
    return result
