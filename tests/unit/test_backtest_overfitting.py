"""Sharpe ratios under suspicion, against the worked examples of the papers."""

from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest

from crypto_trader_pro.backtest.overfitting import (
    SharpeSample,
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_sample,
)
from crypto_trader_pro.domain.errors import InputError

# Bailey and Lopez de Prado, "The Deflated Sharpe Ratio" (2014), "A numerical example": 2.5 a year
# from 1,250 daily returns (250 a year), skew -3, kurtosis 10
SELECTED = SharpeSample(2.5 / sqrt(250), 1250, -3.0, 10.0)
# Bailey and Lopez de Prado, "The Sharpe Ratio Efficient Frontier" (2012): 24 monthly returns
HEDGE_FUND = SharpeSample(0.458, 24, -2.448, 10.164)


def test_the_deflated_sharpe_ratio_of_the_paper() -> None:
    # 100 trials whose yearly Sharpe ratios have the variance 1/2: threshold 0.1132, DSR 0.9004
    assert expected_maximum_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(SELECTED, 100, 0.5 / 250) == pytest.approx(0.9004, abs=5e-5)
    # with only 46 trials it would have passed 95 %: 0.9505
    assert deflated_sharpe(SELECTED, 46, 0.5 / 250) == pytest.approx(0.9505, abs=5e-5)


def test_the_probabilistic_sharpe_ratio_of_the_paper() -> None:
    # as if normal 0.982; with the real skew and kurtosis 0.913
    assert probabilistic_sharpe(SharpeSample(0.458, 24)) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic_sharpe(HEDGE_FUND) == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(
    ("per_year", "skew", "kurtosis", "years"),
    [
        # of the same paper: yearly 2 against 1 at 95 %, in years
        (250, 0.0, 3.0, 2.73),
        (52, 0.0, 3.0, 2.83),
        (12, 0.0, 3.0, 3.24),
        (12, -0.72, 5.78, 4.99),
    ],
)
def test_the_minimum_track_records_of_the_paper(
    per_year: int, skew: float, kurtosis: float, years: float
) -> None:
    sample = SharpeSample(2 / sqrt(per_year), 100, skew, kurtosis)
    needed = minimum_track_record(sample, 1 / sqrt(per_year))
    assert needed is not None
    assert needed / per_year == pytest.approx(years, abs=5e-3)


def test_a_record_of_the_minimum_length_is_just_sure_enough() -> None:
    needed = minimum_track_record(HEDGE_FUND, 0.1, 0.9)
    assert needed is not None
    sample = SharpeSample(0.458, round(needed), -2.448, 10.164)
    assert probabilistic_sharpe(sample, 0.1) == pytest.approx(0.9, abs=0.005)


def test_no_record_is_long_enough_for_a_ratio_below_the_benchmark() -> None:
    assert minimum_track_record(HEDGE_FUND, 0.458) is None


def test_one_trial_expects_nothing_and_more_expect_more() -> None:
    assert expected_maximum_sharpe(1, 1.0) == 0.0
    found = [expected_maximum_sharpe(n, 1.0) for n in (2, 10, 100, 1000)]
    assert found == sorted(found)
    assert found[0] > 0


def test_the_expected_maximum_is_that_of_drawn_trials() -> None:
    drawn = np.random.default_rng(3).normal(size=(20_000, 50)).max(axis=1)
    # the formula is an approximation for many trials: within 2 % at 50
    assert expected_maximum_sharpe(50, 1.0) == pytest.approx(float(drawn.mean()), rel=0.02)


def test_the_moments_are_those_of_scipy() -> None:
    from scipy import stats

    returns = np.random.default_rng(5).gamma(2.0, 0.01, 400) - 0.018
    sample = sharpe_sample(returns)
    assert sample is not None
    assert sample.skew == pytest.approx(float(stats.skew(returns)))
    assert sample.kurtosis == pytest.approx(float(stats.kurtosis(returns, fisher=False)))
    assert sample.ratio == pytest.approx(float(returns.mean() / returns.std(ddof=1)))
    assert sample.returns == 400


def test_the_probability_is_right_as_often_as_it_says() -> None:
    # of strategies without skill 5 % look better than 95 % sure
    returns = np.random.default_rng(7).normal(0.0, 0.01, (1500, 250))
    found = [sharpe_sample(row) for row in returns]
    sure = [probabilistic_sharpe(sample) > 0.95 for sample in found if sample is not None]
    # 1,500 draws at 5 %: standard error 0.56 %
    assert len(sure) == 1500
    assert np.mean(sure) == pytest.approx(0.05, abs=4 * 0.0056)


def test_choosing_among_noise_is_not_fooled_by_the_best() -> None:
    # 200 groups of 50 strategies without skill: the best of each looks good, and is deflated
    generator = np.random.default_rng(11)
    naive = deflated = 0
    for _ in range(200):
        returns = generator.normal(0.0, 0.01, (50, 250))
        ratios = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
        sample = sharpe_sample(returns[int(ratios.argmax())])
        assert sample is not None
        naive += probabilistic_sharpe(sample) > 0.95
        deflated += deflated_sharpe(sample, 50, float(ratios.var(ddof=1))) > 0.95
    # 1 - 0.95^50 = 92 % of the groups have one that looks 95 % sure
    assert naive > 170
    # the best's true chance to beat the threshold is small: none of it is skill
    assert deflated < 20


def test_without_a_ratio_there_is_no_sample() -> None:
    assert sharpe_sample(np.full(30, 0.01)) is None
    assert sharpe_sample(np.array([0.01, 0.02])) is None


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="trials was 0, must be at least 1"):
        expected_maximum_sharpe(0, 1.0)
    with pytest.raises(InputError, match="variance of the Sharpe ratios was nan"):
        expected_maximum_sharpe(5, float("nan"))
    with pytest.raises(InputError, match="needs 2 returns, there are 1"):
        probabilistic_sharpe(SharpeSample(0.1, 1))
    with pytest.raises(InputError, match=r"confidence was 1.0, must be between 0 and 1"):
        minimum_track_record(HEDGE_FUND, confidence=1.0)
    # skew 3 needs a kurtosis of 10 at least
    with pytest.raises(InputError, match=r"skew 3.0 with kurtosis 1.0 belongs to no returns"):
        probabilistic_sharpe(SharpeSample(0.5, 100, 3.0, 1.0))


def test_a_normal_sample_by_hand() -> None:
    # S = 0.1, n = 101: 0.1 * 10 / sqrt(1 + 0.005) = 0.99751
    expected = NormalDist().cdf(1.0 / sqrt(1.005))
    assert probabilistic_sharpe(SharpeSample(0.1, 101)) == pytest.approx(expected)
