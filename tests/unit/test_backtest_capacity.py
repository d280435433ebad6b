"""How much capital a strategy carries: by hand, and beside the costs of the venue."""

from math import sqrt
from typing import Any

import numpy as np
import pytest

from crypto_trader_pro.backtest.capacity import Capacity, capacity
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.simulation.costs import taker_rate_of
from tests.builders import USDT

RATE = 100_000_000


def found(**changes: Any) -> Capacity:
    """Two fills of 1,000 USDT each, 1 % and 2 % of their candles; one trade that made 10 USDT."""
    known: dict[str, Any] = {
        "lots": np.array([10, 10]),
        "volumes": np.array([1_000, 500]),
        "values": np.array([1_000.0, 1_000.0]) * USDT,
        "makers": np.array([0, 0]),
        "profit": 10 * USDT,
        "trades": 1,
        "impact_rate": RATE // 10,  # 10 % for the whole volume
        "volume_share": RATE // 10,
        "impact_included": False,
        **changes,
    }
    return capacity(
        known.pop("lots"), known.pop("volumes"), known.pop("values"), known.pop("makers"),
        known.pop("profit"), known.pop("trades"), **known,
    )  # fmt: skip


def test_two_fills_by_hand() -> None:
    one = found()
    # 1,000 * 10 % * (1 %^2 + 2 %^2) = 0.05
    assert one.impact == pytest.approx(0.05 * USDT)
    assert one.break_even == pytest.approx(sqrt(10 / 0.05))  # 14.14 times the capital
    assert one.best == pytest.approx(sqrt(10 / 0.05 / 3))
    # 2 % of the volume reach 10 % at five times the capital; half of the value is in that fill
    assert one.first_capped == pytest.approx(5.0)
    assert one.half_capped == pytest.approx(5.0)
    assert (one.trades, one.fills, one.unmeasured) == (1, 2, 0)


def test_at_break_even_nothing_is_left_and_nowhere_is_more_than_at_best() -> None:
    one = found(trades=4)
    assert one.break_even is not None
    assert one.best is not None
    assert one.expectancy_at(1.0) == pytest.approx((10 - 0.05) / 4 * USDT)
    assert one.expectancy_at(one.break_even) == pytest.approx(0.0, abs=1e-3)
    sizes = np.linspace(0.1, one.break_even, 500)
    assert max(one.expectancy_at(size) for size in sizes) <= one.expectancy_at(one.best)


def test_impact_that_was_paid_already_is_given_back_first() -> None:
    one = found(profit=int(9.95 * USDT), impact_included=True)
    assert one.expectancy == pytest.approx(10 * USDT)
    assert one.break_even == pytest.approx(found().break_even)


def test_half_of_the_value_is_capped_later_than_the_first_fill() -> None:
    # shares 1 %, 2 %, 4 % with 60 %, 30 % and 10 % of the value: half is reached with the 1 %
    one = found(
        lots=np.array([10, 10, 10]),
        volumes=np.array([1_000, 500, 250]),
        values=np.array([6_000.0, 3_000.0, 1_000.0]),
        makers=np.array([0, 1, 0]),
    )
    assert one.first_capped == pytest.approx(2.5)
    assert one.half_capped == pytest.approx(10.0)


def test_without_an_edge_there_is_nothing_to_eat() -> None:
    one = found(profit=-USDT)
    assert (one.break_even, one.best) == (None, None)
    assert one.expectancy < 0


@pytest.mark.parametrize("size", [1, 2, 5])
def test_larger_sizes_cost_what_the_venue_takes_for_them(size: int) -> None:
    lots, volumes = np.array([10, 10, 10]), np.array([1_000, 500, 0])
    one = found(
        lots=lots, volumes=volumes, values=np.full(3, 1_000.0) * USDT, makers=np.zeros(3, np.int64),
        profit=500 * USDT,
    )  # fmt: skip
    cost = sum(
        size * 1_000 * USDT * taker_rate_of(size * int(n), int(volume), 0, 0, RATE // 10) / RATE
        for n, volume in zip(lots, volumes, strict=True)
    )
    # the venue's rates are whole parts of 1e8
    assert one.expectancy_at(size) == pytest.approx(size * 500 * USDT - cost, rel=1e-6)


def test_a_maker_makes_no_impact_but_is_capped() -> None:
    one = found(makers=np.array([0, 1]))
    assert one.impact == pytest.approx(0.01 * USDT)
    assert one.first_capped == pytest.approx(5.0)


def test_candles_without_volume_pay_the_whole_rate_at_any_size() -> None:
    one = found(volumes=np.array([1_000, 0]), profit=500 * USDT)
    assert one.unmeasured == 1
    assert one.impact == pytest.approx(0.01 * USDT)
    assert one.expectancy == pytest.approx(400 * USDT)  # 10 % of 1,000 less
    paid = found(volumes=np.array([1_000, 0]), profit=400 * USDT, impact_included=True)
    assert paid.expectancy == pytest.approx(400.01 * USDT)
    none = found(volumes=np.array([0, 0]))
    assert (none.unmeasured, none.break_even, none.first_capped, none.half_capped) == (
        2, None, None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trades": 0}, "capacity needs a closed trade"),
        ({"volumes": np.array([1])}, r"the same fills, there are \[2, 1, 2, 2\]"),
        ({"impact_rate": -1}, "impact rate was -1 parts of 1e8, must be at least 0"),
        ({"volume_share": 0}, "volume share was 0 parts of 1e8, must be 1..100000000"),
        ({"volume_share": RATE + 1}, "volume share was 100000001"),
    ],
)
def test_bad_input_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        found(**changes)
