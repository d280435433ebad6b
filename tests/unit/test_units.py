"""Whole-number arithmetic at its edges, and the checks at its door."""

import pytest

from crypto_trader_pro.domain.units import (
    BIG,
    MAX_LOTS_DOMAIN,
    cap_mul,
    mul_div,
    notional,
    rate_ceil,
    rate_floor,
    round_down,
    round_up,
)


@pytest.mark.parametrize(
    ("amount", "rate", "down", "up"),
    [
        (0, 50_000, 0, 0),
        (1, 1, 0, 1),  # 1e-8 of a unit
        (1, 100_000_000, 1, 1),  # the whole
        (199, 50_000_000, 99, 100),  # 99.5
        (-199, 50_000_000, -100, -99),  # -99.5: down is away from zero
        (-1, 1, -1, 0),
        (100_000_000, 1, 1, 1),  # exactly one part
        (10**17, 11_250, 11_250_000_000_000, 11_250_000_000_000),  # 0.01125 % of a billion USDT
        (2**62, 100_000_000, 2**62, 2**62),
        (1_000, 2_000_000_000, 20_000, 20_000),  # 20 times: leverage
    ],
)
def test_a_rate_of_an_amount_is_rounded_down_or_up(
    amount: int, rate: int, down: int, up: int
) -> None:
    assert (rate_floor(amount, rate), rate_ceil(amount, rate)) == (down, up)


@pytest.mark.parametrize(
    ("a", "b", "product"),
    [
        (0, 2**63 - 1, 0),
        (2**63 - 1, 0, 0),
        (3, 4, 12),
        (2**31, 2**31, 2**62),  # exactly the cap
        (2**31, 2**31 + 1, BIG),
        (2**62, 1, 2**62),
        (2**62 + 1, 1, BIG),
        (1, 2**62 + 1, BIG),
        (10**17, 20, 2 * 10**18),
        (10**17, 93, BIG),  # a billion USDT times 93 is past 2**63
    ],
)
def test_a_cap_saturates_instead_of_wrapping(a: int, b: int, product: int) -> None:
    assert cap_mul(a, b) == product


TOP = MAX_LOTS_DOMAIN - 1


@pytest.mark.parametrize(
    ("a", "b", "c"),
    [
        (0, 0, 1),
        (7, 1, 1),
        (100, 1, 3),
        (2**61, TOP, TOP),  # closing all gives all
        (2**61, TOP - 1, TOP),
        (2**61, 1, TOP),
        (2**61, 0, TOP),
        (TOP - 1, TOP - 1, TOP),  # the remainder is the largest one
        (2**63 - 1, TOP - 1, TOP),
        (2**63 - 1, 32_767, 32_768),  # one full digit
        (2**63 - 1, 2**45, 2**45 + 1),  # the highest digit alone
    ],
)
def test_a_share_of_a_cost_is_exact_at_the_edges_of_its_domain(a: int, b: int, c: int) -> None:
    assert mul_div(a, b, c) == a * b // c


def test_a_notional_has_the_sign_of_its_lots() -> None:
    # 40,000.0 in tenths, 3 lots of 0.001: 120 USDT
    assert notional(400_000, 3, 10_000) == 12_000_000_000
    assert notional(400_000, -3, 10_000) == -12_000_000_000


@pytest.mark.parametrize(
    ("price", "step", "down", "up"),
    [
        (100, 10, 100, 100),
        (101, 10, 100, 110),
        (109, 10, 100, 110),
        (9, 10, 0, 10),
        (-1, 10, -10, 0),
    ],
)
def test_prices_are_rounded_to_the_step(price: int, step: int, down: int, up: int) -> None:
    assert (round_down(price, step), round_up(price, step)) == (down, up)
