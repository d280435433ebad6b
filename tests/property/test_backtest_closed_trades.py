"""Round trips against the positions of the engine: to the last unit, whatever was traded."""

from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_trader_pro.backtest.closed_trades import round_trips
from crypto_trader_pro.domain.enums import FillReason, Side
from crypto_trader_pro.domain.positions import Position
from tests.backtest_results import a_fill_row, a_result
from tests.builders import HOUR, START_MS, a_fill, an_instrument

GRIDS = (
    an_instrument("X/USDT:USDT", tick="0.00000001", lot="1"),  # tv 1: every division has a rest
    an_instrument("Y/USDT:USDT", tick="0.1", lot="0.001"),
)
trades = st.lists(
    st.tuples(
        st.sampled_from((0, 1)),
        st.sampled_from(Side),
        st.one_of(st.integers(1, 5), st.integers(1, 10**9)),
        st.integers(1, 10**7),
        st.integers(-3, 10**6),  # fee; makers may be paid
        st.integers(-(10**6), 10**6),  # funding an hour later, if a position is open
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(trades)
def test_trips_are_the_lives_of_positions(path: list[tuple[int, Side, int, int, int, int]]) -> None:
    positions = [Position(grid) for grid in GRIDS]
    fills, funding, lives = [], [], []
    paid = [0, 0]  # funding of the current life
    total_funding = 0
    for k, (symbol, side, lots, price, fee, amount) in enumerate(path):
        at_ms = START_MS + 2 * k * HOUR
        fills.append(
            a_fill_row(
                k, side.sign, lots, price, fee=fee, symbol=symbol,
                reason=FillReason.EXIT, at_ms=at_ms,
            )
        )  # fmt: skip
        before = positions[symbol]
        after = before.apply(
            a_fill(side, lots, price, fee, symbol=GRIDS[symbol].symbol, at_ms=at_ms)
        )
        if before.lots and before.lots * after.lots <= 0:
            ended = after.life_realized if not after.lots else 0
            crossed = after.realized_before - before.realized_before
            lives.append((symbol, (crossed if after.lots else ended) + paid[symbol]))
            paid[symbol] = 0
        positions[symbol] = after
        if after.lots:
            funding.append((at_ms + HOUR, symbol, amount))
            paid[symbol] += amount
            total_funding += amount

    found = round_trips(
        a_result(
            fills=fills, funding=funding, instruments=GRIDS, equity=[10**12] * (2 * len(path) + 1)
        )
    )

    assert [(trip.symbol, trip.profit) for trip in found.closed] == lives
    assert [(trip.symbol, trip.side, trip.profit) for trip in found.open] == [
        (k, 1 if held.lots > 0 else -1, held.life_realized + paid[k])
        for k, held in enumerate(positions)
        if held.lots
    ]
    assert found.realized == sum(held.realized for held in positions) + total_funding
    trips = (*found.closed, *found.open)
    assert sum(trip.fees for trip in trips) == sum(held.fees for held in positions)
    assert sum(trip.funding for trip in trips) == total_funding
    assert all(trip.lots > 0 and trip.bars >= 0 for trip in trips)
