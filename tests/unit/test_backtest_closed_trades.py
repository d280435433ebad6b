"""Closed trades from fills, orders and funding, against numbers by hand.

One price unit of one lot is one USDT, so money is price times lots.
"""

from decimal import Decimal
from time import perf_counter

import pytest

from crypto_trader_pro.backtest.closed_trades import VENUE, RoundTrip, round_trips
from crypto_trader_pro.domain.enums import FillReason
from tests.backtest_results import a_fill_row, a_result, an_order_row
from tests.builders import HOUR, START_MS, USDT, a_round_instrument

T = START_MS


def test_a_long_trade_bought_twice_and_sold_twice() -> None:
    result = a_result(
        orders=[an_order_row(1, strategy=1), an_order_row(2, -1)],
        fills=[
            a_fill_row(1, 1, 2, 100, fee=USDT, at_ms=T),
            a_fill_row(1, 1, 1, 109, fee=USDT, at_ms=T + HOUR),
            a_fill_row(2, -1, 2, 110, fee=USDT, reason=FillReason.TARGET, at_ms=T + 3 * HOUR),
            a_fill_row(2, -1, 1, 95, fee=USDT, reason=FillReason.EXIT, at_ms=T + 5 * HOUR),
        ],
        funding=[(T + 2 * HOUR, 0, -2 * USDT)],
        equity=[1_000 * USDT] * 6,
    )
    found = round_trips(result)
    # bought for 200 + 109 = 309, sold for 220 + 95 = 315: 6 - 4 fees - 2 funding = 0
    assert found.open == ()
    assert found.closed == (
        RoundTrip(
            symbol=0, strategy=1, side=1, opened_ms=T, closed_ms=T + 5 * HOUR, lots=3,
            entry=Decimal(103),  # 309 / 3
            exit=Decimal(105),  # 315 / 3
            profit=0, fees=4 * USDT, funding=-2 * USDT, reason="exit", bars=5,
        ),
    )  # fmt: skip


def test_a_short_trade_gains_when_the_price_falls_and_its_average_is_rounded() -> None:
    result = a_result(
        orders=[an_order_row(1, -1)],
        fills=[
            a_fill_row(1, -1, 1, 100),
            a_fill_row(1, -1, 2, 101),
            a_fill_row(9, 1, 3, 90, reason=FillReason.LIQUIDATION, at_ms=T + HOUR),
        ],
    )
    (trip,) = round_trips(result).closed
    # 302 received, 270 paid
    assert (trip.side, trip.profit, trip.reason) == (-1, 32 * USDT, "liquidation")
    assert trip.entry == Decimal("100.67")  # 302 / 3 to a hundredth of a price unit
    assert trip.strategy == 0


def test_the_size_of_a_trade_is_the_largest_that_it_was() -> None:
    sizes = [(1, 3), (-1, 2), (1, 1), (-1, 2)]  # 3, 1, 2, 0 lots
    fills = [a_fill_row(k, side, lots, 100) for k, (side, lots) in enumerate(sizes)]
    (trip,) = round_trips(a_result(fills=fills)).closed
    assert trip.lots == 3


def test_an_order_of_no_strategy_is_the_venues() -> None:
    (trip,) = round_trips(a_result(fills=[a_fill_row(7)])).open
    assert trip.strategy == VENUE


def test_a_fill_through_zero_ends_one_life_and_begins_the_next_which_pays_the_fee() -> None:
    result = a_result(
        orders=[an_order_row(1), an_order_row(2, -1, strategy=1)],
        fills=[
            a_fill_row(1, 1, 2, 100, fee=USDT),
            a_fill_row(2, -1, 5, 104, fee=3 * USDT, at_ms=T + HOUR),
            a_fill_row(3, 1, 1, 100, fee=USDT, reason=FillReason.TARGET, at_ms=T + 2 * HOUR),
        ],
        equity=[1_000 * USDT] * 4,
    )
    found = round_trips(result)
    (first,), (second,) = found.closed, found.open
    assert (first.profit, first.fees, first.lots) == (7 * USDT, USDT, 2)  # 2 * 4 - 1
    # 3 short at 104, one bought back at 100: 4 - 3 - 1
    assert (second.side, second.lots, second.profit, second.fees) == (-1, 3, 0, 4 * USDT)
    assert (second.strategy, second.closed_ms, second.reason) == (1, None, "")
    assert (second.entry, second.exit, second.bars) == (Decimal(104), Decimal(100), 3)
    assert found.realized == 7 * USDT


def test_funding_at_the_instant_of_fills_is_paid_by_what_was_open_before_them() -> None:
    at = T + 8 * HOUR
    result = a_result(
        fills=[
            a_fill_row(1, 1, 1, 100),
            a_fill_row(2, -1, 1, 100, reason=FillReason.EXIT, at_ms=at),
            a_fill_row(3, -1, 1, 100, at_ms=at),
            a_fill_row(4, 1, 1, 100, reason=FillReason.EXIT, at_ms=at + HOUR),
        ],
        funding=[(at, 0, -5)],
    )
    first, second = round_trips(result).closed
    assert (first.funding, second.funding) == (-5, 0)


def test_funding_at_the_instant_of_an_entry_within_the_candle_before_is_the_new_positions() -> None:
    at = T + 8 * HOUR
    result = a_result(
        fills=[
            a_fill_row(1, 1, 1, 100, at_ms=at),
            a_fill_row(2, -1, 1, 100, reason=FillReason.EXIT, at_ms=at + HOUR),
        ],
        funding=[(at, 0, -5)],
    )
    (trip,) = round_trips(result).closed
    assert (trip.funding, trip.profit) == (-5, -5)


def test_funding_after_the_last_fill_belongs_to_what_is_still_open() -> None:
    result = a_result(
        fills=[a_fill_row(1, 1, 1, 100)],
        funding=[(T + HOUR, 0, 7)],
        equity=[1_000 * USDT] * 3,
    )
    (trip,) = round_trips(result).open
    assert (trip.funding, trip.profit, trip.bars) == (7, 7, 3)


def test_funding_that_fell_due_within_the_candle_of_an_entry_is_the_new_positions() -> None:
    # a candle of four hours, filled by a limit order, paid at the next open what fell due inside
    at = T + 4 * HOUR
    result = a_result(
        fills=[
            a_fill_row(1, 1, 1, 100, at_ms=at),
            a_fill_row(2, -1, 1, 100, reason=FillReason.EXIT, at_ms=at),
        ],
        funding=[(T + HOUR, 0, -5), (T + 2 * HOUR, 0, -6)],
        equity=[1_000 * USDT] * 2,
        timeframe_ms=4 * HOUR,
    )
    (trip,) = round_trips(result).closed
    assert trip.funding == -11


def test_funding_without_a_position_is_a_contradiction() -> None:
    at_ms = T + HOUR + 1
    result = a_result(
        fills=[
            a_fill_row(1, 1, 1, 100),
            a_fill_row(2, -1, 1, 100, reason=FillReason.EXIT, at_ms=T + HOUR),
        ],
        funding=[(at_ms, 0, -5)],
        equity=[1_000 * USDT] * 3,
    )
    with pytest.raises(ValueError, match=f"funding at {at_ms} ms without a position"):
        round_trips(result)


def test_symbols_do_not_mix_and_trades_come_in_the_order_of_their_closing() -> None:
    result = a_result(
        instruments=(a_round_instrument(), a_round_instrument("ETH/USDT:USDT")),
        fills=[
            a_fill_row(1, 1, 1, 100, symbol=0),
            a_fill_row(2, -1, 1, 50, symbol=1),
            a_fill_row(3, 1, 1, 40, symbol=1, reason=FillReason.STOP, at_ms=T + HOUR),
            a_fill_row(4, -1, 1, 103, symbol=0, reason=FillReason.EXIT, at_ms=T + 2 * HOUR),
        ],
    )
    assert [(t.symbol, t.side, t.profit) for t in round_trips(result).closed] == [
        (1, -1, 10 * USDT), (0, 1, 3 * USDT),
    ]  # fmt: skip


def test_nothing_traded_is_no_trade() -> None:
    found = round_trips(a_result())
    assert (found.closed, found.open, found.realized) == ((), (), 0)


def test_twenty_thousand_trades_are_found_at_once() -> None:
    fills = [
        row
        for k in range(20_000)
        for row in (
            a_fill_row(2 * k + 1, 1, 3, 100 + k % 7, fee=USDT, at_ms=T + 2 * k * HOUR),
            a_fill_row(2 * k + 2, -1, 3, 101, reason=FillReason.EXIT, at_ms=T + (2 * k + 1) * HOUR),
        )
    ]
    result = a_result(fills=fills)
    spent = []
    for _ in range(3):
        began = perf_counter()
        found = round_trips(result)
        spent.append(perf_counter() - began)
    assert len(found.closed) == 20_000
    # 0.15 s on a quiet machine: the floor is for one that does much else
    assert min(spent) < 1.0
