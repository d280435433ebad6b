"""Every unit function against exact fractions, on arguments up to the edge of 64 bits."""

from fractions import Fraction
from math import ceil, floor

from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_trader_pro.domain.units import (
    BIG,
    MAX_LOTS_DOMAIN,
    RATE,
    cap_mul,
    mul_div,
    rate_ceil,
    rate_floor,
    round_down,
    round_up,
)

EDGE = 2**63 - 1
amounts = st.one_of(
    st.integers(-EDGE, EDGE),
    st.integers(-(10**10), 10**10),
    st.sampled_from([-EDGE, -(2**62), -1, 0, 1, RATE - 1, RATE, RATE + 1, 2**62, EDGE]),
)
natural = st.one_of(st.integers(0, EDGE), st.sampled_from([0, 1, 2**31, BIG - 1, BIG, BIG + 1]))
rates = st.one_of(st.integers(0, RATE), st.sampled_from([0, 1, RATE - 1, RATE]))
widths = st.one_of(
    st.integers(1, MAX_LOTS_DOMAIN - 1),
    st.integers(1, 10**6),
    st.sampled_from([2**15 - 1, 2**15, 2**30, 2**45 + 1, MAX_LOTS_DOMAIN - 1]),
)
often = settings(max_examples=300, deadline=None)


@often
@given(amounts, rates)
def test_rates_are_the_floor_and_the_ceiling_of_the_exact_product(amount: int, rate: int) -> None:
    exact = Fraction(amount * rate, RATE)
    assert rate_floor(amount, rate) == floor(exact)
    assert rate_ceil(amount, rate) == ceil(exact)


@often
@given(st.integers(0, 10**17), st.integers(RATE, 20 * RATE))
def test_rates_above_one_are_exact_too(amount: int, rate: int) -> None:
    assert rate_floor(amount, rate) == floor(Fraction(amount * rate, RATE))
    assert rate_ceil(amount, rate) == ceil(Fraction(amount * rate, RATE))


@often
@given(natural, natural)
def test_a_cap_is_the_product_or_the_cap(a: int, b: int) -> None:
    assert cap_mul(a, b) == min(a * b, BIG)


@often
@given(natural, widths, st.data())
def test_a_share_is_the_floor_of_the_exact_share(a: int, c: int, data: st.DataObject) -> None:
    b = data.draw(st.one_of(st.integers(0, c), st.sampled_from([0, 1, c - 1, c])))
    assert mul_div(a, b, c) == floor(Fraction(a * b, c))


@often
@given(amounts, st.integers(1, 10**9))
def test_rounding_to_a_step_encloses_the_price(price: int, step: int) -> None:
    assert round_down(price, step) == floor(Fraction(price, step)) * step
    assert round_up(price, step) == ceil(Fraction(price, step)) * step
