"""Maintenance margin and the moment of liquidation."""

import pytest

from crypto_trader_pro.simulation.margin import liquidates, maintenance
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
