"""The order's life: only the edges of the table, final ends, and no more than was ordered."""

from itertools import product

import pytest

from crypto_trader_pro.domain.enums import OrderRole, OrderStatus, Side
from crypto_trader_pro.domain.orders import LEGAL, OPEN, TERMINAL, IllegalTransition, Order
from tests.builders import a_fill, an_order

S = OrderStatus

# Written out a second time, from the design (architecture 6, reliability 3.1), not read from LEGAL.
EDGES = {
    (S.INTENT, S.CHECKED),
    (S.CHECKED, S.DENIED),
    (S.CHECKED, S.JOURNALED),
    (S.JOURNALED, S.SENDING),
    (S.JOURNALED, S.CANCELED),
    (S.SENDING, S.ACKNOWLEDGED),
    (S.SENDING, S.UNKNOWN),
    (S.SENDING, S.REJECTED),
    (S.ACKNOWLEDGED, S.WORKING),
    (S.ACKNOWLEDGED, S.REJECTED),
    (S.ACKNOWLEDGED, S.PARTIAL),
    (S.ACKNOWLEDGED, S.FILLED),
    (S.ACKNOWLEDGED, S.CANCELED),
    (S.ACKNOWLEDGED, S.EXPIRED),
    (S.UNKNOWN, S.WORKING),
    (S.UNKNOWN, S.PARTIAL),
    (S.UNKNOWN, S.FILLED),
    (S.UNKNOWN, S.CANCELED),
    (S.UNKNOWN, S.EXPIRED),
    (S.UNKNOWN, S.REJECTED),
    (S.UNKNOWN, S.ABSENT),
    (S.WORKING, S.PARTIAL),
    (S.WORKING, S.FILLED),
    (S.WORKING, S.CANCELED),
    (S.WORKING, S.EXPIRED),
    (S.PARTIAL, S.PARTIAL),
    (S.PARTIAL, S.FILLED),
    (S.PARTIAL, S.CANCELED),
    (S.PARTIAL, S.EXPIRED),
}
ENDS = {S.DENIED, S.REJECTED, S.FILLED, S.CANCELED, S.EXPIRED, S.ABSENT}


def values(order: Order) -> list[object]:
    return [getattr(order, name) for name in Order.__slots__]


@pytest.mark.parametrize(("before", "after"), list(product(S, S)))
def test_an_order_moves_along_the_table_and_nowhere_else(before: S, after: S) -> None:
    order = an_order(status=before)
    as_it_was = values(order)
    if (before, after) in EDGES:
        order.advance(after, 7, "code")
        assert (order.status, order.updated_ms, order.reason) == (after, 7, "code")
    else:
        with pytest.raises(IllegalTransition, match=f"o1: {before} -> {after} is not legal"):
            order.advance(after, 7, "code")
        assert values(order) == as_it_was


def test_the_table_knows_every_status_and_six_of_them_are_final() -> None:
    assert set(LEGAL) == set(S)
    assert TERMINAL == ENDS
    assert set(S) - ENDS - {S.INTENT, S.CHECKED} == OPEN  # open is what a venue may know of


def test_every_status_can_be_reached_from_an_intent_and_every_open_one_can_end() -> None:
    reached, frontier = {S.INTENT}, {S.INTENT}
    while frontier:
        frontier = {after for before, after in EDGES if before in frontier} - reached
        reached |= frontier
    assert reached == set(S)
    assert all(any(before is status for before, _ in EDGES) for status in set(S) - ENDS)


def test_advancing_without_a_reason_keeps_the_reason() -> None:
    order = an_order(status=S.WORKING)
    order.advance(S.PARTIAL, 1, "first")
    order.advance(S.CANCELED, 2)
    assert order.reason == "first"


def test_fills_add_up_to_the_order() -> None:
    order = an_order(lots=10, status=S.WORKING)
    order.fill(4, 100, 7, 1)
    assert (order.status, order.open_lots, order.is_open) == (S.PARTIAL, 6, True)
    order.fill(6, 110, 9, 2)
    assert (order.status, order.open_lots, order.is_open) == (S.FILLED, 0, False)
    # 4 * 100 + 6 * 110
    assert (order.filled_lots, order.filled_value, order.fees, order.updated_ms) == (
        10,
        1_060,
        16,
        2,
    )


@pytest.mark.parametrize("lots", [7, 1_000, 0, -1])
def test_a_fill_beyond_the_order_books_nothing(lots: int) -> None:
    order = an_order(lots=10, status=S.WORKING)
    order.fill(4, 100, 7, 1)
    as_it_was = values(order)
    with pytest.raises(ValueError, match=f"o1: fill of {lots} lots, open were 6"):
        order.fill(lots, 100, 7, 2)
    assert values(order) == as_it_was


@pytest.mark.parametrize("status", sorted((ENDS - {S.FILLED}) | {S.INTENT, S.CHECKED, S.SENDING}))
def test_an_order_that_is_not_at_the_venue_cannot_fill(status: S) -> None:
    order = an_order(lots=10, status=status)
    as_it_was = values(order)
    with pytest.raises(IllegalTransition):
        order.fill(1, 100, 7, 2)
    assert values(order) == as_it_was


@pytest.mark.parametrize("lots", [0, -1])
def test_an_order_without_a_quantity_is_refused(lots: int) -> None:
    with pytest.raises(ValueError, match=f"o1: lots must be positive, was {lots}"):
        an_order(lots=lots)


def test_a_negative_price_is_refused() -> None:
    with pytest.raises(ValueError, match="o1: price must not be negative, was -1"):
        an_order(price=-1)


@pytest.mark.parametrize("role", [role for role in OrderRole if role is not OrderRole.ENTRY])
def test_every_role_but_the_entry_only_reduces(role: OrderRole) -> None:
    assert an_order(role=role).reduce_only
    entry = an_order()
    with pytest.raises(ValueError, match=f"o1: role {role} must be reduce-only"):
        Order("o1", entry.symbol, entry.side, role, entry.order_type, 1)


def test_only_stop_and_target_protect() -> None:
    assert {role for role in OrderRole if role.protects} == {OrderRole.STOP, OrderRole.TARGET}


def test_a_side_has_a_sign_and_a_sign_has_a_side() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert (Side.of(3), Side.of(-3)) == (Side.BUY, Side.SELL)


def test_a_fill_is_signed_by_its_side() -> None:
    assert (a_fill(Side.BUY, 3).signed_lots, a_fill(Side.SELL, 3).signed_lots) == (3, -3)
