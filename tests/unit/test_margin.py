"""Maintenance margin and the moment of liquidation."""

import pytest

from crypto_trader_pro.simulation.instruments import instrument
from crypto_trader_pro.simulation.margin import (
    bankruptcy_price,
    liquidates,
    maintenance,
    maintenance_of,
    tier_maintenance,
)
from tests.builders import USDT


@pytest.mark.parametrize(
    ("value", "rate", "margin"),
    [(1_000 * USDT, 1_000_000, 10 * USDT), (1, 1_000_000, 1), (0, 1_000_000, 0), (101, 10**6, 2)],
)
def test_maintenance_is_a_share_of_the_notional_rounded_up(
    value: int, rate: int, margin: int
) -> None:
    assert maintenance(value, rate) == margin


@pytest.mark.parametrize(("equity", "due"), [(11, 0), (10, 1), (9, 1), (0, 1), (-1, 1)])
def test_equity_at_the_maintenance_no_longer_covers_it(equity: int, due: int) -> None:
    assert liquidates(equity, 10) == due


def test_a_tiers_deduction_comes_after_the_rounding() -> None:
    assert tier_maintenance(101, 1_000_000, 1) == 1  # 1.01 up to 2, less 1


@pytest.mark.parametrize(
    ("value", "margin"),
    [
        (0, 0),
        (50_000, 200),  # 0.4 %: the end of the first tier
        (100_000, 450),  # 200 and 0.5 % of the next 50,000
        (250_000, 1_200),
        (500_000, 3_700),  # 1,200 and 1 % of 250,000
        (1_000_000, 8_700),
        (2_000_000, 33_700),  # 8,700 and 2.5 % of a million
        (1_000_000_000, 400_108_700),  # half of it, less 99,891,300
    ],
)
def test_the_margin_of_bitcoin_grows_with_the_tiers(value: int, margin: int) -> None:
    assert maintenance_of(value * USDT, instrument("BTC/USDT:USDT").tiers) == margin * USDT


def test_above_the_last_bound_the_last_tier_counts() -> None:
    assert maintenance_of(1_000, (10, 1_000_000, 0, 100, 50_000_000, 3)) == 497
    assert maintenance_of(1_000, (10, 50_000_000, 0)) == 500


@pytest.mark.parametrize(
    ("side", "margin", "tick", "price"),
    [
        (1, 200, 1, 80),  # ten lots bought at 100: (1,000 - 200) / 10
        (-1, 200, 1, 120),
        (1, 333, 1, 66),  # 66.7 down
        (-1, 333, 1, 134),  # 133.3 up
        (1, 333, 10, 60),
        (-1, 333, 10, 140),
        (1, 1_000, 1, 1),  # a margin of the whole cost is lost at nothing: one tick
        (1, 995, 10, 10),
        (-1, 1_000, 1, 200),
    ],
)
def test_bankruptcy_is_where_the_margin_is_lost_to_the_tick_beyond(
    side: int, margin: int, tick: int, price: int
) -> None:
    found = bankruptcy_price(side, 1_000 * USDT, margin * USDT, 10, USDT, tick)
    assert found == price
