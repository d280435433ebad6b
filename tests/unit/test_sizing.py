"""Sizing: the smallest of five bounds, and which one it was.

Base: 100,000 USDT, a lot is worth 40 USDT (price 400,000, tv 10,000), all bounds out of the way.
"""

import pytest

from crypto_trader_pro.domain.enums import Bound
from crypto_trader_pro.risk.sizing import size_lots
from tests.builders import USDT

BASE = {
    "equity": 100_000 * USDT,
    "price": 400_000,
    "tv": 10_000,
    "stop_units": 4_000,  # 1 %: 0.4 USDT a lot
    "size_rate": 10**8,
    "risk_rate": 10**8,
    "room": 10**9 * USDT,
    "taker_rate": 50_000,
    "volume": 10**12,
    "share": 10**8,
    "max_lots": 10**12,
}


def size(**changes: int) -> tuple[int, Bound]:
    lots, bound = size_lots(**{**BASE, **changes})
    return lots, Bound(bound)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # 2 % of 100,000 = 2,000 USDT / 40
        ({"size_rate": 2_000_000}, (50, Bound.SIZE)),
        # 1,999.99 USDT: less than 50 whole lots
        ({"size_rate": 1_999_990}, (49, Bound.SIZE)),
        # 0.02 % of 100,000 = 20 USDT at the stop / 0.4
        ({"risk_rate": 20_000}, (50, Bound.RISK)),
        ({"risk_rate": 19_999}, (49, Bound.RISK)),
        # 2,001 USDT = 50 lots of 40 and 0.02 fee each
        ({"room": 2_001 * USDT}, (50, Bound.LEVERAGE)),
        ({"room": 2_001 * USDT - 1}, (49, Bound.LEVERAGE)),
        ({"room": 0}, (0, Bound.LEVERAGE)),
        ({"room": -1}, (0, Bound.LEVERAGE)),
        # a tenth of the volume
        ({"volume": 509, "share": 10_000_000}, (50, Bound.VOLUME)),
        ({"volume": 0}, (0, Bound.VOLUME)),
        ({"max_lots": 50}, (50, Bound.MAX_LOTS)),
        ({"max_lots": 0}, (0, Bound.MAX_LOTS)),
        # of equal bounds the first is named
        ({"size_rate": 2_000_000, "risk_rate": 20_000, "max_lots": 50}, (50, Bound.SIZE)),
        ({"volume": 50, "max_lots": 50}, (50, Bound.VOLUME)),
        # nothing can be sized
        ({"equity": 0}, (0, Bound.SIZE)),
        ({"equity": -1}, (0, Bound.SIZE)),
        ({"price": 0}, (0, Bound.SIZE)),
        ({"stop_units": 0}, (0, Bound.SIZE)),
        ({"stop_units": -5}, (0, Bound.SIZE)),
    ],
)
def test_the_smallest_bound_wins_and_is_named(
    changes: dict[str, int], expected: tuple[int, Bound]
) -> None:
    assert size(**changes) == expected


def test_a_stop_twice_as_wide_halves_the_size() -> None:
    # sizing by volatility: 20 USDT / 0.4, and / 0.8
    assert size(risk_rate=20_000, stop_units=4_000)[0] == 50
    assert size(risk_rate=20_000, stop_units=8_000)[0] == 25


def test_the_capital_of_a_small_profile_gives_no_lot() -> None:
    # 2 % of 100 USDT is 2 USDT, a lot is 40
    assert size(equity=100 * USDT, size_rate=2_000_000) == (0, Bound.SIZE)
