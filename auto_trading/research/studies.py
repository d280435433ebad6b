"""Begin a study, or go on with one: what commands and jobs call."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

import numpy as np

from auto_trading.backtesting.backtester import Backtester
from auto_trading.backtesting.warmup import check_warm
from auto_trading.research.study import Bench, StudySpec, Tools
from auto_trading.research.study_files import StudyFiles
from crypto_trader_pro.backtest.buy_and_hold import buy_and_hold
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import money_units
from crypto_trader_pro.domain.timeframes import to_datetime

Run = Callable[[Bench, Mapping[str, Any]], dict[str, Any]]

# kind -> module; each has `check(spec, candles)`, which refuses unusable options, and `run(bench,
# options)`, which returns a summary
KINDS: Final = {
    "sweep": "sweep",
    "optimize": "optimize",
    "walk-forward": "walk_forward",
    "monte-carlo": "monte_carlo",
    "costs": "cost_sensitivity",
    "capacity": "capacity_estimate",
    "look-ahead": "look_ahead",
    "overfitting": "overfitting_report",
}


def begin(spec: StudySpec, tools: Tools) -> StudyFiles:
    """Check what is asked, load the candles once to name them, and make the study's folder.

    Raises:
        InputError: it cannot be done; nothing is left behind.
    """
    module = _module(spec.kind)
    candles = Backtester.load(spec.request, tools.database, tools.var_dir).candles
    check_warm(candles, spec.request.market.strategies, spec.settings)
    module.check(spec, candles)
    spec = replace(spec, sha256=candles.sha256)
    return StudyFiles.new(tools.var_dir, spec.kind, spec.as_json())


def carry_on(files: StudyFiles, tools: Tools) -> dict[str, Any]:
    """Do what is left of a study and return its summary, which is also in its folder.

    Raises:
        Canceled: what is finished is kept.
        InputError: its candles have changed, or nothing could be computed.
    """
    spec = StudySpec.of(files.spec)
    backtester = Backtester.load(spec.request, tools.database, tools.var_dir)
    if backtester.candles.sha256 != spec.sha256:
        raise InputError(f"the candles of {files.id} are not those it began with")
    module = _module(spec.kind)
    with files.results() as results:
        bench = Bench(files, spec, backtester, tools, results)
        found: dict[str, Any] = module.run(bench, spec.options)
        summary = (
            _heading(bench) | {"trials": bench.count([]).count} | found | {"failed": bench.failed}
        )
        files.finish(summary)
    return summary


def _heading(bench: Bench) -> dict[str, Any]:
    spec, candles = bench.spec, bench.world.backtester.candles
    return {
        "study": bench.files.id,
        "kind": spec.kind,
        "folder": str(bench.files.folder),
        "strategies": list(bench.strategies),
        "symbols": [i.symbol for i in candles.instruments],
        "timeframe": spec.request.market.timeframe,
        "from": to_datetime(candles.start_ms).isoformat(),
        "to": to_datetime(candles.end_ms).isoformat(),
        "data_sha256": spec.sha256,
        "config_hash": spec.settings.hash(),
        "results": bench.done,
        "buy_and_hold": _waiting(bench),
    }


def _waiting(bench: Bench) -> dict[str, Any]:
    """Return what buying every symbol at the beginning and waiting would have made."""
    candles = bench.world.backtester.candles
    closes = np.unique(np.concatenate([s.open_ms for s in candles.series])) + candles.timeframe_ms
    found = buy_and_hold(
        candles.instruments, candles.series, money_units(bench.spec.settings.paper_equity),
        candles.start_ms, closes,
    )  # fmt: skip
    return {code: found.metrics[code].value for code in ("return", "sharpe", "max_drawdown")}


def _module(kind: str) -> Any:
    if kind not in KINDS:
        raise InputError(f"kind of study was {kind!r}, allowed: {', '.join(KINDS)}")
    return import_module(f"auto_trading.research.{KINDS[kind]}")
