"""What a page draws of a backtest: curves of at most a thousand points, bounded tables."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from auto_trading.backtesting.assumptions import amount
from auto_trading.backtesting.output import Findings
from crypto_trader_pro.backtest.closed_trades import VENUE, RoundTrip
from crypto_trader_pro.backtest.equity_curve import curve_of, daily_equity
from crypto_trader_pro.backtest.result import BacktestResult
from crypto_trader_pro.backtest.thinning import kept
from crypto_trader_pro.domain.instruments import plain_text
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.domain.units import MONEY

POINTS: Final = 1_000  # of a curve
TRADES: Final = 500  # the last ones; all are in the file


def charts(found: Findings) -> dict[str, Any]:
    """Return what a page draws, as JSON values. Money of curves is in whole quote units' floats.

    Keys: `asset`, `curve` (times in ms, equity, fall below the highest so far), `months` (year,
    month, profit, fraction), `symbols`, `strategies`, `trades`, `trades_total`.
    """
    result = found.backtest.result
    trips = found.trips.closed
    return {
        "asset": result.instruments[0].quote,
        "curve": curve(result),
        "months": months(result),
        "symbols": _groups(trips, lambda t: result.instruments[t.symbol].symbol),
        "strategies": _groups(trips, lambda t: _strategy(result, t)),
        "trades": [_trade(result, trip) for trip in trips[-TRADES:]],
        "trades_total": len(trips),
    }


def curve(result: BacktestResult, most: int = POINTS) -> dict[str, list[int] | list[float]]:
    """Return times, equity and falls; of each piece its lowest and highest equity stay.

    The deepest fall of the whole run is always one of the points.
    """
    at = np.concatenate(([result.start_ms], result.close_ms)).astype(np.int64)
    equity = np.concatenate(([result.opening], result.equity)).astype(np.int64)
    peaks = np.maximum.accumulate(equity)
    falls = (peaks - equity) / np.maximum(peaks, 1)
    places = kept(equity, most - 1)
    places = np.unique(np.append(places, int(falls.argmax())))
    return {
        "at_ms": at[places].tolist(),
        "equity": (equity[places] / MONEY).round(2).tolist(),
        "fall": falls[places].round(6).tolist(),
    }


def months(result: BacktestResult) -> list[list[int | float]]:
    """Return [year, month, profit, fraction] of each UTC month, oldest first."""
    daily = daily_equity(curve_of(result))
    found: list[list[int | float]] = []
    before = int(daily.equity[0])
    for k, day_ms in enumerate(daily.day_ms.tolist()):
        day, last = to_datetime(day_ms), int(daily.equity[k + 1])
        is_last = k + 1 == len(daily.day_ms)
        following = None if is_last else to_datetime(int(daily.day_ms[k + 1]))
        if following is None or following.month != day.month:
            share = last / before - 1 if before > 0 else 0.0
            profit = round((last - before) / MONEY, 2)
            found.append([day.year, day.month, profit, round(share, 6)])
            before = last
    return found


def _groups(trips: Sequence[RoundTrip], name: Callable[[RoundTrip], str]) -> list[dict[str, Any]]:
    """Return what each group brought, the best first."""
    groups: dict[str, list[RoundTrip]] = {}
    for trip in trips:
        groups.setdefault(name(trip), []).append(trip)
    rows = [
        {
            "name": key, "trades": len(own), "wins": sum(trip.profit > 0 for trip in own),
            "profit": amount(sum(t.profit for t in own)), "fees": amount(sum(t.fees for t in own)),
        }
        for key, own in groups.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -sum(t.profit for t in groups[str(row["name"])]))


def _strategy(result: BacktestResult, trip: RoundTrip) -> str:
    return "" if trip.strategy == VENUE else result.strategies[trip.strategy]


def _trade(result: BacktestResult, trip: RoundTrip) -> dict[str, Any]:
    what = result.instruments[trip.symbol]
    return {
        "symbol": what.symbol, "strategy": _strategy(result, trip), "side": trip.side,
        "opened_ms": trip.opened_ms, "closed_ms": trip.closed_ms,
        "size": plain_text(what.quantity(trip.lots)), "entry": plain_text(trip.entry),
        "exit": None if trip.exit is None else plain_text(trip.exit),
        "profit": amount(trip.profit), "fees": amount(trip.fees), "reason": trip.reason,
        "bars": trip.bars,
    }  # fmt: skip
