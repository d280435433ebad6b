"""Random markets and random orders against the paper venue, step by step.

The client keeps the engine's discipline: one entry per symbol at a time, and only while flat or
while an exit is under way; one exit at a time. Small volumes, so that most fills are partial.
"""

import json
from typing import Final, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from auto_trading.gateways.venue_book import FundingEvent
from crypto_trader_pro.domain.enums import FillReason, OrderRole, OrderStatus, OrderType, Side
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import VenueEvent
from crypto_trader_pro.domain.orders import Fill, Order
from crypto_trader_pro.simulation.venue_costs import VenueCosts
from tests.builders import (
    MINUTE,
    START_MS,
    USDT,
    Desk,
    a_bar,
    a_round_instrument,
    an_order,
    fills_of,
    finished,
    protection_of,
)

SYMBOLS: Final = ("BTC/USDT:USDT", "ETH/USDT")  # a perpetual and spot
WAYS_OUT: Final = (OrderRole.EXIT, OrderRole.FLATTEN)
COSTS: Final = VenueCosts(slippage_rate=1_000_000, entry_ttl_bars=3)
FUNDING: Final = {
    SYMBOLS[0]: [FundingEvent(START_MS + k * MINUTE, 10_000) for k in range(0, 60, 4)]
}


class Wish(NamedTuple):
    """What the client tries after a bar; what its discipline forbids is skipped."""

    symbol: str
    act: str  # enter, exit, reverse, cancel, nothing
    side: Side
    lots: int
    order_type: OrderType
    offset: int
    stop: int
    target: int
    trail_rate: int


class Step(NamedTuple):
    bars: tuple[tuple[int, ...] | None, ...]  # open, high, low, close, volume per symbol
    wishes: list[Wish]


bars_of = st.one_of(
    st.none(),
    *[
        st.tuples(
            st.integers(100 - wide, 100 + wide), st.integers(0, wide), st.integers(0, wide),
            st.integers(-3, 3), st.sampled_from((0, 20, 50, 99, 100, 200)),
        )
        for wide in (4, 4, 20)
    ],
)  # fmt: skip
wishes = st.builds(
    Wish,
    st.sampled_from(SYMBOLS),
    st.sampled_from(("enter", "enter", "enter", "exit", "reverse", "cancel")),
    st.sampled_from(Side),
    st.integers(1, 25),
    st.sampled_from((OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_MARKET)),
    st.integers(-6, 6),
    st.integers(1, 15),
    st.sampled_from((0, 2, 10, 30)),
    st.sampled_from((0, 0, 3_000_000)),
)
steps = st.lists(
    st.builds(Step, st.tuples(bars_of, bars_of), st.lists(wishes, min_size=1, max_size=2)),
    min_size=8,
    max_size=25,
)
wallets = st.sampled_from((150 * USDT, 100_000 * USDT))  # the small one is liquidated


def candle(k: int, row: tuple[int, ...] | None) -> Bar | None:
    if row is None:
        return None
    open_, up, down, drift, volume = row
    close = open_ + drift
    high, low = max(open_, close) + up, max(1, min(open_, close) - down)
    return a_bar(k, open_, high, low, close, volume=volume)


class Client:
    """Carries out wishes in the engine's discipline."""

    def __init__(self, cash: int, *, costs: VenueCosts = COSTS, strict: bool = True) -> None:
        grids = [a_round_instrument(symbol) for symbol in SYMBOLS]
        self.desk = Desk(*grids, cash=cash, costs=costs, funding=FUNDING, strict=strict)
        self._ids = 0

    def wish(self, wish: Wish) -> None:
        desk, symbol = self.desk, wish.symbol
        roles = {o.role for o in desk.open_orders(symbol)}
        held, leaving = desk.lots[symbol], bool(roles & set(WAYS_OUT))
        if wish.act == "cancel":
            entries = [o for o in desk.open_orders(symbol) if o.role is OrderRole.ENTRY]
            for entry in entries:
                desk.cancel(entry.client_order_id)
            return
        if wish.act in ("exit", "reverse") and held and not leaving:
            self._leave(symbol, held)
            leaving = True
        if wish.act == "exit" or OrderRole.ENTRY in roles or (held and not leaving):
            return
        side = wish.side  # a reversal, or the same direction again
        if side is Side.BUY or symbol == SYMBOLS[0]:  # no shorts on spot
            self._enter(wish, side)

    def _leave(self, symbol: str, held: int) -> None:
        self._ids += 1
        side = Side.SELL if held > 0 else Side.BUY
        role = WAYS_OUT[self._ids % 2]
        self.desk.submit(an_order(f"x{self._ids}", side, abs(held), role=role, symbol=symbol))

    def _enter(self, wish: Wish, side: Side) -> None:
        self._ids += 1
        entry = an_order(
            f"e{self._ids}",
            side,
            wish.lots,
            order_type=wish.order_type,
            price=0 if wish.order_type is OrderType.MARKET else 100 + wish.offset,
            symbol=wish.symbol,
            stop_units=wish.stop,
            target_units=wish.target,
        )
        self.desk.submit(entry, protection_of(entry, trail_rate=wish.trail_rate))

    def step(self, k: int, step: Step) -> list[VenueEvent]:
        """Play one instant and then try the wishes; return what the candles did."""
        bars = [candle(k, row) for row in step.bars]
        news = self.desk.play(*bars, close_ms=START_MS + (k + 1) * MINUTE)
        for wish in step.wishes:
            self.wish(wish)
        return news


often = settings(max_examples=150, deadline=None, report_multiple_bugs=False)


@often
@given(wallets, steps)
def test_cash_and_positions_are_the_fold_of_the_venues_own_events(
    cash: int, script: list[Step]
) -> None:
    """And every event moves a domain order along a legal edge, within its quantity."""
    client = Client(cash)
    for k, step in enumerate(script):
        client.step(k, step)
        venue = client.desk.venue
        assert venue.cash == client.desk.cash
        assert [book[0] for book in venue.state()["books"]] == list(client.desk.lots.values())


@often
@given(wallets, steps)
def test_the_client_and_the_venue_agree_about_which_orders_live(
    cash: int, script: list[Step]
) -> None:
    client = Client(cash, strict=False)
    for k, step in enumerate(script):
        client.step(k, step)
        for order in client.desk.orders.values():
            known = finished(client.desk.venue.query(order.client_order_id))
            assert order.is_open == (known is OrderStatus.WORKING), order


@often
@given(wallets, steps)
def test_no_position_is_ever_without_a_stop_or_a_way_out(cash: int, script: list[Step]) -> None:
    client = Client(cash, strict=False)
    for k, step in enumerate(script):
        client.step(k, step)
        for symbol, lots in client.desk.lots.items():
            guards = [
                o.open_lots
                for o in client.desk.open_orders(symbol)
                if o.role in (OrderRole.STOP, *WAYS_OUT)
                and o.status in (OrderStatus.WORKING, OrderStatus.PARTIAL)
                and o.side.sign * lots < 0
            ]
            assert abs(lots) <= max(guards, default=0), f"{symbol}: {lots} lots after bar {k}"


@often
@given(wallets, steps)
def test_fills_share_the_volume_and_only_entries_open(cash: int, script: list[Step]) -> None:
    client = Client(cash, strict=False)
    for k, step in enumerate(script):
        held = dict(client.desk.lots)
        taken = dict.fromkeys(SYMBOLS, 0)
        bars = dict(zip(SYMBOLS, (candle(k, row) for row in step.bars), strict=True))
        for fill in fills_of(client.step(k, step)):
            before = held[fill.symbol]
            held[fill.symbol] = after = before + fill.signed_lots
            if fill.reason == FillReason.ENTRY:
                assert before * after >= 0
                assert abs(after) > abs(before)
            else:
                assert before * fill.signed_lots < 0
                assert before * after >= 0
                assert abs(after) < abs(before)
            if fill.reason != FillReason.LIQUIDATION:
                taken[fill.symbol] += fill.lots
                check_price(fill, client.desk.orders[fill.client_order_id], bars[fill.symbol])
        for symbol, lots in taken.items():
            bar = bars[symbol]
            assert lots <= (bar.volume // 10 if bar else 0)


def check_price(fill: Fill, order: Order, bar: Bar | None) -> None:
    """No fill is better than its order's price or than the market with 1 % of slippage."""
    assert bar is not None
    sign = fill.side.sign
    if fill.is_maker:
        assert fill.price == order.price
        assert bar.low <= fill.price <= bar.high or (bar.open - fill.price) * sign < 0
        assert order.role is OrderRole.TARGET or order.order_type is OrderType.LIMIT
    else:
        market = bar.open
        if order.role is OrderRole.STOP and fill.at_ms != bar.open_ms:
            market = max(order.price, bar.open) if sign > 0 else min(order.price, bar.open)
        elif order.order_type is OrderType.STOP_MARKET and order.role is OrderRole.ENTRY:
            market = bar.low if sign > 0 else bar.high
        is_limit = order.order_type is OrderType.LIMIT  # it never pays more than it said
        assert not is_limit or (fill.price - order.price) * sign <= 0
        capped = is_limit and fill.price == order.price
        assert (fill.price - market) * sign * 100 >= market or fill.price == 1 or capped


@often
@given(wallets, steps)
def test_a_venue_restored_after_every_bar_has_the_same_future(
    cash: int, script: list[Step]
) -> None:
    straight, reborn = Client(cash, strict=False), Client(cash, strict=False)
    for k, step in enumerate(script):
        assert straight.step(k, step) == reborn.step(k, step)
        state = reborn.desk.venue.state()
        assert state == straight.desk.venue.state()
        reborn.desk.reborn(json.loads(json.dumps(state)))
    assert straight.desk.events == reborn.desk.events
    assert straight.desk.cash == reborn.desk.cash
