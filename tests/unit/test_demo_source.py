"""The demo market as a living source: what it tells, when, and how it goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from auto_trading.gateways.demo_source import DemoSource
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.messages import MarketEvent, MarketSlice, Missed, Prices
from crypto_trader_pro.domain.ports import MarketSource, SourceHealth
from crypto_trader_pro.simulation import demo_market
from crypto_trader_pro.simulation.demo_market import FUNDING_MS, ZERO_MS, DemoMarket
from crypto_trader_pro.simulation.demo_paths import Week, make_week
from crypto_trader_pro.simulation.instruments import INSTRUMENTS, instrument

MINUTE, FIVE, HOUR, DAY = 60_000, 300_000, 3_600_000, 86_400_000
PAIR = ("BTC/USDT", "ETH/USDT:USDT")


class FakeTime:
    """Real time that passes only while somebody sleeps, or when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.naps: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.seconds += seconds


def a_source(
    *symbols: str, real: FakeTime | None = None, timeframe_ms: int = FIVE, speed: float = 300,
    warm_bars: int = 3, seed: int = 7,
) -> DemoSource:  # fmt: skip
    real = real or FakeTime()
    return DemoSource(
        [instrument(symbol) for symbol in symbols or PAIR], timeframe_ms, seed=seed, speed=speed,
        warm_bars=warm_bars, monotonic=real.monotonic, sleep=real.sleep,
    )  # fmt: skip


async def taken(reader: AsyncIterator[MarketEvent], count: int) -> list[MarketEvent]:
    return [await anext(reader) for _ in range(count)]


def events(source: DemoSource, count: int, after_ms: int | None = None) -> list[MarketEvent]:
    return asyncio.run(taken(source.events(after_ms), count))


def live(found: list[MarketEvent]) -> list[MarketSlice | Prices]:
    return [event for event in found if isinstance(event, MarketSlice | Prices)]


def time_of(event: MarketEvent) -> int:
    if isinstance(event, Prices):
        return event.at_ms
    return event.close_ms if isinstance(event, MarketSlice) else event.market.close_ms


def test_a_fresh_start_warms_up_and_decides_at_time_zero() -> None:
    source: MarketSource = a_source(warm_bars=3)
    assert (source.name, source.venue) == ("demo", "demo-7")
    source.start()
    found = asyncio.run(taken(source.events(None), 9))
    kinds = [type(event) for event in found]
    assert kinds == [Missed] * 3 + [MarketSlice] + [Prices] * 4 + [MarketSlice]
    assert [time_of(event) - ZERO_MS for event in found] == [
        -900_000, -600_000, -300_000, 0, 60_000, 120_000, 180_000, 240_000, 300_000,
    ]  # fmt: skip


def test_candles_and_prices_are_those_of_the_market() -> None:
    demo = DemoMarket([instrument(symbol) for symbol in PAIR], seed=7)
    found = events(a_source(warm_bars=2), 8)
    first, _, zero, *ticks, last = found
    assert first == Missed(
        MarketSlice(ZERO_MS - 2 * FIVE, tuple(demo.bar(symbol, FIVE, -3) for symbol in PAIR))
    )
    assert zero == MarketSlice(ZERO_MS, tuple(demo.bar(symbol, FIVE, -1) for symbol in PAIR))
    assert last == MarketSlice(ZERO_MS + FIVE, tuple(demo.bar(s, FIVE, 0) for s in PAIR))
    paths = [demo.ticks(symbol, FIVE, 0, 4) for symbol in PAIR]
    assert [event.prices for event in ticks if isinstance(event, Prices)] == [
        ((0, paths[0][i]), (1, paths[1][i])) for i in range(4)
    ]


@pytest.mark.parametrize(
    ("timeframe_ms", "speed", "ticks"),
    [
        (FIVE, 300, 4),  # a candle a second: 4 prices, 0.2 s apart
        (FIVE, 60, 20),  # 5 s: 20 prices
        (FIVE, 100, 12),  # 3 s
        (FIVE, 1, 60),  # at most 60
        (HOUR, 60_000, 4),  # at least 4
        (MINUTE, 19, 13),  # 3.158 s: 12.6, rounded up
    ],
)
def test_prices_come_often_enough(timeframe_ms: int, speed: float, ticks: int) -> None:
    real = FakeTime()
    source = a_source(real=real, timeframe_ms=timeframe_ms, speed=speed, warm_bars=0)
    found = live(events(source, 2 * ticks + 3))
    assert [type(event) for event in found] == (
        [MarketSlice] + ([Prices] * ticks + [MarketSlice]) * 2
    )
    instants = [time_of(event) for event in found]
    assert all(a < b for a, b in pairwise(instants))
    gaps = [b - a for a, b in pairwise(instants)]
    if 4 < ticks < 60:
        assert max(gaps) / 1000 / speed <= 0.25
    inside = [(each - ZERO_MS) % timeframe_ms for each in instants]
    assert inside.count(0) == 3  # the closes alone


def test_the_pace_is_the_market_time_over_the_speed_without_drift() -> None:
    real = FakeTime()
    source = a_source(real=real, speed=300, warm_bars=5)

    async def play() -> None:
        reader = source.events(None)
        await taken(reader, 6)  # warm-up and the candle of time zero: at once
        assert real.seconds == pytest.approx(1_000.0, abs=1e-4)
        for k in range(1, 200):
            for _ in range(5):
                event = await anext(reader)
                real.seconds += 0.013  # what the reader does with it
            assert time_of(event) == ZERO_MS + k * FIVE
            # candle k is due k seconds after the start, however long the reader took before
            assert real.seconds == pytest.approx(1_000.013 + k, abs=1e-4)

    asyncio.run(play())


def test_after_a_stall_it_counts_anew_and_does_not_hurry() -> None:
    real = FakeTime()
    source = a_source(real=real, speed=300, warm_bars=0)

    async def play() -> None:
        reader = source.events(None)
        await taken(reader, 6)
        real.seconds += 3_600  # the machine slept for an hour
        woke = real.seconds
        first = await anext(reader)
        assert time_of(first) == ZERO_MS + FIVE + MINUTE  # nothing was left out
        assert real.seconds == woke
        later = await taken(reader, 40)
        assert real.seconds - woke == pytest.approx((time_of(later[-1]) - time_of(first)) / 3e5)

    asyncio.run(play())


def test_a_short_delay_is_made_up_for() -> None:
    real = FakeTime()
    source = a_source(real=real, speed=300, warm_bars=0)

    async def play() -> None:
        reader = source.events(None)
        await taken(reader, 6)
        real.seconds += 0.9
        await taken(reader, 10)
        assert real.seconds == pytest.approx(1_003.0, abs=1e-4)

    asyncio.run(play())


def test_waiting_is_cut_into_naps_so_that_closing_is_seen() -> None:
    real = FakeTime()
    events(a_source(real=real, speed=1, timeframe_ms=HOUR, warm_bars=0), 3)
    assert max(real.naps) <= 0.25


@pytest.mark.parametrize("stopped_at", range(1, 24))
def test_a_resumed_reader_goes_on_right_behind(stopped_at: int) -> None:
    whole = events(a_source(warm_bars=4), 30)
    after_ms = time_of(whole[stopped_at - 1])
    resumed = events(a_source(warm_bars=4), 30 - stopped_at, after_ms)
    assert resumed == whole[stopped_at:]


def test_a_resumed_reader_misses_nothing_however_late_it_comes() -> None:
    real = FakeTime()
    source = a_source(real=real)
    events(source, 20)
    real.seconds += 86_400
    began = real.seconds
    after_ms = ZERO_MS + 77 * FIVE + 60_001
    found = events(source, 4, after_ms)
    assert [type(event) for event in found] == [Prices] * 3 + [MarketSlice]
    assert time_of(found[0]) == ZERO_MS + 77 * FIVE + 2 * MINUTE
    # the close lies 240 market seconds behind the start, less a millisecond
    assert real.seconds - began == pytest.approx(0.8, abs=1e-4)


def test_a_checkpoint_before_the_demo_began_warms_up_anew() -> None:
    found = events(a_source(warm_bars=2), 3, ZERO_MS - 365 * DAY)
    assert [type(event) for event in found] == [Missed, Missed, MarketSlice]


def test_the_clock_follows_the_newest_reader() -> None:
    source = a_source(warm_bars=2)
    clock = source.clock()
    assert clock.now() == datetime(2024, 1, 1, tzinfo=UTC)

    async def play() -> None:
        hung = source.events(None)
        await taken(hung, 2)
        assert clock.now_ms() == ZERO_MS  # the warm-up is history
        await taken(hung, 9)
        assert clock.now_ms() == ZERO_MS + FIVE + 3 * MINUTE
        fresh = source.events(ZERO_MS + FIVE)  # from the checkpoint
        assert clock.now_ms() == ZERO_MS + FIVE
        await taken(hung, 5)
        assert clock.now_ms() == ZERO_MS + FIVE
        await taken(fresh, 1)
        assert clock.now_ms() == ZERO_MS + FIVE + MINUTE

    asyncio.run(play())


def test_two_readers_get_the_same_market() -> None:
    source = a_source(warm_bars=1)

    async def play() -> None:
        one, other = source.events(None), source.events(None)
        first = await taken(one, 12)
        assert await taken(other, 12) == first

    asyncio.run(play())


def test_history_ends_with_the_last_closed_candle() -> None:
    source = a_source(warm_bars=2)
    events(source, 6)  # one minute and another past the close of time zero + 0
    assert source.clock().now_ms() > ZERO_MS
    series = source.history("BTC/USDT", HOUR, ZERO_MS - DAY, ZERO_MS + DAY)
    assert (len(series), int(series.open_ms[-1])) == (24, ZERO_MS - HOUR)
    events(source, 5, ZERO_MS + HOUR - FIVE)
    assert source.clock().now_ms() == ZERO_MS + HOUR
    series = source.history("BTC/USDT", HOUR, ZERO_MS - DAY, ZERO_MS + DAY)
    assert (len(series), int(series.open_ms[-1])) == (25, ZERO_MS)
    with pytest.raises(InputError, match="symbol was 'SOL/USDT'"):
        source.history("SOL/USDT", HOUR, ZERO_MS - DAY, ZERO_MS)


def test_facts_are_price_and_funding_of_now() -> None:
    source = a_source(warm_bars=1)
    assert source.facts() == []
    found = events(source, 3)
    prices = found[-1]
    assert isinstance(prices, Prices)
    btc, eth = source.facts()
    assert btc == ("BTC/USDT", ZERO_MS + MINUTE, prices.prices[0][1], None, None)
    demo = DemoMarket([instrument(PAIR[1])], seed=7)
    assert eth == (
        PAIR[1], ZERO_MS + MINUTE, prices.prices[1][1], demo.funding_rate(PAIR[1], ZERO_MS), None,
    )  # fmt: skip
    events(source, 1, ZERO_MS + FUNDING_MS - 1)
    bar = demo.bar(PAIR[1], FIVE, FUNDING_MS // FIVE - 1)
    rate = demo.funding_rate(PAIR[1], ZERO_MS + FUNDING_MS)
    assert source.facts()[1] == (PAIR[1], ZERO_MS + FUNDING_MS, bar.close, rate, None)
    assert rate != demo.funding_rate(PAIR[1], ZERO_MS)


def test_health_tells_the_age_of_the_last_event_and_the_end() -> None:
    real = FakeTime()
    source = a_source(real=real)
    assert source.health() == SourceHealth(True, None, 0, 0, "")
    events(source, 5)
    real.seconds += 2.5
    assert source.health() == SourceHealth(True, 2.5, 0, 0, "")
    source.close()
    assert source.health() == SourceHealth(False, 2.5, 0, 0, "closed")


@pytest.mark.parametrize("taken_before", [0, 2, 6])
def test_closing_ends_readers_and_new_ones(taken_before: int) -> None:
    source = a_source(warm_bars=4)

    async def play() -> None:
        reader = source.events(None)
        await taken(reader, taken_before)
        source.close()
        assert [event async for event in reader] == []
        assert [event async for event in source.events(ZERO_MS)] == []

    asyncio.run(play())


def test_in_real_time_a_reader_waits_and_ends_while_it_waits() -> None:
    source = DemoSource([instrument("BTC/USDT")], FIVE, seed=7, speed=1, warm_bars=0)

    async def play() -> float:
        reader = source.events(None)
        await anext(reader)  # time zero; the next price is due in 300 / 61 = 4.9 s
        started = time.monotonic()
        asyncio.get_running_loop().call_later(0.05, source.close)
        assert [event async for event in reader] == []
        return time.monotonic() - started

    assert 0.05 <= asyncio.run(play()) < 2.0


def test_an_abandoned_reader_leaves_nothing_behind() -> None:
    source = DemoSource([instrument("BTC/USDT")], FIVE, seed=7, speed=3_000, warm_bars=1)

    async def play() -> int:
        for _ in range(50):
            await taken(source.events(None), 3)
        return len(asyncio.all_tasks())

    assert asyncio.run(play()) == 1


def test_a_new_week_makes_nobody_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    fifty = [each for each in INSTRUMENTS.values() if each.can_short]
    real = FakeTime()
    source = DemoSource(
        fifty, FIVE, seed=7, speed=300, warm_bars=0, monotonic=real.monotonic, sleep=real.sleep
    )
    made: list[str] = []

    def counted(seed: int, stream: str, week: int, sigma: float) -> Week:
        made.append(stream)
        return make_week(seed, stream, week, sigma)

    monkeypatch.setattr(demo_market, "make_week", counted)
    most = 0

    async def play() -> None:
        nonlocal most
        reader = source.events(ZERO_MS + 1900 * FIVE)
        await taken(reader, 5)  # the first candle makes the present week of all
        for _ in range(200 * 5):
            before = len(made)
            await anext(reader)
            most = max(most, len(made) - before)

    asyncio.run(play())
    assert most == 2  # one coin, and the market once
    assert source.clock().now_ms() > ZERO_MS + 2016 * FIVE


@pytest.mark.parametrize(
    ("speed", "warm_bars", "told"),
    [(0, 1, "demo speed was 0"), (float("nan"), 1, "demo speed was nan"), (1, -1, "was -1")],
)
def test_impossible_settings_are_refused(speed: float, warm_bars: int, told: str) -> None:
    with pytest.raises(InputError, match=told):
        a_source(speed=speed, warm_bars=warm_bars)


def test_a_timeframe_that_is_no_part_of_a_day_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="timeframe was 420000 ms"):
        a_source(timeframe_ms=7 * MINUTE)
