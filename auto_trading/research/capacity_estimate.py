"""How much capital the strategy carries: its fills beside the volume of their candles.

The estimate and what it assumes are in `crypto_trader_pro.backtest.capacity`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import numpy as np

from auto_trading.backtesting.candles import Candles
from auto_trading.research.parameters import with_params
from auto_trading.research.playing import Case, Told, World, told
from auto_trading.research.playing import run as run_case
from auto_trading.research.study import Bench, StudySpec, trial_of
from config.fields import as_rate
from crypto_trader_pro.backtest.capacity import capacity
from crypto_trader_pro.backtest.closed_trades import round_trips
from crypto_trader_pro.backtest.result import (
    FILL_AT,
    FILL_LOTS,
    FILL_MAKER,
    FILL_PRICE,
    FILL_REASON,
    FILL_REASONS,
    FILL_SYMBOL,
    BacktestResult,
)
from crypto_trader_pro.domain.enums import FillReason
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import money, plain_text
from crypto_trader_pro.domain.market import CandleSeries, Ints

DEFAULT_IMPACT_PCT: Final = Decimal(
    10
)  # of zipline's VolumeShareSlippage, where settings have none
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
# reasons of fills inside a candle: these are told at its close, all others at an open
_INSIDE: Final = [
    FILL_REASONS.index(reason.value)
    for reason in (FillReason.STOP, FillReason.TARGET, FillReason.TRAILING)
]


def options(
    impact_pct: str | None = None, params: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the options of an estimate as JSON values; None takes the settings' impact."""
    return {"impact_pct": impact_pct, "params": dict(params or {})}


def check(spec: StudySpec, candles: Candles) -> None:
    """Refuse an estimate that cannot be made.

    Raises:
        InputError: an impact that is none.
    """
    with_params(spec.settings, spec.options["params"])
    text = spec.options["impact_pct"]
    if text is None:
        return
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal("NaN")
    if not (value.is_finite() and 0 < value <= 100 and value == round(value, 6)):
        raise InputError(
            f"impact was {text!r} percent, allowed: above 0, at most 100, up to 6 decimals"
        )


def run(bench: Bench, options: Mapping[str, Any]) -> dict[str, Any]:
    """Run the strategy and estimate.

    Raises:
        Canceled: before it was done.
        InputError: the run failed, or closed no trade.
    """
    settings = with_params(bench.spec.settings, options["params"])
    own = settings.paper.impact_pct
    asked = options["impact_pct"]
    impact = Decimal(asked) if asked is not None else own or DEFAULT_IMPACT_PCT
    case = {"base": Case(options["params"])}
    base = bench.only(bench.compute(with_shares, bench.world, case))["base"]
    bench.count([trial_of(base)])
    found = capacity(
        np.array(base["lots"], np.int64), np.array(base["volumes"], np.int64),
        np.array(base["values"], np.float64), np.array(base["makers"], np.int64),
        base["profit"], base["closed"],
        impact_rate=as_rate(impact),
        volume_share=as_rate(settings.paper.volume_share_pct),
        impact_included=own == impact,
    )  # fmt: skip
    capital = settings.paper_equity
    return {
        "engine": base["engine"],
        "capital": plain_text(capital),
        "impact_pct": plain_text(impact),
        "volume_share_pct": plain_text(settings.paper.volume_share_pct),
        "break_even_capital": _times(capital, found.break_even),
        "best_capital": _times(capital, found.best),
        "first_capped_capital": _times(capital, found.first_capped),
        "half_capped_capital": _times(capital, found.half_capped),
        "expectancy": plain_text(money(round(found.expectancy))),
        "impact": plain_text(money(round(found.impact))),
        "trades": found.trades,
        "fills": found.fills,
        "fills_without_volume": found.unmeasured,
        "rows": [
            {"capital": plain_text(capital * k),
             "profit_per_trade": plain_text(money(round(found.expectancy_at(k))))}
            for k in _SIZES
        ],
    }  # fmt: skip


def with_shares(world: World, case: Case) -> Told:
    """Run one backtest and keep each fill's lots, value and candle volume. Runs in a worker."""
    backtest = run_case(world, case)
    result, series = backtest.result, world.backtester.candles.series
    closed = round_trips(result).closed
    tv = np.array([i.tv for i in result.instruments], np.int64)
    fills = result.fills
    values = fills[:, FILL_LOTS] * fills[:, FILL_PRICE] * tv[fills[:, FILL_SYMBOL]]
    return told(backtest) | {
        "lots": fills[:, FILL_LOTS].tolist(),
        "volumes": volumes_of(result, series).tolist(),
        "values": values.tolist(),
        "makers": fills[:, FILL_MAKER].tolist(),
        "profit": sum(trip.profit for trip in closed),
        "closed": len(closed),
    }


def volumes_of(result: BacktestResult, series: tuple[CandleSeries, ...]) -> Ints:
    """Return the volume of the candle that each fill was in, lots.

    A fill is told at the open of its candle, or at its close where the price was reached inside.
    The rest of a stop that a thin candle did not fill is told at an open as well; it counts in the
    candle before, which is where the stop was reached.
    """
    fills = result.fills
    inside = (fills[:, FILL_MAKER] == 1) | np.isin(fills[:, FILL_REASON], _INSIDE)
    moments = fills[:, FILL_AT] - inside
    volumes = np.zeros(len(fills), np.int64)
    for i, candles in enumerate(series):
        mine = fills[:, FILL_SYMBOL] == i
        place = np.searchsorted(candles.open_ms, moments[mine], "right") - 1
        volumes[mine] = candles.volume[place]
    return volumes


def _times(capital: Decimal, size: float | None) -> str | None:
    """Return so many times the capital, to whole units of the quote currency."""
    return None if size is None else plain_text((capital * Decimal(size)).quantize(Decimal(1)))
