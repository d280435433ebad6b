"""Walk-forward: parameters chosen on one window and judged on the next, again and again.

In each fold every combination is run over the train window, the best by the metric is run over the
test window that follows, and the test windows are joined: an equity no decision of which knew what
came later. `ai_signal` trains again by its own schedule inside each run (see `lead`).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from auto_trading.backtesting.candles import Candles
from auto_trading.research.folds import Fold, Plan, folds
from auto_trading.research.lead import case_from
from auto_trading.research.parameters import params_hash
from auto_trading.research.playing import Case
from auto_trading.research.ranking import OF_TRADES, best, check_metric
from auto_trading.research.study import Bench, StudySpec, trial_of
from auto_trading.research.sweep import Grid, engines_of, valid_cases
from auto_trading.research.trials import Trial, daily_returns_of, luck
from crypto_trader_pro.backtest.curve_metrics import curve_metrics
from crypto_trader_pro.backtest.equity_curve import DAY_MS, EquityCurve
from crypto_trader_pro.backtest.metrics import DAYS_PER_YEAR, sharpe_ratio
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.domain.units import MONEY

_OPENING = 1_000_000 * MONEY  # of the joined equity, an index


def options(grid: Grid, metric: str, plan: Plan) -> dict[str, Any]:
    """Return the options of a walk-forward as JSON values; an empty grid chooses nothing."""
    return {
        "grid": {key: list(values) for key, values in grid.items()}, "metric": metric,
        **plan._asdict(),
    }  # fmt: skip


def plan_of(options: Mapping[str, Any]) -> Plan:
    return Plan(**{name: options[name] for name in Plan._fields})


def check(spec: StudySpec, candles: Candles) -> None:
    """Refuse a walk-forward that cannot be run.

    Raises:
        InputError: an unknown metric, a value that is never allowed, windows that do not fit.
    """
    check_metric(spec.options["metric"])
    valid_cases(spec.settings, spec.options["grid"])
    _folds(candles, spec.options)


def run(bench: Bench, options: Mapping[str, Any]) -> dict[str, Any]:
    """Run the walk-forward and return folds, joined equity, efficiency and stability.

    Raises:
        Canceled: before all was done.
        InputError: a fold in which nothing could be run or chosen.
    """
    metric = options["metric"]
    valid = valid_cases(bench.spec.settings, options["grid"])
    windows = _folds(bench.world.backtester.candles, options)
    bench.expect(len(windows) * (len(valid.cases) + 1))
    trained = bench.play_many({
        _train(k, name): Case(
            params, fold.train_from, fold.train_to, trades=metric in OF_TRADES
        )
        for k, fold in enumerate(windows) for name, params in valid.cases.items()
    })  # fmt: skip
    chosen = [
        _choose(bench, k, fold, list(valid.cases), trained.values, trained.failed, metric)
        for k, fold in enumerate(windows)
    ]
    tests = bench.only(bench.play({
        _test(k, name): case_from(
            bench.world, valid.cases[name], fold.test_from, fold.test_to, fold.train_from
        )
        for k, (fold, name) in enumerate(zip(windows, chosen, strict=True))
    }))  # fmt: skip
    inside = [trained.values[_train(k, name)] for k, name in enumerate(chosen)]
    outside = [tests[_test(k, name)] for k, name in enumerate(chosen)]
    joined = np.concatenate([daily_returns_of(value) for value in outside])
    own = Trial(_own_hash(bench, options), _daily_sharpe(joined))
    return {
        "metric": metric,
        "anchored": options["anchored"],
        "engine": engines_of([*trained.values.values(), *tests.values()]),
        "skipped": valid.skipped,
        "folds": [
            _row(fold, name, i, o)
            for fold, name, i, o in zip(windows, chosen, inside, outside, strict=True)
        ],
        **_together(inside, outside, joined),
        "stability": _stability([valid.cases[name] for name in chosen]),
        "luck": luck(joined, bench.count([own])),
        "models": "ai_signal trains inside each run by its own schedule, on earlier candles only",
    }


def _folds(candles: Candles, options: Mapping[str, Any]) -> list[Fold]:
    return folds(candles.start_ms, candles.end_ms, candles.timeframe_ms, plan_of(options))


def _train(k: int, name: str) -> str:
    return f"train {k + 1} {name}"


def _test(k: int, name: str) -> str:
    return f"test {k + 1} {name}"


def _choose(
    bench: Bench, k: int, fold: Fold, names: Sequence[str], values: Mapping[str, Any],
    failed: Mapping[str, str], metric: str,
) -> str:  # fmt: skip
    """Return the combination that was best in a train window, and count what was tried there."""
    mine = {name: values[_train(k, name)] for name in names if _train(k, name) in values}
    if not mine:
        raise InputError(f"fold {k + 1}: {failed[_train(k, names[0])]}")
    bench.count([trial_of(value) for value in mine.values()], fold.train_from, fold.train_to)
    if len(names) == 1:
        return names[0]
    top = best(mine, metric)
    if top is None:
        raise InputError(f"fold {k + 1}: no combination has a {metric} in its train window")
    return top


def _own_hash(bench: Bench, options: Mapping[str, Any]) -> str:
    """Return what makes this walk-forward one trial of its range."""
    base = params_hash(bench.spec.settings, bench.strategies)
    text = json.dumps([base, dict(options)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _row(fold: Fold, name: str, inside: Mapping[str, Any], outside: Mapping[str, Any]) -> Any:
    """Return a fold as a row of the table."""
    return {
        "train_from": _date(fold.train_from), "train_to": _date(fold.train_to),
        "test_from": _date(fold.test_from), "test_to": _date(fold.test_to),
        "chosen": name,
        "in_sample": _figures(inside), "out_of_sample": _figures(outside),
    }  # fmt: skip


def _figures(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{code: value["metrics"][code] for code in ("return", "sharpe", "max_drawdown")},
        "fills": value["fills"],
    }


def _together(
    inside: Sequence[Mapping[str, Any]], outside: Sequence[Mapping[str, Any]], joined: Floats
) -> dict[str, Any]:
    """Return the joined equity, its figures, and the efficiency.

    The efficiency is the return of a day in the joined tests over that of the chosen in their
    train windows (Pardo, whose yearly returns have the same ratio); None where the latter is not
    above zero.
    """
    equity = np.concatenate(([1.0], np.cumprod(1.0 + joined)))
    closes = [ms for value in outside for ms in _day_ends(value)]
    units = np.rint(equity * _OPENING).astype(np.int64)
    start = outside[0]["start_ms"]
    curve = EquityCurve(_OPENING, start, np.array(closes, np.int64), units[1:])
    figures = {metric.code: metric.value for metric in curve_metrics(curve)}
    train = float(np.mean([(v["final"] / v["opening"] - 1.0) / _days(v) for v in inside]))
    test = (float(equity[-1]) - 1.0) / sum(map(_days, outside))
    return {
        "out_of_sample": {
            code: figures[code] for code in ("return", "sharpe", "sortino", "max_drawdown")
        } | {"days": len(joined), "fills": sum(v["fills"] for v in outside)},
        "daily_return_in_sample": train,
        "daily_return_out_of_sample": test,
        "efficiency": test / train if train > 0 else None,
        "profitable_folds": sum(1 for v in outside if v["final"] > v["opening"]),
        "equity": [[ms, float(e)] for ms, e in zip([start, *closes], equity, strict=True)],
    }  # fmt: skip


def _day_ends(value: Mapping[str, Any]) -> list[int]:
    """Return the end of each day of a result; the last one's is the end of the result."""
    days = len(value["daily_equity"]) - 1
    ends = [value["first_day_ms"] + DAY_MS * (k + 1) for k in range(days)]
    return [*ends[:-1], value["end_ms"]] if ends else []


def _days(value: Mapping[str, Any]) -> float:
    days: float = (value["end_ms"] - value["start_ms"]) / DAY_MS
    return days


def _daily_sharpe(returns: Floats) -> float | None:
    ratio = sharpe_ratio(returns)
    return None if ratio is None else float(ratio / np.sqrt(DAYS_PER_YEAR))


def _stability(chosen: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return, per parameter, what was chosen in each fold and how steady the choice was."""
    told = {}
    for key in chosen[0]:
        values = [params[key] for params in chosen]
        common, times = Counter(values).most_common(1)[0]
        told[key] = {
            "chosen": values,
            "most_common": common,
            "share": times / len(values),
            "changes": sum(1 for a, b in pairwise(values) if a != b),
        }
    return told


def _date(ms: int) -> str:
    return to_datetime(ms).isoformat()
