"""The paper venue's finer models by hand: impact, range, latency, isolated margin, finer candles.

A price unit of a lot is one USDT; maker 0.05 %, taker 0.1 %; no slippage unless said.
"""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from auto_trading.gateways.simulated_venue import SimulatedVenue
from crypto_trader_pro.domain.enums import FillReason, OrderRole, OrderStatus, OrderType, Side
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Ended, VenueEvent
from crypto_trader_pro.simulation.venue_costs import VenueCosts
from tests.builders import (
    MINUTE,
    PERPETUAL,
    SPOT,
    START_MS,
    USDT,
    Desk,
    a_bar,
    a_round_instrument,
    a_slice,
    an_exit,
    an_order,
    as_tuples,
    fills_of,
    finished,
)

BUY, SELL = Side.BUY, Side.SELL
ENTRY, EXIT, STOP = FillReason.ENTRY, FillReason.EXIT, FillReason.STOP
LIQUIDATION = FillReason.LIQUIDATION
FREE = VenueCosts(slippage_rate=0)
ISOLATED = FREE._replace(isolated_rate=20_000_000)  # five times
ETH = "ETH/USDT:USDT"


def prices(events: list[VenueEvent]) -> list[int]:
    return [fill.price for fill in fills_of(events)]


def a_part(desk: Desk, bar: Bar, *, is_last: bool) -> list[VenueEvent]:
    """Play a finer candle of a decision candle."""
    desk.venue.play(a_slice(bar), is_last=is_last)
    return desk.settle()


# --- slippage -----------------------------------------------------------------------------------


def test_impact_counts_the_lots_of_each_fill_against_its_candle() -> None:
    # 50 % at the whole volume; a tenth of it may be ours: 0.1 x 0.1 x 50 % is 0.5 %
    desk = Desk(costs=FREE._replace(impact_rate=50_000_000))
    desk.enter(BUY, 15, stop=0)
    assert as_tuples(desk.play(a_bar(0, 1_000, volume=100))) == [(ENTRY, BUY, 10, 1_005)]
    # 5 of 100 are 5 %: 0.125 % of 1,000, up to 2
    assert as_tuples(desk.play(a_bar(1, 1_000, volume=100))) == [(ENTRY, BUY, 5, 1_002)]
    desk.submit(an_exit(lots=15))
    assert as_tuples(desk.play(a_bar(2, 1_000, volume=150))) == [(EXIT, SELL, 15, 995)]


def test_half_of_the_spread_is_added_to_the_slippage() -> None:
    desk = Desk(costs=VenueCosts(slippage_rate=1_000_000, half_spread_rate=2_000_000))
    desk.enter(SELL, 10)
    assert prices(desk.play(a_bar(0))) == [97]  # 1 % and 2 %


def test_the_range_of_the_candle_before_widens_the_move() -> None:
    desk = Desk(costs=FREE._replace(range_share=10_000_000))
    desk.enter(BUY, 10, stop=50)
    assert prices(desk.play(a_bar(0, 100, 125, 95))) == [100]  # no candle before the first
    desk.submit(an_exit())
    assert prices(desk.play(a_bar(1, 100))) == [97]  # 125 - 95 are 30, a tenth of it 3
    desk.enter(BUY, 10, order_id="e2")
    assert prices(desk.play(a_bar(2, 100))) == [100]  # the candle before stood still


def test_a_symbol_without_a_candle_keeps_its_last_range() -> None:
    desk = Desk(costs=FREE._replace(range_share=10_000_000))
    desk.play(a_bar(0, 100, 120, 100))
    desk.enter(BUY, 10)
    desk.play(None, close_ms=START_MS + 2 * MINUTE)
    assert prices(desk.play(a_bar(2))) == [102]


def test_a_triggered_stop_pays_impact_and_range_on_its_own_price() -> None:
    costs = FREE._replace(impact_rate=50_000_000, range_share=10_000_000, volume_share=10**8)
    desk = Desk(costs=costs)
    desk.enter(BUY, 10, stop=10)
    desk.play(a_bar(0, 100, 120, 100))  # the whole volume a million: no impact
    # stop at 91 (entered at 101: a share of 1e-5 costs a fraction of a unit, rounded up);
    # 10 of 20 lots are a half, 12.5 % of 91 up to 12; range 20, a tenth 2
    assert as_tuples(desk.play(a_bar(1, 100, 100, 80, volume=20))) == [(STOP, SELL, 10, 77)]


def test_targets_and_limit_entries_are_not_slipped() -> None:
    costs = VenueCosts(10**6, half_spread_rate=10**6, impact_rate=10**8, range_share=10**8)
    desk = Desk(costs=costs)
    desk.play(a_bar(0, 100, 120, 80))
    desk.enter(BUY, 10, target=20, order_type=OrderType.LIMIT, price=95)
    assert prices(desk.play(a_bar(1, 100, 100, 90))) == [95]
    assert prices(desk.play(a_bar(2, 100, 130, 100))) == [115]


def test_coins_are_cut_to_the_cash_at_the_price_of_all_that_was_asked() -> None:
    # 10 of 100 lots: 0.01 x 50 % is 0.5 %, 1,005 each and 1.005 fee; 3,000 pay two, at that price
    desk = Desk(
        a_round_instrument(SPOT), costs=FREE._replace(impact_rate=50_000_000), cash=3_000 * USDT
    )
    desk.enter(BUY, 10, symbol=SPOT)
    assert as_tuples(desk.play(a_bar(0, 1_000, volume=100))) == [(ENTRY, BUY, 2, 1_005)]


# --- latency ------------------------------------------------------------------------------------


def test_a_market_order_misses_as_many_candles_as_it_is_late() -> None:
    desk = Desk(costs=FREE._replace(latency_bars=2))
    desk.enter(BUY, 10)
    assert desk.play(a_bar(0, 100)) == []
    assert desk.play(a_bar(1, 101)) == []
    (fill,) = fills_of(desk.play(a_bar(2, 102)))
    assert (fill.price, fill.at_ms) == (102, START_MS + 2 * MINUTE)
    desk.submit(an_exit())
    assert desk.play(a_bar(3, 103)) == desk.play(a_bar(4, 104)) == []
    assert as_tuples(desk.play(a_bar(5, 105))) == [(EXIT, SELL, 10, 105)]


def test_an_entry_on_its_way_does_not_age_and_can_be_cancelled_at_once() -> None:
    desk = Desk(costs=FREE._replace(latency_bars=1, entry_ttl_bars=1))
    desk.enter(BUY, 10)
    assert desk.play(a_bar(0)) == []
    assert as_tuples(desk.play(a_bar(1))) == [(ENTRY, BUY, 10, 100)]
    desk.submit(an_exit("x1"))
    assert [e.code for e in desk.cancel("x1") if isinstance(e, Ended)] == ["asked"]
    assert desk.play(a_bar(2)) == desk.play(a_bar(3)) == []


def test_a_candle_that_is_missing_brings_no_order_nearer() -> None:
    desk = Desk(costs=FREE._replace(latency_bars=1))
    desk.enter(BUY, 10)
    desk.play(None, close_ms=START_MS + MINUTE)
    assert desk.play(a_bar(1)) == []
    assert as_tuples(desk.play(a_bar(2))) == [(ENTRY, BUY, 10, 100)]


def test_protection_rests_at_once_and_the_rest_of_a_stop_is_not_late() -> None:
    desk = Desk(costs=FREE._replace(latency_bars=1))
    desk.enter(BUY, 10, stop=10)
    desk.play(a_bar(0))
    desk.play(a_bar(1))
    assert as_tuples(desk.play(a_bar(2, 100, 100, 85, 85, volume=40))) == [(STOP, SELL, 4, 90)]
    assert as_tuples(desk.play(a_bar(3, 80))) == [(STOP, SELL, 6, 80)]


def test_resting_entries_are_not_late() -> None:
    desk = Desk(costs=FREE._replace(latency_bars=5))
    desk.enter(BUY, 10, order_type=OrderType.LIMIT, price=95)
    assert as_tuples(desk.play(a_bar(0, 100, 100, 90))) == [(ENTRY, BUY, 10, 95)]


def test_the_stop_works_while_an_exit_is_on_its_way() -> None:
    desk = Desk(costs=FREE._replace(latency_bars=1))
    desk.enter(BUY, 10, stop=10)
    desk.play(a_bar(0))
    desk.play(a_bar(1))
    desk.submit(an_exit("x1"))
    news = desk.play(a_bar(2, 100, 100, 85))
    assert as_tuples(news) == [(STOP, SELL, 10, 90)]
    assert finished(desk.venue.query("x1")) is OrderStatus.CANCELED


def test_where_prices_come_one_by_one_a_closed_candle_brings_orders_nearer() -> None:
    venue = SimulatedVenue(
        [a_round_instrument()], 10_000 * USDT, FREE._replace(latency_bars=1), ticks=True
    )
    finished(venue.submit(an_order("e1", BUY, 10), ()))

    def at(ms: int, price: int) -> list[tuple[FillReason, Side, int, int]]:
        bar = Bar(START_MS + ms, price, price, price, price, 1_000)
        venue.play(a_slice(bar, bar_ms=0))
        return as_tuples(list(finished(venue.events())))

    assert at(0, 100) == at(1, 101) == []
    venue.candle_closed(START_MS + MINUTE)
    assert at(MINUTE, 102) == [(ENTRY, BUY, 10, 102)]
    finished(venue.submit(an_order("x1", SELL, 10, role=OrderRole.EXIT), ()))
    assert at(MINUTE + 1, 103) == []
    venue.candle_closed(START_MS + 2 * MINUTE)
    assert at(2 * MINUTE, 104) == [(EXIT, SELL, 10, 104)]


# --- maintenance tiers --------------------------------------------------------------------------


def test_the_maintenance_of_an_account_follows_the_tiers() -> None:
    # 1 % up to 2,000 and 20 % above: 4,000 need 20 + 400
    rows = ((Decimal(2_000), Decimal("0.01")), (Decimal(9_000), Decimal("0.2")))
    tiered = replace(a_round_instrument(), maintenance_tiers=rows)
    desk = Desk(tiered, costs=FREE, cash=1_000 * USDT)
    desk.enter(BUY, 50, stop=0)
    desk.play(a_bar(0))
    # cash 1,000 - 5,000 - 5 = -4,005; at low L equity 50 L - 4,005 against 10 L - 380:
    # due when 40 L <= 3,625, so at 90 (90.6) and not at 91
    assert desk.play(a_bar(1, 100, 100, 91)) == []
    assert as_tuples(desk.play(a_bar(2, 100, 100, 90))) == [(LIQUIDATION, SELL, 50, 90)]


# --- isolated margin ----------------------------------------------------------------------------


def an_isolated_desk(side: Side = BUY) -> Desk:
    """Return a desk with 10 lots at 100: cost 1,000, margin 200, 98,999 and more in cash."""
    desk = Desk(costs=ISOLATED)
    desk.enter(side, 10, stop=0)
    desk.play(a_bar(0))
    return desk


def test_a_long_is_liquidated_at_its_bankruptcy_price_however_rich_the_account() -> None:
    desk = an_isolated_desk()
    # 200 + 10 L - 1,000 <= 0.1 L: L <= 80.8
    assert desk.play(a_bar(1, 100, 100, 81)) == []
    (fill,) = fills_of(desk.play(a_bar(2, 100, 100, 50)))
    assert (fill.reason, fill.side, fill.lots, fill.price) == (LIQUIDATION, SELL, 10, 80)
    # 100,000 - 1,000 - 1 + 800 - 0.6 % of 800
    assert Decimal(desk.venue.cash) / USDT == Decimal("99794.2")
    assert desk.venue.cash == desk.cash


def test_a_short_is_the_mirror() -> None:
    desk = an_isolated_desk(SELL)
    # 200 + 1,000 - 10 H <= 0.1 H: H >= 118.8
    assert desk.play(a_bar(1, 100, 118)) == []
    assert as_tuples(desk.play(a_bar(2, 100, 119))) == [(LIQUIDATION, BUY, 10, 120)]


def test_each_position_answers_for_itself_alone() -> None:
    desk = Desk(a_round_instrument(), a_round_instrument(ETH), costs=ISOLATED)
    desk.enter(BUY, 10, stop=0)
    desk.enter(SELL, 10, order_id="e2", stop=0, symbol=ETH)
    desk.play(a_bar(0), a_bar(0))
    news = desk.play(a_bar(1, 100, 100, 70), a_bar(1, 100, 110))
    assert as_tuples(news) == [(LIQUIDATION, SELL, 10, 80)]
    assert desk.lots == {PERPETUAL: 0, ETH: -10}


def test_a_symbol_without_a_candle_counts_at_its_last_close() -> None:
    desk = an_isolated_desk()
    state = desk.venue.state()
    state["books"][0][1] = 80  # as if the last candle had closed there
    desk.reborn(state)
    news = desk.play(None, close_ms=START_MS + 2 * MINUTE)
    assert as_tuples(news) == [(LIQUIDATION, SELL, 10, 80)]


def test_coins_are_not_liquidated_where_margin_is_isolated() -> None:
    desk = Desk(a_round_instrument(SPOT), costs=ISOLATED)
    desk.enter(BUY, 10, symbol=SPOT, stop=0)
    desk.play(a_bar(0))
    assert desk.play(a_bar(1, 100, 100, 1)) == []


def test_a_stop_in_the_bar_still_comes_before_the_liquidation() -> None:
    desk = Desk(costs=ISOLATED)
    desk.enter(BUY, 10, stop=10)
    desk.play(a_bar(0))
    assert as_tuples(desk.play(a_bar(1, 100, 100, 70))) == [(STOP, SELL, 10, 90)]


def test_liquidation_ends_the_orders_on_their_way() -> None:
    desk = Desk(costs=ISOLATED._replace(latency_bars=1))
    desk.enter(BUY, 10, stop=0)
    desk.play(a_bar(0))
    desk.play(a_bar(1))
    desk.submit(an_exit("x1"))
    news = desk.play(a_bar(2, 100, 100, 70))
    assert [e.code for e in news if isinstance(e, Ended)] == ["liquidation"]
    assert desk.open_orders() == []


def test_the_cost_moves_as_that_of_the_books() -> None:
    desk = an_isolated_desk()
    desk.enter(BUY, 5, order_id="e2", stop=0)
    desk.play(a_bar(1, 110))
    costs = [desk.venue.state()["books"][0][-1]]
    desk.submit(an_exit(lots=4))
    desk.play(a_bar(2, 120))
    costs.append(desk.venue.state()["books"][0][-1])
    # 1,000 + 550; four of fifteen leave with 413.33333333 of it, the rest stays exactly
    assert costs == [1_550 * USDT, 1_550 * USDT - 41_333_333_333]


# --- finer candles ------------------------------------------------------------------------------


def test_an_entry_ages_only_in_the_last_part_of_a_decision_candle() -> None:
    desk = Desk(costs=FREE._replace(entry_ttl_bars=2))
    desk.enter(BUY, 100)
    filled = [
        len(fills_of(a_part(desk, a_bar(k, volume=10), is_last=k % 3 == 2))) for k in range(7)
    ]
    assert filled == [1, 1, 1, 1, 1, 1, 0]  # two decision candles of three parts
    assert desk.lots[PERPETUAL] == 6


def test_an_order_comes_nearer_only_in_the_last_part_of_a_decision_candle() -> None:
    desk = Desk(costs=FREE._replace(latency_bars=1))
    desk.enter(BUY, 10)
    assert a_part(desk, a_bar(0), is_last=False) == a_part(desk, a_bar(1), is_last=True) == []
    assert as_tuples(a_part(desk, a_bar(2), is_last=False)) == [(ENTRY, BUY, 10, 100)]


def test_finer_candles_tell_which_of_stop_and_target_came_first() -> None:
    parts = [a_bar(0), a_bar(1, 100, 125, 100, 120), a_bar(2, 120, 120, 85, 100)]
    fine, coarse = Desk(costs=FREE), Desk(costs=FREE)
    for desk in (fine, coarse):
        desk.enter(BUY, 10, stop=10, target=20)
    told = [event for k, part in enumerate(parts) for event in a_part(fine, part, is_last=k == 2)]
    assert as_tuples(told)[1:] == [(FillReason.TARGET, SELL, 10, 120)]
    whole = coarse.play(a_bar(0, 100, 125, 85, 100))
    assert as_tuples(whole)[1:] == [(STOP, SELL, 10, 90)]


# --- state --------------------------------------------------------------------------------------


def test_a_checkpoint_keeps_range_cost_and_delay() -> None:
    costs = ISOLATED._replace(range_share=10_000_000, latency_bars=1)
    desk = Desk(costs=costs)
    desk.enter(BUY, 10, stop=0)
    desk.play(a_bar(0))
    desk.play(a_bar(1, 100, 120, 100))
    desk.submit(an_exit(lots=4))
    desk.reborn(json.loads(json.dumps(desk.venue.state())))
    assert desk.play(a_bar(2, 100, 120, 100)) == []  # still on its way
    desk.reborn(json.loads(json.dumps(desk.venue.state())))
    assert prices(desk.play(a_bar(3))) == [98]  # the range of 20, a tenth
    desk.reborn(json.loads(json.dumps(desk.venue.state())))
    assert as_tuples(desk.play(a_bar(4, 100, 100, 80))) == [(LIQUIDATION, SELL, 6, 80)]


def test_a_checkpoint_of_an_earlier_version_is_not_taken() -> None:
    desk = Desk()
    state = desk.venue.state()
    del state["books"][0][-2:]
    with pytest.raises(ValueError, match="not enough values"):
        desk.reborn(state)
