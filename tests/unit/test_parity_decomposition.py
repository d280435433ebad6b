"""Alignment and decomposition by hand: one money unit per price unit and lot, prices near 1,000."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from crypto_trader_pro.backtest.parity import Parity, Part, aligned, compared
from crypto_trader_pro.backtest.parity_trips import (
    Books,
    Decided,
    Execution,
    Payment,
    Wish,
    round_trips,
)
from crypto_trader_pro.domain.errors import InputError

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
HOUR = 3_600_000
UNTIL = 100 * HOUR
LONG = Wish(1, opens=True, closes=False)
SHORT = Wish(-1, opens=True, closes=True)


def order(number: int, at: int = 1, **changes: Any) -> Decided:
    made = Decided(number, BTC, 1, "entry", "cross", at * HOUR, 10, "filled", "")
    return made._replace(**changes)


def exit_order(number: int, role: str = "stop", at: int = 1, **changes: Any) -> Decided:
    return order(number, at, side=-1, role=role, **changes)


def fill(number: int, side: int, price: int, at: int, **changes: Any) -> Execution:
    made = Execution(number, BTC, side, 10, price, price, 0, at * HOUR)
    return made._replace(**changes)


def books(fills: Sequence[Execution], orders: Sequence[Decided], **changes: Any) -> Books:
    """Return books in which the strategy wished to be long at hour 1, and nothing at 2 to 5."""
    wishes: Mapping[tuple[str, int], Mapping[str, Wish]] = {
        (BTC, HOUR): {"cross": LONG}, **{(BTC, k * HOUR): {} for k in range(2, 6)}
    }  # fmt: skip
    made = Books(
        tv={BTC: 1, ETH: 1}, marks={BTC: 1_000, ETH: 1_000}, until_ms=UNTIL, executions=fills,
        orders={o.number: o for o in orders}, wishes=wishes,
    )  # fmt: skip
    return replace(made, **changes)


def stopped(price: int = 950, **changes: Any) -> Books:
    """In at 1,000 at hour 1, out by the stop at hour 3."""
    return books(
        [fill(1, 1, 1_000, 1), fill(2, -1, price, 3)], [order(1), exit_order(2)], **changes
    )


def parts(parity: Parity) -> dict[Part, int]:
    assert sum(share.amount for share in parity.shares) == parity.gap
    assert all(share.amount for share in parity.shares)
    return {part: amount for part in Part if (amount := parity.part(part))}


def why(parity: Parity) -> list[str]:
    return [share.why for share in parity.shares]


# --- round trips --------------------------------------------------------------------------------


def test_a_trip_is_the_sum_of_its_ingredients() -> None:
    """Long 10 from 1,000 to 950: -500. It slipped 2 and 3 per lot, paid 7 and 8, received 4."""
    given = books(
        [fill(1, 1, 1_002, 1, reference=1_000, fee=7), fill(2, -1, 947, 3, reference=950, fee=8)],
        [order(1), exit_order(2)], payments=[Payment(2 * HOUR, BTC, 4)],
    )  # fmt: skip
    (trip,), loose = round_trips(given)
    assert (trip.entered, trip.left, trip.slipped, trip.fees, trip.funding) == (
        10_000, 9_500, 50, 15, 4
    )  # fmt: skip
    assert (trip.profit, loose) == (-561, 0)
    assert (trip.opened_ms, trip.closed_ms, trip.lots, trip.decided_lots) == (
        HOUR, 3 * HOUR, 10, 10
    )  # fmt: skip


def test_a_short_earns_when_it_falls_and_slips_the_other_way() -> None:
    given = books(
        [fill(1, -1, 998, 1, reference=1_000), fill(2, 1, 953, 3, reference=950)],
        [order(1, side=-1), order(2, role="target")],
    )  # fmt: skip
    (trip,), _ = round_trips(given)
    assert (trip.slipped, trip.profit) == (50, 10 * (1_000 - 950) - 50)


def test_what_is_open_at_the_end_counts_at_the_last_price_without_costs() -> None:
    """Ten at 1,000, four left at 1,100; six count at 1,050."""
    given = books(
        [fill(1, 1, 1_000, 1), fill(2, -1, 1_100, 3, lots=4)],
        [order(1), exit_order(2, "target")], marks={BTC: 1_050},
    )  # fmt: skip
    (trip,), _ = round_trips(given)
    assert (trip.closed_ms, trip.open_lots, trip.profit) == (None, 6, 4 * 100 + 6 * 50)


def test_what_happens_after_the_end_is_left_out() -> None:
    given = stopped(
        until_ms=2 * HOUR, payments=[Payment(2 * HOUR, BTC, 3), Payment(3 * HOUR, BTC, 9)]
    )
    (trip,), loose = round_trips(given)
    assert (trip.profit, loose) == (3, 0)  # still open at 1,000


def test_funding_belongs_to_the_trip_that_was_open() -> None:
    at = (0, 1, 3, 4)  # before, at the entry, at the exit, after
    given = stopped(payments=[Payment(k * HOUR, BTC, 10**n) for n, k in enumerate(at)])
    (trip,), loose = round_trips(given)
    assert (trip.funding, loose) == (110, 1_001)


@pytest.mark.parametrize(
    ("fills", "message"),
    [
        ([fill(2, -1, 950, 3)], "was held before the first execution"),
        ([fill(1, 1, 1_000, 1), fill(2, -1, 950, 3, lots=11)], "11 lots left a position of 10"),
    ],
)
def test_executions_that_do_not_begin_flat_are_refused(
    fills: list[Execution], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        round_trips(books(fills, [order(1), exit_order(2)]))


# --- alignment ----------------------------------------------------------------------------------


def test_trades_are_paired_by_symbol_strategy_side_and_decision() -> None:
    ours, _ = round_trips(stopped())
    for change in (
        {"symbol": ETH}, {"strategy": "other"}, {"decided_ms": 2 * HOUR}, {"side": -1}
    ):  # fmt: skip
        changed = order(1, **change)
        other = changed.symbol, changed.side
        theirs, _ = round_trips(
            books([fill(1, other[1], 1_000, 1, symbol=other[0])], [changed])
        )  # fmt: skip
        assert [(p.ours is None, p.theirs is None) for p in aligned(ours, theirs)].count(
            (False, False)
        ) == 0
    assert [(p.ours, p.theirs) for p in aligned(ours, ours)] == [(ours[0], ours[0])]


def test_two_trips_of_one_decision_are_paired_in_their_order() -> None:
    again = [fill(1, 1, 1_000, 1), fill(2, -1, 990, 2), fill(1, 1, 980, 3), fill(2, -1, 970, 4)]
    trips, _ = round_trips(books(again, [order(1), exit_order(2)]))
    assert [(p.ours, p.theirs) for p in aligned(trips, trips[:1])] == [
        (trips[0], trips[0]), (trips[1], None)
    ]  # fmt: skip


# --- decomposition: one ingredient at a time ----------------------------------------------------


def test_a_session_beside_itself_has_no_part() -> None:
    parity = compared(stopped(), stopped(), stopped())
    assert (parity.shares, parity.gap, parity.matched) == ((), 0, 1)


def test_another_stop_price_is_timing() -> None:
    parity = compared(stopped(945), stopped(950))
    assert parts(parity) == {Part.TIMING: -50}
    assert why(parity) == ["exit_instant"]


def test_slippage_fee_and_funding_stand_apart() -> None:
    """5 more per lot at the exit, 3 more of fee, 2 less of funding."""
    ours = books(
        [fill(1, 1, 1_000, 1), fill(2, -1, 945, 3, reference=950, fee=3)],
        [order(1), exit_order(2)], payments=[Payment(2 * HOUR, BTC, 5)],
    )  # fmt: skip
    parity = compared(ours, stopped(payments=[Payment(2 * HOUR, BTC, 7)]))
    assert parts(parity) == {Part.PRICE: -50, Part.FEE: -3, Part.FUNDING: -2}


def test_another_size_is_risk_and_another_quantity_is_partial_fill() -> None:
    """Half the size loses half of 500; of the five decided, four filled lose 40 less again."""
    half = books(
        [fill(1, 1, 1_000, 1, lots=5), fill(2, -1, 950, 3, lots=5)],
        [order(1, lots=5), exit_order(2)],
    )  # fmt: skip
    assert parts(compared(half, stopped())) == {Part.RISK: 250}
    less = books(
        [fill(1, 1, 1_000, 1, lots=4), fill(2, -1, 950, 3, lots=4)],
        [order(1, lots=5), exit_order(2)],
    )  # fmt: skip
    assert parts(compared(less, stopped())) == {Part.RISK: 250, Part.PARTIAL_FILL: 50}


def test_shares_that_do_not_divide_still_sum() -> None:
    """A third of -500 is rounded down to -167; timing takes what is left."""
    third = books(
        [fill(1, 1, 1_000, 1, lots=3), fill(2, -1, 950, 3, lots=3)], [order(1), exit_order(2)]
    )
    parity = compared(third, stopped())
    assert sum(parts(parity).values()) == parity.gap == 350


@pytest.mark.parametrize(
    ("way", "part", "code"),
    [
        ({"role": "exit", "reason": "operator"}, Part.RISK, "exit_by_hand"),
        ({"role": "flatten", "reason": "MANUAL_STOP"}, Part.RISK, "exit_flattened"),
        ({"role": "flatten", "strategy": "venue"}, Part.RISK, "exit_liquidated"),
        ({"role": "target"}, Part.TIMING, "exit_target"),
        ({"role": "exit", "reason": "cross_down", "at": 2}, Part.RISK, "exit_other_state"),
        ({"role": "exit", "reason": "cross_down", "at": 9}, Part.RISK, "exit_not_decided"),
    ],
)
def test_another_way_out_is_named(way: dict[str, Any], part: Part, code: str) -> None:
    """The session leaves at hour 2 at 970, before the backtest's stop at 950."""
    ours = books([fill(1, 1, 1_000, 1), fill(2, -1, 970, 2)], [order(1), exit_order(2, **way)])
    parity = compared(ours, stopped())
    assert (parts(parity), why(parity)) == ({part: 200}, [code])


def test_the_way_out_that_came_first_counts() -> None:
    """A close by hand after the backtest's stop: what differs first is the stop."""
    ours = books(
        [fill(1, 1, 1_000, 1), fill(2, -1, 970, 4)],
        [order(1), exit_order(2, "exit", reason="operator")],
    )
    parity = compared(ours, stopped())
    assert (parts(parity), why(parity)) == ({Part.TIMING: 200}, ["exit_stop"])


def test_a_signal_to_leave_on_one_side_alone_is_signal() -> None:
    ours = books(
        [fill(1, 1, 1_000, 1), fill(2, -1, 970, 2)],
        [order(1), exit_order(2, "exit", at=2, reason="cross_down")],
    )
    ours = replace(ours, wishes={**ours.wishes, (BTC, 2 * HOUR): {"cross": SHORT}})
    parity = compared(ours, stopped())
    assert (parts(parity), why(parity)) == ({Part.SIGNAL: 200}, ["exit_other_signal"])


def test_an_exit_that_both_decided_and_one_could_not_fill_is_timing() -> None:
    ours = books(
        [fill(1, 1, 1_000, 1), fill(2, -1, 970, 2)],
        [order(1), exit_order(2, "exit", at=2, reason="cross_down")],
    )
    theirs = stopped()
    decided = exit_order(3, "exit", at=2, reason="cross_down", status="canceled")
    theirs = replace(theirs, orders={**theirs.orders, 3: decided})
    assert why(compared(ours, theirs)) == ["exit_instant"]


def test_an_end_of_time_needs_no_common_instant() -> None:
    def timed_out(at: int) -> Books:
        way = exit_order(2, "exit", at=at, reason="time_out")
        return books([fill(1, 1, 1_000, 1), fill(2, -1, 970 + at, at)], [order(1), way])

    assert parts(compared(timed_out(4), timed_out(3))) == {Part.TIMING: 10}


# --- trades of one side alone -------------------------------------------------------------------


def idle(*orders: Decided, **changes: Any) -> Books:
    return books([], orders, **changes)


@pytest.mark.parametrize(
    ("other", "part", "code"),
    [
        (idle(order(1, status="expired")), Part.PARTIAL_FILL, "never_filled"),
        (idle(order(1, status="working")), Part.TIMING, "not_yet_filled"),
        (idle(order(1, status="canceled", reason="stopping")), Part.RISK, "given_up"),
        (idle(wishes={}), Part.RISK, "not_decided"),
        (idle(wishes={(BTC, HOUR): {}}), Part.SIGNAL, "other_signal"),
        (idle(wishes={(BTC, HOUR): {"cross": SHORT}}), Part.SIGNAL, "other_signal"),
        (idle(wishes={(BTC, HOUR): {"other": LONG}}), Part.SIGNAL, "other_signal"),
        (idle(refusals={(BTC, HOUR): "cooldown"}), Part.RISK, "refused.cooldown"),
        (idle(), Part.RISK, "other_state"),
    ],
)  # fmt: skip
def test_a_trade_of_one_side_alone_counts_whole(other: Books, part: Part, code: str) -> None:
    parity = compared(stopped(), other)
    assert (parts(parity), why(parity)) == ({part: -500}, [code])
    assert (parity.only_session, parity.only_backtest, parity.matched) == (1, 0, 0)
    turned = compared(other, stopped())
    assert (parts(turned), why(turned)) == ({part: 500}, [code])
    assert (turned.only_session, turned.only_backtest) == (0, 1)


def test_payments_without_a_trade_are_funding() -> None:
    parity = compared(idle(payments=[Payment(HOUR, BTC, 9)]), idle())
    assert (parts(parity), parity.shares[0].ours) == ({Part.FUNDING: 9}, None)


# --- candles that were revised ------------------------------------------------------------------


def test_revised_candles_are_the_difference_of_the_two_backtests() -> None:
    """Over the stored candles the backtest loses 600; over those that were seen 500, as it did."""
    parity = compared(stopped(), stopped(), stopped(940))
    assert parts(parity) == {Part.DATA_REVISION: 100}
    assert (parity.backtest, parity.session, parity.matched) == (-600, -500, 1)


def test_revision_and_the_rest_stand_apart() -> None:
    parity = compared(stopped(945), stopped(950), idle())
    assert parts(parity) == {Part.DATA_REVISION: -500, Part.TIMING: -50}
