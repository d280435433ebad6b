"""A parameter grid: every combination that the settings allow, run over the same candles."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from auto_trading.backtesting.candles import Candles
from auto_trading.research.parameters import cases_of, name_of, with_params
from auto_trading.research.playing import Case
from auto_trading.research.ranking import OF_TRADES, best, check_metric, ranked
from auto_trading.research.study import Bench, StudySpec, trial_of
from auto_trading.research.trials import daily_returns_of, luck
from config.faults import FaultCode, SettingsError
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError

Grid = Mapping[str, Sequence[str]]

_SHOWN: Final = ("return", "sharpe", "sortino", "calmar", "max_drawdown")


class Valid(NamedTuple):
    """The combinations of a grid that can be run, by name, and how many contradict themselves."""

    cases: dict[str, dict[str, str]]
    skipped: int


def options(grid: Grid, metric: str) -> dict[str, Any]:
    """Return the options of a sweep as JSON values."""
    return {"grid": {key: list(values) for key, values in grid.items()}, "metric": metric}


def check(spec: StudySpec, candles: Candles) -> None:
    """Refuse a sweep that cannot be run.

    Raises:
        InputError: no parameter, an unknown metric, a value that is never allowed.
    """
    check_metric(spec.options["metric"])
    if not spec.options["grid"]:
        raise InputError("no --param was given, at least one is needed: --param fast=5,8,12")
    valid_cases(spec.settings, spec.options["grid"])


def valid_cases(settings: Settings, grid: Grid) -> Valid:
    """Return the combinations that the settings' schema allows.

    A combination whose values contradict each other (fast not below slow) is skipped and counted; a
    value that is not allowed by itself is a mistake.

    Raises:
        SettingsError: such a value.
        InputError: none of the combinations is allowed.
    """
    cases: dict[str, dict[str, str]] = {}
    skipped = 0
    for params in cases_of(grid):
        try:
            with_params(settings, params)
        except SettingsError as e:
            refuse_values(e)
            skipped += 1
        else:
            cases[name_of(params)] = params
    if not cases:
        raise InputError(f"all {skipped} combinations of the parameters contradict each other")
    return Valid(cases, skipped)


def refuse_values(error: SettingsError) -> None:
    """Raise the first fault of a value by itself; values that contradict each other pass.

    Raises:
        SettingsError: such a value.
    """
    wrong = [f for f in error.faults if f.code is not FaultCode.CONTRADICTION]
    if wrong:
        raise SettingsError(wrong[:1])


def run(bench: Bench, options: Mapping[str, Any]) -> dict[str, Any]:
    """Run the sweep and return its table, best first.

    Raises:
        Canceled: before all was done.
        InputError: not one combination could be run.
    """
    metric = options["metric"]
    valid = valid_cases(bench.spec.settings, options["grid"])
    trades = metric in OF_TRADES
    found = bench.play_many({name: Case(p, trades=trades) for name, p in valid.cases.items()})
    if not found.values:
        bench.only(found)
    tried = bench.count([trial_of(value) for value in found.values.values()])
    top = best(found.values, metric)
    return {
        "metric": metric,
        "engine": engines_of(found.values.values()),
        "combinations": len(valid.cases) + valid.skipped,
        "skipped": valid.skipped,
        "trials": tried.count,
        "best": None if top is None else {"name": top, "params": valid.cases[top]},
        "luck": None if top is None else luck(daily_returns_of(found.values[top]), tried),
        "rows": [
            row(name, valid.cases[name], found.values[name], metric)
            for name in ranked(found.values, metric)
        ],
    }


def engines_of(values: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how many backtests each engine ran, and why the compiled one did not run others."""
    found = list(values)
    return {
        "runs": dict(Counter(value["engine"] for value in found)),
        "refused": sorted({value["refused"] for value in found if value["refused"]}),
    }


def row(name: str, params: Mapping[str, str], value: Mapping[str, Any], metric: str) -> Any:
    """Return a result as a row of the table."""
    shown = dict.fromkeys((metric, *_SHOWN))
    return {
        "name": name,
        "params": dict(params),
        **{code: value["metrics"][code] for code in shown},
        "fills": value["fills"],
    }
