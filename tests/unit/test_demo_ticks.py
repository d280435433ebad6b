"""The prices inside a demo candle."""

import pytest

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.simulation.demo_ticks import ticks_between

BAR = Bar(0, 10_000, 10_800, 9_600, 10_400, 5)


def key(k: int) -> tuple[int, str, int, int]:
    return (7, "BTC/USDT", 300_000, k)


def test_four_prices_are_near_the_open_both_extremes_and_near_the_close() -> None:
    for k in range(200):
        first, second, third, last = ticks_between(BAR, 10, 4, key(k))
        # near the open: a fifth of the way to the close is 80, the noise at most 1200 / 8 = 150
        assert 9_930 <= first <= 10_230
        assert {second, third} == {9_600, 10_800}
        assert 10_170 <= last <= 10_470


@pytest.mark.parametrize("count", [4, 5, 7, 60])
def test_all_prices_lie_inside_and_touch_both_extremes(count: int) -> None:
    for k in range(300):
        prices = ticks_between(BAR, 10, count, key(k))
        assert len(prices) == count
        assert (min(prices), max(prices)) == (9_600, 10_800)
        assert (min(prices[1:-1]), max(prices[1:-1])) == (9_600, 10_800)
        assert all(price % 10 == 0 for price in prices)


def test_a_rising_candle_mostly_falls_first() -> None:
    falls = 0
    for k in range(1000):
        prices = ticks_between(BAR, 10, 20, key(k))
        falls += prices.index(9_600) < prices.index(10_800)
    assert 700 <= falls <= 800  # three of four; standard error sqrt(1000 x .75 x .25) = 14


def test_a_falling_candle_mostly_rises_first() -> None:
    bar = Bar(0, 10_400, 10_800, 9_600, 10_000, 5)
    falls = 0
    for k in range(1000):
        prices = ticks_between(bar, 10, 20, key(k))
        falls += prices.index(9_600) < prices.index(10_800)
    assert 200 <= falls <= 300


def test_the_first_price_favours_nobody() -> None:
    firsts = [ticks_between(BAR, 1, 9, key(k))[0] for k in range(4000)]
    # open + a tenth of 400; noise even within +-150: standard error 87 / sqrt(4000) = 1.4
    assert sum(firsts) / 4000 == pytest.approx(10_040, abs=6)


def test_a_candle_of_one_price_has_no_other() -> None:
    assert ticks_between(Bar(0, 70, 70, 70, 70, 1), 10, 6, key(1)) == [70] * 6


def test_the_key_decides() -> None:
    first = ticks_between(BAR, 10, 12, key(1))
    assert first == ticks_between(BAR, 10, 12, key(1))
    for other in (
        (8, "BTC/USDT", 300_000, 1),
        (7, "ETH/USDT", 300_000, 1),
        (7, "BTC/USDT", 60_000, 1),
        (7, "BTC/USDT", 300_000, -1),
    ):
        assert ticks_between(BAR, 10, 12, other) != first


def test_fewer_than_four_prices_are_refused() -> None:
    with pytest.raises(InputError, match="count of prices in a candle was 3, at least 4"):
        ticks_between(BAR, 10, 3, key(1))
