"""The plainest alternative to a strategy: buy every symbol once and wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from crypto_trader_pro.backtest.curve_metrics import curve_metrics, usable_returns
from crypto_trader_pro.backtest.equity_curve import EquityCurve, daily_equity
from crypto_trader_pro.backtest.metric import Metric
from crypto_trader_pro.backtest.metrics import sharpe_ratio
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries, Ints
from crypto_trader_pro.domain.units import MAX_NOTIONAL, notional
from crypto_trader_pro.simulation.costs import fee

_PART: Final = 1 << 16  # instants at once: many short arrays take less memory than a few long ones


@dataclass(frozen=True, slots=True, eq=False)
class BuyAndHold:
    """What buying and waiting would have made.

    Args:
        lots: bought of each symbol; 0 where its share of the money did not buy one lot.
        fees: of all entries and exits, money units.
    """

    curve: EquityCurve
    lots: tuple[int, ...]
    fees: int
    metrics: dict[str, Metric]


@dataclass(frozen=True, slots=True)
class Excess:
    """What a strategy made beyond another curve over the same time.

    Args:
        change: difference of the whole returns, fraction.
        information_ratio: the Sharpe ratio of the daily differences; None of too few days, without
            any difference, or where one of the curves lost everything.
        correlation: of daily returns, -1..1; None as above.
    """

    change: float
    information_ratio: float | None
    correlation: float | None


def buy_and_hold(
    instruments: Sequence[Instrument],
    candles: Sequence[CandleSeries],
    opening: int,
    start_ms: int,
    close_ms: Ints,
) -> BuyAndHold:
    """Return equal-weight buy and hold of all symbols, without leverage.

    Each symbol gets the same part of `opening`, buys whole lots at the first close of its candles
    in the interval with the taker fee, and sells them at its last close with the taker fee again;
    what buys no whole lot stays cash. No slippage, spread or funding: the alternative is not made
    to look worse than it is. A symbol that begins later waits as cash.

    Args:
        candles: of each instrument, in the same order; those outside the interval are not looked
            at.
        opening: money units.
        close_ms: the instants at which the equity is wanted.

    Raises:
        InputError: no symbol, no candle of one in the interval, or a value beyond 64 bits.
    """
    if not instruments:
        raise InputError("buy and hold needs a symbol")
    share = opening // len(instruments)
    equity = np.full(len(close_ms), opening, np.int64)
    bought, fees = [], 0
    for instrument, series in zip(instruments, candles, strict=True):
        closes_ms, closes = _inside(series, start_ms, close_ms)
        lots = _affordable(instrument, int(closes[0]), share)
        if int(closes.max()) * lots * instrument.tv * len(instruments) > MAX_NOTIONAL:
            raise InputError(
                f"{instrument.symbol}: buy and hold of {lots} lots is beyond 64 bits at the "
                f"highest close"
            )
        costs = _fees(instrument, lots, int(closes[0]), int(closes[-1]))
        for start in range(0, len(close_ms), _PART):
            part = slice(start, start + _PART)
            equity[part] += _profit(instrument, lots, costs, closes_ms, closes, close_ms[part])
        bought.append(lots)
        fees += sum(costs)
    curve = EquityCurve(opening, start_ms, close_ms, equity)
    table = {metric.code: metric for metric in curve_metrics(curve)}
    return BuyAndHold(curve, tuple(bought), fees, table)


def _inside(series: CandleSeries, start_ms: int, close_ms: Ints) -> tuple[Ints, Ints]:
    end_ms = int(close_ms[-1]) if len(close_ms) else start_ms
    whole = len(series) and start_ms <= series.open_ms[0]
    if whole and series.open_ms[-1] + series.timeframe_ms <= end_ms:
        inside = series  # cutting looks at every candle again
    else:
        inside = series.between(start_ms, end_ms)
    if not len(inside):
        raise InputError(f"{series.symbol}: no candle between {start_ms} and {end_ms} ms")
    return inside.open_ms + inside.timeframe_ms, inside.close


def _affordable(instrument: Instrument, price: int, share: int) -> int:
    value = notional(price, 1, instrument.tv)
    lots = share // (value + fee(value, instrument.taker_rate))
    return min(lots, instrument.max_lots)


def _fees(instrument: Instrument, lots: int, first: int, last: int) -> tuple[int, int]:
    rate = instrument.taker_rate
    entry = fee(notional(first, lots, instrument.tv), rate)
    return entry, fee(notional(last, lots, instrument.tv), rate)


def _profit(
    instrument: Instrument,
    lots: int,
    fees: tuple[int, int],
    closes_ms: Ints,
    closes: Ints,
    close_ms: Ints,
) -> Ints:
    """Return the profit after fees at each wanted instant; 0 before the first close."""
    place = np.searchsorted(closes_ms, close_ms, "right") - 1
    price = closes[np.maximum(place, 0)]
    profit = (price - closes[0]) * (lots * instrument.tv) - fees[0]
    profit[close_ms >= closes_ms[-1]] -= fees[1]
    result: Ints = np.where(place >= 0, profit, 0)
    return result


def excess(strategy: EquityCurve, other: EquityCurve) -> Excess:
    """Return how a strategy did beside another curve over the same days.

    Raises:
        ValueError: the curves are not of the same days.
    """
    days, others = daily_equity(strategy), daily_equity(other)
    if not np.array_equal(days.day_ms, others.day_ms):
        raise ValueError("an excess needs two curves of the same days")
    change = strategy.change - other.change
    mine, theirs = usable_returns(days), usable_returns(others)
    if mine is None or theirs is None:
        return Excess(change, None, None)
    ratio = sharpe_ratio(mine - theirs)
    if ratio is None or not (np.ptp(mine) > 0 and np.ptp(theirs) > 0):
        return Excess(change, ratio, None)
    return Excess(change, ratio, float(np.corrcoef(mine, theirs)[0, 1]))
