"""Whatever is asked of the demo market, in whatever order, it is one market."""

from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, is_possible
from crypto_trader_pro.simulation.demo_market import EARLIEST_MS, ZERO_MS, DemoMarket
from crypto_trader_pro.simulation.instruments import INSTRUMENTS

MINUTE, FIVE, DAY = 60_000, 300_000, 86_400_000
WEEK = 7 * DAY
EVERY = tuple(INSTRUMENTS.values())

instruments = st.sampled_from(EVERY)
seeds = st.integers(-(2**70), 2**70)
frames = st.sampled_from([1, 2, 3, 5, 15, 30, 60, 120, 240, 360, 480, 720, 1440]).map(
    lambda minutes: minutes * MINUTE
)
days = st.integers((EARLIEST_MS - ZERO_MS) // DAY, 2000)


@settings(max_examples=60, deadline=None)
@given(instruments, seeds, frames, days)
def test_every_candle_is_possible_and_on_the_grid(
    instrument: Instrument, seed: int, frame: int, day: int
) -> None:
    demo = DemoMarket([instrument], seed=seed)
    begin = ZERO_MS + day * DAY
    bars = demo.candles(instrument.symbol, frame, begin, begin + DAY).bars()
    assert [bar.open_ms for bar in bars] == list(range(begin, begin + DAY, frame))
    for bar in bars:
        assert is_possible(bar)
        assert bar.volume > 0
        assert all(price % instrument.tick_units == 0 for price in bar[1:5])


@settings(max_examples=25, deadline=None)
@given(
    instruments,
    st.integers(0, 5),
    st.lists(st.tuples(frames, st.integers(-250, 250)), min_size=1, max_size=12),
)
def test_one_at_a_time_in_any_order_equals_all_at_once(
    instrument: Instrument, seed: int, asked: list[tuple[int, int]]
) -> None:
    one_by_one = DemoMarket([instrument], seed=seed)
    found = [one_by_one.bar(instrument.symbol, frame, k * 17) for frame, k in asked]
    for (frame, k), bar in zip(asked, found, strict=True):
        open_ms = ZERO_MS + k * 17 * frame
        if open_ms < EARLIEST_MS:
            continue
        fresh = DemoMarket([instrument], seed=seed)
        begin = max(EARLIEST_MS, open_ms - WEEK)
        rows = fresh.candles(instrument.symbol, frame, begin, open_ms + frame).bars()
        assert rows[-1] == bar


@settings(max_examples=25, deadline=None)
@given(instruments, seeds, frames, st.integers(-300, 1500))
def test_a_coarse_candle_is_made_of_the_fine_ones_in_it(
    instrument: Instrument, seed: int, frame: int, k: int
) -> None:
    demo = DemoMarket([instrument], seed=seed)
    per = frame // MINUTE
    parts = [demo.bar(instrument.symbol, MINUTE, k * per + i) for i in range(per)]
    assert demo.bar(instrument.symbol, frame, k) == Bar(
        ZERO_MS + k * frame,
        parts[0].open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        parts[-1].close,
        sum(part.volume for part in parts),
    )


@settings(max_examples=60, deadline=None)
@given(instruments, st.integers(0, 9), frames, st.integers(-300, 300), st.integers(4, 80))
def test_prices_inside_a_candle_stay_inside_it_and_touch_its_ends(
    instrument: Instrument, seed: int, frame: int, k: int, count: int
) -> None:
    demo = DemoMarket([instrument], seed=seed)
    bar = demo.bar(instrument.symbol, frame, k)
    prices = demo.ticks(instrument.symbol, frame, k, count)
    assert len(prices) == count
    assert (min(prices), max(prices)) == (bar.low, bar.high)
    assert all(price % instrument.tick_units == 0 for price in prices)
    assert all(type(price) is int for price in prices)
