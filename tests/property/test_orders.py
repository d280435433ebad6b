"""Whatever is asked of an order, it stays within its table and its quantity."""

from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_trader_pro.domain.enums import OrderStatus
from crypto_trader_pro.domain.orders import LEGAL, TERMINAL, IllegalTransition
from tests.builders import an_order

moves = st.lists(
    st.one_of(
        st.sampled_from(OrderStatus),
        st.tuples(st.integers(-1, 12), st.integers(1, 100), st.integers(-5, 5)),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 20), moves)
def test_no_sequence_leaves_the_table_overfills_or_reopens_an_order(
    lots: int, asked: list[OrderStatus | tuple[int, int, int]]
) -> None:
    order = an_order(lots=lots)
    booked, value, fees = 0, 0, 0
    for at_ms, ask in enumerate(asked):
        before = order.status
        try:
            if isinstance(ask, OrderStatus):
                order.advance(ask, at_ms)
            else:
                order.fill(*ask, at_ms)
                booked, value, fees = booked + ask[0], value + ask[0] * ask[1], fees + ask[2]
        except IllegalTransition:
            assert not isinstance(ask, OrderStatus) or ask not in LEGAL[before]
        except ValueError:
            assert not isinstance(ask, OrderStatus)
            assert not 0 < ask[0] <= lots - booked
        else:
            assert order.status in LEGAL[before]
            assert before not in TERMINAL
        assert order.status is before or order.status in LEGAL[before]
        assert (order.filled_lots, order.filled_value, order.fees) == (booked, value, fees)
        assert 0 <= booked <= lots
        assert order.open_lots == lots - booked
