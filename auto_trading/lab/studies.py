"""Studies of the lab: what a request asks of research, and what a page shows of its answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from auto_trading.backtesting.output import parameters
from auto_trading.backtesting.request import BacktestRequest
from auto_trading.lab.charts import POINTS
from auto_trading.research import (
    capacity_estimate,
    cost_sensitivity,
    folds,
    monte_carlo,
    optimize,
    sweep,
    walk_forward,
)
from auto_trading.research.ranking import DEFAULT_METRIC
from auto_trading.research.study import StudySpec
from config.settings import Settings
from crypto_trader_pro.backtest.lab_request import LabKind, LabRequest
from crypto_trader_pro.backtest.thinning import kept

Json = dict[str, Any]

_KINDS: Final = {
    LabKind.SWEEP: "sweep", LabKind.OPTIMIZE: "optimize", LabKind.WALK_FORWARD: "walk-forward",
    LabKind.MONTE_CARLO: "monte-carlo", LabKind.COSTS: "costs", LabKind.CAPACITY: "capacity",
}  # fmt: skip
_TABLES: Final = (LabKind.SWEEP, LabKind.OPTIMIZE, LabKind.COSTS, LabKind.CAPACITY)
_ROWS: Final = 200  # of a sweep, best first; all are in the study's folder
_HEADLINE: Final = ("return", "max_drawdown", "sharpe")
_DRAWN: Final = frozenset({"rows", "equity", "bands"})  # kept apart from the figures of a list


def spec_of(request: LabRequest, settings: Settings) -> StudySpec:
    """Return the study that a request means."""
    return StudySpec(
        _KINDS[request.kind], BacktestRequest.of(request.market), settings, request.engine,
        _options(request),
    )  # fmt: skip


def _options(request: LabRequest) -> Json:
    grid = {key: [str(value) for value in values] for key, values in request.grid.items()}
    if request.kind is LabKind.SWEEP:
        return sweep.options(grid, DEFAULT_METRIC)
    if request.kind is LabKind.OPTIMIZE:
        return optimize.options(grid, DEFAULT_METRIC, request.tries, request.windows)
    if request.kind is LabKind.COSTS:
        return cost_sensitivity.options()
    if request.kind is LabKind.CAPACITY:
        return capacity_estimate.options()
    if request.kind is LabKind.WALK_FORWARD:
        plan = folds.Plan(
            request.anchored, request.train_days, request.test_days, request.purge,
            request.embargo,
        )  # fmt: skip
        return walk_forward.options(grid, DEFAULT_METRIC, plan)
    return monte_carlo.options(
        (request.shaking.value,), runs=request.runs, candle_runs=request.runs
    )


def told(kind: LabKind, found: Mapping[str, Any], settings: Settings) -> Json:
    """Return the figures of a study that a list of results shows, as JSON values.

    Keys beside the study's own: `params` of the strategies, `best_params` that it recommends,
    `headline` figures of the best.
    """
    summary = {key: value for key, value in found.items() if key not in _DRAWN}
    summary["params"] = parameters(settings, tuple(found["strategies"]))
    return summary | _best(kind, found)


def drawn(kind: LabKind, found: Mapping[str, Any]) -> Json:
    """Return what a page draws of a study: bounded tables and curves."""
    if kind in _TABLES:
        return {"rows": found["rows"][:_ROWS], "rows_total": len(found["rows"])}
    if kind is LabKind.WALK_FORWARD:
        return {"curve": _curve(found["equity"])}
    return {"bands": found["bands"], "quantiles": found["quantiles"]}


def _best(kind: LabKind, found: Mapping[str, Any]) -> Json:
    """Return the parameters that a study recommends, if any, and what they did."""
    row, params = _chosen(kind, found)
    return {"best_params": params, "headline": _headline(row)}


def _chosen(kind: LabKind, found: Mapping[str, Any]) -> tuple[Mapping[str, Any], Json]:
    if kind in (LabKind.SWEEP, LabKind.OPTIMIZE):
        best = found["best"]
        if best is None:
            return {}, {}
        whole = found.get("whole") or next(r for r in found["rows"] if r["name"] == best["name"])
        return whole, best["params"]
    if kind is LabKind.WALK_FORWARD:
        steady = {key: value["most_common"] for key, value in found["stability"].items()}
        return found["out_of_sample"], steady
    if kind is LabKind.MONTE_CARLO:
        return found["base"], {}
    usual = (r for r in found["rows"] if (r.get("fees"), r.get("slippage")) == ("1", "1"))
    return next(usual, {}), {}


def _headline(row: Mapping[str, Any]) -> Json:
    return {code: row[code] for code in _HEADLINE if code in row}


def _curve(equity: Sequence[Sequence[float]]) -> Json:
    """Return times, an index that begins at 1, and its fall from the highest so far."""
    values = np.array([value for _, value in equity])
    falls = 1 - values / np.maximum.accumulate(values)
    places = np.union1d(kept(values, POINTS - 1), [int(falls.argmax())])
    return {
        "at_ms": [int(equity[k][0]) for k in places], "equity": values[places].round(6).tolist(),
        "fall": falls[places].round(6).tolist(),
    }  # fmt: skip
