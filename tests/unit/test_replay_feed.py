"""Recorded candles as a feed: what the venue is given before each slice, finer candles or the same.

Candles of three minutes, finer ones of one.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from auto_trading.gateways.replay_feed import ReplayFeed
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries, series_of
from crypto_trader_pro.domain.messages import MarketSlice
from tests.builders import MINUTE, START_MS, a_bar
from utils.clocks import SimulatedClock

THREE: Final = 3 * MINUTE
BTC, ETH = "BTC/USDT", "ETH/USDT"
OPEN: Final = START_MS // THREE * THREE  # on the grid of both timeframes

Told = list[tuple[str, int, bool]]


def candles(length_ms: int, *places: int, symbol: str = BTC) -> CandleSeries:
    """Return flat candles that open `places` lengths after OPEN."""
    bars = [a_bar(0)._replace(open_ms=OPEN + k * length_ms) for k in places]
    return series_of(symbol, length_ms, bars)


def told_by(
    series: Sequence[CandleSeries], detail: Sequence[CandleSeries] | None, after: int = 0
) -> Told:
    """Return what came in which order: ("venue" or "engine", minute of the close, is the last)."""
    told: Told = []

    def note(market: MarketSlice, last: bool) -> None:
        told.append(("venue", (market.close_ms - OPEN) // MINUTE, last))

    async def play() -> None:
        feed = ReplayFeed(
            series, SimulatedClock(), note, OPEN + after * MINUTE if after else 0, detail=detail
        )
        async for market in feed.slices():
            told.append(("engine", (market.close_ms - OPEN) // MINUTE, True))

    asyncio.run(play())
    return told


def test_without_finer_candles_the_venue_has_each_slice_before_the_engine() -> None:
    assert told_by([candles(THREE, 0, 1)], None) == [
        ("venue", 3, True), ("engine", 3, True), ("venue", 6, True), ("engine", 6, True)
    ]  # fmt: skip


def test_a_slice_that_has_been_taken_is_told_before_the_next_is_played() -> None:
    order: list[tuple[str, int]] = []

    def noting(who: str) -> Callable[..., None]:
        return lambda market, *_: order.append((who, (market.close_ms - OPEN) // MINUTE))

    async def play() -> None:
        feed = ReplayFeed(
            [candles(THREE, 0, 1)], SimulatedClock(), noting("before"), after=noting("after")
        )
        async for market in feed.slices():
            noting("taken")(market)

    asyncio.run(play())
    assert order == [
        ("before", 3), ("taken", 3), ("after", 3), ("before", 6), ("taken", 6), ("after", 6)
    ]  # fmt: skip


def test_finer_candles_come_in_order_and_the_last_of_each_slice_says_so() -> None:
    assert told_by([candles(THREE, 0, 1)], [candles(MINUTE, 0, 1, 2, 4)]) == [
        ("venue", 1, False), ("venue", 2, False), ("venue", 3, True), ("engine", 3, True),
        ("venue", 5, True), ("engine", 6, True),
    ]  # fmt: skip


def test_finer_candles_outside_of_every_slice_are_left_out() -> None:
    told = told_by([candles(THREE, 1, 3)], [candles(MINUTE, 0, 1, 3, 7, 10, 11, 13)])
    assert [minute for who, minute, _ in told if who == "venue"] == [4, 11, 12]


def test_a_resumed_run_plays_none_of_the_finer_candles_again() -> None:
    assert told_by([candles(THREE, 0, 1)], [candles(MINUTE, *range(6))], after=3) == [
        ("venue", 4, False), ("venue", 5, False), ("venue", 6, True), ("engine", 6, True)
    ]  # fmt: skip


def test_several_symbols_share_the_finer_instants() -> None:
    series = [candles(THREE, 0, 1), candles(THREE, 1, symbol=ETH)]
    detail = [candles(MINUTE, 0, 3, 4), candles(MINUTE, 1, 4, 5, symbol=ETH)]
    told = told_by(series, detail)
    assert [(minute, last) for who, minute, last in told if who == "venue"] == [
        (1, False), (2, True), (4, False), (5, False), (6, True)
    ]  # fmt: skip


def test_a_candle_without_a_finer_one_is_refused_beforehand() -> None:
    series = [candles(THREE, 0, 1, 2), candles(THREE, 0, 1, 2, symbol=ETH)]
    detail = [candles(MINUTE, 0, 3, 6), candles(MINUTE, 0, 1, 2, 8, symbol=ETH)]
    told: list[MarketSlice] = []
    with pytest.raises(InputError, match=r"ETH/USDT: no finer .* 2024-.* UTC \(1 of 3 candles"):
        ReplayFeed(series, SimulatedClock(), lambda m, _: told.append(m), detail=detail)
    assert told == []


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (2 * MINUTE, 2 * MINUTE, "was 120000 ms, .* of which 180000 ms is a multiple"),
        (MINUTE, THREE, "ETH/USDT: timeframe of the finer candles was 180000 ms, allowed: one"),
    ],
)
def test_a_finer_timeframe_that_does_not_fit_is_refused(
    first: int, second: int, message: str
) -> None:
    def finer(length: int, symbol: str) -> CandleSeries:
        return CandleSeries(symbol, length, *([candles(THREE).open_ms] * 6))

    series = [candles(THREE), candles(THREE, symbol=ETH)]
    with pytest.raises(InputError, match=message):
        ReplayFeed(
            series, SimulatedClock(), lambda _, __: None,
            detail=[finer(first, BTC), finer(second, ETH)],
        )  # fmt: skip


def test_finer_candles_of_other_symbols_are_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"finer candles of \['BTC/USDT'\] expected"):
        ReplayFeed(
            [candles(THREE, 0)], SimulatedClock(), lambda _, __: None,
            detail=[candles(MINUTE, 0, symbol=ETH)],
        )  # fmt: skip
