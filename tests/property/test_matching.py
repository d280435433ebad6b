"""Matching and costs: a mirrored market mirrors the fills, and no fill beats the market."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_trader_pro.domain.units import RATE
from crypto_trader_pro.simulation.costs import fee, funding_cash, slipped
from crypto_trader_pro.simulation.margin import maintenance
from crypto_trader_pro.simulation.matching import (
    NOTHING,
    STOPPED,
    TARGET_HIT,
    bracket,
    limit_touched,
    stop_price,
    stop_touched,
    target_price,
    trailed,
)

often = settings(max_examples=300, deadline=None)
sides = st.sampled_from((1, -1))
ticks = st.sampled_from((1, 2, 5, 100))
rates = st.one_of(st.integers(0, RATE), st.integers(0, 10**6))
MIRROR = 2_000  # prices p and MIRROR - p


@st.composite
def candles(draw: st.DrawFn) -> tuple[int, int, int]:
    """Return open, high and low between 500 and 1,500, often narrow."""
    low = draw(st.integers(500, 1_500))
    high = draw(st.integers(low, min(1_500, low + draw(st.sampled_from((0, 3, 1_000))))))
    return draw(st.integers(low, high)), high, low


@often
@given(candles(), st.integers(480, 1_520), st.integers(480, 1_520))
def test_a_short_is_a_long_in_the_mirror(
    candle: tuple[int, int, int], stop: int, target: int
) -> None:
    open_, high, low = candle
    kind, price = bracket(1, open_, high, low, stop, target)
    mirrored = bracket(
        -1, MIRROR - open_, MIRROR - low, MIRROR - high, MIRROR - stop, MIRROR - target
    )
    assert mirrored == (kind, MIRROR - price if kind else 0)


@often
@given(sides, candles(), st.integers(480, 1_520), st.integers(480, 1_520))
def test_a_bracket_never_fills_better_than_its_prices_and_the_stop_comes_first(
    side: int, candle: tuple[int, int, int], stop: int, target: int
) -> None:
    open_, high, low = candle
    kind, price = bracket(side, open_, high, low, stop, target)
    stop_reached = low <= stop if side > 0 else high >= stop
    target_reached = high >= target if side > 0 else low <= target
    if stop_reached:
        assert kind == STOPPED
        assert (price - stop) * side <= 0
        assert (price - open_) * side <= 0
        assert price in (stop, open_)
    elif target_reached:
        assert (kind, price) == (TARGET_HIT, target)
    else:
        assert (kind, price) == (NOTHING, 0)


@often
@given(sides, candles(), st.integers(480, 1_520), rates, ticks)
def test_a_trailing_stop_only_tightens_and_keeps_its_distance(
    side: int, candle: tuple[int, int, int], stop: int, rate: int, tick: int
) -> None:
    _, high, low = candle
    moved = trailed(side, high, low, stop, rate, tick)
    assert (moved - stop) * side >= 0
    if moved != stop:
        extreme = high if side > 0 else low
        assert (extreme - moved) * side >= Fraction(extreme * rate, RATE)  # at least the distance
        assert abs(extreme - moved) < Fraction(extreme * rate, RATE) + tick + 1
        assert moved % tick == 0


@often
@given(sides, st.integers(1, 10**9), st.integers(1, 10**9), ticks)
def test_protection_lies_beyond_the_entry_on_the_grid(
    side: int, entry: int, distance: int, tick: int
) -> None:
    stop = stop_price(side, entry, distance, tick)
    target = target_price(side, entry, distance, tick)
    for price, beyond in ((stop, -side), (target, side)):
        assert price % tick == 0
        assert price >= tick
        if price > tick:
            assert 0 <= (price - entry) * beyond - distance < tick
        else:  # where the floor of one tick cuts it off
            assert beyond < 0 or entry + distance <= tick


@often
@given(st.integers(1, 10**9), rates, ticks)
def test_slippage_is_at_least_the_rate_and_less_than_a_tick_more(
    price: int, rate: int, tick: int
) -> None:
    move = Fraction(price * rate, RATE)
    bought, sold = slipped(price, 1, rate, tick), slipped(price, -1, rate, tick)
    assert bought % tick == sold % tick == 0
    assert move <= bought - price < move + tick + 1
    assert sold == tick or move <= price - sold < move + tick + 1
    assert sold >= tick


@often
@given(sides, candles(), st.integers(480, 1_520))
def test_a_resting_order_fills_only_where_the_market_was(
    side: int, candle: tuple[int, int, int], price: int
) -> None:
    open_, high, low = candle
    touched = limit_touched(side, high, low, price)
    assert touched == int(low < price if side > 0 else high > price)
    triggered = stop_touched(side, open_, high, low, price)
    if triggered:
        assert low <= triggered <= high or triggered == price
        assert (triggered - price) * side >= 0
        assert (triggered - open_) * side >= 0
    else:
        assert high < price if side > 0 else low > price


@often
@given(st.integers(0, 2**61), rates, st.integers(-RATE, RATE), sides)
def test_costs_are_rounded_against_the_account_by_less_than_a_unit(
    value: int, rate: int, funding_rate: int, side: int
) -> None:
    assert 0 <= fee(value, rate) - Fraction(value * rate, RATE) < 1
    assert maintenance(value, rate) == fee(value, rate)
    exact = Fraction(-side * value * funding_rate, RATE)
    assert 0 <= exact - funding_cash(side * value, 1, 1, funding_rate) < 1
