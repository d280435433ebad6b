"""What trading costs: always rounded against the account.

Slippage and funding by hand; a price unit of a lot is 1e-8 of the quote where tv is 1.
"""

import pytest

from crypto_trader_pro.simulation.costs import (
    fee,
    funding_cash,
    slipped,
    slipped_far,
    taker_rate_of,
)
from tests.builders import USDT


@pytest.mark.parametrize(
    ("value", "rate", "paid"),
    [
        (2_000 * USDT, 50_000, USDT),  # 0.05 % of 2,000
        (1, 50_000, 1),  # a fraction of a unit is a unit
        (2_001, 50_000, 2),  # 1.0005
        (0, 50_000, 0),
        (2_000 * USDT, 0, 0),
    ],
)
def test_a_fee_is_rounded_up(value: int, rate: int, paid: int) -> None:
    assert fee(value, rate) == paid


@pytest.mark.parametrize(
    ("price", "side", "rate", "tick", "worse"),
    [
        (10_000, 1, 20_000, 1, 10_002),  # 0.02 % of 10,000
        (10_000, -1, 20_000, 1, 9_998),
        (10_001, 1, 20_000, 1, 10_004),  # 2.0002 up to 3
        (10_001, -1, 20_000, 1, 9_998),
        (10_000, 1, 20_000, 10, 10_010),  # to the next tick further away
        (10_000, -1, 20_000, 10, 9_990),
        (10_000, 1, 0, 10, 10_000),  # no slippage, on the grid
        (10_005, 1, 0, 10, 10_010),  # recorded prices may lie between ticks
        (10_005, -1, 0, 10, 10_000),
        (15, -1, 50_000_000, 10, 10),  # never below one tick
        (1, -1, 100_000_000, 1, 1),
    ],
)
def test_slippage_moves_the_price_against_the_taker(
    price: int, side: int, rate: int, tick: int, worse: int
) -> None:
    assert slipped(price, side, rate, tick) == worse
    assert slipped_far(price, side, rate, 0, tick) == worse


@pytest.mark.parametrize(
    ("price", "side", "rate", "extra", "tick", "worse"),
    [
        (10_000, 1, 20_000, 5, 1, 10_007),  # 0.02 % is 2, and 5
        (10_000, -1, 20_000, 5, 1, 9_993),
        (10_001, 1, 20_000, 5, 10, 10_010),  # 3 and 5 are 8: one rounding, not two
        (10_001, -1, 20_000, 5, 10, 9_990),
        (10_000, 1, 0, 11, 10, 10_020),
        (15, -1, 0, 20, 10, 10),  # never below one tick
    ],
)
def test_an_extra_move_is_added_before_the_rounding(
    price: int, side: int, rate: int, extra: int, tick: int, worse: int
) -> None:
    assert slipped_far(price, side, rate, extra, tick) == worse


@pytest.mark.parametrize(
    ("lots", "volume", "rate"),
    [
        (0, 100, 25_000),  # fixed 20,000 and half the spread 5,000
        (50, 100, 275_000),  # half of the volume, a quarter of 1,000,000
        (100, 100, 1_025_000),
        (101, 100, 1_025_000),  # never more than all of it
        (1, 0, 1_025_000),
        # share 33,333,333; 1 % of it up to 333,334; of that the share, 111,111.3, up to 111,112
        (1, 3, 136_112),
        (1, (1 << 46) - 1, 25_000),  # share 0
        (1, 1 << 46, 1_025_000),  # outside of what 64 bits divide exactly
    ],
)
def test_the_impact_grows_with_the_square_of_the_share(lots: int, volume: int, rate: int) -> None:
    assert taker_rate_of(lots, volume, 20_000, 5_000, 1_000_000) == rate


def test_without_impact_the_volume_does_not_matter() -> None:
    assert {taker_rate_of(1, v, 20_000, 0, 0) for v in (0, 1, 10**9, 1 << 60)} == {20_000}


@pytest.mark.parametrize(
    ("position", "rate", "cash"),
    [
        (10, 10_000, -10_000_000),  # a long of 1,000 USDT pays 0.01 %: 0.1 USDT
        (-10, 10_000, 10_000_000),  # the short receives it
        (10, -10_000, 10_000_000),  # negative rate: the long receives
        (-10, -10_000, -10_000_000),
        (0, 10_000, 0),
        (10, 0, 0),
    ],
)
def test_longs_pay_shorts_while_the_rate_is_positive(position: int, rate: int, cash: int) -> None:
    assert funding_cash(position, 100, USDT, rate) == cash


@pytest.mark.parametrize(
    ("position", "rate", "cash"),
    [(1, 1, -1), (-1, 1, 0), (1, -1, 0), (-1, -1, -1)],
)
def test_a_payment_is_rounded_up_and_an_income_down(position: int, rate: int, cash: int) -> None:
    # 3 units of value: 3e-8 of a unit
    assert funding_cash(position, 3, 1, rate) == cash
