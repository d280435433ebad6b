"""Candles: which are possible, and a series as arrays."""

from collections.abc import Sequence

import numpy as np
import pytest

from crypto_trader_pro.domain.market import Bar, CandleSeries, is_possible, series_of
from tests.builders import MINUTE, START_MS, a_bar

BARS = [a_bar(k, 100 + k, 110 + k, 90 + k, 105 + k, volume=k) for k in (0, 1, 2, 5, 6)]


def times(series: CandleSeries) -> list[int]:
    return [(int(ms) - START_MS) // MINUTE for ms in series.open_ms]


@pytest.mark.parametrize(
    ("prices", "possible"),
    [
        ((100, 110, 90, 105, 0), True),
        ((100, 100, 100, 100, 1), True),
        ((1, 1, 1, 1, 0), True),
        ((100, 104, 90, 105, 1), False),  # high below close
        ((100, 99, 90, 95, 1), False),  # high below open
        ((100, 110, 101, 105, 1), False),  # low above open
        ((105, 110, 101, 100, 1), False),  # low above close
        ((100, 90, 110, 100, 1), False),
        ((1, 1, 0, 1, 1), False),  # a price of zero
        ((100, 110, 90, 105, -1), False),
    ],
)
def test_a_candle_is_possible_or_not(prices: Sequence[int], possible: bool) -> None:
    open_, high, low, close, volume = prices
    assert is_possible(Bar(START_MS, open_, high, low, close, volume)) is possible


def test_a_series_gives_back_its_bars_as_plain_python_integers() -> None:
    bars = series_of("X/USDT", MINUTE, BARS).bars()
    assert bars == BARS
    assert {type(value) for bar in bars for value in bar} == {int}


def test_an_empty_series_is_a_series() -> None:
    empty = series_of("X/USDT", MINUTE, [])
    assert len(empty) == 0
    assert empty.bars() == []
    assert len(empty.between(START_MS, None)) == 0


def test_a_gap_stays_visible() -> None:
    assert times(series_of("X/USDT", MINUTE, BARS)) == [0, 1, 2, 5, 6]


@pytest.mark.parametrize(
    ("from_k", "to_k", "kept"),
    [
        (None, None, [0, 1, 2, 5, 6]),
        (1, None, [1, 2, 5, 6]),
        (3, None, [5, 6]),
        (None, 6, [0, 1, 2, 5]),  # candle 5 closes at 6
        (None, 3, [0, 1, 2]),
        (1, 2, [1]),
        (2, 2, []),
        (6, 1, []),
        (7, None, []),
    ],
)
def test_between_takes_what_opens_and_closes_inside(
    from_k: int | None, to_k: int | None, kept: list[int]
) -> None:
    series = series_of("X/USDT", MINUTE, BARS)
    from_ms = None if from_k is None else START_MS + from_k * MINUTE
    to_ms = None if to_k is None else START_MS + to_k * MINUTE
    assert times(series.between(from_ms, to_ms)) == kept


def test_a_slice_is_a_view_of_the_same_memory() -> None:
    series = series_of("X/USDT", MINUTE, BARS)
    part = series.slice(1, 3)
    assert part.bars() == BARS[1:3]
    assert np.shares_memory(part.close, series.close)


@pytest.mark.parametrize(
    ("bars", "message"),
    [
        ([a_bar(0), a_bar(0)], "open times must increase"),
        ([a_bar(1), a_bar(0)], "open times must increase"),
        ([a_bar(0)._replace(open_ms=START_MS + 1)], "off the grid of 60000 ms"),
    ],
)
def test_times_that_no_series_has_are_refused(bars: list[Bar], message: str) -> None:
    with pytest.raises(ValueError, match=f"X/USDT: .*{message}"):
        series_of("X/USDT", MINUTE, bars)


def test_columns_of_unequal_length_are_refused_by_name() -> None:
    one, two = np.array([0]), np.array([1, 2])
    with pytest.raises(ValueError, match="X/USDT: low has 2 rows, expected 1"):
        CandleSeries("X/USDT", MINUTE, one, one, one, two, one, one)
