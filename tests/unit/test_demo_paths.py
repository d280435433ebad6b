"""The seeded paths of the demo market, one week at a time."""

import math

import numpy as np
import pytest

from crypto_trader_pro.simulation import demo_paths
from crypto_trader_pro.simulation.demo_coins import COINS, MARKET_SIGMA
from crypto_trader_pro.simulation.demo_paths import (
    DRIFT,
    OPENING_DOWN,
    OPENING_UP,
    SHARE,
    SHORTEST,
    STEPS,
    Regime,
    border,
    draws,
    exponential,
    make_week,
    regimes,
)
from crypto_trader_pro.simulation.instruments import INSTRUMENTS

SIGMA = 0.001


def test_the_exponential_agrees_with_the_library() -> None:
    x = np.linspace(-4.0, 4.0, 1001)
    assert np.abs(exponential(x) / np.exp(x) - 1.0).max() < 1e-10
    assert exponential(np.zeros(1))[0] == 1.0


def test_a_stream_begins_at_zero_and_weeks_join_to_the_last_bit() -> None:
    assert border(7, "BTC", 0, SIGMA) == 0.0
    for week in (-130, -9, -8, -1, 0, 7, 8, 200):
        here, after = make_week(7, "BTC", week, SIGMA), make_week(7, "BTC", week + 1, SIGMA)
        assert here.level[-1] == after.level[0] == border(7, "BTC", week + 1, SIGMA)


def test_levels_return_within_months() -> None:
    # pins lie at most 2.5 x 2 weekly sigmas from the centre and from that of week 0; midpoints add
    # at most 2.5 x (sqrt 2 + 1 + 0.71) = 7.8 between two pins: 5 + 5 + 7.8
    weekly = SIGMA * math.sqrt(STEPS)
    for seed in range(5):
        levels = [border(seed, "SOL", week, SIGMA) / weekly for week in range(-150, 1500)]
        assert max(map(abs, levels)) < 17.8
        # the mean of 1650 weeks, some 200 independent pins of sigma 2, lies near that of week 0
        assert max(levels) - min(levels) > 8.0


def test_a_week_wanders_as_far_as_its_sigma_says() -> None:
    # between pins the variance of a week is one weekly sigma squared, whatever its candles did
    weekly = SIGMA * math.sqrt(STEPS)
    moves = [border(3, f"S{i}", 1, SIGMA) / weekly for i in range(400)]
    # the standard error of the mean square of 400 normals is sqrt(2 / 400) = 0.07; cutting at 2.5
    # sigmas takes 0.06 of a variance
    assert float(np.mean(np.square(moves))) == pytest.approx(0.97, abs=0.21)


def test_streams_weeks_and_seeds_are_independent() -> None:
    first = make_week(7, "BTC", 5, SIGMA).level
    for other in (
        make_week(8, "BTC", 5, SIGMA),
        make_week(7, "ETH", 5, SIGMA),
        make_week(7, "BTC", 6, SIGMA),
    ):
        moves, others = np.diff(first), np.diff(other.level)
        # 2016 products: the standard error is 1 / sqrt(2016) = 0.022
        assert abs(np.corrcoef(moves, others)[0, 1]) < 0.1


@pytest.mark.parametrize("seed", [-1, 0, 2**64 - 1])
def test_any_whole_number_is_a_seed(seed: int) -> None:
    assert len(make_week(seed, "BTC", -3, SIGMA).level) == STEPS + 1


def test_purposes_draw_from_generators_of_their_own() -> None:
    found = [draws(7, "BTC", 1, purpose).random() for purpose in range(6)]
    assert len(set(found)) == 6


def test_regimes_have_their_shares_and_last_as_long_as_they_should() -> None:
    chain = np.concatenate([regimes(7, f"S{i}", 3) for i in range(200)])
    # no regime follows itself, which evens the shares out; weights in a long chain are
    # share x (1 - share) / sum: .21 .21 .1875 .1275 of .735
    expected = [share * (1 - share) / 0.735 for share in SHARE]
    assert [round(each, 2) for each in expected] == [0.29, 0.29, 0.26, 0.17]
    found = np.bincount(chain, minlength=4) / len(chain)
    # 200 weeks x 17 regimes, of which a share of 0.3: standard error sqrt(.3 x .7 / 3400) x 1.2
    assert found == pytest.approx(expected, abs=0.03)


def test_regimes_change_and_none_but_the_last_of_a_week_is_short() -> None:
    for week in range(2, 40):
        chain = regimes(7, "BTC", week)
        starts = np.flatnonzero(np.diff(chain)) + 1
        lengths = np.diff(starts, prepend=0)
        assert lengths.min() >= SHORTEST
        assert len(chain) == STEPS


def test_the_opening_is_staged() -> None:
    for seed in range(20):
        for stream in ("market", "BTC"):
            assert set(regimes(seed, stream, -1)[-OPENING_DOWN:]) == {Regime.DOWN}
            assert set(regimes(seed, stream, 0)[:OPENING_UP]) == {Regime.UP}
    assert len({int(regimes(seed, "BTC", 1)[0]) for seed in range(20)}) == 4


def test_trends_drift_by_their_share_of_sigma() -> None:
    up: list[float] = []
    for week in range(2, 120):
        found = make_week(7, "BTC", week, SIGMA)
        moves = np.diff(found.level)[regimes(7, "BTC", week) == Regime.UP]
        up.extend(moves / SIGMA)
    # some 70,000 candles of 0.8 sigma: standard error 0.003
    assert float(np.mean(up)) == pytest.approx(DRIFT[Regime.UP], abs=0.02)


def test_volatility_comes_in_clusters_and_is_sigma_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_paths, "DRIFT", (0.0, 0.0, 0.0, 0.0))
    weeks = [make_week(7, "BTC", week, SIGMA) for week in range(2, 106)]
    moves = np.concatenate([np.diff(week.level) for week in weeks])
    local = np.concatenate([week.sigma for week in weeks])
    assert float(moves.std()) == pytest.approx(SIGMA, rel=0.03)
    assert float((moves / local).std()) == pytest.approx(1.0, rel=0.01)
    size = np.abs(moves)
    assert float(np.corrcoef(size[12:], size[:-12])[0, 1]) > 0.1  # an hour later still busy
    kurtosis = float(((moves / moves.std()) ** 4).mean())
    assert 4.0 < kurtosis < 9.0  # a normal's is 3
    assert float(np.abs(moves / local).max()) < 10.0


def test_every_instrument_has_a_coin_and_every_coin_a_part_of_its_own() -> None:
    assert set(COINS) == {row.base for row in INSTRUMENTS.values()}
    for base, coin in COINS.items():
        shared = (coin.beta * MARKET_SIGMA / coin.sigma) ** 2
        assert 0.3 < shared < 0.7, base
        assert coin.own_sigma**2 + (coin.beta * MARKET_SIGMA) ** 2 == pytest.approx(coin.sigma**2)
        assert 0.0015 <= coin.sigma <= 0.0035
        assert len(base.encode()) <= 8  # what the key of a generator holds
