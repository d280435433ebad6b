"""A small backtest for tests of its output: synthetic candles with gaps, the reference engine."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from auto_trading.backtesting.backtester import Backtest, Backtester
from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.output import Findings
from auto_trading.backtesting.request import BacktestRequest
from auto_trading.replay_market import ReplayRequest
from config.loading import load
from crypto_trader_pro.backtest.result import FILL_COLUMNS, ORDER_COLUMNS, BacktestResult
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from tests.builders import HOUR, PERPETUAL, START_MS, USDT, an_instrument
from tests.synthetic import BTC, ETH, write_candles, write_funding

BARS: Final = 1_500


@cache
def small() -> Findings:
    """BTC and ETH perpetuals, 1,500 minutes each, `ema_cross`, funding every hour."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        files = [
            write_candles(folder / f"{k}.csv.gz", coin, seed=7, bars=BARS)
            for k, coin in enumerate((BTC, ETH))
        ]
        symbols = (BTC.symbol, ETH.symbol)
        funding = folder / "f.csv.gz"
        write_funding(funding, symbols, seed=7, hours=BARS // 60 + 2)
        market = ReplayRequest(symbols, tuple(files), "1m", 60, ("ema_cross",), funding=funding)
        tester = Backtester.load(BacktestRequest(market), None, folder)
        done = tester.run(load(environ={}, dotenv={}), engine="reference")
        return Findings.of(done, tester.candles)


def a_series(closes: Sequence[int], *, hours: Sequence[int] = ()) -> CandleSeries:
    """Hourly candles that open at their close; `hours` since `START_MS` where some are missing."""
    at = np.array(hours or range(len(closes)), np.int64)
    prices = np.array(closes, np.int64)
    volume = np.full(len(prices), 1_000, np.int64)
    return CandleSeries(
        PERPETUAL, HOUR, START_MS + at * HOUR, prices, prices + 1, prices - 1, prices, volume
    )


def made(
    fills: Sequence[Sequence[int]], closes: Sequence[int] = (1_000,) * 50, *,
    equity: Sequence[int] = (), opening: int = 10_000 * USDT, instrument: Instrument | None = None,
) -> Findings:  # fmt: skip
    """A result of the fills given, over hourly candles; every fill has an order of its own.

    Args:
        equity: at the closes; flat if not given.
    """
    what = instrument or an_instrument(tick="0.1", lot="0.001")
    series = a_series(closes)
    close_ms = series.open_ms + HOUR
    values = np.array(equity or [opening] * len(closes), np.int64)
    rows = np.array(fills, np.int64).reshape(-1, FILL_COLUMNS)
    orders = np.zeros((len(rows), ORDER_COLUMNS), np.int64)
    orders[:, 0] = rows[:, 0]
    result = BacktestResult(
        (what,), ("ema_cross",), HOUR, opening, START_MS, close_ms, values, rows, orders, ("",),
        np.empty((0, 3), np.int64), (), {}, {"hold": len(closes)}, {"active": len(closes) * HOUR},
        "active", 0, len(closes), int(values[-1]), (0,), (int(closes[-1]),),
    )  # fmt: skip
    market = ReplayRequest((PERPETUAL,), (Path("made.csv"),), "1h", 3_600, ("ema_cross",))
    settings = load(environ={}, dotenv={})
    done = Backtest(
        BacktestRequest(market), settings, result, "reference", "", 0.5, 0.0, 0.0, "0" * 64
    )
    return Findings.of(done, Candles((what,), (series,), None, {}, "0" * 64))
