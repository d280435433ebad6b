"""The probability of backtest overfitting: by hand, beside a plain loop, and on simulated truth."""

from itertools import combinations
from math import comb, log

import numpy as np
import pytest

from crypto_trader_pro.backtest.cross_validation import overfitting_probability
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats


def ratio(returns: Floats) -> float:
    return float(returns.mean() / returns.std(ddof=1))


def plain(returns: Floats, blocks: int) -> list[tuple[float, float, float]]:
    """Return (in sample, out of sample, logit) of every combination, as the paper says it."""
    length = len(returns) // blocks
    parts = [returns[k * length : (k + 1) * length] for k in range(blocks)]
    found = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[k] for k in chosen])
        outside = np.concatenate([parts[k] for k in range(blocks) if k not in chosen])
        ratios = [ratio(inside[:, k]) for k in range(returns.shape[1])]
        others = [ratio(outside[:, k]) for k in range(returns.shape[1])]
        best = int(np.argmax(ratios))
        rank = 1 + sum(value < others[best] for value in others)
        relative = rank / (returns.shape[1] + 1)
        found.append((ratios[best], others[best], log(relative / (1 - relative))))
    return found


def test_it_is_what_a_plain_loop_finds() -> None:
    returns = np.random.default_rng(1).normal(0.0005, 0.01, (120, 7))
    found = overfitting_probability(returns, blocks=6)
    expected = plain(returns, 6)
    assert len(found.logits) == comb(6, 3) == 20
    inside, outside, logits = (np.array(column) for column in zip(*expected, strict=True))
    np.testing.assert_allclose(found.in_sample, inside, rtol=1e-9)
    np.testing.assert_allclose(found.out_of_sample, outside, rtol=1e-9)
    np.testing.assert_allclose(found.logits, logits)
    assert found.probability == np.mean(logits <= 0)
    assert found.probability_of_loss == np.mean(outside < 0)
    slope, intercept = np.polyfit(inside, outside, 1)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept))


def test_two_strategies_in_two_halves_by_hand() -> None:
    # A is the better one in the first half, B in the second: whoever is chosen is the worse later
    up, down = [0.02, 0.04], [-0.02, -0.04]
    found = overfitting_probability(np.array([up + down, down + up]).T, blocks=2)
    # rank 1 of 2: w = 1/3, ln(1/2)
    assert found.logits == pytest.approx([log(0.5)] * 2)
    assert (found.probability, found.probability_of_loss) == (1.0, 1.0)
    # mean 3 % over a deviation of sqrt(2) %
    assert found.in_sample == pytest.approx([3 / 2**0.5] * 2)
    assert found.out_of_sample == pytest.approx([-3 / 2**0.5] * 2)
    assert found.slope is None  # both in-sample ratios are the same


def test_pure_noise_is_overfitting() -> None:
    # one draw of a market is noisy itself: the mean of 30
    generator = np.random.default_rng(2)
    found = [
        overfitting_probability(generator.normal(0, 0.01, (240, 20)), blocks=8) for _ in range(30)
    ]
    # the best of 20 in half of the days is as good as any in the other: near or above one half
    assert 0.4 < np.mean([one.probability for one in found]) < 0.75
    assert np.mean([one.slope for one in found if one.slope is not None]) < 0


def test_one_good_strategy_among_noise_is_found_for_good() -> None:
    returns = np.random.default_rng(3).normal(0, 0.01, (480, 20))
    returns[:, 13] += 0.003  # a yearly Sharpe ratio of 0.3 * sqrt(365) = 5.7
    found = overfitting_probability(returns, blocks=10)
    assert found.probability < 0.02
    assert found.probability_of_loss < 0.02


def test_sixteen_blocks_have_the_papers_number_of_combinations() -> None:
    found = overfitting_probability(np.random.default_rng(4).normal(0, 0.01, (330, 5)))
    assert len(found.logits) == 12_870
    # 330 = 16 * 20 + 10: the oldest ten are left out
    assert (found.returns, found.strategies, found.blocks) == (320, 5, 16)


def test_the_oldest_rows_are_those_left_out() -> None:
    returns = np.random.default_rng(5).normal(0, 0.01, (41, 4))
    more, less = (overfitting_probability(rows, blocks=4) for rows in (returns, returns[1:]))
    np.testing.assert_array_equal(more.logits, less.logits)


def test_memory_is_bounded_without_changing_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = np.random.default_rng(6).normal(0, 0.01, (80, 6))
    whole = overfitting_probability(returns, blocks=8)
    monkeypatch.setattr("crypto_trader_pro.backtest.cross_validation._CELLS", 50)
    parts = overfitting_probability(returns, blocks=8)
    np.testing.assert_allclose(whole.out_of_sample, parts.out_of_sample)
    np.testing.assert_array_equal(whole.logits, parts.logits)


def test_strategies_that_never_traded_share_their_rank() -> None:
    found = overfitting_probability(np.zeros((20, 3)), blocks=2)
    # three equal ones have rank 2 of 3: w = 1/2, logit 0, which counts as overfitting
    assert found.logits.tolist() == [0.0, 0.0]
    assert found.probability == 1.0


def test_a_constant_profit_is_no_deviation() -> None:
    returns = np.column_stack((np.full(40, 0.01), np.random.default_rng(8).normal(0, 0.01, 40)))
    found = overfitting_probability(returns, blocks=4)
    assert np.isfinite(found.in_sample).all()
    assert abs(found.in_sample).max() < 10  # and not a mean over the rounding of its own sum


@pytest.mark.parametrize(
    ("shape", "blocks", "message"),
    [
        ((100, 5), 7, "blocks was 7, must be even and 2..20"),
        ((100, 5), 0, "blocks was 0, must be even and 2..20"),
        ((100, 5), 22, "blocks was 22, must be even and 2..20"),
        ((100, 1), 4, "needs 2 strategies to compare"),
        ((100,), 4, "needs 2 strategies to compare"),
        ((31, 5), 16, "16 blocks need at least 32 returns, there are 31"),
    ],
)
def test_bad_input_is_named(shape: tuple[int, ...], blocks: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        overfitting_probability(np.zeros(shape), blocks)


def test_a_return_that_is_not_finite_is_refused() -> None:
    returns = np.zeros((40, 2))
    returns[3, 1] = np.nan
    with pytest.raises(InputError, match="a return is not finite"):
        overfitting_probability(returns, 4)
