"""The engine around the core: decision, commit, sending, fill, and the rows that tell of it.

A price unit of a lot is one USDT; entries are 1 % of 100,000 USDT, 10 lots at 100, unless a test
says otherwise. Candle k closes k + 1 minutes after the start.
"""

import json
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auto_trading.gateways.venue_book import FundingEvent
from crypto_trader_pro.domain.enums import Bound
from crypto_trader_pro.domain.errors import JournalUnavailable
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import MarketSlice, Rejected
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.risk.rules import CODES, RiskInputs
from crypto_trader_pro.simulation.venue_costs import VenueCosts
from tests.builders import MINUTE, PERPETUAL, SPOT, START_MS, USDT, a_bar, a_round_instrument
from tests.engines import (
    CASH,
    COSTS,
    WIDE,
    Plan,
    Rig,
    Rigs,
    Row,
    Script,
    copied,
    instants,
    rigs_in,
    script,
)
from tests.engines import wish as says

ETH = "ETH/USDT:USDT"
TWO = (a_round_instrument(), a_round_instrument(ETH))
UP, DOWN = says(1), says(-1)


@pytest.fixture
def rigs(tmp_path: Path) -> Iterator[Rigs]:
    with rigs_in(tmp_path) as made:
        yield made


def flat(n: int, price: int = 100, *, first: int = 0) -> list[Bar]:
    return [a_bar(k, price) for k in range(first, first + n)]


def minute(k: int) -> str:
    """Return what SQLite holds for `k` minutes after the start."""
    return f"2024-01-01 {k // 60:02d}:{k % 60:02d}:00.000000"


def outcomes(rig: Rig) -> list[str]:
    return [row["outcome"] for row in rig.rows("decisions")]


def executions(rig: Rig) -> list[tuple[str, str, str, str]]:
    """Return (reason, size, price, minute) of each fill."""
    return [(f["reason"], f["size"], f["price"], f["filled_at"][14:16]) for f in rig.rows("fills")]


def inputs_of(row: Row) -> RiskInputs:
    return RiskInputs(*json.loads(row["inputs"]))


def bit(code: str) -> int:
    return 1 << CODES.index(code)


# --- decision, commit, sending, fill ------------------------------------------------------------


def test_a_decision_is_committed_then_sent_then_filled_at_the_next_open(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((2, says(1, target=20)))]))
    market = instants([*flat(3), a_bar(3, 103, 104, 102, 102)])
    rig.play(market[:3])
    ids = ["r1o0000001", "r1o0000002", "r1o0000003"]  # entry, stop, target
    assert rig.told == [
        ("commit", (START_MS, 0, [], 0)),  # the account is opened
        ("commit", (START_MS + 3 * MINUTE, 3, ids, 0)),
        ("submit", ("entry", dict.fromkeys(ids, "journaled"))),
    ]
    assert rig.rows("fills") == []
    rig.run(market[3:])
    assert executions(rig) == [("entry", "10", "103", "03")]  # the open of candle 3, not its close
    (decided,) = [d for d in rig.rows("decisions") if d["outcome"] == "ordered"]
    assert (decided["at_ms"], decided["order_id"]) == (START_MS + 3 * MINUTE, ids[0])
    assert (decided["strategy"], decided["lots"], decided["mask"]) == ("script", 10, 0)
    assert rig.lots == [10]


def test_the_signal_behind_a_fill_is_marked_as_executed(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((2, says(1, target=20)))]))
    rig.run(instants([*flat(3), a_bar(3, 103), a_bar(4, 103)]))
    said = rig.rows("ai_signals_log")
    assert [s["signal_type"] for s in said] == ["HOLD", "HOLD", "BUY", "HOLD", "HOLD"]
    assert [s["executed"] for s in said] == [0, 0, 1, 0, 0]
    assert (said[2]["execution_price"], said[2]["executed_at"]) == ("103", minute(3))
    # entry at the close of 100, stop 10 below, target 20 above
    assert [said[2][k] for k in ("entry_price", "stop_loss", "take_profit")] == ["100", "90", "120"]


def test_the_journal_is_asked_once_per_order_and_at_the_end(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((2, UP))]))
    rig.run(instants(flat(6)))
    assert rig.commits == [0, 3, 6]  # account, entry, end


def test_a_batch_of_decisions_is_committed_without_an_order(rigs: Rigs) -> None:
    rig = rigs.new(Plan(batch=2))
    rig.play(instants(flat(5)))
    assert rig.commits == [0, 2, 4]
    assert len(rig.rows("decisions")) == 4


def test_while_the_journal_does_not_commit_nothing_is_sent_and_nothing_is_lost(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((2, UP))]))
    market = instants(flat(8))
    rig.play(market[:2])
    rig.journal.fails = JournalUnavailable("the disk is full")
    with pytest.raises(JournalUnavailable):
        rig.play(market[2:3])
    assert [what for what, _ in rig.told] == ["commit"]  # the opening of the account
    assert rig.venue.state()["books"][0][4] == []  # no entry at the venue
    assert (rig.rows("orders"), rig.rows("decisions")) == ([], [])
    rig.journal.fails = None
    rig.run(market[3:])
    assert [o["role"] for o in rig.rows("orders")] == ["entry", "stop"]
    assert [d["at_ms"] for d in rig.rows("decisions")] == [i.close_ms for i in market]
    assert len(rig.rows("ai_signals_log")) == len(market)
    # sent at the close of candle 3, one late, filled at the next open
    assert executions(rig) == [("entry", "10", "100", "04")]


def test_an_entry_that_waited_for_the_journal_is_not_sent_once_trading_has_halted(
    rigs: Rigs,
) -> None:
    rig = rigs.new(Plan([script((2, UP))]))
    market = instants(flat(8))
    rig.journal.fails = JournalUnavailable("the disk is full")
    with pytest.raises(JournalUnavailable):
        rig.play(market[:3])
    rig.journal.fails = None
    rig.parts.risk.halt("MANUAL_STOP")
    rig.run(market[3:])
    assert [what for what, _ in rig.told if what == "submit"] == []
    assert rig.lots == [0]


def test_a_run_that_ends_on_a_decision_to_trade_is_stored_whole(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((4, UP))]))
    rig.run(instants(flat(5)))
    assert len(rig.rows("decisions")) == 5
    assert [o["role"] for o in rig.rows("orders")] == ["entry", "stop"]
    (checkpoint,) = rig.rows("checkpoints")
    assert json.loads(checkpoint["state"])["engine"]["slices"] == 5


def test_an_order_that_the_venue_refuses_leaves_nothing_behind(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((2, says(1, target=20)), (5, UP))]))
    market = instants(flat(9))
    submit = rig.venue.submit

    async def refuse(order: Order, protection: Any) -> None:
        rig.venue._events.append(Rejected(order.client_order_id, "margin", order.decided_ms))

    rig.venue.submit = refuse  # type: ignore[method-assign]
    rig.play(market[:4])
    assert rig.parts.executor.orders == {}  # its protection has gone with it
    assert rig.parts.risk._reserved == 0
    rig.venue.submit = submit  # type: ignore[method-assign]
    rig.run(market[4:])
    assert outcomes(rig)[5] == "ordered"  # the symbol is free again
    assert {o["status"] for o in rig.rows("orders")[:3]} <= {"rejected", "canceled"}


# --- one row per symbol and interval ------------------------------------------------------------


def test_every_symbol_has_one_row_per_decision_traded_or_not(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((3, UP))], TWO))
    rig.run(instants(flat(6), flat(6)))
    rows = [(d["at_ms"], d["symbol"]) for d in rig.rows("decisions")]
    closes = [START_MS + k * MINUTE for k in range(1, 7)]
    assert rows == [(at, symbol) for at in closes for symbol in (PERPETUAL, ETH)]


def test_a_missing_candle_is_a_dark_row(rigs: Rigs) -> None:
    eth: list[Bar | None] = [*flat(6)]
    eth[3] = None
    rig = rigs.new(Plan([], TWO))
    rig.run(instants(flat(6), eth))
    rows = [d for d in rig.rows("decisions") if d["symbol"] == ETH]
    assert [d["outcome"] for d in rows] == ["hold", "hold", "hold", "dark", "hold", "hold"]
    assert (rows[3]["gate_state"], rows[3]["gate_reason"], rows[3]["price"]) == (
        "dark", "missing", 0,
    )  # fmt: skip
    assert (rows[4]["gate_state"], rows[4]["gate_reason"]) == ("exit_only", "gap")
    assert rows[3]["window_hash"] == rows[2]["window_hash"] != rows[4]["window_hash"]


def test_a_candle_that_cannot_be_is_a_dark_row_and_no_strategy_sees_it(rigs: Rigs) -> None:
    bars = flat(6)
    bars[3] = Bar(bars[3].open_ms, 100, 99, 100, 100, 1)  # its high is below its low
    rig = rigs.new(Plan([script()]))
    rig.run(instants(bars))
    assert [(d["outcome"], d["gate_reason"]) for d in rig.rows("decisions")][3:5] == [
        ("dark", "impossible"),
        ("hold", "gap"),  # it never counted: the next one follows on a gap
    ]
    said = [s["reason"] for s in rig.rows("ai_signals_log")]
    assert said == ["seen_1", "seen_2", "seen_3", "seen_1", "seen_2"]  # the gap resets the stream


def test_decisions_fall_on_multiples_of_the_interval(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script()], interval=3))
    rig.run(instants(flat(10)))
    assert [d["at_ms"] - START_MS for d in rig.rows("decisions")] == [
        3 * MINUTE, 6 * MINUTE, 9 * MINUTE,
    ]  # fmt: skip


def test_a_crossing_between_two_decisions_is_kept_until_the_decision_and_used_once(
    rigs: Rigs,
) -> None:
    rig = rigs.new(Plan([script((3, UP))], interval=3))
    rig.run(instants(flat(12)))
    assert outcomes(rig) == ["hold", "ordered", "hold", "hold"]
    assert executions(rig) == [("entry", "10", "100", "06")]


def test_the_newest_crossing_before_a_decision_counts(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((3, UP), (4, DOWN))], interval=3))
    rig.run(instants(flat(9)))
    assert rig.lots == [-10]


def test_a_decision_without_a_crossing_tells_the_newest_reason(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script()], interval=3))
    rig.run(instants(flat(6)))
    # the third candle is the one that is decided on; "seen_1" is two candles old
    assert [s["reason"] for s in rig.rows("ai_signals_log")] == ["seen_3", "seen_6"]


# --- what a decision does -----------------------------------------------------------------------


def test_a_reversal_closes_and_enters_at_one_close(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((2, UP), (5, DOWN))]))
    rig.run(instants(flat(9)))
    assert executions(rig) == [
        ("entry", "10", "100", "03"), ("exit", "10", "100", "06"), ("entry", "9", "100", "06"),
    ]  # fmt: skip
    # 100,000 - 1 fee - 0 = 99,999, of which 1 % is 999.99: 9 lots; the exit's fee comes later
    decided = rig.rows("decisions")[5]
    exit_id = rig.rows("orders")[2]["client_order_id"]
    assert (decided["outcome"], json.loads(decided["detail"])) == ("ordered", {"closing": exit_id})
    assert [(p["side"], p["status"]) for p in rig.rows("positions")] == [
        ("LONG", "CLOSED"), ("SHORT", "OPEN"),
    ]  # fmt: skip
    assert rig.lots == [-9]


def test_a_refused_reversal_still_closes(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((2, UP), (5, says(-1, stop=0)))]))
    rig.run(instants(flat(9)))
    decided = rig.rows("decisions")[5]
    assert (decided["outcome"], decided["first_refusal"]) == ("refused", "stop_undefined")
    assert json.loads(decided["detail"])["closing"] == decided["order_id"]
    assert rig.lots == [0]


def test_a_position_is_closed_when_its_time_is_up(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((2, says(1, max_bars=3)))]))
    rig.run(instants(flat(9)))
    # filled at minute 3, so due at minute 6: the close of candle 5, sold at the open of candle 6
    assert executions(rig) == [("entry", "10", "100", "03"), ("exit", "10", "100", "06")]
    assert outcomes(rig)[5] == "closed"
    assert [o["reason"] for o in rig.rows("orders") if o["role"] == "exit"] == ["time_out"]


def test_a_time_that_ends_between_decisions_counts_at_the_next_one(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((3, says(1, max_bars=3)))], interval=4))
    rig.run(instants(flat(12)))
    # filled at minute 4, due at 7, decided at 8
    assert executions(rig) == [("entry", "10", "100", "04"), ("exit", "10", "100", "08")]


def test_the_time_of_a_position_that_was_stopped_out_does_not_touch_the_next(rigs: Rigs) -> None:
    bars = [*flat(4), a_bar(4, 100, 100, 85, 95), *flat(8, 95, first=5)]
    rig = rigs.new(Plan([script((2, says(1, max_bars=5)), (5, says(1, stop=20)))]))
    rig.run(instants(bars))
    assert [reason for reason, *_ in executions(rig)] == ["entry", "stop", "entry"]
    assert rig.lots == [10]  # the first one's minute 8 has passed


def test_only_the_strategy_that_opened_a_position_closes_it(rigs: Rigs) -> None:
    other = script((4, says(-1, "other", opens=False)), name="other")
    rig = rigs.new(Plan([script((2, UP), (6, says(-1, opens=False))), other]))
    rig.run(instants(flat(10)))
    assert outcomes(rig)[4] == "hold"
    assert executions(rig) == [("entry", "10", "100", "03"), ("exit", "10", "100", "07")]
    assert [p["strategy"] for p in rig.rows("positions")] == ["script"]


def test_a_strategy_does_not_enter_while_another_holds_the_symbol(rigs: Rigs) -> None:
    other = script((4, says(-1, "other")), name="other")
    rig = rigs.new(Plan([script((2, UP)), other]))
    rig.run(instants(flat(8)))
    refused = rig.rows("decisions")[4]
    assert (refused["outcome"], refused["first_refusal"], refused["strategy"]) == (
        "refused", "position_open", "other",
    )  # fmt: skip
    assert rig.lots == [10]


def test_another_strategy_may_enter_where_the_first_leaves(rigs: Rigs) -> None:
    other = script((5, says(1, "other")), name="other")
    rig = rigs.new(Plan([script((2, UP), (5, says(-1, opens=False))), other]))
    rig.run(instants(flat(9)))
    assert [reason for reason, *_ in executions(rig)] == ["entry", "exit", "entry"]
    assert [(p["strategy"], p["status"]) for p in rig.rows("positions")] == [
        ("script", "CLOSED"), ("other", "OPEN"),
    ]  # fmt: skip


def test_the_first_allowed_strategy_wins_and_the_refused_before_it_is_recorded(rigs: Rigs) -> None:
    names = ("first", "second", "third")
    wishes = (says(1, "first", stop=0), says(1, "second"), says(-1, "third"))
    scripts = [script((2, w), name=n) for n, w in zip(names, wishes, strict=True)]
    rig = rigs.new(Plan(scripts))
    rig.run(instants(flat(5)))
    decided = rig.rows("decisions")[2]
    assert (decided["outcome"], decided["strategy"], decided["mask"]) == ("ordered", "second", 0)
    (before,) = json.loads(decided["detail"])["others"]
    # without a distance of the stop there is no size either
    mask = bit("stop_undefined") | bit("position_size") | bit("min_notional")
    assert (before["strategy"], before["direction"], before["mask"]) == ("first", 1, mask)
    assert RiskInputs(*before["inputs"]).stop_units == 0
    assert [s["strategy"] for s in rig.rows("ai_signals_log")][6:9] == list(names)
    assert [o["strategy"] for o in rig.rows("orders")] == ["second", "second"]


def test_when_all_are_refused_the_row_is_the_firsts_and_holds_the_others(rigs: Rigs) -> None:
    scripts = [script((2, says(1, n, stop=0)), name=n) for n in ("first", "second")]
    rig = rigs.new(Plan(scripts))
    rig.run(instants(flat(5)))
    decided = rig.rows("decisions")[2]
    assert (decided["outcome"], decided["strategy"]) == ("refused", "first")
    assert [o["strategy"] for o in json.loads(decided["detail"])["others"]] == ["second"]
    assert decided["order_id"] is None


# --- limits over the symbols of a cycle ---------------------------------------------------------


def both_wish(rigs: Rigs, **limits: int) -> Rig:
    both = Script({(PERPETUAL, 2): UP, (ETH, 2): UP})
    rig = rigs.new(Plan([both], TWO, WIDE._replace(**limits), cash=1_000 * USDT))
    rig.run(instants(flat(5), flat(5)))
    return rig


def test_an_entry_of_this_cycle_counts_as_a_position(rigs: Rigs) -> None:
    rig = both_wish(rigs, max_positions=1, size_rate=20_000_000)
    first, second = rig.rows("decisions")[4:6]
    assert (first["outcome"], second["first_refusal"]) == ("ordered", "max_positions")
    assert (inputs_of(first).open_positions, inputs_of(second).open_positions) == (0, 1)
    assert rig.lots == [2, 0]


def test_a_later_symbol_has_the_room_that_an_earlier_one_left(rigs: Rigs) -> None:
    rig = both_wish(rigs, size_rate=60_000_000)
    first, second = rig.rows("decisions")[4:6]
    # 60 % of 1,000 is 6 lots at 100: 600 and a fee of 0.6 are reserved, 399.4 are left: 3 lots
    assert (inputs_of(first).room, inputs_of(second).room) == (1_000 * USDT, 39_940_000_000)
    assert (first["lots"], second["lots"], second["bound"]) == (6, 3, Bound.LEVERAGE)
    assert rig.parts.risk._reserved == 0  # both have filled
    assert rig.parts.positions.gross() == 900 * USDT


def test_an_entry_that_nobody_fills_expires_and_gives_its_reservation_back(rigs: Rigs) -> None:
    bars = [*flat(3), *(a_bar(k, volume=0) for k in range(3, 6)), *flat(3, first=6)]
    rig = rigs.new(Plan([script((2, UP))]))
    market = instants(bars)
    rig.play(market[:5])
    assert rig.parts.risk._reserved == 100_100_000_000  # 1,000 and 0.1 % of it
    rig.run(market[5:])
    assert rig.parts.risk._reserved == 0
    assert rig.parts.executor.orders == {}
    assert [(o["role"], o["status"], o["reason"]) for o in rig.rows("orders")] == [
        ("entry", "expired", "time_to_live"),
        ("stop", "canceled", "entry_ended"),
    ]
    assert (rig.rows("fills"), rig.rows("trades")) == ([], [])


# --- fills in parts, trailing, liquidation ------------------------------------------------------


def test_an_entry_fills_in_parts_and_its_stop_grows_with_it(rigs: Rigs) -> None:
    # a tenth of 40 lots may be ours: 4, 4, and the last 2
    bars = [*flat(3), a_bar(3, 100, volume=40), a_bar(4, 101, volume=40), a_bar(5, 102, volume=40)]
    rig = rigs.new(Plan([script((2, UP))]))
    market = instants([*bars, *flat(2, 102, first=6)])
    seen = []
    for instant in market:
        rig.play([instant])
        seen.append([(o.role.value, o.status.value, o.lots, o.price)
                     for o in rig.parts.executor.orders.values()])  # fmt: skip
    assert seen[3:6] == [
        [("entry", "partial", 10, 0), ("stop", "working", 4, 90)],
        [("entry", "partial", 10, 0), ("stop", "working", 8, 90)],
        [("stop", "working", 10, 90)],
    ]
    rig.commit()
    assert executions(rig) == [
        ("entry", "4", "100", "03"), ("entry", "4", "101", "04"), ("entry", "2", "102", "05"),
    ]  # fmt: skip
    (trade,) = rig.rows("trades")
    # (400 + 404 + 204) / 10 = 100.8; 1,008; fees 0.4 + 0.404 + 0.204
    assert (trade["price"], trade["notional"], trade["commission"]) == ("100.8", "1008", "1.008")
    assert Decimal(trade["slippage"]) == Decimal("0.008")  # against the close of 100
    (position,) = rig.rows("positions")
    assert (position["entry_price"], position["size"]) == ("100.8", "10")
    assert position["stop_price"] == "90"


def test_what_is_left_of_an_entry_never_fills_without_a_stop(rigs: Rigs) -> None:
    # half of the entry fills, the stop is reached in the same candle and sold at the next open,
    # where the other half of the entry would fill too
    thin = a_bar(3, 100, 100, 90, 95, volume=50)
    rig = rigs.new(Plan([script((2, says(1, stop=5)))]))
    for instant in instants([*flat(3), thin, *flat(5, 95, first=4)]):
        rig.play([instant])
        if rig.lots[0]:
            exits = [o for o in rig.parts.executor.orders.values() if o.reduce_only]
            assert exits, f"{rig.lots[0]} lots are held without a stop"


def test_a_trailing_stop_follows_the_price_and_says_so_when_it_fills(rigs: Rigs) -> None:
    bars = [*flat(3), a_bar(3, 100, 110, 100, 109), a_bar(4, 109, 109, 105, 106)]
    rig = rigs.new(Plan([script((2, says(1, trail=2_000_000)))]))
    market = instants([*bars, *flat(2, 106, first=5)])
    rig.play(market[:4])
    # 2 % behind the high of 110 is 107.8, on the grid 107
    (stop,) = rig.parts.executor.orders.values()
    assert (stop.price, stop.trail_rate) == (107, 2_000_000)
    rig.run(market[4:])
    assert executions(rig) == [("entry", "10", "100", "03"), ("trailing", "10", "107", "05")]
    assert rig.rows("orders")[1]["reason"] == "trailing"
    assert rig.rows("positions")[0]["stop_price"] == "107"


def test_a_liquidation_is_adopted_and_booked(rigs: Rigs) -> None:
    limits = WIDE._replace(
        size_rate=900_000_000, risk_rate=600_000_000, leverage_rate=1_000_000_000
    )
    rig = rigs.new(Plan([script((2, says(1, stop=60)))], limits=limits, cash=1_000 * USDT))
    rig.run(instants([*flat(4), a_bar(4, 100, 100, 89, 89), *flat(3, 89, first=5)]))
    # 90 lots at 100; at 89 there are 1,000 - 9 - 990 = 1 USDT left, maintenance is 1 % of 8,010
    assert executions(rig) == [("entry", "90", "100", "03"), ("liquidation", "90", "89", "05")]
    venue = rig.rows("orders")[-1]
    assert [venue[k] for k in ("role", "strategy", "status", "reason", "side")] == [
        "flatten", "venue", "filled", "liquidation", "SELL",
    ]  # fmt: skip
    assert [o["reason"] for o in rig.rows("orders")[:2]] == ["", "liquidation"]
    assert rig.lots == [0]
    assert rig.parts.positions.cash == rig.venue.cash
    # fee 0.1 % and 0.5 % of 8,010 for the liquidation: 48.06
    assert rig.rows("fills")[-1]["fee"] == "48.06"
    assert rig.rows("positions")[0]["status"] == "CLOSED"
    rig.parts.positions.verify()


# --- spot ---------------------------------------------------------------------------------------

COIN = (a_round_instrument(SPOT),)


def test_spot_is_never_sold_short(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((2, DOWN), symbol=SPOT)], COIN))
    rig.run(instants(flat(5)))
    refused = rig.rows("decisions")[2]
    assert (refused["outcome"], refused["first_refusal"]) == ("refused", "direction")
    assert rig.rows("orders") == []


def test_the_cross_down_on_spot_only_closes(rigs: Rigs) -> None:
    down = says(-1, opens=False)
    rig = rigs.new(Plan([script((1, down), (2, UP), (5, down), symbol=SPOT)], COIN))
    rig.run(instants(flat(8)))
    assert outcomes(rig) == [
        "hold", "hold", "ordered", "hold", "hold", "closed", "hold", "hold",
    ]  # fmt: skip
    assert rig.lots == [0]


def test_cash_on_spot_never_goes_below_zero(rigs: Rigs) -> None:
    # 10 lots at 100 and their fee are 1,001 of 1,005; at the next open of 102 they are 1,021.02
    limits = WIDE._replace(size_rate=100_000_000)
    rig = rigs.new(Plan([script((2, UP), symbol=SPOT)], COIN, limits, cash=1_005 * USDT))
    rig.run(instants([*flat(3), *flat(3, 102, first=3)]))
    assert rig.venue.cash >= 0
    assert rig.parts.positions.cash == rig.venue.cash


def test_a_second_coin_is_bought_from_what_is_left(rigs: Rigs) -> None:
    coins = (a_round_instrument(SPOT), a_round_instrument("ETH/USDT"))
    both = Script({(SPOT, 2): UP, ("ETH/USDT", 4): UP})
    limits = WIDE._replace(size_rate=80_000_000)
    rig = rigs.new(Plan([both], coins, limits, cash=1_000 * USDT))
    rig.run(instants(flat(8), flat(8)))
    # 8 lots and a fee of 0.8 leave 199.2: one lot and its fee
    assert rig.lots == [8, 1]
    assert rig.venue.cash == 9_910_000_000  # 199.2 - 100 - 0.1


# --- books --------------------------------------------------------------------------------------


def test_each_life_of_a_position_has_its_own_profit(rigs: Rigs) -> None:
    bars = [a_bar(k, 100 if k < 5 else 101) for k in range(12)]
    away = says(-1, opens=False)
    rig = rigs.new(Plan([script((2, UP), (4, away), (6, UP), (8, away))]))
    rig.run(instants(bars))
    # bought 10 at 100 and sold at 101: 10 - 1 - 1.01; then 9 at 101 both ways: - 0.909 - 0.909
    assert [p["realized_pnl"] for p in rig.rows("positions")] == ["7.99", "-1.818"]


def test_a_position_row_keeps_the_time_it_was_opened(rigs: Rigs) -> None:
    rig = rigs.new(Plan([script((2, UP))]))
    rig.run(instants([*flat(5), a_bar(5, 100, 100, 85, 95), *flat(2, 95, first=6)]))
    (position,) = rig.rows("positions")
    assert (position["open_time"], position["close_time"]) == (minute(3), minute(6))
    assert (position["created_at"], position["updated_at"]) == (minute(3), minute(6))


def test_the_ledger_balances_and_equity_is_its_sum(rigs: Rigs) -> None:
    bars = [a_bar(k, 100 + k) for k in range(12)]
    rig = rigs.new(Plan([script((2, UP), (5, DOWN), (8, UP))], costs=COSTS, snapshot=1))
    rig.run(instants(bars))
    sums: dict[tuple[str, str], Decimal] = {}
    for entry in rig.rows("ledger_entries"):
        key = (entry["reference"], entry["asset"])
        sums[key] = sums.get(key, Decimal(0)) + Decimal(entry["amount"])
    assert set(sums.values()) == {Decimal(0)}
    cash = sum(
        Decimal(e["amount"]) for e in rig.rows("ledger_entries")
        if (e["account"], e["asset"]) == ("cash", "USDT")
    )  # fmt: skip
    last = rig.rows("equity")[-1]
    assert Decimal(last["cash"]) == cash
    assert Decimal(last["equity"]) == cash + 111 * rig.lots[0]
    account = rig.engine.account()
    assert account.equity == CASH + account.realized + account.unrealized


# --- any market: books agree, nothing is naked, and every checkpoint has the same future ---------

STRATEGIES = ("first", "second")


def a_candle(rng: random.Random, k: int, price: int) -> Bar:
    opened = price + rng.randint(-1, 1)
    closed = max(20, opened + rng.randint(-2, 2) + rng.choice((0, 0, 0, 0, -6, 6)))
    high, low = max(opened, closed) + rng.randint(0, 2), min(opened, closed) - rng.randint(0, 2)
    volume = rng.choice((0, 30, 60, 1_000_000))
    return a_bar(k, opened, high, low, closed, volume=volume)


def a_market(rng: random.Random, symbols: int, bars: int) -> list[MarketSlice]:
    """Return candles with gaps, thin and empty ones; the last ten are whole and quiet."""
    columns: list[list[Bar | None]] = []
    for _ in range(symbols):
        price, column = 100, []
        for k in range(bars):
            bar = a_candle(rng, k, price)
            price = bar.close
            column.append(bar if rng.random() > 0.06 else None)
        columns.append([*column, *flat(10, price, first=bars)])
    return instants(*columns)


def a_script(rng: random.Random, name: str, symbols: Sequence[str], bars: int) -> Script:
    told = {
        (symbol, k): says(
            rng.choice((1, -1)), name, stop=rng.randint(1, 6), target=rng.choice((0, 0, 3, 6)),
            trail=rng.choice((0, 0, 3_000_000)), max_bars=rng.choice((0, 0, 2, 5)),
            opens=rng.random() < 0.8, closes=rng.random() < 0.8,
        )
        for symbol in symbols for k in range(bars - 8) if rng.random() < 0.25
    }  # fmt: skip
    return Script(told, name)


def a_case(seed: int, bars: int) -> tuple[Plan, list[MarketSlice]]:
    """Return a plan and a market in which much happens: two perpetuals and a coin."""
    rng = random.Random(seed)
    items = (*TWO, a_round_instrument("SOL/USDT"))
    names = [i.symbol for i in items]
    plan = Plan(
        [a_script(rng, name, names, bars) for name in STRATEGIES],
        items,
        WIDE._replace(size_rate=30_000_000, max_positions=2, cooldown_bars=rng.choice((0, 2))),
        VenueCosts(slippage_rate=rng.choice((0, 1_000_000))),
        interval=rng.choice((1, 1, 3)),
        cash=2_000 * USDT,
        funding={PERPETUAL: [FundingEvent(START_MS + k * 4 * MINUTE, rng.randint(-9_999, 99_999))
                             for k in range(20)]},
        snapshot=5,
    )  # fmt: skip
    return plan, a_market(rng, len(items), bars)


@pytest.mark.parametrize("seed", range(12))
def test_the_books_agree_and_every_order_was_stored_before_it_was_sent(
    seed: int, rigs: Rigs
) -> None:
    plan, market = a_case(seed, 60)
    rig = rigs.new(plan)
    for instant in market:
        rig.play([instant])
        books = rig.parts.positions
        assert books.cash == rig.venue.cash
        assert rig.lots == [book.position for book in rig.venue._books]
        books.verify()
    sent = [told[1] for what, told in rig.told if what == "submit"]
    assert sent
    assert all(set(ids.values()) == {"journaled"} for ids in sent)


@pytest.mark.parametrize("seed", range(12))
def test_no_position_is_ever_held_without_an_order_that_ends_it(seed: int, rigs: Rigs) -> None:
    plan, market = a_case(seed, 60)
    rig = rigs.new(plan)
    for n, instant in enumerate(market, 1):
        rig.play([instant])
        guarded = {o.symbol for o in rig.parts.executor.orders.values() if o.reduce_only}
        held = {i.symbol for i, lots in zip(plan.instruments, rig.lots, strict=True) if lots}
        assert held <= guarded, f"after {n} instants"


@pytest.mark.parametrize("seed", range(6))
def test_a_checkpoint_of_any_instant_has_the_same_future(
    seed: int, rigs: Rigs, tmp_path: Path
) -> None:
    plan, market = a_case(seed, 30)
    whole = rigs.new(plan)
    whole.run(market)
    expected = whole.tables()
    assert len(expected["fills"]) > 5  # a market in which nothing happens proves nothing
    cut = rigs.new(plan)
    for n, instant in enumerate(market, 1):
        cut.play([instant])
        if cut.commits[-1] < n:
            cut.commit()
        again = rigs.resumed(plan, copied(cut.file, tmp_path / f"{n}.db"), cut.run_id)
        again.run(market[n:])
        for table, rows in again.tables().items():
            assert rows == expected[table], f"{table}, cut off after {n} instants"
