"""The venue's finer models on random numbers: what may never happen, whatever the market does."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from auto_trading.gateways.replay_feed import ReplayFeed
from crypto_trader_pro.domain.enums import FillReason, Side
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, CandleSeries, series_of
from crypto_trader_pro.domain.messages import VenueEvent
from crypto_trader_pro.domain.positions import Position
from crypto_trader_pro.domain.units import MAX_LOTS_DOMAIN, RATE
from crypto_trader_pro.simulation.costs import fee, slipped_far, taker_rate_of
from crypto_trader_pro.simulation.margin import bankruptcy_price, maintenance_of
from crypto_trader_pro.simulation.venue_costs import VenueCosts
from tests.builders import (
    MINUTE,
    START_MS,
    USDT,
    Desk,
    a_bar,
    a_round_instrument,
    an_instrument,
    fills_of,
)
from tests.property.test_simulated_venue import SYMBOLS, Client, Step, candle, steps, wallets
from utils.clocks import SimulatedClock

often = settings(max_examples=200, deadline=None)
less = settings(max_examples=80, deadline=None)
sides = st.sampled_from((1, -1))
rates = st.one_of(st.integers(0, RATE), st.integers(0, 10**6))
lots_of = st.one_of(st.integers(0, 1_000), st.integers(0, MAX_LOTS_DOMAIN - 2))
REAL: Final = VenueCosts(
    slippage_rate=100_000, half_spread_rate=50_000, impact_rate=40_000_000, range_share=5_000_000,
    latency_bars=1, isolated_rate=20_000_000,
)  # fmt: skip


# --- slippage -----------------------------------------------------------------------------------


@often
@given(lots_of, st.integers(0, 2**47), rates, rates, rates)
def test_the_impact_is_the_square_of_the_share_rounded_up(
    lots: int, volume: int, fixed: int, half_spread: int, impact: int
) -> None:
    rate = taker_rate_of(lots, volume, fixed, half_spread, impact)
    inside = 0 < volume < MAX_LOTS_DOMAIN and lots <= volume
    share = Fraction(lots, volume) if inside else Fraction(1)
    exact = fixed + half_spread + impact * share**2
    # the share is cut by less than 1e-8, each of two products rounded up by less than one
    assert exact - Fraction(2 * impact, RATE) < rate + (impact == 0) <= exact + 2 + (impact == 0)
    assert rate >= fixed + half_spread
    if lots < MAX_LOTS_DOMAIN - 1:
        assert taker_rate_of(lots + 1, volume, fixed, half_spread, impact) >= rate


@often
@given(
    st.integers(1, 10**9), sides, lots_of, st.integers(0, 2**47), rates, rates,
    st.integers(0, 10**6), st.integers(1, 100),
)  # fmt: skip
def test_spread_impact_and_range_never_improve_a_price(
    price: int, side: int, lots: int, volume: int, fixed: int, impact: int, extra: int, tick: int
) -> None:
    plain = slipped_far(price, side, fixed, 0, tick)
    rate = taker_rate_of(lots, volume, fixed, 0, impact)
    worse = slipped_far(price, side, rate, extra, tick)
    assert (worse - plain) * side >= 0
    assert worse % tick == 0
    if worse > tick:
        assert (worse - price) * side >= extra


# --- maintenance tiers --------------------------------------------------------------------------


@st.composite
def tiered(draw: st.DrawFn) -> tuple[Instrument, list[tuple[int, int]]]:
    """Return an instrument and its tiers as (bound in whole USDT, rate) pairs."""
    count = draw(st.integers(1, 8))
    whole = st.lists(st.integers(1, 10**9), min_size=count, max_size=count, unique=True)
    parts = st.lists(st.integers(1, RATE), min_size=count, max_size=count, unique=True)
    rows = list(zip(sorted(draw(whole)), sorted(draw(parts)), strict=True))
    pairs = tuple((Decimal(bound), Decimal(rate) / RATE) for bound, rate in rows)
    flat = replace(an_instrument(), maintenance=pairs[0][1], maintenance_tiers=pairs)
    return flat, rows


@often
@given(tiered(), st.integers(0, 2 * 10**17), st.data())
def test_maintenance_is_continuous_monotone_and_the_sum_of_its_tiers(
    case: tuple[Instrument, list[tuple[int, int]]], value: int, data: st.DataObject
) -> None:
    instrument, rows = case
    if data.draw(st.booleans()):  # at a bound, or a unit beside it
        value = data.draw(st.sampled_from(rows))[0] * USDT + data.draw(st.integers(-1, 1))
    exact, below = Fraction(0), 0
    for k, (bound, rate) in enumerate(rows):
        upto = value if k == len(rows) - 1 else min(value, bound * USDT)
        exact += Fraction(max(0, upto - below) * rate, RATE)
        below = bound * USDT
    found = maintenance_of(value, instrument.tiers)
    assert found - 1 < exact <= found
    step = maintenance_of(value + 1, instrument.tiers) - found
    assert 0 <= step <= 1  # no rate is above one
    assert found <= value


# --- isolated margin ----------------------------------------------------------------------------


@often
@given(
    sides, st.integers(1, 10**17), st.integers(1, RATE), st.integers(1, 10**9),
    st.integers(1, 10**6), st.integers(1, 100),
)  # fmt: skip
def test_the_bankruptcy_price_loses_the_margin_and_no_tick_more(
    side: int, cost: int, rate: int, lots: int, tv: int, tick: int
) -> None:
    margin = fee(cost, rate)
    price = bankruptcy_price(side, cost, margin, lots, tv, tick)
    assert price % tick == 0
    assert price >= tick
    loss = side * (cost - price * lots * tv)
    assert loss < margin + tick * lots * tv
    if price > tick:
        assert loss >= margin


@less
@given(
    st.sampled_from(Side),
    st.integers(20, 2_000),
    st.lists(st.integers(1, 20), min_size=1, max_size=3),
    st.integers(1, 125),
    st.integers(1, 4_000),
)
def test_an_isolated_position_never_loses_more_than_its_margin_and_fees(
    side: Side, price: int, parts: list[int], leverage: int, extreme: int
) -> None:
    """It is closed at its bankruptcy price, or its margin still covers its loss at the extreme."""
    rate = -(-RATE // leverage)
    desk = Desk(
        a_round_instrument(), cash=10**9 * USDT,
        costs=VenueCosts(slippage_rate=0, isolated_rate=rate, impact_rate=10**7),
    )  # fmt: skip
    for k, lots in enumerate(parts):
        desk.enter(side, lots, order_id=f"e{k}", stop=0)
        desk.play(a_bar(k, price))
        assume(abs(next(iter(desk.lots.values()))) == sum(parts[: k + 1]))
    entries = fills_of(desk.events)
    cost, held = sum(f.price * f.lots for f in entries), sum(parts)
    low, high = min(price, extreme), max(price, extreme)
    closed = fills_of(desk.play(a_bar(len(parts), price, high, low)))
    margin = Fraction(cost * rate, RATE)
    if closed:
        (fill,) = closed
        assert (fill.reason, fill.lots) == (FillReason.LIQUIDATION, held)
        loss = side.sign * (cost - fill.price * held)
        assert loss <= margin + held  # a tick is one USDT a lot
    else:
        worst = low if side is Side.BUY else high
        assert side.sign * (cost - worst * held) < margin


# --- the whole venue ----------------------------------------------------------------------------


@less
@given(wallets, steps)
def test_the_cost_of_the_venue_is_that_of_the_positions_folded_from_its_fills(
    cash: int, script: list[Step]
) -> None:
    client = Client(cash, costs=REAL, strict=False)
    positions = {s: Position(a_round_instrument(s)) for s in SYMBOLS}
    for k, step in enumerate(script):
        for fill in fills_of(client.step(k, step)):
            positions[fill.symbol] = positions[fill.symbol].apply(fill)
        books = client.desk.venue.state()["books"]
        assert [(b[0], b[-1]) for b in books] == [(p.lots, p.cost) for p in positions.values()]
        assert client.desk.venue.cash == client.desk.cash


@less
@given(wallets, steps)
def test_a_venue_of_finer_models_restored_after_every_bar_has_the_same_future(
    cash: int, script: list[Step]
) -> None:
    straight, reborn = (Client(cash, costs=REAL, strict=False) for _ in range(2))
    for k, step in enumerate(script):
        assert straight.step(k, step) == reborn.step(k, step)
        reborn.desk.reborn(json.loads(json.dumps(reborn.desk.venue.state())))
    assert straight.desk.events == reborn.desk.events


@less
@given(wallets, steps, st.sampled_from((REAL, VenueCosts(slippage_rate=1_000_000))))
def test_finer_candles_that_are_the_same_give_the_same(
    cash: int, script: list[Step], costs: VenueCosts
) -> None:
    assert replayed(cash, script, costs, finer=True) == replayed(cash, script, costs, finer=False)


def replayed(
    cash: int, script: Sequence[Step], costs: VenueCosts, *, finer: bool
) -> list[VenueEvent]:
    """Play a script through the feed, with its own candles as the finer ones or without any."""
    client = Client(cash, costs=costs, strict=False)
    desk = client.desk
    series = [series_for(i, script) for i in range(len(SYMBOLS))]

    async def play() -> None:
        feed = ReplayFeed(
            series, SimulatedClock(), lambda market, last: desk.venue.play(market, is_last=last),
            detail=series if finer else None,
        )  # fmt: skip
        async for market in feed.slices():
            desk.settle()
            for wish in script[(market.close_ms - START_MS) // MINUTE - 1].wishes:
                client.wish(wish)

    asyncio.run(play())
    return desk.events


def series_for(i: int, script: Sequence[Step]) -> CandleSeries:
    found = (candle(k, step.bars[i]) for k, step in enumerate(script))
    bars: list[Bar] = [bar for bar in found if bar is not None]
    return series_of(SYMBOLS[i], MINUTE, bars)
