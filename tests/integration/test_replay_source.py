"""The replay source as a worker reads it: what it tells, when, and how it goes on.

Six five-minute candles, two of them warm-up: the source begins at the close of candle 1.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from auto_trading.gateways import replay_source
from auto_trading.gateways.replay_source import ReplaySource
from auto_trading.gateways.venue_book import FundingEvent
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries, series_of
from crypto_trader_pro.domain.messages import MarketEvent, MarketFacts, MarketSlice, Missed
from crypto_trader_pro.domain.ports import MarketSource, SourceHealth
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.simulation.instruments import instrument
from tests.builders import START_MS, a_bar

FIVE = 300_000
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
BEGIN = START_MS + 2 * FIVE


class FakeTime:
    """Real time that passes only while somebody sleeps; `closes` ends the source after a while."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.naps: list[float] = []
        self.closes: tuple[ReplaySource, float] | None = None

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.seconds += seconds
        if self.closes is not None and self.seconds >= self.closes[1]:
            self.closes[0].close()


@pytest.fixture(autouse=True)
def real(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    made = FakeTime()
    monkeypatch.setattr(replay_source, "time", made)
    monkeypatch.setattr(replay_source, "asyncio", made)
    return made


def candles(symbol: str, first: int = 0, count: int = 6, price: int = 100) -> CandleSeries:
    """Return candles numbered from `first`: number k closes at `price` + k."""
    bars = [a_bar(k, price, close=price + k, bar_ms=FIVE) for k in range(first, first + count)]
    return series_of(symbol, FIVE, bars)


def a_source(
    *series: CandleSeries, speed: float = 300, warm_bars: int = 2,
    funding: Mapping[str, Sequence[FundingEvent]] | None = None, asked: list[Any] | None = None,
) -> ReplaySource:  # fmt: skip
    given = series or (candles(BTC),)

    def load(symbol: str, length: int, from_ms: int, to_ms: int) -> CandleSeries:
        if asked is not None:
            asked.append((symbol, length, from_ms, to_ms))
        return given[0].between(from_ms, to_ms + length)

    return ReplaySource(
        [instrument(s.symbol) for s in given], given, venue="binance", speed=speed,
        warm_bars=warm_bars, funding=funding or {}, load=load,
    )  # fmt: skip


async def _taken(reader: AsyncIterator[MarketEvent], count: int) -> list[MarketEvent]:
    return [await anext(reader) for _ in range(count)]


def taken(source: ReplaySource, count: int, after_ms: int | None = None) -> list[MarketEvent]:
    return asyncio.run(_taken(source.events(after_ms), count))


def close_of(k: int) -> int:
    return START_MS + (k + 1) * FIVE


def test_it_is_a_market_source_that_needs_no_start() -> None:
    source: MarketSource = a_source()
    source.start()
    assert (source.name, source.venue) == ("replay", "binance")
    assert source.health() == SourceHealth(True, None, 0, 0, "")
    assert source.clock().now_ms() == BEGIN
    assert source.clock().now() == to_datetime(BEGIN)


def test_a_fresh_start_warms_up_and_then_plays_the_rest() -> None:
    found = taken(a_source(), 6)
    bars = [a_bar(k, 100, close=100 + k, bar_ms=FIVE) for k in range(6)]
    instants = [MarketSlice(close_of(k), (bar,)) for k, bar in enumerate(bars)]
    assert found == [Missed(instants[0]), Missed(instants[1]), *instants[2:]]


def test_candles_come_at_the_pace_of_the_configuration_in_short_naps(real: FakeTime) -> None:
    """300 seconds of market at 300 market seconds per second: a candle a second, four naps each."""
    source, came = a_source(), []

    async def read() -> None:
        reader = source.events(None)
        for _ in range(6):
            await anext(reader)
            came.append((real.seconds, source.clock().now_ms()))

    asyncio.run(read())
    assert came == [
        (1000.0, BEGIN), (1000.0, BEGIN), (1001.0, close_of(2)), (1002.0, close_of(3)),
        (1003.0, close_of(4)), (1004.0, close_of(5)),
    ]  # fmt: skip
    assert real.naps == [0.25] * 16


def test_a_reader_goes_on_right_behind_the_instant_that_it_knows(real: FakeTime) -> None:
    source = a_source()
    found = taken(source, 2, after_ms=close_of(3))
    assert [e.close_ms for e in found if isinstance(e, MarketSlice)] == [close_of(4), close_of(5)]
    assert real.seconds == 1002.0  # the pace begins anew with the reader


def test_the_clock_of_a_later_reader_stands_where_it_goes_on() -> None:
    """Also before its first candle, and when the record has nothing more for it."""
    source = a_source()
    source.events(close_of(5))
    assert source.clock().now_ms() == close_of(5)
    assert list(source.history(BTC, FIVE, START_MS, close_of(9)).open_ms) == [
        START_MS + k * FIVE for k in range(6)
    ]
    source.events(close_of(3))  # a worker that goes on from an older checkpoint
    assert source.clock().now_ms() == close_of(3)
    source.events(None)
    assert source.clock().now_ms() == BEGIN


def test_the_market_stands_still_at_the_end_of_the_record_until_it_is_closed(
    real: FakeTime,
) -> None:
    source = a_source()
    real.closes = (source, 1_100.0)

    async def read() -> int:
        return len([event async for event in source.events(None)])

    assert asyncio.run(read()) == 6
    assert real.seconds == 1_100.0  # 4 seconds for four candles, and 96 of waiting
    assert source.health() == SourceHealth(False, None, 0, 0, "closed")


def test_closing_ends_a_reader_that_waits_for_its_next_candle(real: FakeTime) -> None:
    source = a_source()
    real.closes = (source, 1_001.5)  # between candles 2 and 3

    async def read() -> list[int]:
        found = [event async for event in source.events(close_of(1))]
        return [e.close_ms for e in found if isinstance(e, MarketSlice)]

    assert asyncio.run(read()) == [close_of(2)]


def test_warm_up_ends_for_all_symbols_with_that_of_the_youngest() -> None:
    """ETH begins at candle 2, so that its two candles of warm-up are numbers 2 and 3."""
    source = a_source(candles(BTC), candles(ETH, first=2, count=4, price=50))
    found = taken(source, 6)
    assert [type(e) for e in found] == [Missed] * 4 + [MarketSlice] * 2
    first, last = found[0], found[-1]
    assert isinstance(first, Missed)
    assert isinstance(last, MarketSlice)
    assert first.market.bars == (a_bar(0, 100, close=100, bar_ms=FIVE), None)
    assert [bar.close for bar in last.bars if bar] == [105, 55]


def test_history_ends_with_the_candles_that_were_closed_by_now() -> None:
    asked: list[Any] = []
    source = a_source(asked=asked)
    taken(source, 3)  # it is the close of candle 2
    series = source.history(BTC, FIVE, START_MS, START_MS + 100 * FIVE)
    assert [bar.close for bar in series.bars()] == [100, 101, 102]
    # an hour that closes now opened an hour ago: the end of the range is one millisecond later
    source.history(BTC, 3_600_000, START_MS - 3_600_000, START_MS + 100 * FIVE)
    source.history(BTC, FIVE, START_MS, START_MS + FIVE)
    assert asked[1:] == [
        (BTC, 3_600_000, START_MS - 3_600_000, close_of(2) - 3_600_000 + 1),
        (BTC, FIVE, START_MS, START_MS + FIVE),
    ]


def test_facts_are_the_newest_closes_with_the_rate_that_was_settled_last() -> None:
    """ETH has no candle at the close of 3: its price of before stays. BTC's rates: 3 and 4."""
    funding = {BTC: [FundingEvent(close_of(3), 10_000), FundingEvent(close_of(4), -2_500)]}
    eth = series_of(ETH, FIVE, [a_bar(k, 50, bar_ms=FIVE) for k in (0, 1, 2, 4)])
    source = a_source(candles(BTC), eth, funding=funding)
    assert source.facts() == []

    async def read() -> list[Sequence[MarketFacts]]:
        reader, found = source.events(None), []
        for _ in range(5):
            await anext(reader)
            found.append(source.facts())
        return found

    def at(k: int, price: int, rate: int | None) -> list[MarketFacts]:
        now = close_of(k)
        return [MarketFacts(BTC, now, price, rate, None), MarketFacts(ETH, now, 50, None, None)]

    told = [at(2, 102, None), at(3, 103, 10_000), at(4, 104, -2_500)]
    assert asyncio.run(read()) == [[], [], *told]


def test_too_few_candles_to_warm_up_on_are_refused() -> None:
    with pytest.raises(InputError) as refused:
        a_source(candles(BTC), candles(ETH, count=2))
    assert str(refused.value) == (
        f"{ETH}: 2 imported 5m candles, more than 2 are needed: data import"
    )
    a_source(candles(BTC, count=3))
