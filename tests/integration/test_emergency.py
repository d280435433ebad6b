"""The ladders at work: what a loss stops, what it lets through, and that nothing is mistaken for
calm.

10,000 USDT; an entry takes all of it: 99 lots at 100 and a fee of 9.9. A fall of 1 costs 99 USDT.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from crypto_trader_pro.domain.enums import EmergencyTrigger, OrderRole
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.risk.config import RiskLimits
from tests.builders import MINUTE, PERPETUAL, START_MS, USDT, a_bar, a_round_instrument
from tests.engines import WIDE, Plan, Rig, Rigs, Script, copied, instants, rigs_in, script, wish

ETH = "ETH/USDT:USDT"
TWO = (a_round_instrument(), a_round_instrument(ETH))
LADDER = RiskLimits()
ALL_IN = WIDE._replace(size_rate=100_000_000)
KILL = ALL_IN._replace(
    drawdown_reduce_rate=LADDER.drawdown_reduce_rate,
    drawdown_recover_rate=LADDER.drawdown_recover_rate,
    drawdown_kill_rate=LADDER.drawdown_kill_rate,
)
DAILY = ALL_IN._replace(
    daily_warning_rate=LADDER.daily_warning_rate, daily_loss_rate=LADDER.daily_loss_rate
)
LONG = wish(1, stop=60)
AWAY = wish(-1, opens=False)


@pytest.fixture
def rigs(tmp_path: Path) -> Iterator[Rigs]:
    with rigs_in(tmp_path) as made:
        yield made


def path(*closes: int, volumes: dict[int, int] | None = None) -> list[Bar]:
    """Return candles that open at the close before and go straight to their own."""
    thin = volumes or {}
    opens = [closes[0], *closes[:-1]]
    return [
        a_bar(k, a, close=b, volume=thin.get(k, 1_000_000))
        for k, (a, b) in enumerate(zip(opens, closes, strict=True))
    ]


def a_rig(
    rigs: Rigs, limits: RiskLimits, *says: Script, two: bool = False,
    flatten_on: Sequence[EmergencyTrigger] = (EmergencyTrigger.DRAWDOWN_EXCEEDED,),
    zone: str = "UTC",
) -> Rig:  # fmt: skip
    items = TWO if two else TWO[:1]
    return rigs.new(Plan(says, items, limits, cash=10_000 * USDT, flatten_on=flatten_on, zone=zone))


def orders(rig: Rig, role: OrderRole) -> list[tuple[str, str, str]]:
    """Return (symbol, status, reason) of the stored orders of a role."""
    return [
        (o["symbol"], o["status"], o["reason"]) for o in rig.rows("orders") if o["role"] == role
    ]


def alerts(rig: Rig) -> list[tuple[str, str, str]]:
    return [(a["kind"], a["severity"], a["code"]) for a in rig.rows("alerts")]


def state_of(rig: Rig) -> str:
    return rig.parts.risk.trading_state.value


def refusals(rig: Rig) -> list[str | None]:
    return [d["first_refusal"] for d in rig.rows("decisions")]


def states(rig: Rig) -> list[str]:
    return [d["trading_state"] for d in rig.rows("decisions")]


# --- the kill switch ----------------------------------------------------------------------------


def test_a_drawdown_of_ten_percent_flattens_at_the_next_open(rigs: Rigs) -> None:
    rig = a_rig(rigs, KILL, script((2, LONG)))
    # at 90 there are 10,000 - 9.9 - 990 = 9,000.1 left; at 89 8,901.1
    market = instants(path(100, 100, 100, 100, 90, 89, 88, 88))
    rig.play(market[:5])
    assert state_of(rig) == "reducing"
    rig.play(market[5:6])
    assert state_of(rig) == "halted"
    assert [role for what, (role, *_) in rig.told if what == "submit"] == ["entry", "flatten"]
    assert rig.lots == [99]  # sent, not yet filled
    rig.run(market[6:])
    assert rig.lots == [0]
    last = rig.rows("fills")[-1]
    assert (last["reason"], last["size"], last["price"]) == ("flatten", "99", "89")  # open of 6
    assert last["filled_at"] == "2024-01-01 00:06:00.000000"
    assert orders(rig, OrderRole.FLATTEN) == [(PERPETUAL, "filled", "DRAWDOWN_EXCEEDED")]
    assert orders(rig, OrderRole.STOP) == [(PERPETUAL, "canceled", "position_closed")]


KILLED = [
    ("EMERGENCY_STOP", "critical", "drawdown_kill"),
    ("EMERGENCY_STOP", "critical", "emergency_flat"),
]


def test_the_kill_switch_is_told_when_it_trips_and_when_the_account_is_flat(rigs: Rigs) -> None:
    rig = a_rig(rigs, KILL, script((2, LONG)))
    rig.run(instants(path(100, 100, 100, 100, 89, 88, 87, 87)))
    assert alerts(rig) == KILLED
    tripped, flat = (json.loads(row["numbers"]) for row in rig.rows("alerts"))
    # (10,000 - 8,901.1) / 10,000 = 10.989 %
    assert tripped == {
        "equity": 890_110_000_000, "peak": 1_000_000_000_000, "drawdown_rate": 10_989_000,
    }  # fmt: skip
    assert flat == {"positions": 1}


def test_the_report_of_a_kill_tells_each_step_with_its_market_time(rigs: Rigs) -> None:
    rig = a_rig(rigs, KILL, script((2, LONG)))
    # candle 4 falls and closes at minute 5; the way out fills at the open of candle 5
    rig.run(instants(path(100, 100, 100, 100, 89, 88, 87, 87)))
    (row,) = rig.rows("emergency_stops")
    assert (row["trigger"], row["requested_by"], row["status"]) == (
        "DRAWDOWN_EXCEEDED", "engine", "flat",
    )  # fmt: skip
    assert (row["positions"], row["remaining"]) == (1, 0)
    steps = [(s["step"], (s["market_ms"] - START_MS) // MINUTE) for s in json.loads(row["steps"])]
    assert steps == [
        ("halted", 5), ("entries_canceled", 5), ("flattening", 5), ("flat", 6),
        ("orders_canceled", 6),
    ]  # fmt: skip


def test_the_kill_switch_cancels_entries_that_have_not_filled(rigs: Rigs) -> None:
    both = Script({(PERPETUAL, 2): LONG, (ETH, 3): wish(1)})
    rig = a_rig(rigs, KILL._replace(leverage_rate=300_000_000), both, two=True)
    # the candle of the decision has volume to size by, those after it have none to fill from
    some = path(*[100] * 9, volumes=dict.fromkeys(range(4, 9), 0))
    rig.run(instants(path(100, 100, 100, 100, 88, 88, 88, 88, 88), some))
    assert orders(rig, OrderRole.ENTRY) == [
        (PERPETUAL, "filled", ""), (ETH, "canceled", "asked"),
    ]  # fmt: skip
    assert rig.lots == [0, 0]
    assert rig.parts.executor.orders == {}


def test_after_the_kill_switch_every_entry_is_refused_by_the_trading_state(rigs: Rigs) -> None:
    rig = a_rig(rigs, KILL, script((2, LONG), (6, LONG), (1500, LONG)), zone="UTC")
    rig.run(instants(path(100, 100, 100, 100, 88, *[88] * 1500)))
    assert refusals(rig)[6] == "trading_state"
    assert refusals(rig)[1500] == "trading_state"  # another day has begun: it is latched
    assert set(states(rig)[4:]) == {"halted"}
    assert rig.parts.risk.halt_reason == "DRAWDOWN_EXCEEDED"


def test_only_a_person_ends_the_halt(rigs: Rigs) -> None:
    rig = a_rig(rigs, KILL, script((2, LONG), (8, LONG)))
    market = instants(path(100, 100, 100, 100, 88, *[88] * 7))
    rig.play(market[:7])
    rig.parts.risk.rearm()
    rig.run(market[7:])
    assert states(rig)[6:8] == ["halted", "active"]
    assert rig.rows("decisions")[8]["outcome"] == "ordered"


def test_a_strategys_exit_stays_out_of_the_flatten_paths_way(rigs: Rigs) -> None:
    timed = wish(1, stop=60, max_bars=3)
    rig = a_rig(rigs, KILL, script((2, timed), (5, AWAY)))
    # no volume in candles 5 and 6: the flatten order has to wait, the time runs out meanwhile
    bars = path(100, 100, 100, 100, 88, 88, 88, 88, 88, volumes={5: 0, 6: 0})
    rig.run(instants(bars))
    assert orders(rig, OrderRole.EXIT) == []
    assert orders(rig, OrderRole.FLATTEN) == [(PERPETUAL, "filled", "DRAWDOWN_EXCEEDED")]
    assert rig.rows("fills")[-1]["filled_at"] == "2024-01-01 00:07:00.000000"
    assert rig.rows("decisions")[5]["outcome"] == "hold"


def test_an_exit_that_is_under_way_is_not_doubled(rigs: Rigs) -> None:
    rig = a_rig(rigs, KILL, script((2, LONG), (3, AWAY)))
    rig.run(instants(path(100, 100, 100, 100, 88, 88, 88, volumes={4: 0})))
    assert orders(rig, OrderRole.EXIT) == [(PERPETUAL, "filled", "cross_down")]
    assert orders(rig, OrderRole.FLATTEN) == []
    assert rig.lots == [0]
    assert [row["status"] for row in rig.rows("emergency_stops")] == ["flat"]  # and waited for


def test_without_flatten_positions_keep_their_stops(rigs: Rigs) -> None:
    timed = wish(1, stop=15, max_bars=3)
    rig = a_rig(rigs, KILL, script((2, timed), (5, AWAY)), flatten_on=())
    market = instants(path(100, 100, 100, 100, 89, 89, 84, 84))
    rig.play(market[:6])
    assert state_of(rig) == "halted"
    assert rig.lots == [99]  # neither the strategy nor the clock closes it now
    rig.run(market[6:])
    assert orders(rig, OrderRole.EXIT) == []
    assert [(f["reason"], f["price"]) for f in rig.rows("fills")] == [
        ("entry", "100"), ("stop", "85"),
    ]  # fmt: skip


def test_a_killed_run_that_is_resumed_is_still_halted(rigs: Rigs, tmp_path: Path) -> None:
    rig = a_rig(rigs, KILL, script((2, LONG), (7, LONG)))
    market = instants(path(100, 100, 100, 100, 88, 88, 88, 88, 88))
    rig.play(market[:5])  # the flatten order is stored, and the process dies before it is sent
    again = rigs.resumed(rig.plan, copied(rig.file, tmp_path / "again.db"), rig.run_id)
    assert [role for what, (role, *_) in again.told if what == "submit"] == ["flatten"]
    again.run(market[5:])
    assert again.lots == [0]
    assert refusals(again)[7] == "trading_state"
    assert alerts(again) == KILLED
    assert [row["status"] for row in again.rows("emergency_stops")] == ["flat"]


def test_an_unsent_entry_is_not_sent_by_a_start_into_a_halt(rigs: Rigs, tmp_path: Path) -> None:
    rig = a_rig(rigs, KILL, script((2, LONG)))
    market = instants(path(*[100] * 6))
    rig.play(market[:3])  # the entry is stored, and the process dies before it is sent
    stored = copied(rig.file, tmp_path / "again.db")
    (row,) = rig.rows("checkpoints")
    state = json.loads(row["state"])
    state["risk"]["halt_reason"] = "MANUAL_STOP"  # a person stopped it meanwhile
    with closing(sqlite3.connect(stored)) as connection, connection:
        connection.execute("UPDATE checkpoints SET state = ?", (json.dumps(state),))
    again = rigs.resumed(rig.plan, stored, rig.run_id)
    again.run(market[3:])
    assert [what for what, _ in again.told if what == "submit"] == []
    assert again.lots == [0]
    assert {o["status"] for o in again.rows("orders")} == {"canceled"}


# --- the daily loss -----------------------------------------------------------------------------

BOUNDARY = "Atlantic/Cape_Verde"  # midnight there is 01:00 UTC, minute 60


def test_after_the_days_loss_entries_wait_for_the_next_trading_day(rigs: Rigs) -> None:
    both = Script({(PERPETUAL, 2): LONG, (ETH, 6): wish(1), (ETH, 59): wish(1), (ETH, 60): wish(1)})
    rig = a_rig(rigs, DAILY._replace(leverage_rate=300_000_000), both, two=True, zone=BOUNDARY)
    # 99 lots fall by 4: 396 and the fee of 9.9 are 4.06 % of 10,000
    rig.run(instants(path(100, 100, 100, 100, 96, *[96] * 59), path(*[100] * 64)))
    eth = [d for d in rig.rows("decisions") if d["symbol"] == ETH]
    assert (eth[6]["outcome"], eth[6]["first_refusal"]) == ("refused", "daily_loss")
    # candle 59 closes at minute 60, the last instant of the day; candle 60 belongs to the next
    assert (eth[59]["outcome"], eth[59]["first_refusal"]) == ("refused", "daily_loss")
    assert eth[60]["outcome"] == "ordered"
    assert [d["trading_state"] for d in eth[3:6]] == ["active", "halted", "halted"]
    assert [d["trading_state"] for d in eth[59:61]] == ["halted", "active"]
    assert alerts(rig) == [("DAILY_LOSS_WARNING", "critical", "daily_loss_exceeded")]


def test_at_four_fifths_of_the_days_limit_there_is_a_warning_and_trading_goes_on(
    rigs: Rigs,
) -> None:
    rig = a_rig(rigs, DAILY._replace(size_rate=60_000_000), script((2, LONG), (5, AWAY), (6, LONG)))
    # 80 % of the limit of 300 USDT are 240: 60 lots and a fall of 4, and the fee of 6, are 246
    rig.run(instants(path(100, 100, 100, 100, 96, 96, 96, 96)))
    assert alerts(rig) == [("DAILY_LOSS_WARNING", "warning", "daily_loss_warning")]
    assert set(states(rig)) == {"active"}
    assert rig.rows("decisions")[6]["outcome"] == "ordered"


def test_after_the_days_loss_positions_keep_their_stops_and_strategies_still_close(
    rigs: Rigs,
) -> None:
    both = Script(
        {(PERPETUAL, 2): wish(1, stop=60), (ETH, 2): wish(1, stop=8), (PERPETUAL, 7): AWAY}
    )
    rig = a_rig(
        rigs, DAILY._replace(size_rate=50_000_000, leverage_rate=300_000_000), both, two=True
    )
    rig.run(instants(
        path(100, 100, 100, 100, 95, 95, 95, 95, 95, 95),
        path(100, 100, 100, 100, 97, 97, 91, 91, 91, 91),
    ))  # fmt: skip
    assert states(rig)[8:10] == ["halted", "halted"]
    assert rig.rows("decisions")[14]["outcome"] == "closed"
    fills = [(f["symbol"], f["reason"]) for f in rig.rows("fills")]
    assert fills == [
        (PERPETUAL, "entry"), (ETH, "entry"), (ETH, "stop"), (PERPETUAL, "exit"),
    ]  # fmt: skip
    assert orders(rig, OrderRole.FLATTEN) == []


def test_the_days_loss_cancels_entries(rigs: Rigs) -> None:
    both = Script({(PERPETUAL, 2): LONG, (ETH, 3): wish(1)})
    rig = a_rig(rigs, DAILY._replace(leverage_rate=300_000_000), both, two=True)
    some = path(*[100] * 8, volumes=dict.fromkeys(range(4, 8), 0))
    rig.run(instants(path(100, 100, 100, 100, 95, 95, 95, 95), some))
    assert orders(rig, OrderRole.ENTRY)[1] == (ETH, "canceled", "asked")


def test_the_days_loss_flattens_where_the_configuration_says_so(rigs: Rigs) -> None:
    rig = a_rig(rigs, DAILY, script((2, LONG)), flatten_on=[EmergencyTrigger.DAILY_LOSS_EXCEEDED])
    rig.run(instants(path(100, 100, 100, 100, 95, 95, 95, 95)))
    assert orders(rig, OrderRole.FLATTEN) == [(PERPETUAL, "filled", "DAILY_LOSS_EXCEEDED")]
    assert rig.lots == [0]
    assert rig.parts.risk.halt_reason == ""  # the next trading day lifts it


# --- reducing, and the time in each state -------------------------------------------------------


def test_while_reducing_only_entries_are_refused(rigs: Rigs) -> None:
    both = Script({(PERPETUAL, 2): LONG, (ETH, 5): wish(1), (PERPETUAL, 6): AWAY})
    rig = a_rig(rigs, KILL._replace(leverage_rate=300_000_000), both, two=True)
    rig.run(instants(path(100, 100, 100, 100, 94, 94, 94, 94, 94), path(*[100] * 9)))
    assert states(rig)[8:12] == ["reducing"] * 4
    assert refusals(rig)[11] == "drawdown"
    assert rig.rows("decisions")[12]["outcome"] == "closed"
    assert alerts(rig) == [("DRAWDOWN_WARNING", "warning", "drawdown_reducing")]


def test_reducing_ends_by_itself_once_the_drawdown_is_under_four_percent(rigs: Rigs) -> None:
    rig = a_rig(rigs, KILL, script((2, LONG)))
    # at 96 there are 9,594.1, 4.06 % down; at 97 9,693.1, 3.07 %
    rig.run(instants(path(100, 100, 100, 100, 94, 96, 97, 97)))
    assert states(rig) == ["active"] * 4 + ["reducing"] * 2 + ["active"] * 2
    assert alerts(rig)[1] == ("DRAWDOWN_WARNING", "info", "drawdown_recovered")


@pytest.mark.parametrize(
    ("limits", "closes", "expected"),
    [
        (KILL, (100, 100, 100, 100, 94, 94, 88, 88, 88), {"active": 5, "reducing": 2, "halted": 2}),
        (DAILY, (100, 100, 100, 100, 95, 95, 95, 95), {"active": 5, "reducing": 0, "halted": 3}),
        (ALL_IN, (100, 100, 100, 100), {"active": 4, "reducing": 0, "halted": 0}),
    ],
)
def test_the_time_in_each_state_adds_up_to_the_runs_length(
    rigs: Rigs, tmp_path: Path, limits: RiskLimits, closes: tuple[int, ...],
    expected: dict[str, int],
) -> None:  # fmt: skip
    rig = a_rig(rigs, limits, script((2, LONG)))
    market = instants(path(*closes))
    rig.play(market[:-1])
    rig.commit() if rig.commits[-1] < len(market) - 1 else None
    again = rigs.resumed(rig.plan, copied(rig.file, tmp_path / "again.db"), rig.run_id)
    again.run([i for i in market if i.close_ms > again.engine.last_close_ms])
    spent = again.parts.risk.time_in_state
    assert spent == {state: minutes * MINUTE for state, minutes in expected.items()}
    assert sum(spent.values()) == market[-1].close_ms - START_MS
