"""Whatever the path, a position's profit is the cash that moved: to the last unit."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_trader_pro.domain.enums import Side
from crypto_trader_pro.domain.positions import Position
from tests.builders import a_fill, an_instrument

# tv 1 and 10,000: the first makes every division leave a remainder
GRIDS = (
    an_instrument("X/USDT", tick="0.00000001", lot="1"),
    an_instrument("X/USDT", tick="0.1", lot="0.001"),
)
trades = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.one_of(st.integers(1, 50), st.integers(1, 10**9)),
        st.one_of(st.integers(1, 9), st.integers(1, 10**8)),
        st.integers(-3, 10**6),
    ),
    max_size=30,
)
often = settings(max_examples=200, deadline=None)


def path(grid: int, fills: list[tuple[Side, int, int, int]]) -> tuple[Position, int, int]:
    """Return the position, the cash that moved before fees, and the fees."""
    position, cash, fees = Position(GRIDS[grid]), 0, 0
    for side, lots, price, fee in fills:
        position = position.apply(a_fill(side, lots, price, fee, symbol="X/USDT"))
        cash -= side.sign * lots * price * GRIDS[grid].tv
        fees += fee
    return position, cash, fees


@often
@given(st.sampled_from((0, 1)), trades, st.integers(1, 10**8))
def test_profit_is_cash_flow_plus_what_is_held(
    grid: int, fills: list[tuple[Side, int, int, int]], mark: int
) -> None:
    position, cash, fees = path(grid, fills)
    held = position.lots * mark * GRIDS[grid].tv
    assert position.realized + position.unrealized(mark) == cash - fees + held
    assert position.fees == fees
    assert position.lots == sum(side.sign * lots for side, lots, _, _ in fills)


@often
@given(st.sampled_from((0, 1)), trades.filter(bool))
def test_closing_whatever_is_left_leaves_no_cost_behind(
    grid: int, fills: list[tuple[Side, int, int, int]]
) -> None:
    position, cash, fees = path(grid, fills)
    if position.lots:
        side = Side.SELL if position.lots > 0 else Side.BUY
        position = position.apply(a_fill(side, abs(position.lots), 7, symbol="X/USDT"))
        cash -= side.sign * position.instrument.tv * 7 * abs(path(grid, fills)[0].lots)
    assert (position.lots, position.cost) == (0, 0)
    assert position.realized == cash - fees


@often
@given(st.sampled_from((0, 1)), trades)
def test_the_cost_has_the_sign_of_the_lots_and_lies_between_the_prices_paid(
    grid: int, fills: list[tuple[Side, int, int, int]]
) -> None:
    position, _, _ = path(grid, fills)
    if not position.lots:
        assert (position.cost, position.average_price) == (0, None)
        return
    assert position.cost * position.lots > 0
    per_lot = Fraction(position.cost, position.lots * GRIDS[grid].tv)
    # rounding of partial closes may move the average, by less than a unit a fill and lot
    slack = len(fills)
    prices = [price for _, _, price, _ in fills]
    assert min(prices) - slack <= per_lot <= max(prices) + slack


@often
@given(trades, st.integers(1, 10**6), st.integers(2, 10**6), st.integers(1, 10**6))
def test_a_fill_in_two_parts_is_the_same_as_one_fill(
    fills: list[tuple[Side, int, int, int]], price: int, lots: int, part: int
) -> None:
    """Splitting never changes lots, cash profit in total or fees; only when it is realized."""
    before, _, _ = path(1, fills)
    first = min(part, lots - 1)
    once = before.apply(a_fill(Side.SELL, lots, price, 9, symbol="X/USDT"))
    twice = before.apply(a_fill(Side.SELL, first, price, 4, symbol="X/USDT"))
    twice = twice.apply(a_fill(Side.SELL, lots - first, price, 5, symbol="X/USDT"))
    assert (once.lots, once.fees) == (twice.lots, twice.fees)
    assert once.realized + once.unrealized(price) == twice.realized + twice.unrealized(price)
