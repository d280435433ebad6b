"""Loss limits as lines: at the line is over the line."""

from decimal import Decimal

import pytest

from crypto_trader_pro.risk.limits import drawdown_rate, limit_line, loss_level
from tests.builders import USDT

DAY = 100 * USDT


@pytest.mark.parametrize(
    ("equity", "level"),
    [
        ("100", 0),
        ("97.60000001", 0),
        ("97.6", 1),  # 2.4 % lost: exactly at the limit is over the limit
        ("97.00000001", 1),
        ("97", 2),
        ("96.99999999", 2),
        ("0", 2),
        ("-5", 2),
    ],
)
def test_a_level_is_reached_at_its_line(equity: str, level: int) -> None:
    warning, limit = limit_line(DAY, 2_400_000), limit_line(DAY, 3_000_000)
    assert loss_level(int(Decimal(equity) * USDT), warning, limit) == level


@pytest.mark.parametrize(
    ("base", "rate", "line"),
    [
        (100, 3_000_000, 97),
        (101, 3_000_000, 97),  # 97.97: a whole equity at or below it is at or below 97
        (1, 3_000_000, 0),
        (0, 3_000_000, 0),
        (100, 0, 100),
        (100, 100_000_000, 0),
        (10**17, 10_000_000, 9 * 10**16),
        (-100, 3_000_000, -97),  # below zero the line lies above: the limit is reached at once
    ],
)
def test_a_line_lies_a_rate_below_its_base(base: int, rate: int, line: int) -> None:
    assert limit_line(base, rate) == line


@pytest.mark.parametrize(
    ("equity", "peak", "rate"),
    [
        ("100", "100", 0),
        ("101", "100", 0),
        ("95", "100", 5_000_000),
        ("90", "100", 10_000_000),
        ("0", "100", 100_000_000),
        ("-10", "100", 110_000_000),
        ("90000", "100000", 10_000_000),
        ("91.80000000", "102.00000000", 10_000_000),
    ],
)
def test_a_drawdown_is_the_fall_from_the_peak(equity: str, peak: str, rate: int) -> None:
    assert drawdown_rate(int(Decimal(equity) * USDT), int(Decimal(peak) * USDT)) == rate


@pytest.mark.parametrize(
    ("equity", "peak", "rate"),
    [
        # 10.00000001 of 100.00000001 is 10.0000000090 %, 10,000,000.009 parts
        ("90.00000000", "100.00000001", 10_000_001),
        ("0.00000000", "1.50000000", 100_000_000),
        ("1.35000000", "1.50000000", 10_000_000),
        ("99999.99999999", "100000", 1),  # a unit lost is not nothing
    ],
)
def test_a_drawdown_is_rounded_up_and_never_shown_smaller_than_it_is(
    equity: str, peak: str, rate: int
) -> None:
    assert drawdown_rate(int(Decimal(equity) * USDT), int(Decimal(peak) * USDT)) == rate
