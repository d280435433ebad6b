"""Performance statistics against numbers computed by hand."""

from math import sqrt

import pytest

from crypto_trader_pro.backtest import metrics
from crypto_trader_pro.backtest.metrics import (
    Drawdown,
    daily_returns,
    historical_var,
    max_drawdown,
    sharpe_ratio,
    sortino_ratio,
    win_rate,
)

# seven returns: sum 7 %, mean 1 %; deviations from it 1, -2, 1, 0, -1, 3, -2 in percent
WEEK = [0.02, -0.01, 0.02, 0.01, 0.00, 0.04, -0.01]


def test_returns_are_simple_and_between_neighbours() -> None:
    # 110 / 100 - 1 = 0.1; 99 / 110 - 1 = -0.1
    assert daily_returns([100.0, 110.0, 99.0]).tolist() == pytest.approx([0.1, -0.1])


@pytest.mark.parametrize("equity", [[], [100.0]])
def test_one_equity_has_no_return(equity: list[float]) -> None:
    assert daily_returns(equity).tolist() == []


@pytest.mark.parametrize("equity", [[0.0], [100.0, 0.0], [-1.0, 5.0]])
def test_what_is_not_above_zero_has_no_return(equity: list[float]) -> None:
    with pytest.raises(ValueError, match="equities above zero"):
        daily_returns(equity)


def test_sharpe_is_mean_over_sample_deviation_of_a_year() -> None:
    # squares 1 + 4 + 1 + 0 + 1 + 9 + 4 = 20 (1e-4), over n - 1 = 6: deviation sqrt(20/6) %
    assert sharpe_ratio(WEEK) == pytest.approx(1 / sqrt(20 / 6) * sqrt(365))
    assert sharpe_ratio(WEEK) == pytest.approx(10.4642, abs=1e-4)


def test_sortino_counts_losses_over_all_days() -> None:
    # two losses of 1 %: (1 + 1) / 7, not / 2
    assert sortino_ratio(WEEK) == pytest.approx(1 / sqrt(2 / 7) * sqrt(365))
    assert sortino_ratio(WEEK) == pytest.approx(35.7421, abs=1e-4)


@pytest.mark.parametrize("ratio", [sharpe_ratio, sortino_ratio])
def test_a_ratio_needs_a_week_and_some_risk(ratio: object) -> None:
    assert callable(ratio)
    assert ratio(WEEK[:6]) is None
    assert ratio([]) is None
    assert ratio([0.01] * 30) is None  # no deviation, no loss
    assert ratio([0.0] * 30) is None
    assert ratio([0.003] * 7) is None  # whose mean is not exactly 0.003 in binary
    assert metrics.MIN_RATIO_RETURNS == 7


def test_a_sortino_without_a_loss_is_unknown_and_not_infinite() -> None:
    assert sortino_ratio([0.01, 0.02] * 5) is None
    assert sharpe_ratio([0.01, 0.02] * 5) is not None


@pytest.mark.parametrize(
    ("equity", "fall"),
    [
        ([], None),
        ([100.0], 0.0),
        ([100.0, 120.0, 130.0], 0.0),
        ([100.0, 120.0, 90.0, 130.0], 0.25),  # 30 of 120
        ([100.0, 80.0, 200.0, 170.0], 0.20),  # 20 of 100, then 30 of 200
        ([100.0, 90.0, 95.0, 85.0], 0.15),  # from the peak, not from the last high
        ([0.0, -5.0], 0.0),  # nothing to fall from
    ],
)
def test_the_largest_fall_is_from_the_peak_before_it(equity: list[float], fall: float) -> None:
    assert max_drawdown(equity) == (None if fall is None else pytest.approx(fall))


def test_a_drawdown_can_be_carried_on() -> None:
    curve = Drawdown()
    for equity in (100.0, 120.0):
        curve.add(equity)
    assert curve.largest == 0.0
    curve.add(90.0)
    assert curve.largest == pytest.approx(0.25)


def test_the_win_rate_needs_a_trade() -> None:
    assert win_rate(3, 4) == 0.75
    assert win_rate(0, 4) == 0.0
    assert win_rate(0, 0) is None


def test_the_value_at_risk_is_an_observed_loss() -> None:
    losses = [-k / 1000 for k in range(1, 41)]  # 0.1 % to 4 %
    assert historical_var(losses[:20]) == pytest.approx(0.020)  # ceil(20 x 5 %) = 1st worst
    assert historical_var(losses[:21]) == pytest.approx(0.020)  # ceil(1.05) = 2nd worst of 2.1 %
    assert historical_var(losses) == pytest.approx(0.039)  # ceil(40 x 5 %) = 2nd worst of 4 %
    assert historical_var([*losses, *[0.01] * 60]) == pytest.approx(0.036)  # 5th worst of 100


def test_the_value_at_risk_needs_one_return_in_its_tail() -> None:
    assert historical_var([-0.01] * 19) is None
    assert historical_var([-0.01] * 20) == pytest.approx(0.01)
    assert historical_var([-0.01] * 99, 0.99) is None
    assert historical_var([-0.01] * 100, 0.99) == pytest.approx(0.01)
    assert metrics.MIN_VAR_RETURNS == 20


def test_a_tail_of_profits_risks_nothing() -> None:
    assert historical_var([0.01] * 20) == 0.0
