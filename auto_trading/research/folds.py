"""The windows of a walk-forward: what is chosen on, and the time after it that proves it.

    anchored   |----- train -----|test|           rolling   |-- train --|test|
               |-------- train --------|test|                    |-- train --|test|

Windows begin and end at UTC midnights, so that daily returns of consecutive tests can be joined.
Source of the terms: R. Pardo, "The Evaluation and Optimization of Trading Strategies", 2nd ed.
(2008); purge and embargo: M. Lopez de Prado, "Advances in Financial Machine Learning" (2018),
chapter 7.
"""

from typing import NamedTuple

from crypto_trader_pro.backtest.equity_curve import DAY_MS
from crypto_trader_pro.domain.errors import InputError


class Plan(NamedTuple):
    """How a range is cut.

    Args:
        train_days, test_days: of a fold; anchored, `train_days` is the first one's.
        purge: candles at the end of each train window that are left out, because what was decided
            in them ends in the test.
        embargo: candles at the beginning of each test window that do not count, because what is
            seen in them is still that of the train window.
    """

    anchored: bool
    train_days: int
    test_days: int
    purge: int = 0
    embargo: int = 0


class Fold(NamedTuple):
    """Milliseconds; a window holds the candles that open and close in it."""

    train_from: int
    train_to: int
    test_from: int
    test_to: int


def check_plan(plan: Plan) -> None:
    """Refuse a plan that fits no range.

    Raises:
        InputError: a length below one day, or a negative number of candles.
    """
    for name in ("train_days", "test_days"):
        if getattr(plan, name) < 1:
            raise InputError(
                f"{name.replace('_', ' ')} were {getattr(plan, name)}, allowed: 1 or more"
            )
    for name in ("purge", "embargo"):
        if getattr(plan, name) < 0:
            raise InputError(f"{name} was {getattr(plan, name)} candles, allowed: 0 or more")


def folds(start_ms: int, end_ms: int, timeframe_ms: int, plan: Plan) -> list[Fold]:
    """Return the folds of a range, oldest first; days at the end that fill no test are left out.

    Raises:
        InputError: the range is too short for one fold, or nothing of a window is left.
    """
    check_plan(plan)
    if plan.purge * timeframe_ms >= plan.train_days * DAY_MS:
        raise InputError(f"a purge of {plan.purge} candles leaves nothing of the train window")
    if plan.embargo * timeframe_ms >= plan.test_days * DAY_MS:
        raise InputError(f"an embargo of {plan.embargo} candles leaves nothing of the test window")
    first = -(-start_ms // DAY_MS) * DAY_MS
    train, test = plan.train_days * DAY_MS, plan.test_days * DAY_MS
    found = []
    border = first + train
    while border + test <= end_ms:
        found.append(
            Fold(
                start_ms if plan.anchored else border - train,
                border - plan.purge * timeframe_ms,
                border + plan.embargo * timeframe_ms,
                border + test,
            )
        )
        border += test
    if not found:
        days = (end_ms - first) // DAY_MS
        raise InputError(
            f"the range has {days} whole days, a fold of {plan.train_days} days to train and"
            f" {plan.test_days} to test needs {plan.train_days + plan.test_days}"
        )
    return found
