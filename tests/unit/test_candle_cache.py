"""The cache keeps the first word on each candle and knows what it lacks."""

from auto_trading.gateways.candle_cache import ABSENT_AFTER, CandleCache
from crypto_trader_pro.domain.messages import MarketSlice
from tests.builders import MINUTE, START_MS, a_bar


def at(k: int) -> int:
    return START_MS + k * MINUTE


def test_the_first_candle_of_an_instant_stays() -> None:
    cache = CandleCache(1, MINUTE, START_MS)
    assert cache.put(0, a_bar(0, 100)) == "new"
    assert cache.put(0, a_bar(0, 100)) == "same"
    assert cache.put(0, a_bar(0, 101)) == "revised"
    assert cache.put(0, a_bar(-1)) == "old"
    assert list(cache.slices(0, at(9))) == [MarketSlice(at(1), (a_bar(0, 100),))]


def test_slices_come_in_time_order_with_none_for_what_is_not_there() -> None:
    cache = CandleCache(2, MINUTE, START_MS)
    for i, k in ((1, 2), (0, 0), (1, 0), (0, 2)):
        cache.put(i, a_bar(k, 100 + i))
    cache.put(0, a_bar(4, 100))
    assert list(cache.slices(at(1) - 1, at(5))) == [
        MarketSlice(at(1), (a_bar(0, 100), a_bar(0, 101))),
        MarketSlice(at(3), (a_bar(2, 100), a_bar(2, 101))),
        MarketSlice(at(5), (a_bar(4, 100), None)),
    ]
    assert [s.close_ms for s in cache.slices(at(1), at(4))] == [at(3)]
    assert cache.last_open_ms == at(4)


def test_it_names_the_first_candle_that_is_missing() -> None:
    cache = CandleCache(1, MINUTE, START_MS)
    assert cache.last_open_ms is None
    assert cache.first_missing(0, START_MS) is None
    assert cache.first_missing(0, at(1)) == START_MS
    for k in (0, 1, 3):
        cache.put(0, a_bar(k))
    assert cache.first_missing(0, at(2)) is None
    assert cache.first_missing(0, at(4)) == at(2)
    cache.put(0, a_bar(2))
    assert cache.first_missing(0, at(4)) is None
    assert cache.first_missing(0, at(5)) == at(4)


def test_a_candle_that_the_venue_leaves_out_three_times_does_not_exist() -> None:
    cache = CandleCache(1, MINUTE, START_MS)
    cache.put(0, a_bar(0))
    cache.put(0, a_bar(2))
    for _ in range(ABSENT_AFTER):
        assert cache.first_missing(0, at(3)) == at(1)
        cache.left_out(0, START_MS - MINUTE, at(3))
    assert cache.first_missing(0, at(3)) is None
    assert cache.put(0, a_bar(1)) == "new"  # it came after all


def test_what_is_trimmed_is_gone_and_no_longer_missing() -> None:
    cache = CandleCache(2, MINUTE, START_MS)
    for k in (0, 1, 2):
        cache.put(0, a_bar(k))
    cache.left_out(1, START_MS, at(3))
    cache.trim(at(2))
    cache.trim(at(1))  # never back
    assert cache.start_ms == at(2)
    assert [s.close_ms for s in cache.slices(0, at(9))] == [at(3)]
    assert cache.first_missing(1, at(3)) == at(2)
    assert cache.put(0, a_bar(1)) == "old"
