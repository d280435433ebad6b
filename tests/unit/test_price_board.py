"""Prices between two words to the readers."""

from typing import Any

import pytest

from auto_trading.gateways.candle_rows import Refused
from auto_trading.gateways.price_board import AHEAD_MS, PriceBoard
from auto_trading.gateways.venue_wire import StreamTicker
from crypto_trader_pro.domain.messages import Prices
from tests.builders import SPOT, START_MS, an_instrument


class Seconds:
    """A monotonic clock that a test moves."""

    now = 50.0

    def __call__(self) -> float:
        return self.now


def a_board(seconds: Seconds, interval_ms: int = 1_000) -> PriceBoard:
    instruments = (an_instrument(SPOT), an_instrument())
    return PriceBoard(instruments, interval_ms, START_MS, seconds)


def a_ticker(last: str, at_ms: Any = START_MS) -> StreamTicker:
    return StreamTicker("X", at_ms, last, None, None)


def test_the_newest_price_of_each_symbol_once_per_interval() -> None:
    seconds = Seconds()
    board = a_board(seconds)
    assert board.due(START_MS + 1) is None
    assert board.take(1, a_ticker("20"), START_MS) == 200
    assert board.due(START_MS + 1) == Prices(START_MS + 1, ((1, 200),))
    board.take(1, a_ticker("20.1"), START_MS)
    board.take(0, a_ticker("10"), START_MS)
    board.take(1, a_ticker("20.2"), START_MS)
    seconds.now += 0.999
    assert board.due(START_MS + 2) is None
    seconds.now += 0.002
    assert board.due(START_MS + 3) == Prices(START_MS + 3, ((0, 100), (1, 202)))


def test_a_price_that_was_told_is_no_news_even_if_it_moved_meanwhile() -> None:
    seconds = Seconds()
    board = a_board(seconds, interval_ms=0)
    board.take(0, a_ticker("10"), START_MS)
    assert board.due(START_MS + 1) is not None
    board.take(0, a_ticker("11"), START_MS)
    board.take(0, a_ticker("10"), START_MS)
    assert board.due(START_MS + 2) is None


def test_the_time_of_prices_only_grows_and_follows_the_slices() -> None:
    board = a_board(Seconds(), interval_ms=0)
    times = []
    for price, now_ms in (("1", START_MS + 5), ("2", START_MS + 5), ("3", START_MS)):
        board.take(0, a_ticker(price), START_MS)
        event = board.due(now_ms)
        assert event is not None
        times.append(event.at_ms - START_MS)
    board.passed(START_MS + 60_000)
    board.passed(START_MS)
    board.take(0, a_ticker("4"), START_MS)
    assert board.due(START_MS + 59_700) == Prices(START_MS + 60_001, ((0, 40),))
    assert times == [5, 6, 7]


def test_old_tickers_and_tickers_of_the_future_are_refused() -> None:
    board = a_board(Seconds())
    board.take(0, a_ticker("1", START_MS + 10), START_MS)
    with pytest.raises(Refused, match="reordered"):
        board.take(0, a_ticker("2", START_MS + 9), START_MS)
    with pytest.raises(Refused, match="ahead"):
        board.take(0, a_ticker("2", START_MS + AHEAD_MS + 1), START_MS)
    assert board.take(0, a_ticker("3", None), START_MS + 20) == 30  # REST tells no time
    with pytest.raises(Refused, match="reordered"):
        board.take(0, a_ticker("4", START_MS + 19), START_MS + 20)
