"""What else could have come of it: other orders of the trades, other days, slightly other candles.

trades   the same trades in another order: how much of the drawdown was luck
blocks   days drawn in blocks: how much of the result was these days
candles  every price a little different, and the whole backtest again: whether it hangs on ticks
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from auto_trading.backtesting.candles import Candles
from auto_trading.research.parameters import with_params
from auto_trading.research.playing import Case, Told, World, told
from auto_trading.research.playing import run as run_case
from auto_trading.research.study import Bench, StudySpec, trial_of
from auto_trading.research.trials import daily_returns_of
from crypto_trader_pro.backtest.account_metrics import falls
from crypto_trader_pro.backtest.candle_noise import MOST_NOISE
from crypto_trader_pro.backtest.closed_trades import round_trips
from crypto_trader_pro.backtest.monte_carlo import (
    QUANTILES,
    Bands,
    day_bootstrap,
    fan_steps,
    trade_shuffle,
)
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.units import MONEY

WAYS: Final = ("trades", "blocks", "candles")
DEFAULT_RUNS: Final = 1000
DEFAULT_CANDLE_RUNS: Final = 100
DEFAULT_NOISE: Final = 0.0005
_MOST_RUNS: Final = 100_000
_BASE: Final = "base"


def options(
    ways: Sequence[str] = WAYS, runs: int = DEFAULT_RUNS, candle_runs: int = DEFAULT_CANDLE_RUNS,
    noise: float = DEFAULT_NOISE, seed: int = 1, params: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the options of a study as JSON values.

    Args:
        noise: standard deviation of the change of every price, a fraction of it.
    """
    return {
        "ways": list(ways), "runs": runs, "candle_runs": candle_runs, "noise": noise, "seed": seed,
        "params": dict(params or {}),
    }  # fmt: skip


def check(spec: StudySpec, candles: Candles) -> None:
    """Refuse a study that cannot be run.

    Raises:
        InputError: an unknown way, an impossible number of runs, or noise out of range.
    """
    given = spec.options
    with_params(spec.settings, given["params"])
    for way in given["ways"]:
        if way not in WAYS:
            raise InputError(f"way was {way!r}, allowed: {', '.join(WAYS)}")
    if not given["ways"]:
        raise InputError(f"no way was given, allowed: {', '.join(WAYS)}")
    for name in ("runs", "candle_runs"):
        if not 1 <= given[name] <= _MOST_RUNS:
            raise InputError(
                f"{name.replace('_', ' ')} were {given[name]}, allowed: 1 to {_MOST_RUNS}"
            )
    if not 0 < given["noise"] <= MOST_NOISE:
        noise, most = given["noise"] * 100, MOST_NOISE * 100
        raise InputError(f"noise was {noise:g} percent, allowed: above 0, at most {most:g}")
    if given["seed"] < 0:
        raise InputError(f"seed was {given['seed']}, allowed: 0 or more")


def run(bench: Bench, options: Mapping[str, Any]) -> dict[str, Any]:
    """Run the study and return its bands.

    Raises:
        Canceled: before all was done.
        InputError: a run failed, or too few trades or days.
    """
    params, seed, ways = options["params"], options["seed"], options["ways"]
    bench.expect(1 + (options["candle_runs"] if "candles" in ways else 0))
    base = bench.only(bench.compute(with_profits, bench.world, {_BASE: Case(params)}))[_BASE]
    bench.count([trial_of(base)])
    opening = base["opening"]
    bands: dict[str, Any] = {}
    if "trades" in ways:
        profits = np.array(base["profits"], np.int64)
        found = trade_shuffle(profits, opening, options["runs"], np.random.default_rng([seed, 1]))
        bands["trades"] = _told(found)
    if "blocks" in ways:
        found = day_bootstrap(
            daily_returns_of(base), opening, options["runs"], np.random.default_rng([seed, 2])
        )
        bands["blocks"] = _told(found)
    if "candles" in ways:
        cases = {
            f"candles {k + 1}": Case(params, noise=options["noise"], seed=_seed(seed, k))
            for k in range(options["candle_runs"])
        }
        bands["candles"] = _told(candle_bands(list(bench.only(bench.play(cases)).values())))
    return {
        "engine": base["engine"],
        "seed": seed,
        "noise": options["noise"],
        "quantiles": list(QUANTILES),
        "base": {"return": base["metrics"]["return"], "trades": len(base["profits"]),
                 "final_equity": base["final"] / MONEY,
                 "max_drawdown": base["metrics"]["max_drawdown"]},
        "bands": bands,
    }  # fmt: skip


def with_profits(world: World, case: Case) -> Told:
    """Run one backtest and keep the profit of every closed trade too, money units."""
    backtest = run_case(world, case)
    closed = round_trips(backtest.result).closed
    return told(backtest) | {"profits": [trip.profit for trip in closed]}


def candle_bands(values: Sequence[Mapping[str, Any]]) -> Bands:
    """Return the bands of whole backtests, by days.

    Drawdowns are those of the daily equity, as the fan is.
    """
    curves = np.array([value["daily_equity"] for value in values], np.float64).T / MONEY
    steps = fan_steps(len(curves) - 1)
    final = curves[-1]
    return Bands(
        len(values),
        np.quantile(final, QUANTILES),
        np.quantile(falls(curves).max(axis=0), QUANTILES),
        steps,
        np.quantile(curves[steps], QUANTILES, axis=1),
        float((final < curves[0]).mean()),
    )


def _seed(seed: int, k: int) -> int:
    return int(np.random.SeedSequence([seed, 3, k]).generate_state(1)[0])


def _told(bands: Bands) -> dict[str, Any]:
    return {
        "runs": bands.runs,
        "final_equity": bands.final_equity.tolist(),
        "max_drawdown": bands.max_drawdown.tolist(),
        "steps": bands.steps.tolist(),
        "fan": bands.fan.tolist(),
        "loss": bands.loss,
    }
