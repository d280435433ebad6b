"""What choosing the best of a grid is worth: PBO over all combinations, and luck of the chosen."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from auto_trading.backtesting.candles import Candles
from auto_trading.research import sweep
from auto_trading.research.study import Bench, StudySpec
from auto_trading.research.trials import daily_returns_of
from crypto_trader_pro.backtest.cross_validation import overfitting_probability
from crypto_trader_pro.backtest.overfitting import minimum_track_record, sharpe_sample
from crypto_trader_pro.domain.errors import InputError

DEFAULT_BLOCKS: Final = 16


def options(grid: sweep.Grid, metric: str, blocks: int = DEFAULT_BLOCKS) -> dict[str, Any]:
    """Return the options of a report as JSON values."""
    return sweep.options(grid, metric) | {"blocks": blocks}


def check(spec: StudySpec, candles: Candles) -> None:
    """Refuse a report that cannot be made.

    Raises:
        InputError: as for a sweep, fewer than two combinations, or days too few for the blocks.
    """
    sweep.check(spec, candles)
    blocks = spec.options["blocks"]
    if blocks % 2 or not 2 <= blocks <= 20:
        raise InputError(f"blocks was {blocks}, allowed: an even number, 2 to 20")
    valid = sweep.valid_cases(spec.settings, spec.options["grid"])
    if len(valid.cases) < 2:
        raise InputError("one combination is not chosen among others, at least two are needed")
    days = (candles.end_ms - candles.start_ms) // 86_400_000
    if days < 2 * blocks:
        raise InputError(f"{blocks} blocks need {2 * blocks} days, the range has {days}")


def run(bench: Bench, options: Mapping[str, Any]) -> dict[str, Any]:
    """Run the sweep and judge the choice of its best.

    Raises:
        Canceled: before all was done.
        InputError: nothing could be run, or an account was emptied.
    """
    table = sweep.run(bench, options)
    names = [row["name"] for row in table["rows"]]
    matrix = np.column_stack([daily_returns_of(bench.kept(name)) for name in names])
    found = overfitting_probability(matrix, options["blocks"])
    sample = None if table["best"] is None else sharpe_sample(matrix[:, 0])
    return table | {
        "pbo": found.probability,
        "loss_probability": found.probability_of_loss,
        "degradation": {"slope": found.slope, "intercept": found.intercept},
        "blocks": found.blocks,
        "days": found.returns,
        "logits": np.quantile(found.logits, (0.05, 0.25, 0.5, 0.75, 0.95)).tolist(),
        "days_needed": None if sample is None else minimum_track_record(sample),
    }
