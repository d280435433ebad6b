"""Bands of shuffled trades and resampled days, and noise on candles."""

from itertools import permutations
from typing import cast

import numpy as np
import pytest

from crypto_trader_pro.backtest.block_bootstrap import mean_block, resamples
from crypto_trader_pro.backtest.candle_noise import perturbed
from crypto_trader_pro.backtest.monte_carlo import (
    FAN_POINTS,
    QUANTILES,
    Bands,
    day_bootstrap,
    fan_steps,
    trade_shuffle,
)
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar, CandleSeries, Floats, is_possible, series_of
from tests.builders import MINUTE, START_MS, USDT

OPENING = 1_000 * USDT


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def same(one: Bands, other: Bands) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("final_equity", "max_drawdown", "steps", "fan", "loss")
    )


# --- trades ---------------------------------------------------------------------------------


def test_every_order_of_the_trades_ends_at_the_same_equity() -> None:
    profits = np.array([50, -30, 20, -10, 5, 5, -40, 60, -20, 10]) * USDT  # 50 in all
    bands = trade_shuffle(profits, OPENING, 500, generator())
    assert bands.final_equity.tolist() == [1_050.0] * 5
    assert bands.loss == 0.0
    assert bands.fan[:, 0].tolist() == [1_000.0] * 5
    assert bands.fan[:, -1].tolist() == [1_050.0] * 5
    assert (np.diff(bands.fan, axis=0) >= 0).all()
    assert (np.diff(bands.max_drawdown) >= 0).all()
    # at worst all losses come first, 100 of 1,000; some orders come near
    assert bands.max_drawdown[-1] <= 0.1
    assert bands.max_drawdown[0] >= 40 / 1_150  # the largest loss, from the highest peak there is


def test_the_drawdowns_are_those_of_all_orders() -> None:
    # eight equal gains and two losses: 45 places for the losses, each as likely
    profits = np.array([10] * 8 + [-100, -200]) * USDT
    depths = []
    for first, second in permutations(range(10), 2):
        order = [10] * 10
        order[first], order[second] = -100, -200
        equity = np.cumsum([1_000, *order])
        peak = np.maximum.accumulate(equity)
        depths.append(((peak - equity) / peak).max())
    bands = trade_shuffle(profits, OPENING, 20_000, generator())
    expected = np.quantile(depths, QUANTILES)
    assert bands.max_drawdown == pytest.approx(expected, abs=0.003)


def test_the_same_seed_gives_the_same_bands_and_another_does_not() -> None:
    profits = np.arange(-5, 15) * USDT
    one, again, other = (
        trade_shuffle(profits, OPENING, 100, generator(seed)) for seed in (1, 1, 2)
    )
    assert same(one, again)
    assert not same(one, other)


def test_runs_in_portions_are_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    profits = np.arange(-5, 15) * USDT
    whole = trade_shuffle(profits, OPENING, 101, generator())
    monkeypatch.setattr("crypto_trader_pro.backtest.block_bootstrap._CELLS", 60)
    parts = trade_shuffle(profits, OPENING, 101, generator())
    assert same(whole, parts)


def test_a_fan_has_few_points_and_both_ends() -> None:
    assert fan_steps(10).tolist() == list(range(11))
    steps = fan_steps(20_000)
    assert len(steps) == FAN_POINTS
    assert (steps[0], steps[-1]) == (0, 20_000)
    assert (np.diff(steps) > 0).all()


# --- days -----------------------------------------------------------------------------------


def test_the_median_of_resampled_days_is_near_what_happened() -> None:
    returns = generator(4).normal(0.001, 0.02, 365)
    bands = day_bootstrap(returns, OPENING, 1_000, generator())
    happened = 1_000 * float(np.prod(1 + returns))
    # in logs the end deviates by 2 % * sqrt(365) = 38 %; the median of 1,000 by 38 % * 1.25 / 32
    assert np.log(bands.final_equity[2]) == pytest.approx(np.log(happened), abs=0.06)
    # and the middle 90 % by 2 * 1.645 deviations
    wide = np.log(bands.final_equity[4] / bands.final_equity[0])
    assert wide == pytest.approx(2 * 1.645 * returns.std() * np.sqrt(365), rel=0.15)
    assert 0.0 < bands.loss < 0.6
    assert bands.fan.shape == (5, FAN_POINTS)
    assert (np.diff(bands.fan, axis=0) >= 0).all()


def test_days_with_the_same_seed_are_the_same_days() -> None:
    returns = generator(4).normal(0.001, 0.02, 60)
    one, again, other = (day_bootstrap(returns, OPENING, 50, generator(seed)) for seed in (1, 1, 2))
    assert same(one, again)
    assert not same(one, other)


def test_blocks_keep_the_memory_that_single_days_lose() -> None:
    noise = generator(6).normal(0, 0.01, 600)
    trending = np.empty(600)
    trending[0] = noise[0]
    for k in range(1, 600):
        trending[k] = 0.8 * trending[k - 1] + noise[k]
    assert mean_block(noise) < 5 < mean_block(trending) < 100
    (drawn,) = resamples(trending, 200, generator())
    assert drawn.shape == (200, 600)
    assert set(np.unique(drawn)) <= set(trending)
    neighbours = [np.corrcoef(row[:-1], row[1:])[0, 1] for row in drawn]
    # drawn one by one it would be 0; each block begins anew
    assert np.mean(neighbours) > 0.6


# --- what cannot be drawn -------------------------------------------------------------------


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="a shuffle needs 10 closed trades, there are 9"):
        trade_shuffle(np.ones(9, np.int64), OPENING, 10, generator())
    with pytest.raises(InputError, match="runs was 0, must be at least 1"):
        trade_shuffle(np.ones(10, np.int64), OPENING, 0, generator())
    with pytest.raises(InputError, match="runs was 0, must be at least 1"):
        day_bootstrap(np.linspace(0, 0.1, 30), OPENING, 0, generator())
    with pytest.raises(InputError, match="needs 20 values that differ, there are 19"):
        day_bootstrap(np.linspace(0, 0.1, 19), OPENING, 10, generator())
    with pytest.raises(InputError, match="needs 20 values that differ, there are 40"):
        day_bootstrap(np.zeros(40), OPENING, 10, generator())
    with pytest.raises(InputError, match="not finite"):
        day_bootstrap(np.array([np.nan] * 30), OPENING, 10, generator())


# --- candles --------------------------------------------------------------------------------


def candles(n: int = 2_000, price: int = 60_000) -> CandleSeries:
    drawn = generator(8)
    bars, last = [], price
    for k in range(n):
        close = max(1, last + int(drawn.integers(-50, 51)))
        high, low = max(last, close) + 20, max(1, min(last, close) - 20)
        bars.append(Bar(START_MS + k * MINUTE, last, high, low, close, 7 + k % 5))
        last = close
    return series_of("BTC/USDT:USDT", MINUTE, bars)


def test_noise_keeps_candles_possible_times_and_volumes() -> None:
    series = candles()
    noisy = perturbed(series, 0.002, generator())
    assert all(is_possible(bar) for bar in noisy.bars())
    np.testing.assert_array_equal(noisy.open_ms, series.open_ms)
    np.testing.assert_array_equal(noisy.volume, series.volume)
    assert (noisy.symbol, noisy.timeframe_ms) == (series.symbol, series.timeframe_ms)


def test_noise_has_the_size_that_was_asked_and_does_not_add_up() -> None:
    series = candles()
    noisy = perturbed(series, 0.002, generator())
    change = np.log(noisy.close / series.close)
    # 2,000 draws: the error of a deviation is 1 / sqrt(4,000) of it
    assert change.std() == pytest.approx(0.002, rel=4 / np.sqrt(4_000))
    assert abs(change.mean()) < 4 * 0.002 / np.sqrt(2_000)
    # the open after a close is the same instant, so they moved together
    assert np.corrcoef(change[:-1], np.log(noisy.open / series.open)[1:])[0, 1] > 0.99


def test_no_noise_is_the_same_candles() -> None:
    series = candles(50)
    assert perturbed(series, 0.0, generator()).bars() == series.bars()


def test_the_same_seed_is_the_same_noise() -> None:
    series = candles(50)
    one, again, other = (perturbed(series, 0.01, generator(seed)).bars() for seed in (1, 1, 2))
    assert one == again
    assert one != other


class Falling:
    """A generator of nothing but the rarest falls."""

    def standard_normal(self, size: int) -> Floats:
        return np.full(size, -9.0)


def test_a_price_of_one_unit_never_falls_to_none() -> None:
    series = series_of("X/USDT", MINUTE, [Bar(START_MS, 1, 1, 1, 1, 0)])
    # exp(-0.9) = 0.41 of a unit
    noisy = perturbed(series, 0.1, cast("np.random.Generator", Falling()))
    assert noisy.bars() == series.bars()


def test_an_empty_series_stays_empty() -> None:
    assert len(perturbed(candles(0), 0.01, generator())) == 0


@pytest.mark.parametrize("size", [-0.001, 0.11, float("nan")])
def test_an_impossible_size_of_noise_is_named(size: float) -> None:
    with pytest.raises(InputError, match=r"candle noise was .*, must be 0..0.1"):
        perturbed(candles(5), size, generator())


def test_prices_that_a_double_cannot_count_are_refused() -> None:
    high = (1 << 52) + 1
    series = series_of("X/USDT", MINUTE, [Bar(START_MS, 5, high, 5, 5, 0)])
    with pytest.raises(InputError, match=f"a high of {high} price units is too large"):
        perturbed(series, 0.01, generator())
