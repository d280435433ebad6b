"""The exchange source over the real library and real sockets, against a local server.

Only the market's clock is scripted. What depends on a venue's protocol runs for all three by
default; what does not runs for one, and for the others with the slow tests.
"""

import time
from dataclasses import replace
from decimal import Decimal

from crypto_trader_pro.domain.messages import MarketSlice, Missed, Prices
from tests.builders import MINUTE, START_MS
from tests.venues.faults import Fault
from tests.venues.living import Living, both, one_of_three, spot_bar, swap_bar, venues

BTC, PERP = "BTC/USDT", "BTC/USDT:USDT"


@venues
def test_warm_up_then_prices_and_slices_with_exact_numbers(venue: str) -> None:
    with Living(venue) as living:
        living.until(lambda: len(living.reader.missed) == 3, "the warm-up")
        assert living.reader.missed == [both(97), both(98), both(99)]
        sent = time.monotonic()
        living.close(100)
        living.until(lambda: bool(living.reader.slices), "the slice")
        assert living.reader.slices == [both(100)]
        assert living.reader.times[-1] - sent < 5.0
        living.server.send_price(BTC, "1100.57")
        living.server.send_price(PERP, "2100.3")
        prices = {0: 110_057, 1: 21_003}
        living.until(lambda: living.reader.told == prices, "the prices")
        times = [event.at_ms for event in living.reader.prices]
        assert times == sorted(set(times))
        assert times[-1] > START_MS + 101 * MINUTE
        facts = {fact.symbol: fact for fact in living.source.facts()}
        assert (facts[BTC].price, facts[BTC].funding_rate, facts[BTC].open_interest) == (
            110_057, None, None,
        )  # fmt: skip
        living.until(lambda: living.source.facts()[1].open_interest is not None, "the facts")
        # a funding rate of 0.0001 is 10,000 parts of 1e8; OKX counts 123,450 contracts of 0.01
        perp = living.source.facts()[1]
        assert (perp.price, perp.funding_rate, perp.open_interest) == (21_003, 10_000, 1234.5)


@venues
def test_garbage_is_refused_and_counted_and_the_stream_goes_on(venue: str) -> None:
    with Living(venue) as living:
        opened = living.at_close(100)
        server = living.server
        server.send_text("{this is no JSON")
        server.send_text("[1, 2")
        nan = living.market.candle(BTC, opened)
        living.market.changed[BTC, opened] = replace(nan, close=Decimal("NaN"))
        server.send_candle(BTC, opened)
        living.market.changed[BTC, opened] = replace(nan, low=Decimal("-7"))
        server.send_candle(BTC, opened)
        living.market.changed[BTC, opened] = replace(nan, high=Decimal("1"))
        server.send_candle(BTC, opened)
        living.market.changed[BTC, opened] = replace(nan, volume=Decimal("-1"))
        server.send_candle(BTC, opened)
        living.market.changed.clear()
        server.send_candle(BTC, opened + MINUTE)  # said to be closed, 59 s before its end
        server.send_candle(BTC, opened + 7)  # off the grid
        server.send_altered(BTC, opened, lambda text: text.replace('"1106"', "[]"))
        server.send_price(BTC, "1200", bid="1201", ask="1199")
        server.send_price(BTC, "0")
        server.send_price(BTC, "1200", at_ms=living.clock.now_ms() - 60_000)
        server.send_price(BTC, "1234.56")
        server.send_candle(BTC, opened, times=3)
        server.send_candle(PERP, opened)
        living.until(lambda: bool(living.reader.slices), "the slice")
        assert living.reader.slices == [both(100)]
        living.until(lambda: living.reader.told[0] == 123_456, "the price")
        refused = living.source.refused
        expected = {
            "not_positive": 2, "impossible": 1, "negative_volume": 1, "unclosed": 1,
            "off_grid_time": 1, "reordered": 1,
        }  # fmt: skip
        assert {name: refused[name] for name in expected} == expected
        assert refused["not_json"] >= 2
        assert refused["not_a_number"] == 2  # NaN and a list
        assert refused["crossed"] == 1


@one_of_three("bybit")
def test_a_candle_that_is_revised_later_stays_as_it_was_decided_on(venue: str) -> None:
    with Living(venue) as living:
        living.close(100)
        living.until(lambda: bool(living.reader.slices), "the slice")
        living.market.revise(BTC, START_MS + 100 * MINUTE, "1102")
        living.server.send_candle(BTC, START_MS + 100 * MINUTE)
        living.until(lambda: living.source.refused.get("revised") == 1, "the count")
        living.close(101)
        living.until(lambda: len(living.reader.slices) == 2, "the next slice")
        assert living.reader.slices == [both(100), both(101)]
        assert not living.reader.backfills


@one_of_three("okx")
def test_reordered_and_doubled_candles_end_as_if_in_order(venue: str) -> None:
    with Living(venue) as living:
        second = living.at_close(101, after_ms=20)
        for symbol, opened in (
            (PERP, second), (BTC, second), (BTC, second), (BTC, second - MINUTE),
            (PERP, second - MINUTE), (PERP, second),
        ):  # fmt: skip
            living.server.send_candle(symbol, opened)
        living.until(lambda: len(living.reader.events) >= 5 and both(101) in living.reader.slices,
                     "both slices")  # fmt: skip
        in_order = [e.market if isinstance(e, Missed) else e for e in living.reader.events
                    if not isinstance(e, Prices)]  # fmt: skip
        assert in_order[-2:] == [both(100), both(101)]


@one_of_three("binance")
def test_a_late_candle_is_dark_first_and_backfilled_when_it_comes(venue: str) -> None:
    with Living(venue) as living:
        opened = living.at_close(100)
        living.market.gaps.add((BTC, opened))  # REST does not have it either
        living.server.send_candle(PERP, opened)
        living.server.send_price(PERP, "2500")  # held until the slice is out
        time.sleep(0.15)
        assert living.reader.slices == []
        assert living.reader.told.get(1) != 25_000
        living.clock.set(START_MS + 101 * MINUTE + 10_000)  # the grace is over
        living.until(lambda: bool(living.reader.slices), "the dark slice")
        close_ms = START_MS + 101 * MINUTE
        assert living.reader.slices == [MarketSlice(close_ms, (None, swap_bar(100)))]
        living.until(lambda: living.reader.told.get(1) == 25_000, "the price")
        assert living.reader.prices[-1].at_ms >= close_ms
        living.market.gaps.clear()
        living.server.send_candle(BTC, opened)
        living.until(lambda: bool(living.reader.backfills), "the late candle")
        assert living.reader.backfills == [MarketSlice(close_ms, (spot_bar(100), None))]


@one_of_three("bybit")
def test_a_candle_that_the_stream_leaves_out_is_fetched_within_the_grace(venue: str) -> None:
    with Living(venue) as living:
        opened = living.at_close(100)
        living.server.send_candle(PERP, opened)
        time.sleep(0.5)
        assert living.reader.slices == []  # the stream has two seconds to bring it
        living.clock.set(START_MS + 101 * MINUTE + 2_000)
        living.until(lambda: bool(living.reader.slices), "the slice")
        assert living.reader.slices == [both(100)]


@one_of_three("okx")
def test_a_silent_stream_is_opened_anew_and_what_it_missed_is_fetched(venue: str) -> None:
    with Living(venue, silence_seconds=0.6) as living:
        living.server.faults.streams_mute = True
        began = time.monotonic()
        living.at_close(100)
        living.close(101)  # sent to nobody
        living.until(lambda: both(101) in living.reader.slices, "the slices from REST")
        recovered = time.monotonic() - began
        assert living.reader.missed[3:] == [both(100)]  # a minute late: not decided on
        assert recovered < 15.0
        living.server.faults.streams_mute = False
        living.until(lambda: living.server.handshakes >= 8, "the streams were opened anew")
        living.speak()
        living.close(102)
        living.until(lambda: both(102) in living.reader.slices, "the live slice")


@one_of_three("okx")
def test_after_an_outage_what_was_missed_comes_first_and_in_order(venue: str) -> None:
    with Living(venue) as living:
        assert living.source.health().connected
        living.server.faults.streams_refused = True
        faults = living.server.faults
        faults.rest("/", Fault(drop=True))
        living.server.drop_streams()
        for k in range(100, 105):
            living.at_close(k)
            time.sleep(0.12)
        assert living.reader.slices == []
        assert living.source.health().errors > 0
        faults.clear()
        living.until(lambda: len(living.reader.missed) + len(living.reader.slices) == 8, "all")
        assert living.reader.missed[3:] == [both(k) for k in range(100, 104)]
        assert living.reader.slices == [both(104)]
        living.speak()
        living.close(105)
        living.until(lambda: len(living.reader.slices) == 2, "the live slice")
        assert living.reader.slices[-1] == both(105)
        assert not living.reader.backfills


@one_of_three("bybit")
def test_a_clock_that_is_behind_the_venue_is_said(venue: str) -> None:
    with Living(venue) as living:
        living.server.send_price(BTC, "1500", at_ms=living.clock.now_ms() + 5_000)
        living.until(lambda: living.reader.told.get(0) == 150_000, "the price")
        assert living.source.health().detail == "our clock is 5.0 s behind the venue's"
