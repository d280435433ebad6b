"""Positions by hand: what each fill does to lots, cost and profit.

The instrument counts in USDT: one lot at price 100 is worth 100 USDT, fees are given in USDT.
"""

from decimal import Decimal

import pytest

from crypto_trader_pro.domain.enums import Side
from crypto_trader_pro.domain.positions import Position
from tests.builders import SPOT, START_MS, USDT, a_fill, a_round_instrument, an_instrument

BUY, SELL = Side.BUY, Side.SELL


def after(*fills: tuple[Side, int, int], fee: int = 0) -> Position:
    """Return the position after fills of (side, lots, price), each with a fee in USDT."""
    position = Position(a_round_instrument())
    for k, (side, lots, price) in enumerate(fills):
        position = position.apply(a_fill(side, lots, price, fee * USDT, at_ms=START_MS + k))
    return position


def books(position: Position) -> tuple[Decimal | int, ...]:
    """Return lots, and cost, realized and fees in USDT."""
    amounts = (position.cost, position.realized, position.fees)
    return position.lots, *(Decimal(amount) / USDT for amount in amounts)


@pytest.mark.parametrize(
    ("fills", "expected"),
    [
        # opening pays only the fee
        ([(BUY, 10, 100)], (10, 1000, -1, 1)),
        ([(SELL, 10, 100)], (-10, -1000, -1, 1)),
        # adding: 10 * 100 + 5 * 130 = 1,650
        ([(BUY, 10, 100), (BUY, 5, 130)], (15, 1650, -2, 2)),
        ([(SELL, 10, 100), (SELL, 5, 130)], (-15, -1650, -2, 2)),
        # closing all: (120 - 100) * 10 = 200, less two fees
        ([(BUY, 10, 100), (SELL, 10, 120)], (0, 0, 198, 2)),
        ([(SELL, 10, 100), (BUY, 10, 120)], (0, 0, -202, 2)),
        # closing a part at the average: 15 lots cost 1,650, 6 of them 660; 6 * 120 - 660 = 60
        ([(BUY, 10, 100), (BUY, 5, 130), (SELL, 6, 120)], (9, 990, 57, 3)),
        # crossing zero: 10 closed at +20 = 200, 4 reopened short at 120
        ([(BUY, 10, 100), (SELL, 14, 120)], (-4, -480, 198, 2)),
        ([(SELL, 10, 100), (BUY, 14, 80)], (4, 320, 198, 2)),
    ],
)
def test_fills_move_lots_cost_and_profit(
    fills: list[tuple[Side, int, int]], expected: tuple[int, ...]
) -> None:
    assert books(after(*fills, fee=1)) == expected


def test_a_third_of_an_odd_cost_leaves_its_remainder_in_the_cost() -> None:
    # tv 1: three lots cost 1 + 1 + 2 = 4 units. Lot by lot: 4 // 3 = 1, then 3 // 2 = 1, then 2.
    grid = an_instrument("X/USDT", tick="0.00000001", lot="1")
    position = Position(grid)
    for price in (1, 1, 2):
        position = position.apply(a_fill(BUY, 1, price, symbol="X/USDT"))
    removed = []
    for _ in range(3):
        before = position.cost
        position = position.apply(a_fill(SELL, 1, 5, symbol="X/USDT"))
        removed.append(before - position.cost)
    assert removed == [1, 1, 2]
    assert (position.cost, position.realized) == (0, 11)  # 3 * 5 - 4


def test_a_position_opens_when_it_leaves_zero_or_crosses_it() -> None:
    first = after((BUY, 10, 100), (BUY, 10, 100))
    assert first.opened_ms == START_MS
    assert after((BUY, 10, 100), (SELL, 4, 100)).opened_ms == START_MS
    assert after((BUY, 10, 100), (SELL, 10, 100)).opened_ms == START_MS
    assert after((BUY, 10, 100), (SELL, 14, 100)).opened_ms == START_MS + 1
    assert after((BUY, 10, 100), (SELL, 10, 100), (SELL, 1, 100)).opened_ms == START_MS + 2


@pytest.mark.parametrize(
    ("fills", "realized", "life"),
    [
        ([(BUY, 10, 100), (SELL, 10, 120)], 198, 198),
        # a second life: only its own fee, not the profit of the first
        ([(BUY, 10, 100), (SELL, 10, 120), (SELL, 5, 100)], 197, -1),
        ([(BUY, 10, 100), (SELL, 10, 120), (SELL, 5, 100), (BUY, 5, 90)], 246, 48),
        ([(BUY, 10, 100), (BUY, 5, 100), (SELL, 15, 120)], 297, 297),
    ],
)
def test_each_life_of_a_position_has_its_own_profit(
    fills: list[tuple[Side, int, int]], realized: int, life: int
) -> None:
    position = after(*fills, fee=1)
    assert (position.realized, position.life_realized) == (realized * USDT, life * USDT)


def test_the_fill_leaves_the_old_position_as_it_was() -> None:
    before = after((BUY, 10, 100))
    before.apply(a_fill(SELL, 10, 120))
    assert books(before) == (10, 1000, 0, 0)


def test_value_and_unrealized_profit_have_the_sign_of_the_position() -> None:
    short = after((SELL, 10, 100))
    assert short.value(90) == -900 * USDT
    assert short.unrealized(90) == 100 * USDT
    assert after((BUY, 10, 100)).unrealized(90) == -100 * USDT
    assert Position(a_round_instrument()).unrealized(90) == 0


def test_a_rebate_is_a_negative_fee() -> None:
    position = Position(a_round_instrument()).apply(a_fill(BUY, 10, 100, -USDT))
    assert books(position) == (10, 1000, 1, -1)


def test_a_fill_of_another_symbol_is_refused() -> None:
    with pytest.raises(ValueError, match=f"fill for {SPOT} applied to BTC/USDT:USDT"):
        Position(a_round_instrument()).apply(a_fill(symbol=SPOT))


@pytest.mark.parametrize(
    ("fills", "average"),
    [
        ([], None),
        ([(BUY, 10, 100)], "100"),
        ([(SELL, 10, 100), (SELL, 5, 130)], "110"),  # a short's average is positive as well
        ([(BUY, 2, 100), (BUY, 1, 101)], "100.33"),  # 301 / 3, to a hundredth of the price unit
        ([(BUY, 10, 100), (SELL, 10, 100)], None),
    ],
)
def test_the_average_price_is_for_the_eye(
    fills: list[tuple[Side, int, int]], average: str | None
) -> None:
    expected = None if average is None else Decimal(average)
    assert after(*fills).average_price == expected
    assert str(after((BUY, 10, 100)).average_price) == "100"


def test_the_average_price_counts_in_quote_not_in_price_units() -> None:
    # 3 lots at 40,000.0 and 1 at 40,001.0, in tenths: 40,000.25
    position = Position(an_instrument()).apply(a_fill(BUY, 3, 400_000))
    assert position.apply(a_fill(BUY, 1, 400_010)).average_price == Decimal("40000.25")


def test_a_position_knows_whether_it_is_open() -> None:
    assert after((BUY, 1, 100)).is_open
    assert not after((BUY, 1, 100), (SELL, 1, 100)).is_open
    assert Position(a_round_instrument()).symbol == "BTC/USDT:USDT"
