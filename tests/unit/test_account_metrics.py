"""Falls, Calmar, Sharpe's error and statistics of closed trades against numbers by hand."""

from decimal import Decimal
from math import sqrt

import numpy as np
import pytest

from crypto_trader_pro.backtest.account_metrics import (
    MIN_CALMAR_RETURNS,
    Fall,
    calmar_ratio,
    deepest_fall,
    expectancy,
    falls,
    profit_factor,
    sharpe_error,
)
from crypto_trader_pro.backtest.metrics import win_rate


def test_three_known_trades() -> None:
    # +30, -20, +5 after fees: net 15, gains 35, losses 20
    assert win_rate(2, 3) == pytest.approx(2 / 3)
    assert profit_factor(Decimal(35), Decimal(20)) == 1.75
    assert expectancy(Decimal(15), 3) == Decimal(5)


def test_nothing_to_divide_by_is_no_number() -> None:
    assert profit_factor(Decimal(35), Decimal(0)) is None
    assert expectancy(Decimal(0), 0) is None


@pytest.mark.parametrize(
    ("equity", "expected"),
    [
        ([100, 120, 90, 130], Fall(0.25, 1, 2, 3)),  # 30 of 120
        ([100, 80, 200, 170], Fall(0.2, 0, 1, 2)),  # 20 of 100, then 30 of 200
        ([100, 90, 95, 85], Fall(0.15, 0, 3, None)),  # never back at 100
        ([100, 120, 120, 60, 119, 120], Fall(0.5, 2, 3, 5)),  # left the peak at its last
        ([100, 110], Fall(0.0, 0, 0, 0)),
        ([0, -5], Fall(0.0, 0, 0, 0)),  # nothing to fall from
    ],
)
def test_the_deepest_fall_has_a_beginning_and_an_end(equity: list[float], expected: Fall) -> None:
    found = deepest_fall(np.array(equity, float))
    assert found is not None
    assert found.fraction == pytest.approx(expected.fraction)
    assert (found.peak, found.trough, found.recovered) == (
        expected.peak, expected.trough, expected.recovered,
    )  # fmt: skip


def test_no_equity_has_no_fall() -> None:
    assert deepest_fall(np.array([])) is None
    assert falls(np.array([])).tolist() == []


def test_calmar_is_the_yearly_return_over_the_drawdown() -> None:
    # +21 % in two years is +10 % a year; over a drawdown of 5 % that is 2
    assert calmar_ratio(1.21, 730, 0.05) == pytest.approx(2.0)
    # a loss of 19 % in two years is one of 10 % a year
    assert calmar_ratio(0.81, 730, 0.2) == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("growth", "days", "drawdown"),
    [(1.1, MIN_CALMAR_RETURNS - 1, 0.1), (1.1, 100, 0.0), (0.0, 100, 1.0)],
)
def test_too_few_days_no_fall_and_a_total_loss_have_no_calmar(
    growth: float, days: int, drawdown: float
) -> None:
    assert calmar_ratio(growth, days, drawdown) is None


def test_the_error_of_a_sharpe_is_that_of_lo() -> None:
    # the week of `test_metrics`: mean 1 %, deviation sqrt(20/6) %: daily ratio sqrt(0.3)
    week = np.array([0.02, -0.01, 0.02, 0.01, 0.00, 0.04, -0.01])
    assert sharpe_error(week) == pytest.approx(sqrt((1 + 0.3 / 2) / 7) * sqrt(365))
    assert sharpe_error(week[:6]) is None
