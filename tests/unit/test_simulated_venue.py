"""The paper venue, rule by rule and by hand.

A price unit of a lot is one USDT. Slippage 1 %, maker 0.05 %, taker 0.1 %, a tenth of the volume
may be ours. `Desk` drives domain orders with the venue's events, so an illegal edge or an over-fill
fails every test.
"""

import contextlib
import json
from decimal import Decimal

import pytest

from auto_trading.gateways.venue_book import FundingEvent
from crypto_trader_pro.domain.enums import FillReason, OrderRole, OrderStatus, OrderType, Side
from crypto_trader_pro.domain.errors import RejectedError
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import (
    Acknowledged,
    Ended,
    Funded,
    Rejected,
    VenueEvent,
    Working,
)
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.simulation.venue_costs import VenueCosts
from tests.builders import (
    HOUR,
    MINUTE,
    PERPETUAL,
    SPOT,
    START_MS,
    USDT,
    Desk,
    a_bar,
    a_round_instrument,
    an_exit,
    an_instrument,
    an_order,
    as_tuples,
    fills_of,
    finished,
    protection_of,
)

BUY, SELL = Side.BUY, Side.SELL
COSTS = VenueCosts(slippage_rate=1_000_000, entry_ttl_bars=3)
FREE = COSTS._replace(slippage_rate=0)
ENTRY, EXIT, STOP, TARGET = FillReason.ENTRY, FillReason.EXIT, FillReason.STOP, FillReason.TARGET


@pytest.fixture
def desk() -> Desk:
    return Desk(costs=COSTS)


def a_desk_with_a_long(lots: int = 10, *, target: int = 0, trail_rate: int = 0) -> Desk:
    """Return a desk that bought `lots` at 100 without slippage; stop 90."""
    desk = Desk(costs=FREE)
    desk.enter(BUY, lots, target=target, trail_rate=trail_rate)
    desk.play(a_bar(0))
    assert desk.lots[PERPETUAL] == lots
    return desk


def usdt(units: int) -> Decimal:
    return Decimal(units) / USDT


def ends(events: list[VenueEvent]) -> dict[str, str]:
    return {e.client_order_id: e.code for e in events if isinstance(e, Ended)}


def agree(desk: Desk) -> bool:
    """True when the venue's books equal the fold of its own events."""
    positions = [book[0] for book in desk.venue.state()["books"]]
    return desk.venue.cash == desk.cash and positions == list(desk.lots.values())


# --- entries ------------------------------------------------------------------------------------


def test_a_market_entry_fills_at_the_next_open_slipped_as_taker(desk: Desk) -> None:
    desk.enter(BUY, 10)
    (fill,) = fills_of(desk.play(a_bar(0, 100, 104, 95, 103)))
    # 100 + 1 % = 101; 10 * 101 = 1,010; fee 0.1 % = 1.01
    assert (fill.side, fill.lots, fill.price, fill.fee) == (BUY, 10, 101, 101_000_000)
    assert (fill.is_maker, fill.reason, fill.at_ms) == (False, ENTRY, START_MS)
    assert usdt(desk.venue.cash) == Decimal("98988.99")
    assert agree(desk)


def test_a_short_entry_is_slipped_downwards(desk: Desk) -> None:
    desk.enter(SELL, 10)
    (fill,) = fills_of(desk.play(a_bar(0)))
    # 100 - 1 % = 99; +990 - 0.99
    assert (fill.price, fill.fee) == (99, 99_000_000)
    assert usdt(desk.venue.cash) == Decimal("100989.01")
    assert desk.lots[PERPETUAL] == -10


def test_an_order_is_acknowledged_and_works_its_protection_only_once_it_fills(desk: Desk) -> None:
    desk.enter(BUY, 10, stop=10, target=20)
    assert desk.events == [
        Acknowledged("e1", 0),
        Working("e1", 0, 10, 0),
        Acknowledged("e1-stop", 0),
        Acknowledged("e1-target", 0),
    ]
    news = desk.play(a_bar(0))
    # filled at 101: stop 10 below, target 20 above
    assert [e for e in news if isinstance(e, Working)] == [
        Working("e1-stop", 91, 10, START_MS),
        Working("e1-target", 121, 10, START_MS),
    ]


def test_an_order_is_taken_at_the_close_of_the_last_candle_and_ended_at_the_open() -> None:
    desk = a_desk_with_a_long()
    x1 = an_exit(side=BUY)  # there is nothing for it to reduce
    assert {e.at_ms for e in desk.submit(x1) if isinstance(e, Acknowledged | Working)} == {
        START_MS + MINUTE
    }
    (end,) = desk.play(a_bar(5))  # after a gap of four candles
    assert isinstance(end, Ended)
    assert end.at_ms == START_MS + 5 * MINUTE


def test_one_lot_is_an_entry_and_an_exit(desk: Desk) -> None:
    desk.enter(BUY, 1)
    assert as_tuples(desk.play(a_bar(0))) == [(ENTRY, BUY, 1, 101)]
    desk.submit(an_exit(lots=1))
    assert as_tuples(desk.play(a_bar(1, volume=10))) == [(EXIT, SELL, 1, 99)]


def test_prices_of_orders_lie_on_the_tick_where_candles_are_finer() -> None:
    # price unit 1, tick 10: 1,003 + 1 % = 1,013.03 -> 1,020; stop 1,020 - 95 = 925 -> 920
    grid = an_instrument(tick="10", lot="1", price_unit="1")
    desk = Desk(grid, costs=COSTS)
    desk.enter(BUY, 1, stop=95, target=95)
    (fill,) = fills_of(desk.play(a_bar(0, 1_003)))
    assert fill.price == 1_020
    assert (desk.orders["e1-stop"].price, desk.orders["e1-target"].price) == (920, 1_120)


def test_an_entry_fills_over_several_bars_within_the_volume_share(desk: Desk) -> None:
    desk.enter(BUY, 10)
    bars = [a_bar(0, 100, volume=40), a_bar(1, 110, volume=49), a_bar(2, 120)]
    assert [as_tuples(desk.play(bar)) for bar in bars] == [
        [(ENTRY, BUY, 4, 101)],  # a tenth of 40
        [(ENTRY, BUY, 4, 112)],  # 4.9 lots down; 110 + 1.1 up
        [(ENTRY, BUY, 2, 122)],
    ]
    # the stop stays where the first fill put it, and grows with the position
    stop = desk.orders["e1-stop"]
    assert (stop.price, stop.open_lots) == (91, 10)
    assert desk.orders["e1"].status is OrderStatus.FILLED


def test_an_entry_that_never_fills_expires_with_its_protection(desk: Desk) -> None:
    desk.enter(BUY, 10, target=20)
    assert ends(desk.play(a_bar(0, volume=9))) == {}
    assert ends(desk.play(a_bar(1, volume=0))) == {}
    assert ends(desk.play(a_bar(2, volume=0))) == {
        "e1": "time_to_live",
        "e1-stop": "entry_ended",
        "e1-target": "entry_ended",
    }
    assert desk.orders["e1"].status is OrderStatus.EXPIRED
    assert desk.orders["e1-stop"].status is OrderStatus.CANCELED
    assert desk.play(a_bar(3)) == []


def test_what_is_left_of_an_entry_expires_and_its_protection_stays(desk: Desk) -> None:
    desk.enter(BUY, 10)
    desk.play(a_bar(0, volume=40))
    desk.play(a_bar(1, volume=0))
    assert ends(desk.play(a_bar(2, volume=0))) == {"e1": "time_to_live"}
    assert desk.lots[PERPETUAL] == 4
    assert [o.client_order_id for o in desk.open_orders()] == ["e1-stop"]


def test_a_missing_bar_is_not_a_bar_of_the_time_to_live(desk: Desk) -> None:
    desk.enter(BUY, 10)
    for k in range(2):
        desk.play(a_bar(k, volume=0))
    assert desk.play(None, close_ms=START_MS + 3 * MINUTE) == []
    assert as_tuples(desk.play(a_bar(3))) == [(ENTRY, BUY, 10, 101)]


def test_a_limit_entry_fills_at_its_price_as_maker_only_when_traded_through(desk: Desk) -> None:
    desk.enter(BUY, 10, order_type=OrderType.LIMIT, price=95)
    assert fills_of(desk.play(a_bar(0, 100, 101, 95))) == []  # at the price is not through it
    (fill,) = fills_of(desk.play(a_bar(1, 100, 101, 94)))
    # no slippage; 950 * 0.05 % = 0.475
    assert (fill.price, fill.is_maker, fill.fee) == (95, True, 47_500_000)
    assert fill.at_ms == START_MS + 2 * MINUTE
    assert desk.orders["e1-stop"].price == 85


def test_a_limit_sale_fills_only_above_its_price(desk: Desk) -> None:
    desk.enter(SELL, 10, order_type=OrderType.LIMIT, price=105)
    assert fills_of(desk.play(a_bar(0, 100, 105, 99))) == []
    assert as_tuples(desk.play(a_bar(1, 100, 106, 99))) == [(ENTRY, SELL, 10, 105)]


def test_a_stop_entry_fills_slipped_where_it_triggers_and_its_rest_at_the_next_open(
    desk: Desk,
) -> None:
    desk.enter(BUY, 10, order_type=OrderType.STOP_MARKET, price=110, stop=50)
    assert fills_of(desk.play(a_bar(0, 100, 109))) == []
    # triggered at 110, slipped by 1.1 up: 112; a tenth of 40 lots
    news = desk.play(a_bar(1, 105, 115, volume=40))
    assert as_tuples(news) == [(ENTRY, BUY, 4, 112)]
    assert not fills_of(news)[0].is_maker
    # below the trigger again: the rest is a market order now
    assert as_tuples(desk.play(a_bar(2, 100))) == [(ENTRY, BUY, 6, 101)]


def test_a_stop_entry_that_gaps_fills_at_the_open(desk: Desk) -> None:
    desk.enter(BUY, 10, order_type=OrderType.STOP_MARKET, price=110, stop=50)
    # opens at 120: 121.2 up
    assert as_tuples(desk.play(a_bar(0, 120))) == [(ENTRY, BUY, 10, 122)]


def test_the_target_of_a_resting_entry_does_not_fill_in_the_bar_of_its_entry() -> None:
    """The high may have come before the limit was reached, and a candle cannot tell."""
    desk = Desk(costs=FREE)
    desk.enter(BUY, 10, order_type=OrderType.LIMIT, price=95, stop=10, target=10)
    # open 100, up to 110, down through 95, close 96: target 105 was touched on the way up
    assert as_tuples(desk.play(a_bar(0, 100, 110, 94, 96))) == [(ENTRY, BUY, 10, 95)]


# --- stop, target, trailing ---------------------------------------------------------------------


def test_the_bracket_works_in_the_bar_of_its_entry(desk: Desk) -> None:
    desk.enter(BUY, 10)  # fills at 101, stop 91
    news = desk.play(a_bar(0, 100, 102, 90))
    # stop 91 - 0.91 up to 1 = 90; 900 USDT, fee 0.9
    assert as_tuples(news) == [(ENTRY, BUY, 10, 101), (STOP, SELL, 10, 90)]
    stop = fills_of(news)[1]
    assert (stop.is_maker, stop.fee, stop.at_ms) == (False, 90_000_000, START_MS + MINUTE)
    # 100,000 - 1,010 - 1.01 + 900 - 0.9
    assert usdt(desk.venue.cash) == Decimal("99888.09")
    assert desk.open_orders() == []


@pytest.mark.parametrize(
    ("bar", "price"),
    [
        (a_bar(1, 100, 101, 90), 89),  # touched: 90 - 0.9 up
        (a_bar(1, 100, 101, 50), 89),
        (a_bar(1, 80, 101, 75), 79),  # gap: the open is worse, 80 - 0.8 up
    ],
)
def test_a_stop_fills_at_the_worse_of_its_price_and_the_open_slipped(bar: Bar, price: int) -> None:
    desk = Desk(costs=COSTS)
    desk.enter(BUY, 10, stop=11)
    desk.play(a_bar(0))
    assert as_tuples(desk.play(bar)) == [(STOP, SELL, 10, price)]


def test_a_shorts_stop_is_the_mirror_of_a_longs() -> None:
    desk = Desk(costs=COSTS)
    desk.enter(SELL, 10, stop=11)  # fills at 99, stop 110
    desk.play(a_bar(0))
    # opens at 120: 120 + 1.2 up = 122
    assert as_tuples(desk.play(a_bar(1, 120))) == [(STOP, BUY, 10, 122)]
    assert desk.lots[PERPETUAL] == 0


@pytest.mark.parametrize(
    "bar",
    [
        a_bar(1, 100, 120),  # touched
        a_bar(1, 130, 140, 125),  # a gap never improves it
    ],
)
def test_a_target_fills_at_its_price_as_maker(bar: Bar) -> None:
    desk = a_desk_with_a_long(target=20)
    (fill,) = fills_of(desk.play(bar))
    # 1,200 USDT, fee 0.05 % = 0.6
    assert (fill.reason, fill.side, fill.lots, fill.price) == (TARGET, SELL, 10, 120)
    assert (fill.is_maker, fill.fee) == (True, 60_000_000)
    # 100,000 - 1,000 - 1 + 1,200 - 0.6
    assert usdt(desk.venue.cash) == Decimal("100198.4")


def test_if_one_bar_touches_both_the_stop_counts() -> None:
    desk = a_desk_with_a_long(target=20)
    assert as_tuples(desk.play(a_bar(1, 100, 125, 89))) == [(STOP, SELL, 10, 90)]


def test_what_closes_the_position_ends_the_other_protection() -> None:
    desk = a_desk_with_a_long(target=20)
    news = desk.play(a_bar(1, 100, 125))
    assert ends(news) == {"e1-stop": "position_closed"}
    other = a_desk_with_a_long(target=20)
    assert ends(other.play(a_bar(1, 100, 101, 80))) == {"e1-target": "stop_came_first"}
    third = a_desk_with_a_long(target=20)
    third.submit(an_exit())
    assert ends(third.play(a_bar(1))) == {
        "e1-stop": "position_closed",
        "e1-target": "position_closed",
    }
    assert desk.open_orders() == other.open_orders() == third.open_orders() == []
    assert agree(desk)
    assert agree(other)
    assert agree(third)


def test_a_part_of_a_target_shrinks_the_stop_and_the_rest_must_be_reached_again() -> None:
    desk = a_desk_with_a_long(target=20)
    assert as_tuples(desk.play(a_bar(1, 100, 125, volume=60))) == [(TARGET, SELL, 6, 120)]
    assert desk.orders["e1-stop"].open_lots == 4
    assert desk.play(a_bar(2, 110, 119)) == []
    assert as_tuples(desk.play(a_bar(3, 110, 89, 89))) == [(STOP, SELL, 4, 90)]


def test_a_target_without_volume_waits_and_a_stop_without_volume_goes_to_the_market() -> None:
    desk = a_desk_with_a_long(target=20)
    assert desk.play(a_bar(1, 100, 125, volume=0)) == []
    assert fills_of(desk.play(a_bar(2, 100, 101, 89, volume=0))) == []
    # at the next open, although the price is back above the stop
    assert as_tuples(desk.play(a_bar(3, 105))) == [(STOP, SELL, 10, 105)]


def test_trailing_moves_the_stop_from_the_closed_bar_and_never_within_it() -> None:
    desk = a_desk_with_a_long(trail_rate=5_000_000)  # flat bar at 100: 95 is above the stop of 90
    assert desk.orders["e1-stop"].price == 95
    # up to 120 and down to 96: 120 - 6 = 114 counts from the next bar on
    assert desk.play(a_bar(1, 100, 120, 96, 118)) == [
        Working("e1-stop", 114, 10, START_MS + 2 * MINUTE)
    ]
    assert desk.play(a_bar(2, 118, 119, 115)) == []  # a lower high moves nothing
    news = desk.play(a_bar(3, 118, 119, 110))
    assert as_tuples(news) == [(FillReason.TRAILING, SELL, 10, 114)]


def test_a_shorts_trailing_stop_follows_the_low() -> None:
    desk = Desk(costs=FREE)
    desk.enter(SELL, 10, trail_rate=5_000_000)
    desk.play(a_bar(0, 100, 100, 80))  # 80 + 4
    assert desk.orders["e1-stop"].price == 84
    assert as_tuples(desk.play(a_bar(1, 82, 90))) == [(FillReason.TRAILING, BUY, 10, 84)]


def test_what_is_left_of_a_trailing_stop_keeps_its_reason() -> None:
    desk = a_desk_with_a_long(trail_rate=5_000_000)  # stop 95
    first = desk.play(a_bar(1, 100, 100, 94, volume=60))
    assert as_tuples(first) == [(FillReason.TRAILING, SELL, 6, 95)]
    assert as_tuples(desk.play(a_bar(2))) == [(FillReason.TRAILING, SELL, 4, 100)]


# --- the volume share ---------------------------------------------------------------------------


def test_all_fills_of_a_bar_share_one_allowance() -> None:
    desk = Desk(costs=FREE)
    desk.enter(BUY, 6)
    # a tenth of 100 lots: 6 for the entry, 4 for its stop in the same bar
    news = desk.play(a_bar(0, 100, 100, 85, volume=100))
    assert as_tuples(news) == [(ENTRY, BUY, 6, 100), (STOP, SELL, 4, 90)]
    # the rest is a market exit at the next open
    assert as_tuples(desk.play(a_bar(1, 95, 99))) == [(STOP, SELL, 2, 95)]
    assert desk.lots[PERPETUAL] == 0


def test_an_exit_and_the_reversal_share_the_allowance() -> None:
    desk = a_desk_with_a_long()
    desk.submit(an_exit())
    desk.enter(SELL, 10, order_id="e2")
    # a tenth of 150: 10 to close, 5 to open
    assert as_tuples(desk.play(a_bar(1, volume=150))) == [
        (EXIT, SELL, 10, 100),
        (ENTRY, SELL, 5, 100),
    ]


def test_symbols_do_not_share_their_allowance() -> None:
    eth = "ETH/USDT:USDT"
    desk = Desk(a_round_instrument(), a_round_instrument(eth), costs=FREE)
    desk.enter(BUY, 10)
    desk.enter(BUY, 10, order_id="e2", symbol=eth)
    news = desk.play(a_bar(0, volume=100), a_bar(0, 50, volume=100))
    assert [(f.symbol, f.lots, f.price) for f in fills_of(news)] == [
        (PERPETUAL, 10, 100),
        (eth, 10, 50),
    ]


# --- exits, reversals, what never happens -------------------------------------------------------


def test_an_exit_fills_at_the_next_open_slipped(desk: Desk) -> None:
    desk.enter(BUY, 10)
    desk.play(a_bar(0))
    desk.submit(an_exit())
    assert as_tuples(desk.play(a_bar(1, 120))) == [(EXIT, SELL, 10, 118)]  # 120 - 1.2 up
    assert desk.open_orders() == []


def test_an_exit_works_until_it_is_filled() -> None:
    desk = a_desk_with_a_long()
    desk.submit(an_exit())
    for k in range(1, 6):
        assert fills_of(desk.play(a_bar(k, volume=0))) == []
    assert as_tuples(desk.play(a_bar(6, volume=60))) == [(EXIT, SELL, 6, 100)]
    assert as_tuples(desk.play(a_bar(7))) == [(EXIT, SELL, 4, 100)]


def test_a_reversal_closes_and_opens_at_the_same_open() -> None:
    desk = a_desk_with_a_long(target=20)
    desk.submit(an_exit())
    desk.enter(SELL, 7, order_id="e2", stop=10)
    news = desk.play(a_bar(1, 110))
    assert as_tuples(news) == [(EXIT, SELL, 10, 110), (ENTRY, SELL, 7, 110)]
    assert ends(news) == {"e1-stop": "position_closed", "e1-target": "position_closed"}
    # the old protection has left, the new one works for the short
    assert [(o.client_order_id, o.price, o.open_lots) for o in desk.open_orders()] == [
        ("e2-stop", 120, 7)
    ]
    assert agree(desk)


def test_a_new_entry_in_the_same_direction_survives_the_exit_of_the_old_position() -> None:
    """A position times out while a new signal wants the same side."""
    desk = a_desk_with_a_long()
    desk.submit(an_exit())
    desk.enter(BUY, 5, order_id="e2", stop=20)
    news = desk.play(a_bar(1))
    assert as_tuples(news) == [(EXIT, SELL, 10, 100), (ENTRY, BUY, 5, 100)]
    assert [(o.client_order_id, o.price, o.open_lots) for o in desk.open_orders()] == [
        ("e2-stop", 80, 5)
    ]


def test_the_entry_of_a_reversal_is_dropped_when_its_exit_did_not_finish() -> None:
    desk = a_desk_with_a_long()
    desk.submit(an_exit())
    desk.enter(SELL, 7, order_id="e2", target=10)
    news = desk.play(a_bar(1, volume=60))
    assert as_tuples(news) == [(EXIT, SELL, 6, 100)]
    assert ends(news) == {
        "e2": "position_not_flat",
        "e2-stop": "entry_ended",
        "e2-target": "entry_ended",
    }
    assert {o.client_order_id for o in desk.open_orders()} == {"x1", "e1-stop"}


def test_an_exit_never_flips_the_position() -> None:
    desk = a_desk_with_a_long()
    desk.submit(an_exit(lots=50))
    news = desk.play(a_bar(1))
    assert as_tuples(news) == [(EXIT, SELL, 10, 100)]
    assert desk.lots[PERPETUAL] == 0
    assert desk.orders["x1"].status is OrderStatus.CANCELED  # 40 lots were never there


@pytest.mark.parametrize("side", [BUY, SELL])
def test_an_exit_without_a_position_to_reduce_is_ended(desk: Desk, side: Side) -> None:
    desk.submit(an_exit(side=side))
    assert ends(desk.play(a_bar(0))) == {"x1": "nothing_to_reduce"}


def test_an_exit_in_the_direction_of_the_position_is_ended() -> None:
    desk = a_desk_with_a_long()
    desk.submit(an_exit(side=BUY))
    assert ends(desk.play(a_bar(1))) == {"x1": "nothing_to_reduce"}
    assert desk.lots[PERPETUAL] == 10


def test_flattening_is_an_exit_with_its_own_reason() -> None:
    desk = a_desk_with_a_long()
    desk.submit(an_order("z1", SELL, 10, role=OrderRole.FLATTEN))
    assert as_tuples(desk.play(a_bar(1))) == [(FillReason.FLATTEN, SELL, 10, 100)]


def test_an_exit_and_the_rest_of_a_stop_meet_at_one_open() -> None:
    """A stop fills partly, the strategy closes as well: both leave at the next open, once."""
    desk = a_desk_with_a_long()
    desk.play(a_bar(1, 100, 100, 85, volume=60))  # the stop sold 6 of 10
    desk.submit(an_exit(lots=4))
    news = desk.play(a_bar(2, 95))
    assert sum(fill.lots for fill in fills_of(news)) == 4
    assert desk.lots[PERPETUAL] == 0
    assert desk.open_orders() == []


def test_two_ways_out_meet_at_one_open() -> None:
    """A strategy's exit and the emergency's flatten order: the position is closed once."""
    desk = a_desk_with_a_long()
    desk.submit(an_exit())
    desk.submit(an_order("z1", SELL, 10, role=OrderRole.FLATTEN))
    assert as_tuples(desk.play(a_bar(1))) == [(EXIT, SELL, 10, 100)]
    assert desk.open_orders() == []


def test_the_rest_of_an_entry_does_not_come_back_without_a_stop_after_the_stop() -> None:
    desk = Desk(costs=FREE)
    desk.enter(BUY, 10)
    # 4 lots fill and use up the volume, the low touches the stop of 90
    desk.play(a_bar(0, 100, 100, 85, volume=40))
    # the stop's rest sells 4 at the open; the other 6 lots of the entry must not follow it naked
    desk.play(a_bar(1, 95))
    stops = [o for o in desk.open_orders() if o.role is OrderRole.STOP]
    assert desk.lots[PERPETUAL] == 0 or stops


def test_the_rest_of_an_entry_does_not_come_back_without_a_stop_after_an_exit() -> None:
    desk = Desk(costs=FREE)
    desk.enter(BUY, 10)
    desk.play(a_bar(0, volume=40))
    desk.submit(an_exit(lots=4))
    desk.play(a_bar(1))
    stops = [o for o in desk.open_orders() if o.role is OrderRole.STOP]
    assert desk.lots[PERPETUAL] == 0 or stops


def test_protection_can_be_placed_for_a_position_that_has_none() -> None:
    desk = Desk(costs=FREE)
    desk.enter(BUY, 10, stop=0)
    desk.play(a_bar(0))
    desk.submit(an_order("s1", SELL, 10, role=OrderRole.STOP, order_type=OrderType.STOP_MARKET,
                         price=90))  # fmt: skip
    desk.submit(an_order("t1", SELL, 10, role=OrderRole.TARGET, order_type=OrderType.TAKE_PROFIT,
                         price=120))  # fmt: skip
    assert as_tuples(desk.play(a_bar(1, 100, 120, volume=60))) == [(TARGET, SELL, 6, 120)]
    assert as_tuples(desk.play(a_bar(2, 100, 100, 90))) == [(STOP, SELL, 4, 90)]


def test_a_second_entry_brings_protection_for_all_that_is_held() -> None:
    desk = a_desk_with_a_long(target=20)
    desk.enter(BUY, 5, order_id="e2", stop=5, target=30)
    news = desk.play(a_bar(1))
    assert ends(news) == {"e1-stop": "replaced", "e1-target": "replaced"}
    assert [(o.client_order_id, o.price, o.open_lots) for o in desk.open_orders()] == [
        ("e2-stop", 95, 15),
        ("e2-target", 130, 15),
    ]
    assert as_tuples(desk.play(a_bar(2, 100, 100, 94))) == [(STOP, SELL, 15, 95)]


@pytest.mark.parametrize("role", [OrderRole.STOP, OrderRole.TARGET])
def test_a_second_stop_does_not_make_the_first_vanish_without_a_word(role: OrderRole) -> None:
    """Protection placed anew: the old order is ended, or the new one refused; never neither."""
    desk = a_desk_with_a_long(target=20)
    desk.submit(an_order("s2", SELL, 10, role=role, order_type=OrderType.STOP_MARKET,
                         price=95))  # fmt: skip
    believed = {o.client_order_id for o in desk.open_orders()}
    known = {name for name in believed if finished(desk.venue.query(name)) is OrderStatus.WORKING}
    assert believed == known


# --- cancel, query, duplicates ------------------------------------------------------------------


def test_a_cancelled_entry_takes_its_waiting_protection_along(desk: Desk) -> None:
    desk.enter(BUY, 10, target=20)
    assert ends(desk.cancel("e1")) == {
        "e1": "asked",
        "e1-stop": "entry_ended",
        "e1-target": "entry_ended",
    }
    assert desk.play(a_bar(0)) == []


def test_cancelling_the_rest_of_an_entry_leaves_the_protection_of_what_filled(desk: Desk) -> None:
    desk.enter(BUY, 10)
    desk.play(a_bar(0, volume=40))
    assert ends(desk.cancel("e1")) == {"e1": "asked"}
    assert [o.client_order_id for o in desk.open_orders()] == ["e1-stop"]


def test_protection_that_waits_can_be_cancelled_by_itself(desk: Desk) -> None:
    desk.enter(BUY, 10, target=20)
    assert ends(desk.cancel("e1-target")) == {"e1-target": "asked"}
    desk.play(a_bar(0))
    assert [(o.client_order_id, o.price) for o in desk.open_orders()] == [("e1-stop", 91)]


def test_cancelling_an_unknown_order_changes_nothing(desk: Desk) -> None:
    desk.enter()
    assert desk.cancel("nobody") == []
    assert as_tuples(desk.play(a_bar(0))) == [(ENTRY, BUY, 10, 101)]


def test_the_venue_knows_its_resting_orders_and_no_others(desk: Desk) -> None:
    desk.enter()
    assert finished(desk.venue.query("e1")) is OrderStatus.WORKING
    assert finished(desk.venue.query("e1-stop")) is OrderStatus.WORKING
    assert finished(desk.venue.query("nobody")) is OrderStatus.ABSENT


def test_an_order_that_has_filled_is_not_reported_absent(desk: Desk) -> None:
    """Absent is the proof on which recovery sends again: it must mean "never came here"."""
    desk.enter()
    desk.play(a_bar(0))
    assert finished(desk.venue.query("e1")) is not OrderStatus.ABSENT


def test_an_order_that_was_cancelled_is_not_reported_absent(desk: Desk) -> None:
    desk.enter()
    desk.cancel("e1")
    assert finished(desk.venue.query("e1")) is not OrderStatus.ABSENT


def is_refused(desk: Desk, order: Order) -> bool:
    """Submit past the desk's own books; True when the venue refused."""
    try:
        finished(desk.venue.submit(order, protection_of(order)))
    except RejectedError:
        return True
    events = finished(desk.venue.events())
    return [
        type(e) for e in events if getattr(e, "client_order_id", "") == order.client_order_id
    ] == [Rejected]


def test_a_resting_client_order_id_is_refused_again(desk: Desk) -> None:
    desk.enter()
    assert is_refused(desk, an_order("e1", stop_units=10))
    assert as_tuples(desk.play(a_bar(0))) == [(ENTRY, BUY, 10, 101)]  # once


def test_a_client_order_id_is_refused_again_after_its_order_has_filled(desk: Desk) -> None:
    desk.enter()
    desk.play(a_bar(0))
    assert is_refused(desk, an_order("e1", stop_units=10))
    assert fills_of(desk.play(a_bar(1))) == []


def test_a_client_order_id_is_refused_on_another_symbol_too() -> None:
    desk = Desk(a_round_instrument(), a_round_instrument(SPOT), costs=COSTS)
    desk.enter()
    assert is_refused(desk, an_order("e1", symbol=SPOT, stop_units=10))


def test_refusing_a_duplicate_says_nothing_against_the_living_order(desk: Desk) -> None:
    """An event `Rejected` for an id ends the order of that id, and this one is working."""
    living = desk.enter()
    with contextlib.suppress(RejectedError):
        finished(desk.venue.submit(an_order("e1", stop_units=10), ()))
    desk.settle()
    assert living.status is OrderStatus.WORKING


def test_an_order_for_a_symbol_that_is_not_traded_here_is_refused(desk: Desk) -> None:
    assert is_refused(desk, an_order("e1", symbol="DOGE/USDT"))


# --- funding ------------------------------------------------------------------------------------


def funded(events: list[VenueEvent]) -> list[tuple[str, Decimal, int]]:
    return [(e.reference, usdt(e.amount), e.at_ms) for e in events if isinstance(e, Funded)]


def a_funded_desk(side: Side, rates: dict[int, int], *, bar_ms: int = HOUR, lots: int = 10) -> Desk:
    """Return a desk that holds 10 lots since bar 0 at 100; rates in parts of 1e8 by hour."""
    events = [FundingEvent(START_MS + hour * HOUR, rate) for hour, rate in rates.items()]
    desk = Desk(costs=FREE, funding={PERPETUAL: events}, bar_ms=bar_ms)
    desk.enter(side, lots, stop=90)
    desk.play(a_bar(0, bar_ms=bar_ms))
    return desk


@pytest.mark.parametrize(
    ("side", "rate", "amount"),
    [
        (BUY, 10_000, "-0.11"),  # 10 lots at 110: 0.01 % of 1,100
        (SELL, 10_000, "0.11"),
        (BUY, -10_000, "0.11"),
        (SELL, -10_000, "-0.11"),
    ],
)
def test_longs_pay_shorts_at_the_open_of_the_funding_time(
    side: Side, rate: int, amount: str
) -> None:
    desk = a_funded_desk(side, {1: rate})
    news = desk.play(a_bar(1, 110, bar_ms=HOUR))
    reference = f"funding:{PERPETUAL}:{START_MS + HOUR}"
    assert funded(news) == [(reference, Decimal(amount), START_MS + HOUR)]
    assert agree(desk)
    assert funded(desk.play(a_bar(2, bar_ms=HOUR))) == []  # once


def test_a_position_opened_at_the_funding_time_pays_nothing_for_it() -> None:
    assert funded(a_funded_desk(BUY, {0: 10_000}).events) == []


def test_a_position_closed_at_the_funding_time_still_pays() -> None:
    desk = a_funded_desk(BUY, {1: 10_000})
    desk.submit(an_exit())
    assert [amount for _, amount, _ in funded(desk.play(a_bar(1, bar_ms=HOUR)))] == [
        Decimal("-0.1")
    ]


def test_funding_before_the_position_is_never_caught_up() -> None:
    events = [FundingEvent(START_MS + hour * HOUR, 10_000) for hour in (0, 1, 2, 5)]
    desk = Desk(costs=FREE, funding={PERPETUAL: events}, bar_ms=HOUR)
    desk.play(a_bar(0, bar_ms=HOUR))
    desk.play(a_bar(1, bar_ms=HOUR))
    desk.enter(BUY, 10, stop=90)
    for k in (2, 3, 4):
        assert funded(desk.play(a_bar(k, bar_ms=HOUR))) == []
    assert len(funded(desk.play(a_bar(5, bar_ms=HOUR)))) == 1


def test_without_a_position_nothing_is_paid() -> None:
    desk = Desk(costs=FREE, funding={PERPETUAL: [FundingEvent(START_MS, 10_000)]})
    assert desk.play(a_bar(0)) == []


def test_funding_is_rounded_against_the_account() -> None:
    # one lot of 3e-8 USDT value at 0.000001 %: less than a unit
    grid = an_instrument(tick="0.00000001", lot="1")
    for side, units in ((BUY, -1), (SELL, 0)):
        desk = Desk(grid, costs=FREE, funding={PERPETUAL: [FundingEvent(START_MS + HOUR, 1)]},
                    bar_ms=HOUR)  # fmt: skip
        desk.enter(side, 1, stop=2)
        desk.play(a_bar(0, 3, bar_ms=HOUR))
        (payment,) = desk.play(a_bar(1, 3, bar_ms=HOUR))
        assert isinstance(payment, Funded)
        assert payment.amount == units


def test_every_funding_time_is_paid_when_candles_are_longer_than_its_interval() -> None:
    # 12 h candles from 00:00, funding at 08:00, 16:00 and 24:00: 0.1 USDT each
    desk = a_funded_desk(BUY, {8: 10_000, 16: 10_000, 24: 10_000}, bar_ms=12 * HOUR)
    for k in (1, 2):
        desk.play(a_bar(k, bar_ms=12 * HOUR))
    assert sum(amount for _, amount, _ in funded(desk.events)) == Decimal("-0.3")


def test_a_position_held_over_missing_candles_pays_the_funding_in_them() -> None:
    desk = a_funded_desk(BUY, {1: 10_000})
    desk.play(None, close_ms=START_MS + 2 * HOUR)
    desk.play(a_bar(2, bar_ms=HOUR))
    assert [amount for _, amount, _ in funded(desk.events)] == [Decimal("-0.1")]


# --- liquidation --------------------------------------------------------------------------------


def a_leveraged_desk(side: Side = BUY) -> Desk:
    """Return a desk of 1,000 USDT with 50 lots at 100 and no stop in reach.

    Long: cash 1,000 - 5,000 - 5 = -4,005; at low L equity is 50 L - 4,005, maintenance 0.5 L:
    due when 49.5 L <= 4,005, so at 80 and not at 81.
    """
    desk = Desk(costs=FREE, cash=1_000 * USDT)
    desk.enter(side, 50, stop=0)
    desk.play(a_bar(0))
    return desk


def test_equity_above_the_maintenance_survives() -> None:
    desk = a_leveraged_desk()
    assert desk.play(a_bar(1, 100, 100, 81)) == []


def test_a_long_is_liquidated_at_the_low_with_the_liquidation_fee() -> None:
    desk = a_leveraged_desk()
    (fill,) = fills_of(desk.play(a_bar(1, 100, 100, 80)))
    # 4,000 USDT, 0.1 % taker and 0.5 % liquidation: 24
    assert (fill.reason, fill.side, fill.lots, fill.price) == (FillReason.LIQUIDATION, SELL, 50, 80)
    assert usdt(fill.fee) == 24
    assert (fill.is_maker, fill.at_ms) == (False, START_MS + 2 * MINUTE)
    # -4,005 + 4,000 - 24
    assert usdt(desk.venue.cash) == -29
    assert agree(desk)


def test_a_short_is_liquidated_at_the_high() -> None:
    # cash 1,000 + 5,000 - 5 = 5,995; at high H: 5,995 - 50 H <= 0.5 H, so at 119 and not at 118
    desk = a_leveraged_desk(SELL)
    assert desk.play(a_bar(1, 100, 118)) == []
    assert as_tuples(desk.play(a_bar(2, 100, 119))) == [(FillReason.LIQUIDATION, BUY, 50, 119)]


def test_liquidation_ends_every_order_of_the_symbol() -> None:
    desk = a_leveraged_desk()
    desk.submit(an_order("s1", SELL, 50, role=OrderRole.STOP, order_type=OrderType.STOP_MARKET,
                         price=10))  # fmt: skip
    desk.enter(BUY, 5, order_id="e2", order_type=OrderType.LIMIT, price=10)
    news = desk.play(a_bar(1, 100, 100, 80))
    assert set(ends(news)) == {"s1", "e2", "e2-stop"}
    assert desk.open_orders() == []


def test_a_stop_in_the_bar_comes_before_the_liquidation() -> None:
    desk = Desk(costs=FREE, cash=1_000 * USDT)
    desk.enter(BUY, 50, stop=10)
    desk.play(a_bar(0))
    assert as_tuples(desk.play(a_bar(1, 100, 100, 70))) == [(STOP, SELL, 50, 90)]


def test_cross_margin_counts_every_position_at_its_adverse_extreme() -> None:
    eth = "ETH/USDT:USDT"
    desk = Desk(a_round_instrument(), a_round_instrument(eth), costs=FREE, cash=1_000 * USDT)
    desk.enter(BUY, 25, stop=0)
    desk.enter(SELL, 25, order_id="e2", stop=0, symbol=eth)
    desk.play(a_bar(0), a_bar(0))
    # cash 1,000 - 2.5 - 2.5 = 995; low L and high H: 995 + 25 (L - H) <= 0.25 (L + H)
    # 82 and 120: 45 <= 50.5, and 83 and 119: 95 > 50.5
    assert desk.play(a_bar(1, 100, 119, 83), a_bar(1, 100, 119, 83)) == []
    news = desk.play(a_bar(2, 100, 120, 82), a_bar(2, 100, 120, 82))
    assert [(f.symbol, f.reason, f.price) for f in fills_of(news)] == [
        (PERPETUAL, FillReason.LIQUIDATION, 82),
        (eth, FillReason.LIQUIDATION, 120),
    ]
    assert agree(desk)


def test_without_a_candle_a_position_counts_at_its_last_close() -> None:
    eth = "ETH/USDT:USDT"
    desk = Desk(a_round_instrument(), a_round_instrument(eth), costs=FREE, cash=1_000 * USDT)
    desk.enter(BUY, 50, stop=0)
    desk.play(a_bar(0), a_bar(0))
    desk.play(a_bar(1, 100, 100, 90, 81), None)
    assert desk.play(None, a_bar(2)) == []
    assert as_tuples(desk.play(a_bar(3, 80), None)) == [(FillReason.LIQUIDATION, SELL, 50, 80)]


def test_spot_is_collateral_and_is_never_liquidated() -> None:
    desk = Desk(a_round_instrument(SPOT), a_round_instrument(), costs=FREE, cash=1_000 * USDT)
    desk.enter(BUY, 5, symbol=SPOT, stop=0)
    desk.play(a_bar(0), a_bar(0))
    assert desk.play(a_bar(1, 1), a_bar(1)) == []  # spot falls by 99 %, nothing is borrowed
    desk.enter(SELL, 5, order_id="e2", stop=0)
    desk.play(a_bar(2, 100), a_bar(2, 100))
    # cash 1,000 - 500 - 0.5 + 500 - 0.5 = 999; spot at 10, short at 210: 999 + 50 - 1,050 < 10.5
    news = desk.play(a_bar(3, 100, 100, 10), a_bar(3, 100, 210))
    assert [(f.symbol, f.reason) for f in fills_of(news)] == [(PERPETUAL, FillReason.LIQUIDATION)]
    assert desk.lots == {SPOT: 5, PERPETUAL: 0}


# --- time and state -----------------------------------------------------------------------------


def test_one_orders_events_never_go_back_in_time() -> None:
    """The rest of a stop entry expires after the fill of the same bar, not before it."""
    desk = Desk(costs=COSTS._replace(entry_ttl_bars=1))
    desk.enter(BUY, 10, order_type=OrderType.STOP_MARKET, price=105)
    news = desk.play(a_bar(0, 100, 106, 100, volume=40))
    times = [e.at_ms for e in news if not isinstance(e, Funded) and e.client_order_id == "e1"]
    assert len(times) == 2
    assert times == sorted(times)


def test_protection_leaves_no_earlier_than_the_position() -> None:
    desk = a_desk_with_a_long(target=20)
    news = desk.play(a_bar(1, 100, 125))
    (fill,) = fills_of(news)
    (end,) = [e for e in news if isinstance(e, Ended)]
    assert end.at_ms >= fill.at_ms


def test_unread_events_are_never_lost_in_a_checkpoint(desk: Desk) -> None:
    finished(desk.venue.submit(an_order(), ()))
    with pytest.raises(ValueError, match="2 venue events have not been read"):
        desk.venue.state()


def test_events_are_given_once(desk: Desk) -> None:
    finished(desk.venue.submit(an_order(), ()))
    assert len(finished(desk.venue.events())) == 2
    assert finished(desk.venue.events()) == []


def test_a_restored_venue_finishes_a_half_filled_stop_in_the_same_way() -> None:
    desk = a_desk_with_a_long(target=20, trail_rate=5_000_000)
    desk.play(a_bar(1, 100, 100, 85, volume=60))
    desk.reborn(json.loads(json.dumps(desk.venue.state())))
    assert desk.venue.cash == desk.cash
    news = desk.play(a_bar(2))
    assert [(f.lots, f.price) for f in fills_of(news)] == [(4, 100)]
    assert len({f.trade_id for f in fills_of(desk.events)}) == 3
    assert agree(desk)


def test_candles_must_come_for_every_symbol(desk: Desk) -> None:
    with pytest.raises(ValueError, match="2 candles came for 1 symbols"):
        desk.play(a_bar(0), a_bar(0))
