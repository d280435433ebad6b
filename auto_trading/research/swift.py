"""Many sets of parameters over one window in compiled code at once, where that is possible.

The figures are those of single runs; the largest drawdown is told to 1e-8. What has no compiled
pass, or more than one symbol or strategy, is for single runs.
"""

from collections.abc import Generator, Iterator, Mapping
from itertools import islice
from math import sqrt
from typing import Final

from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.sweeping import Sweeper, SweepRow
from auto_trading.research.parameters import params_hash, with_params
from auto_trading.research.playing import Case, Told, World
from config.settings import Settings
from crypto_trader_pro.backtest.account_metrics import calmar_ratio
from crypto_trader_pro.backtest.curve_metrics import curve_metrics
from crypto_trader_pro.backtest.equity_curve import DAY_MS, EquityCurve
from crypto_trader_pro.backtest.kernel_run import KernelRefused
from crypto_trader_pro.backtest.metrics import DAYS_PER_YEAR
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.units import RATE

_TOGETHER: Final = 64  # runs between two questions whether anybody still wants them
_CODES: Final = ("return", "cagr", "volatility", "sharpe", "sortino")


def played(world: World, cases: Mapping[str, Case], threads: int) -> Generator[tuple[str, Told]]:
    """Yield what is kept of each case that can be played here; the others are left out.

    Args:
        cases: differ in parameters and windows only.
    """
    windows: dict[tuple[int | None, int | None], dict[str, Case]] = {}
    for key, case in cases.items():
        windows.setdefault((case.from_ms, case.to_ms), {})[key] = case
    for window, own in windows.items():
        yield from _window(world, window, own, threads)


def _window(
    world: World, window: tuple[int | None, int | None], cases: Mapping[str, Case], threads: int
) -> Iterator[tuple[str, Told]]:
    tester = world.backtester
    market = tester.request.market
    candles = tester.candles.between(*window)
    days = _days(candles)
    if days is None:
        return
    try:
        sweeper = Sweeper(
            candles, market.strategies, market.interval_seconds * 1000, world.settings,
            tester.var_dir,
        )  # fmt: skip
        waiting = iter(cases.items())
        while part := list(islice(waiting, _TOGETHER)):
            variants = [with_params(world.settings, case.params) for _, case in part]
            rows = sweeper.run(variants, threads)
            for (key, _), settings, row in zip(part, variants, rows, strict=True):
                yield key, _told(row, settings, world, candles, days)
    except KernelRefused:
        return


def _days(candles: Candles) -> Ints | None:
    """Return the close of each UTC day; None where a day has no candle, and so no equity."""
    closes = candles.series[0].open_ms + candles.timeframe_ms
    day = (closes - 1) // DAY_MS
    last = (day[1:] != day[:-1]).nonzero()[0]
    ends: Ints = closes[[*last.tolist(), len(closes) - 1]]
    first = candles.start_ms // DAY_MS
    return ends if len(ends) == int(day[-1]) - first + 1 else None


def _told(row: SweepRow, settings: Settings, world: World, candles: Candles, days: Ints) -> Told:
    """Return what `playing.told` would, as far as a sweep knows it."""
    opening = int(row.daily[0])
    curve = EquityCurve(opening, candles.start_ms, days, row.daily[1:])
    found = {metric.code: metric.value for metric in curve_metrics(curve)}
    drawdown = row.max_drawdown_rate / RATE
    sharpe = found["sharpe"]
    return {
        "engine": "compiled",
        "refused": "",
        "params_hash": params_hash(settings, world.strategies),
        "start_ms": curve.start_ms,
        "end_ms": curve.end_ms,
        "opening": opening,
        "final": row.final,
        "fills": row.fills,
        "metrics": {
            **{code: found[code] for code in _CODES},
            "max_drawdown": drawdown,
            "calmar": calmar_ratio(row.final / opening, curve.days, drawdown),
        },
        "daily_sharpe": None if sharpe is None else float(sharpe) / sqrt(DAYS_PER_YEAR),
        "first_day_ms": curve.start_ms // DAY_MS * DAY_MS,
        "daily_equity": row.daily.tolist(),
    }
