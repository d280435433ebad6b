"""The paper venue price by price: it agrees with the candle rules where both can be asked.

A price unit of a lot is one USDT. No slippage, maker 0.05 %, taker 0.1 %, a tenth of the volume may
be ours, an entry works for three candles.
"""

from decimal import Decimal

import pytest

from auto_trading.gateways.simulated_venue import SimulatedVenue
from crypto_trader_pro.domain.enums import FillReason, OrderStatus, OrderType, Side
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Ended, Funded, VenueEvent
from crypto_trader_pro.simulation.venue_costs import VenueCosts
from tests.builders import (
    MINUTE,
    PERPETUAL,
    START_MS,
    USDT,
    Desk,
    a_bar,
    a_slice,
    as_tuples,
    finished,
)

COSTS = VenueCosts(slippage_rate=0, entry_ttl_bars=3)
BUY, SELL = Side.BUY, Side.SELL
ENTRY, STOP, TARGET, EXIT = FillReason.ENTRY, FillReason.STOP, FillReason.TARGET, FillReason.EXIT
TRAILING = FillReason.TRAILING


class TickDesk(Desk):
    """A desk at a venue that is told single prices."""

    def _new_venue(self) -> SimulatedVenue:
        return SimulatedVenue(self.instruments, self._opening, self._costs, ticks=True)

    def ticks(
        self, *prices: int, volume: int = 1_000_000, at_ms: int = START_MS
    ) -> list[VenueEvent]:
        """Play one price after the other, a second apart; return what they did."""
        news: list[VenueEvent] = []
        for n, price in enumerate(prices):
            bar = Bar(at_ms + n * 1000, price, price, price, price, volume)
            self.venue.play(a_slice(bar, bar_ms=0))
            news += self.settle()
        return news

    def candle(self, k: int) -> list[VenueEvent]:
        self.venue.candle_closed(START_MS + (k + 1) * MINUTE)
        return self.settle()


@pytest.fixture
def desk() -> TickDesk:
    return TickDesk(costs=COSTS)


def test_an_entry_fills_at_the_next_price_and_its_stop_rests_at_once(desk: TickDesk) -> None:
    desk.enter(BUY, 10, stop=5, target=7)
    assert as_tuples(desk.ticks(101)) == [(ENTRY, BUY, 10, 101)]
    stop, target = desk.orders["e1-stop"], desk.orders["e1-target"]
    assert (stop.price, stop.lots, stop.status) == (96, 10, OrderStatus.WORKING)
    assert (target.price, target.lots) == (108, 10)
    # 1,010 USDT and a tenth of a percent
    assert desk.cash == 100_000 * USDT - int(Decimal("1011.01") * USDT)


def test_a_stop_fills_at_the_price_that_passed_it(desk: TickDesk) -> None:
    desk.enter(BUY, 10, stop=5)
    assert as_tuples(desk.ticks(100, 96, 93))[1:] == [(STOP, SELL, 10, 93)]  # 95 was jumped over


def test_a_target_fills_at_its_price_and_no_better(desk: TickDesk) -> None:
    desk.enter(SELL, 10, stop=5, target=4)
    news = desk.ticks(100, 97, 92)
    assert as_tuples(news)[1:] == [(TARGET, BUY, 10, 96)]
    assert desk.lots == {PERPETUAL: 0}
    assert desk.open_orders() == []


def test_a_stop_trails_behind_each_price_and_never_back(desk: TickDesk) -> None:
    desk.enter(BUY, 10, stop=5, trail_rate=3_000_000)
    desk.ticks(100)
    assert desk.orders["e1-stop"].price == 97  # 3 % under 100 is nearer than 95
    desk.ticks(110)
    assert desk.orders["e1-stop"].price == 106  # 110 - 3.3, down to the tick
    desk.ticks(108)
    assert desk.orders["e1-stop"].price == 106
    assert as_tuples(desk.ticks(106)) == [(TRAILING, SELL, 10, 106)]


def test_a_limit_order_rests_however_many_candles_pass(desk: TickDesk) -> None:
    desk.enter(BUY, 10, order_type=OrderType.LIMIT, price=90)
    for k in range(5):
        desk.ticks(*[100] * 20, at_ms=START_MS + k * MINUTE)
        desk.candle(k)
    assert desk.orders["e1"].is_open
    assert as_tuples(desk.ticks(89)) == [("entry", BUY, 10, 90)]


def test_an_entry_works_for_three_candles_however_many_prices_there_are(desk: TickDesk) -> None:
    desk.enter(BUY, 10, order_type=OrderType.STOP_MARKET, price=110)
    for k in range(3):
        assert desk.orders["e1"].is_open
        desk.ticks(*[100] * 20, at_ms=START_MS + k * MINUTE)
        news = desk.candle(k)
    ended = [(e.client_order_id, e.expired, e.code, e.at_ms) for e in news if isinstance(e, Ended)]
    assert ended == [
        ("e1", True, "time_to_live", START_MS + 3 * MINUTE),
        ("e1-stop", False, "entry_ended", START_MS + 3 * MINUTE),
    ]


def test_each_part_of_an_entry_is_covered_by_the_stop_exactly(desk: TickDesk) -> None:
    desk.enter(BUY, 10, stop=5, target=20)
    covered = []
    for price in (100, 101, 102, 103):  # a tenth of 30 are 3 lots
        desk.ticks(price, volume=30)
        covered.append((desk.lots[PERPETUAL], desk.orders["e1-stop"].open_lots))
    assert covered == [(3, 3), (6, 6), (9, 9), (10, 10)]
    assert desk.orders["e1-stop"].price == 95  # from the first fill


def test_what_a_stop_could_not_sell_goes_to_the_market_at_the_next_prices(desk: TickDesk) -> None:
    desk.enter(BUY, 10, stop=5)
    desk.ticks(100)
    assert as_tuples(desk.ticks(95, 94, 93, volume=40)) == [
        (STOP, SELL, 4, 95), (STOP, SELL, 4, 94), (STOP, SELL, 2, 93),
    ]  # fmt: skip
    assert desk.open_orders() == []


@pytest.mark.parametrize("bars", [(100, 105, 98, 103), (100, 100, 94, 95), (100, 109, 99, 108)])
def test_a_candle_given_as_its_prices_does_what_the_candle_does(
    bars: tuple[int, int, int, int],
) -> None:
    """Where the stop and the target are not both in reach, the path in between is no matter."""
    candles, prices = Desk(costs=COSTS), TickDesk(costs=COSTS)
    open_, high, low, close = bars
    for desk in (candles, prices):
        desk.enter(BUY, 10, stop=5, target=8)
    candles.play(a_bar(0, open_, high, low, close))
    prices.ticks(open_, *range(open_, low - 1, -1), *range(low, high + 1), close)
    prices.candle(0)
    assert as_tuples(candles.events) == as_tuples(prices.events)
    assert (candles.cash, candles.lots) == (prices.cash, prices.lots)
    assert [(o.client_order_id, o.price, o.lots) for o in candles.open_orders()] == [
        (o.client_order_id, o.price, o.lots) for o in prices.open_orders()
    ]


def test_funding_is_charged_on_the_position_at_the_last_price(desk: TickDesk) -> None:
    desk.enter(BUY, 10, stop=50)
    desk.ticks(100, 120)
    before = desk.cash
    desk.venue.fund(0, 10_000, START_MS + MINUTE)  # 0.01 % of 1,200 USDT: a long pays 0.12
    (event,) = desk.settle()
    assert event == Funded(
        f"funding:{PERPETUAL}:{START_MS + MINUTE}", PERPETUAL, -12_000_000, 10_000,
        START_MS + MINUTE,
    )  # fmt: skip
    assert desk.cash == before - 12_000_000


def test_no_funding_is_charged_without_a_position(desk: TickDesk) -> None:
    desk.ticks(100)
    desk.venue.fund(0, 10_000, START_MS)
    assert desk.settle() == []


def test_a_symbol_is_held_from_its_order_to_the_end_of_its_position(desk: TickDesk) -> None:
    seen = [desk.venue.holds(0)]
    desk.enter(BUY, 10, stop=5)
    seen.append(desk.venue.holds(0))
    desk.ticks(100)
    seen.append(desk.venue.holds(0))
    desk.ticks(95)
    seen.append(desk.venue.holds(0))
    assert seen == [False, True, True, False]


def test_what_is_asked_between_two_prices_is_acknowledged_then(desk: TickDesk) -> None:
    desk.ticks(100)
    desk.venue.at(START_MS + 12_345)
    desk.enter(BUY, 10, stop=5)
    assert desk.orders["e1"].updated_ms == START_MS + 12_345


def test_a_checkpoint_with_news_that_nobody_has_read_is_refused(desk: TickDesk) -> None:
    desk.venue.candle_closed(START_MS)
    desk.enter(BUY, 10, stop=5)
    finished(desk.venue.cancel("e1"))
    with pytest.raises(ValueError, match="2 venue events have not been read"):
        desk.venue.state()


def test_the_oldest_ended_orders_are_forgotten(
    desk: TickDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.gateways.venue_ledger.REMEMBERED", 4)
    for n in range(3):
        desk.enter(BUY, 10, order_id=f"e{n}", stop=5)
        desk.cancel(f"e{n}")
    known = [finished(desk.venue.query(f"e{n}")) for n in range(3)]
    assert known == [OrderStatus.ABSENT, OrderStatus.CANCELED, OrderStatus.CANCELED]
