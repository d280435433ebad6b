"""A search of parameters by Optuna: what looks promising is tried more often, what does not, less.

The range is cut into consecutive windows. Every trial is run over the first, then over the next,
and after each the pruner may give it up. Trials are asked for and judged in batches of a fixed
size, each with a seed of its own, and only the backtests of a batch run in parallel: so the same
seed finds the same, however many workers there are. A search that was cut off is repeated from its
stored backtests, which takes no time, and goes on.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auto_trading.backtesting.candles import Candles
from auto_trading.research.lead import case_from
from auto_trading.research.parameters import name_of, with_params
from auto_trading.research.playing import Case
from auto_trading.research.ranking import OF_TRADES, check_metric, score
from auto_trading.research.study import Bench, StudySpec
from auto_trading.research.sweep import Grid, refuse_values, row
from auto_trading.research.trials import Trial, daily_returns_of, luck
from config.faults import SettingsError
from crypto_trader_pro.backtest.metrics import DAYS_PER_YEAR, MIN_RATIO_RETURNS, sharpe_ratio
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_datetime

if TYPE_CHECKING:
    import optuna

PRUNERS: Final = ("median", "hyperband", "none")
BATCH: Final = 4  # trials that are judged together; a part of what makes a search repeatable
_ASKED: Final = (
    20  # times the wanted trials may be asked for, repeated and impossible ones included
)
_MOST_TRIALS: Final = 100_000
_MOST_WINDOWS: Final = 100
_OF_DAYS: Final = ("sharpe", "sortino", "volatility")


def options(
    grid: Grid, metric: str, trials: int, windows: int = 4, pruner: str = "median", seed: int = 1
) -> dict[str, Any]:
    """Return the options of a search as JSON values."""
    return {
        "grid": {key: list(values) for key, values in grid.items()}, "metric": metric,
        "trials": trials, "windows": windows, "pruner": pruner, "seed": seed,
    }  # fmt: skip


def check(spec: StudySpec, candles: Candles) -> None:
    """Refuse a search that cannot be run.

    Raises:
        InputError: no parameter, an unknown metric or pruner, a number out of range, or windows
            too short for the metric.
    """
    given = spec.options
    check_metric(given["metric"])
    if given["metric"] in OF_TRADES:  # a window counts from its warm-up on, which may cut a trade
        raise InputError(
            f"metric was {given['metric']!r}, which is of trades; a search goes by days"
        )
    if not given["grid"]:
        raise InputError("no --param was given, at least one is needed: --param fast=5:50:1")
    if given["pruner"] not in PRUNERS:
        raise InputError(f"pruner was {given['pruner']!r}, allowed: {', '.join(PRUNERS)}")
    for name, most in (("trials", _MOST_TRIALS), ("windows", _MOST_WINDOWS), ("seed", 2**31)):
        least = 0 if name == "seed" else 1
        if not least <= given[name] <= most:
            raise InputError(f"{name} was {given[name]}, allowed: {least} to {most}")
    for key, values in given["grid"].items():
        for value in values:
            try:
                with_params(spec.settings, {key: value})
            except SettingsError as e:
                refuse_values(e)
    days = (candles.end_ms - candles.start_ms) / 86_400_000 / given["windows"]
    if given["metric"] in _OF_DAYS and days < MIN_RATIO_RETURNS:
        raise InputError(
            f"{given['windows']} windows have {days:.1f} days each, {given['metric']} needs"
            f" {MIN_RATIO_RETURNS}; allowed: fewer windows, or metric return"
        )


def run(bench: Bench, options: Mapping[str, Any]) -> dict[str, Any]:
    """Run the search.

    Raises:
        Canceled: before all was done.
        InputError: no trial came to an end.
    """
    search = _Search(bench, options)
    search.run()
    best = search.best
    if best is None:
        raise InputError(f"none of {len(search.tried)} trials has a {options['metric']}")
    whole = bench.only(bench.play({f"best {best}": Case(search.tried[best])}))[f"best {best}"]
    tried = bench.count(search.trials)
    return {
        "metric": options["metric"],
        "seed": options["seed"],
        "windows": [[to_datetime(a).isoformat(), to_datetime(b).isoformat()]
                    for a, b in search.windows],
        "tried": len(search.tried),
        "pruned": search.pruned,
        "skipped": search.skipped,
        "backtests": bench.done,
        "trials": tried.count,
        "best": {"name": best, "params": search.tried[best], "score": search.scores[best]},
        "whole": row(best, search.tried[best], whole, options["metric"]),
        "luck": luck(daily_returns_of(whole), tried),
        "rows": [
            {"name": name, "score": found}
            for name, found in sorted(search.scores.items(), key=lambda item: -item[1])
        ],
    }  # fmt: skip


class _Search:
    """One search from its first trial on; stored backtests are not run again."""

    def __init__(self, bench: Bench, options: Mapping[str, Any]) -> None:
        import optuna  # noqa: PLC0415  takes a moment and is needed here alone

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._bench = bench
        self._grid: Mapping[str, Sequence[str]] = options["grid"]
        self._metric: str = options["metric"]
        self._wanted: int = options["trials"]
        self._seed: int = options["seed"]
        self._study = optuna.create_study(
            direction="maximize", pruner=_pruner(options["pruner"], options["windows"])
        )
        self.windows = _windows(bench.world.backtester.candles, options["windows"])
        self.tried: dict[str, dict[str, str]] = {}
        self.scores: dict[str, float] = {}
        self.trials: list[Trial] = []
        self.pruned = self.skipped = 0
        self._results: dict[str, list[Any]] = {}

    @property
    def best(self) -> str | None:
        return max(self.scores, key=lambda name: self.scores[name], default=None)

    def run(self) -> None:
        asked = 0
        self._bench.expect(self._wanted * len(self.windows) + 1)
        while len(self.tried) < self._wanted and asked < self._wanted * _ASKED:
            batch = self._ask(min(BATCH, self._wanted - len(self.tried)))
            asked += len(batch) or 1
            self._judge(batch)

    def _ask(self, size: int) -> dict[str, "optuna.trial.Trial"]:
        """Return new trials by name; impossible and repeated ones are told of at once."""
        batch: dict[str, optuna.trial.Trial] = {}
        for _ in range(size):
            number = len(self._study.trials)
            seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
            self._study.sampler = self._optuna.samplers.TPESampler(seed=seed)
            trial = self._study.ask()
            params = {
                key: values[trial.suggest_int(key, 0, len(values) - 1)]
                for key, values in self._grid.items()
            }
            name = name_of(params)
            if name in self.tried or not self._is_possible(params):
                self._again(trial, name)
                continue
            self.tried[name] = params
            batch[name] = trial
        return batch

    def _is_possible(self, params: Mapping[str, str]) -> bool:
        try:
            with_params(self._bench.spec.settings, params)
        except SettingsError:
            self.skipped += 1
            return False
        return True

    def _again(self, trial: "optuna.trial.Trial", name: str) -> None:
        """Tell what is known of a combination already."""
        if name in self.scores:
            self._study.tell(trial, self.scores[name])
        else:
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def _judge(self, batch: dict[str, "optuna.trial.Trial"]) -> None:
        """Run a batch window by window; all report before the pruner is asked about any."""
        state = self._optuna.trial.TrialState
        alive = dict(batch)
        self._results |= {name: [] for name in batch}
        for step, (from_ms, to_ms) in enumerate(self.windows):
            self._play(alive, step, from_ms, to_ms)
            for name in [name for name in alive if len(self._results[name]) <= step]:
                self._study.tell(alive.pop(name), state=state.FAIL)
            for name, trial in alive.items():
                trial.report(self._score(name), step)
            last = step == len(self.windows) - 1
            for name in [] if last else [n for n, t in alive.items() if t.should_prune()]:
                self.pruned += 1
                self._study.tell(alive.pop(name), state=state.PRUNED)
        for name, trial in alive.items():
            found = self._score(name)
            if np.isnan(found):
                self._study.tell(trial, state=state.FAIL)
            else:
                self._study.tell(trial, found)
                self.scores[name] = found
        self.trials += [t for name in batch if (t := self._trial(name, batch[name])) is not None]

    def _play(
        self, alive: Mapping[str, "optuna.trial.Trial"], step: int, from_ms: int, to_ms: int
    ) -> None:
        world = self._bench.world
        keys = {name: f"window {step + 1} {name}" for name in alive}
        found = self._bench.play({
            keys[name]: case_from(
                world, self.tried[name], from_ms, to_ms, world.backtester.candles.start_ms
            )
            for name in alive
        })  # fmt: skip
        for name, key in keys.items():
            if key in found.values:
                self._results[name].append(found.values[key])

    def _score(self, name: str) -> float:
        """Return the mean of the metric over the windows that have it; NaN where none has."""
        known = [
            s for value in self._results[name] if (s := score(value, self._metric)) is not None
        ]
        return float(np.mean(known)) if known else float("nan")

    def _trial(self, name: str, trial: "optuna.trial.Trial") -> Trial | None:
        """Return what was tried; one that was given up has no ratio of the whole range."""
        values = self._results[name]
        if not values:
            return None
        ratio = None
        if len(values) == len(self.windows):
            ratio = sharpe_ratio(np.concatenate([daily_returns_of(value) for value in values]))
        daily = None if ratio is None else float(ratio / np.sqrt(DAYS_PER_YEAR))
        return Trial(values[0]["params_hash"], daily)


def _windows(candles: Candles, count: int) -> list[tuple[int, int]]:
    """Return consecutive windows of (almost) equal length, ms."""
    step = candles.timeframe_ms
    length = (candles.end_ms - candles.start_ms) // step
    places = [candles.start_ms + length * k // count * step for k in range(count + 1)]
    return list(pairwise(places))


def _pruner(name: str, windows: int) -> "optuna.pruners.BasePruner":
    import optuna  # noqa: PLC0415

    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=BATCH, n_warmup_steps=0)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=windows)
    return optuna.pruners.NopPruner()
