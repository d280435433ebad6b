"""Indicators against textbook loops and numbers worked out by hand."""

import math

import numpy as np
import pytest

from crypto_trader_pro import indicators as ind
from crypto_trader_pro.domain.market import Floats


def walk(n: int, seed: int = 7) -> tuple[Floats, Floats, Floats]:
    """Return random high, low, close in whole units."""
    rng = np.random.default_rng(seed)
    close: Floats = (10_000 + np.cumsum(rng.integers(-40, 41, n))).astype(np.float64)
    before = np.concatenate(([10_000.0], close[:-1]))
    high: Floats = np.maximum(close, before) + rng.integers(0, 30, n)
    low: Floats = np.minimum(close, before) - rng.integers(0, 30, n)
    return high, low, close


def wilder_loop(x: list[float], period: int) -> list[float]:
    """Wilder's smoothing as the book has it: seeded with a plain mean, then endless."""
    value = sum(x[:period]) / period
    out = [value]
    for item in x[period:]:
        value = (value * (period - 1) + item) / period
        out.append(value)
    return out


def ema_loop(x: list[float], span: int) -> list[float]:
    value, out = x[0], [x[0]]
    for item in x[1:]:
        value += 2 / (span + 1) * (item - value)
        out.append(value)
    return out


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 24, 96, 100])
def test_a_rolling_sum_is_the_sum_of_the_last_values(length: int) -> None:
    x = np.random.default_rng(1).normal(size=150)
    expected = [math.fsum(x[i - length + 1 : i + 1]) for i in range(length - 1, 150)]
    assert ind.rolling_sum(x, length) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 48, 96])
def test_rolling_extremes_are_those_of_the_last_values(length: int) -> None:
    x = np.random.default_rng(2).normal(size=150)
    windows = [x[i - length + 1 : i + 1] for i in range(length - 1, 150)]
    assert ind.rolling_max(x, length).tolist() == [w.max() for w in windows]
    assert ind.rolling_min(x, length).tolist() == [w.min() for w in windows]


def test_a_weighted_mean_gives_the_newest_value_the_largest_weight() -> None:
    # (3 + 0.5 * 2 + 0.25 * 1) / (1 + 0.5 + 0.25) = 4.25 / 1.75
    got = ind.weighted_mean(np.array([9.0, 1.0, 2.0, 3.0]), 3, 0.5)
    assert got.tolist() == [(2 + 0.5 * 1 + 0.25 * 9) / 1.75, 4.25 / 1.75]


def test_an_average_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="length was 0, at least 1"):
        ind.rolling_sum(np.ones(3), 0)


def test_the_true_range_reaches_to_the_previous_close() -> None:
    high, low, close = np.array([10.0, 15.0, 9.0]), np.array([8.0, 14.0, 7.0]), np.array([9.0] * 3)
    # 15 - 9 = 6 (a gap up), then 9 - 7 = 2
    assert ind.true_range(high, low, close).tolist() == [6.0, 2.0]


def test_wilders_indicators_agree_with_the_endless_recursion() -> None:
    high, low, close = walk(3_000)
    rows = 500
    tr = ind.true_range(high, low, close).tolist()
    assert ind.tail(ind.average_true_range(high, low, close, 14), rows) == pytest.approx(
        wilder_loop(tr, 14)[-rows:], rel=1e-6
    )
    change = np.diff(close).tolist()
    gain = wilder_loop([max(c, 0.0) for c in change], 14)[-rows:]
    loss = wilder_loop([max(-c, 0.0) for c in change], 14)[-rows:]
    rsi = [100 - 100 / (1 + up / down) for up, down in zip(gain, loss, strict=True)]
    assert ind.tail(ind.relative_strength(close, 14), rows) == pytest.approx(rsi, rel=1e-6)


def test_the_adx_agrees_with_the_endless_recursion() -> None:
    high, low, close = walk(3_000, seed=8)
    plus, minus = [], []
    for i in range(1, len(close)):
        up, down = high[i] - high[i - 1], low[i - 1] - low[i]
        plus.append(up if up > down and up > 0 else 0.0)
        minus.append(down if down > up and down > 0 else 0.0)
    ranges = wilder_loop(ind.true_range(high, low, close).tolist(), 14)
    index = []
    for p, m, r in zip(wilder_loop(plus, 14), wilder_loop(minus, 14), ranges, strict=True):
        index.append(100 * abs(p / r - m / r) / (p / r + m / r))
    expected = wilder_loop(index, 14)[-500:]
    got = ind.tail(ind.average_directional_index(high, low, close, 14), 500)
    assert got == pytest.approx(expected, rel=1e-6)


def test_the_macd_histogram_agrees_with_the_endless_recursion() -> None:
    _, _, close = walk(3_000, seed=9)
    fast, slow = ema_loop(close.tolist(), 12), ema_loop(close.tolist(), 26)
    macd = [f - s for f, s in zip(fast, slow, strict=True)]
    line = ema_loop(macd, 9)
    expected = [m - s for m, s in zip(macd, line, strict=True)][-500:]
    got = ind.tail(ind.macd_histogram(close, 12, 26, 9), 500)
    assert got == pytest.approx(expected, abs=1e-4)  # prices of 10,000: 1e-8 of them


def test_a_flat_market_has_a_neutral_rsi_and_no_direction() -> None:
    flat = np.full(600, 100.0)
    assert set(ind.relative_strength(flat, 14).tolist()) == {50.0}
    assert set(ind.average_directional_index(flat, flat, flat, 14).tolist()) == {0.0}
    assert np.isnan(ind.efficiency_ratio(flat, 24)).all()
    assert np.isnan(ind.position_in_range(flat, flat, flat, 48)).all()


def test_returns_volatility_and_skewness_of_a_known_path() -> None:
    close = np.array([100.0, 110.0, 99.0])  # +10 %, -10 %
    returns = ind.simple_returns(close, 1)
    assert returns == pytest.approx([0.1, -0.1])
    assert ind.simple_returns(close, 2) == pytest.approx([-0.01])
    assert ind.realized_volatility(returns, 2) == pytest.approx([0.1])
    assert ind.realized_skewness(returns, 2) == pytest.approx([0.0], abs=1e-12)
    # one of two returns: mean cube 0.0005, volatility sqrt(0.005): 0.0005 / 0.005**1.5 = sqrt(2)
    assert ind.realized_skewness(np.array([0.1, 0.0]), 2) == pytest.approx([math.sqrt(2)])


def test_the_parkinson_volatility_of_equal_ranges() -> None:
    high, low = np.full(5, 101.0), np.full(5, 99.0)
    # range 2 of a mid of 100: 0.02 / (2 sqrt(ln 2))
    expected = 0.02 / (2 * math.sqrt(math.log(2)))
    assert ind.parkinson_volatility(high, low, 5) == pytest.approx([expected])


def test_the_efficiency_ratio_is_the_way_made_good() -> None:
    # 10 up, 5 down, 5 up: 10 of 20
    assert ind.efficiency_ratio(np.array([100.0, 110.0, 105.0, 110.0]), 3).tolist() == [0.5]


def test_the_autocorrelation_of_an_alternating_series_is_near_minus_one() -> None:
    returns = np.array([0.01, -0.01] * 10)
    assert ind.autocorrelation(returns, 10) == pytest.approx([-1.0] * 10)


def test_the_position_in_the_range_is_0_at_the_low_and_1_at_the_high() -> None:
    high, low = np.array([12.0, 20.0, 16.0]), np.array([10.0, 11.0, 12.0])
    assert ind.position_in_range(high, low, np.array([0.0, 0.0, 15.0]), 3).tolist() == [0.5]


def test_several_symbols_at_once_give_the_bits_of_each_alone() -> None:
    pairs = [walk(700, seed) for seed in (1, 2, 3)]
    high, low, close = (np.array([pair[k] for pair in pairs]) for k in range(3))
    together = ind.average_directional_index(high, low, close, 14)
    for row, pair in enumerate(pairs):
        alone = ind.average_directional_index(*pair, period=14)
        assert together[row].tolist() == alone.tolist()


def test_a_ratio_over_zero_is_missing() -> None:
    got = ind.ratio(np.array([1.0, 0.0, -3.0]), np.array([0.0, 0.0, 2.0]))
    assert [math.isnan(x) for x in got.tolist()] == [True, True, False]
    assert got[2] == -1.5
