"""What must hold of a backtest's statistics whatever the data."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_trader_pro.backtest.candle_noise import perturbed
from crypto_trader_pro.backtest.cross_validation import overfitting_probability
from crypto_trader_pro.backtest.curve_metrics import expected_shortfall
from crypto_trader_pro.backtest.equity_curve import EquityCurve, daily_equity
from crypto_trader_pro.backtest.metric import wilson
from crypto_trader_pro.backtest.metrics import historical_var
from crypto_trader_pro.backtest.monte_carlo import trade_shuffle
from crypto_trader_pro.domain.market import Bar, is_possible, series_of
from tests.backtest_results import DAY
from tests.builders import MINUTE, START_MS, USDT

few = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@few
@given(st.lists(st.tuples(*[st.integers(1, 10**9)] * 4), max_size=20), st.floats(0, 0.1), seeds)
def test_noise_leaves_candles_possible(
    prices: list[tuple[int, int, int, int]], size: float, seed: int
) -> None:
    bars = [
        Bar(START_MS + k * MINUTE, open_, max(row), min(row), close, k)
        for k, row in enumerate(prices)
        for open_, close in [row[:2]]
    ]
    series = series_of("X/USDT", MINUTE, bars)
    noisy = perturbed(series, size, np.random.default_rng(seed))
    assert all(is_possible(bar) for bar in noisy.bars())
    assert len(noisy) == len(series)


@few
@given(st.integers(0, 500), st.integers(1, 500))
def test_a_wilson_interval_holds_its_share(wins: int, more: int) -> None:
    n = wins + more
    found = wilson(wins, n)
    assert found is not None
    assert 0 <= found.low <= wins / n <= found.high <= 1


@few
@given(st.lists(st.floats(-0.5, 0.5, allow_subnormal=False), max_size=60))
def test_the_shortfall_is_never_smaller_than_the_value_at_risk(values: list[float]) -> None:
    returns = np.array(values)
    risk, shortfall = historical_var(returns), expected_shortfall(returns)
    assert (risk is None) == (shortfall is None)
    if risk is not None and shortfall is not None:
        assert shortfall >= risk - 1e-12


@few
@given(st.lists(st.integers(1, 3 * DAY), min_size=1, max_size=20), st.data())
def test_days_compound_to_the_whole_return(steps: list[int], data: st.DataObject) -> None:
    at_ms = START_MS + np.cumsum(np.array(steps, np.int64))
    equity = data.draw(st.lists(st.integers(1, 10**12), min_size=len(steps), max_size=len(steps)))
    curve = EquityCurve(10**6, START_MS, at_ms, np.array(equity, np.int64))
    daily = daily_equity(curve)
    assert int(daily.equity[-1]) == equity[-1]
    assert bool((np.diff(daily.day_ms) == DAY).all())
    # by its definition: the last close that is not after the end of the day
    for day, found in zip(daily.day_ms.tolist(), daily.equity[1:].tolist(), strict=True):
        known = [e for t, e in zip(at_ms.tolist(), equity, strict=True) if t <= day + DAY]
        assert found == (known[-1] if known else 10**6)


@few
@given(st.lists(st.integers(-90, 90), min_size=10, max_size=30), seeds)
def test_a_shuffle_keeps_the_sum(profits: list[int], seed: int) -> None:
    values = np.array(profits, np.int64) * USDT
    bands = trade_shuffle(values, 10_000 * USDT, 20, np.random.default_rng(seed))
    assert set(bands.final_equity.tolist()) == {10_000.0 + sum(profits)}
    assert bands.loss == float(sum(profits) < 0)
    assert bool((bands.max_drawdown >= 0).all())


@few
@given(seeds, st.sampled_from((2, 4, 6)), st.floats(0.01, 100))
def test_overfitting_does_not_depend_on_the_size_of_the_bets(
    seed: int, blocks: int, size: float
) -> None:
    returns = np.random.default_rng(seed).normal(0, 0.01, (48, 4))
    one, other = (overfitting_probability(x, blocks) for x in (returns, returns * size))
    assert one.probability == other.probability
    np.testing.assert_allclose(one.out_of_sample, other.out_of_sample, rtol=1e-9)
