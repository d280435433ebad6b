"""What people may ask of a session, in every state it can be in; asked twice it is done once.

10,000 USDT; one lot at 100 is 100 USDT. An entry takes a tenth: 10 lots, and a fee of 1 USDT.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import text

from auto_trading.account_report import account_report
from auto_trading.session_inputs import Connection, Held
from crypto_trader_pro.domain.enums import CommandKind, EmergencyTrigger, OrderRole
from crypto_trader_pro.domain.errors import JournalUnavailable
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.risk.config import RiskLimits
from database.auto_trading_db import open_database, prepare
from tests.builders import MINUTE, START_MS, USDT, a_round_instrument, finished
from tests.engines import SYSTEM_TIME, WIDE, Plan, Script, wish
from tests.sessions import (
    SETTINGS,
    Life,
    a_command,
    a_life,
    closed,
    configured,
    repeated,
    tick,
)

K = CommandKind
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
TENTH = WIDE._replace(size_rate=10_000_000)
DOWN = TENTH._replace(
    drawdown_reduce_rate=500_000, drawdown_recover_rate=400_000, drawdown_kill_rate=5_000_000
)
ALL = tuple(EmergencyTrigger)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    file: Path = tmp_path_factory.mktemp("sessions") / "database.db"
    made = open_database(f"sqlite:///{file}", durable=False)
    prepare(made)
    yield made
    made.dispose()


def life_of(
    database: Database, limits: RiskLimits = TENTH, *, stop: int = 20, symbols: int = 2,
    flatten_on: tuple[EmergencyTrigger, ...] = (EmergencyTrigger.MANUAL_STOP,), **options: Any,
) -> Life:  # fmt: skip
    """Return a started session whose script buys BTC at the close of candle 1, ETH at that of 3."""
    says = {(BTC, 1): wish(1, stop=stop), (ETH, 3): wish(1, stop=stop)}
    items: tuple[Instrument, ...] = tuple(a_round_instrument(s) for s in (BTC, ETH)[:symbols])
    plan = Plan([Script(says)], items, limits, cash=10_000 * USDT, flatten_on=flatten_on)
    life = a_life(plan, database, **options)
    life.ask(K.START)
    return life


def with_a_long(database: Database, limits: RiskLimits = TENTH, **options: Any) -> Life:
    """Return a session that bought 10 BTC at 100 in candle 2."""
    life = life_of(database, limits, **options)
    life.take(closed(0, 100, 100), closed(1, 100, 100), tick(2, 5, 100, 100))
    assert life.lots == [10, 0]
    return life


def rows(life: Life, query: str) -> list[tuple[Any, ...]]:
    with life.database.connect() as c:
        return [tuple(row) for row in c.execute(text(query), {"run": life.run_id})]


def orders(life: Life, role: OrderRole) -> list[tuple[Any, ...]]:
    query = "SELECT symbol, status, reason FROM orders WHERE run_id = :run AND role = '{}'"
    return rows(life, query.format(role.value))


def alerts(life: Life) -> list[str]:
    found = rows(life, "SELECT code FROM alerts WHERE run_id = :run ORDER BY id")
    return [code for (code,) in found]


def code(answer: Any) -> str:
    return str(answer.data["code"])


def halted(life: Life) -> Life:
    life.parts.risk.halt(EmergencyTrigger.SYSTEM_ERROR.value)
    return life


# --- nonsense -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "payload", "reason"),
    [
        (K.CLOSE_POSITION, {}, "symbol was 'None', allowed: a text"),
        (K.CLOSE_POSITION, {"symbol": "DOGE"}, f"symbol was 'DOGE', allowed: {BTC}, {ETH}"),
        (K.CANCEL_ORDER, {"client_order_id": 7}, "client_order_id was '7', allowed: a text"),
        (K.LIFT_LOCK, {"symbol": ["x"]}, "symbol was \"['x']\", allowed: a text"),
        (K.APPLY_CONFIG, {}, "config was 'None', allowed: a text"),
        (K.ROLLBACK_CONFIG, {"config": "{"}, "config : Invalid JSON: EOF while parsing"),
        (K.APPLY_CONFIG, {"config": '{"engine": 1}'}, "config "),
        (K.TRAIN_NOW, {}, "kind was 'train_now', allowed in a session: start, stop,"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_one_line_that_names_it(
    database: Database, kind: CommandKind, payload: dict[str, Any], reason: str
) -> None:
    life = life_of(database)
    before = life.outcome()["state"]
    answer = life.ask(kind, payload)
    assert code(answer) == "refused.input"
    assert answer.data["reason"].startswith(reason)
    assert "\n" not in answer.data["reason"]
    after = life.outcome()["state"]
    del before["session"]["answers"], after["session"]["answers"]
    assert after == before


def test_an_emergency_stop_for_a_reason_that_nobody_knows_stops_as_a_person_would(
    database: Database,
) -> None:
    life = with_a_long(database)
    assert code(life.ask(K.EMERGENCY_STOP, {"trigger": "PANIC"})) == "answer.halted"
    assert life.parts.risk.halt_reason == "MANUAL_STOP"


def test_a_configuration_of_another_session_is_refused(database: Database) -> None:
    life = life_of(database)
    tree = json.loads(SETTINGS.canonical_json())
    tree["engine"]["trading_interval"] = 3600
    answer = life.ask(K.APPLY_CONFIG, {"config": json.dumps(tree)})
    assert answer.data["reason"] == (
        "config changes symbols, timeframe, trading_interval, mode or equity,"
        " which takes a new session"
    )
    assert life.session.settings == SETTINGS


# --- start and stop -----------------------------------------------------------------------------


def test_without_a_start_nothing_is_decided(database: Database) -> None:
    life = life_of(database)
    life.ask(K.STOP)
    life.take(*[closed(k, 100, 100) for k in range(4)])
    assert rows(life, "SELECT count(*) FROM decisions WHERE run_id = :run") == [(0,)]


def test_a_stop_cancels_entries_and_keeps_protection(database: Database) -> None:
    life = with_a_long(database)
    life.take(closed(2, 100, 100), closed(3, 100, 100))  # the entry of ETH waits for a price
    answer = life.ask(K.STOP)
    assert (code(answer), answer.data["open_positions"]) == ("answer.stopped", 1)
    assert orders(life, OrderRole.ENTRY) == [(BTC, "filled", ""), (ETH, "canceled", "asked")]
    assert orders(life, OrderRole.STOP) == [(BTC, "working", ""), (ETH, "canceled", "entry_ended")]
    life.take(tick(4, 1, 79, 100))  # the stop rests at 80
    assert life.lots == [0, 0]
    assert code(life.ask(K.STOP)) == "answer.stopped"


@pytest.mark.parametrize("kind", [K.STOP, K.EMERGENCY_STOP])
def test_an_entry_that_the_database_kept_back_is_not_sent_after_a_stop(
    database: Database, kind: CommandKind
) -> None:
    life = life_of(database)
    life.take(closed(0, 100, 100))
    life.journal.fails = JournalUnavailable("the disk is full")
    with pytest.raises(JournalUnavailable):
        life.take(closed(1, 100, 100))
    with pytest.raises(JournalUnavailable):
        life.ask(kind)
    life.journal.fails = None
    outcome = life.outcome()
    assert orders(life, OrderRole.ENTRY) == [(BTC, "canceled", "journal_unavailable")]
    assert [i for i in life.record() if isinstance(i, Held)] == [
        Held(START_MS + 2 * MINUTE, (1,), "journal_unavailable")
    ]
    assert repeated(life).outcome() == outcome


# --- positions and orders -----------------------------------------------------------------------


def reduced(life: Life) -> Life:
    """Let the drawdown be 1 %: 10 lots fall by 10."""
    life.take(tick(2, 30, 90, None))
    assert life.parts.risk.trading_state.value == "reducing"
    return life


@pytest.mark.parametrize("way", ["active", "stopped", "reducing", "halted", "lost"])
def test_a_position_can_be_closed_in_every_state(database: Database, way: str) -> None:
    life = with_a_long(database, DOWN if way == "reducing" else TENTH)
    if way == "stopped":
        life.ask(K.STOP)
    elif way == "reducing":
        reduced(life)
    elif way == "halted":
        halted(life)
    elif way == "lost":
        life.take(Connection(START_MS + 2 * MINUTE, is_lost=True))
    answer = life.ask(K.CLOSE_POSITION, {"symbol": BTC})
    again = life.ask(K.CLOSE_POSITION, {"symbol": BTC})
    assert (code(answer), code(again)) == ("answer.closing", "answer.closing")
    assert again.data["client_order_id"] == answer.data["client_order_id"]  # one way out
    life.take(tick(2, 40, 97, None))
    assert life.lots == [0, 0]
    role = OrderRole.FLATTEN if way == "halted" else OrderRole.EXIT
    assert orders(life, role) == [(BTC, "filled", "operator")]
    assert code(life.ask(K.CLOSE_POSITION, {"symbol": BTC})) == "refused.no_position"


def test_closing_a_position_cancels_what_is_left_of_its_entry(database: Database) -> None:
    life = life_of(database)
    # a tenth of 100 lots are enough to decide; a tenth of 40 are 4 of the 10
    life.take(closed(0, 100, 100), closed(1, 100, 100, volume=100))
    life.session._volume = [40, 40]
    life.take(tick(2, 5, 100, 100))
    assert life.lots == [4, 0]
    life.ask(K.CLOSE_POSITION, {"symbol": BTC})
    life.take(tick(2, 6, 100, 100), tick(2, 7, 100, 100))
    assert life.lots == [0, 0]
    assert orders(life, OrderRole.ENTRY) == [(BTC, "canceled", "asked")]


def test_an_entry_can_be_canceled_once_and_protection_never(database: Database) -> None:
    life = with_a_long(database)
    life.take(closed(2, 100, 100), closed(3, 100, 100))
    (stop,) = [o for o in life.parts.executor.orders.values() if o.symbol == BTC]
    (entry,) = [o for o in life.parts.executor.orders.values() if o.role is OrderRole.ENTRY]
    refused = life.ask(K.CANCEL_ORDER, {"client_order_id": stop.client_order_id})
    assert (code(refused), refused.data["role"]) == ("refused.protects", "stop")
    wanted = {"client_order_id": entry.client_order_id}
    assert code(life.ask(K.CANCEL_ORDER, wanted)) == "answer.canceled"
    assert code(life.ask(K.CANCEL_ORDER, wanted)) == "refused.no_order"
    outcome = life.outcome()
    assert repeated(life).outcome() == outcome  # the record names it by this run's number


def test_a_lock_is_lifted_once(database: Database) -> None:
    life = with_a_long(database, TENTH._replace(lock_after_stops=1))
    life.take(tick(2, 30, 79, None))
    assert code(life.ask(K.LIFT_LOCK, {"symbol": ETH})) == "refused.no_lock"
    assert list(account_report(life.session)["locks"]) == [BTC]
    assert code(life.ask(K.LIFT_LOCK, {"symbol": BTC})) == "answer.unlocked"
    assert code(life.ask(K.LIFT_LOCK, {"symbol": BTC})) == "refused.no_lock"


def test_a_command_that_comes_again_by_its_id_is_answered_and_not_done_again(
    database: Database,
) -> None:
    life = halted(with_a_long(database))
    command = a_command(K.REARM, {"confirm": "REARM"}, command_id="r-1", at_ms=START_MS)
    first = life.take(command)
    life = life.reborn()  # the worker hung after its commit, and was given up
    taken = life.journal.taken
    assert life.take(command) == first
    assert (life.journal.taken, alerts(life)) == (taken, ["rearmed"])
    for n in range(16):  # as many are remembered
        life.ask(K.START, command_id=f"s-{n}")
    assert code(life.take(command)) == "refused.not_halted"


# --- re-arm -------------------------------------------------------------------------------------


def test_a_rearm_needs_its_word_and_something_to_lift(database: Database) -> None:
    life = with_a_long(database)
    word = {"confirm": "REARM"}
    assert code(life.ask(K.REARM, word)) == "refused.not_halted"
    day_start = life.parts.risk.day_start_equity
    halted(life)
    assert code(life.ask(K.START)) == "refused.latched"
    assert code(life.ask(K.REARM, {"confirm": "rearm"})) == "refused.confirm"
    assert life.parts.risk.day_start_equity == day_start
    answer = life.ask(K.REARM, word)
    assert (code(answer), answer.data["trigger"]) == ("answer.rearmed", "SYSTEM_ERROR")
    assert life.parts.risk.trading_state.value == "active"


def test_a_rearm_waits_until_the_account_is_flat(database: Database) -> None:
    life = with_a_long(database)
    life.ask(K.EMERGENCY_STOP)
    word = {"confirm": "REARM"}
    refused = life.ask(K.REARM, word)
    assert (code(refused), refused.data["positions"]) == ("refused.flattening", 1)
    life.take(tick(2, 40, 97, None))
    assert code(life.ask(K.REARM, word)) == "answer.rearmed"
    assert not life.session.enabled  # armed is not started


# --- emergency stop -----------------------------------------------------------------------------


def reports(life: Life) -> list[tuple[str, str, int, int, list[str]]]:
    found = rows(
        life,
        'SELECT "trigger", status, positions, remaining, steps FROM emergency_stops'
        " WHERE run_id = :run ORDER BY id",
    )
    return [(t, s, p, r, [x["step"] for x in json.loads(steps)]) for t, s, p, r, steps in found]


FLAT = ["halted", "entries_canceled", "flattening", "flat", "orders_canceled"]


def test_an_emergency_stop_is_carried_out_once_whatever_dies_in_between(
    database: Database,
) -> None:
    life = with_a_long(database)
    life.take(closed(2, 100, 100), closed(3, 100, 100))  # an entry of ETH waits
    answer = life.ask(K.EMERGENCY_STOP)
    assert (answer.data["positions"], answer.data["closing"]) == (1, 1)
    assert reports(life) == [("MANUAL_STOP", "flattening", 1, 1, FLAT[:3])]
    again = life.reborn().ask(K.EMERGENCY_STOP)
    assert (code(again), again.data["positions"]) == ("answer.halted_already", 1)
    life = life.reborn()
    life.take(tick(4, 5, 98, 100))
    life = life.reborn()
    assert code(life.ask(K.EMERGENCY_STOP)) == "answer.halted_already"
    assert life.lots == [0, 0]
    assert reports(life) == [("MANUAL_STOP", "flat", 1, 0, FLAT)]
    assert alerts(life) == ["emergency_stop", "emergency_flat"]
    assert orders(life, OrderRole.FLATTEN) == [(BTC, "filled", "MANUAL_STOP")]
    assert orders(life, OrderRole.ENTRY)[1] == (ETH, "canceled", "asked")
    assert life.parts.executor.orders == {}
    outcome = life.outcome()
    assert repeated(life).outcome() == outcome


def test_an_emergency_stop_without_positions_is_flat_at_once(database: Database) -> None:
    life = life_of(database)
    life.ask(K.EMERGENCY_STOP)
    assert reports(life) == [
        ("MANUAL_STOP", "flat", 0, 0, ["halted", "entries_canceled", "flat", "orders_canceled"])
    ]
    assert alerts(life) == ["emergency_flat", "emergency_stop"]


def test_a_stop_that_keeps_positions_can_be_followed_by_one_that_closes_them(
    database: Database,
) -> None:
    life = with_a_long(database)
    lost = {"trigger": "API_CONNECTION_LOST"}
    assert life.ask(K.EMERGENCY_STOP, lost).data["closing"] == 0
    assert code(life.ask(K.EMERGENCY_STOP, lost)) == "answer.halted_already"
    life.parts.emergency._now = lambda: SYSTEM_TIME + timedelta(seconds=1)
    assert life.ask(K.EMERGENCY_STOP).data["closing"] == 1
    life.take(tick(2, 40, 97, None))
    assert [report[:4] for report in reports(life)] == [
        ("API_CONNECTION_LOST", "kept", 1, 1), ("MANUAL_STOP", "flat", 1, 0),
    ]  # fmt: skip
    assert alerts(life) == ["emergency_stop", "emergency_stop", "emergency_flat"]


def test_an_emergency_stop_waits_for_an_exit_that_is_under_way(database: Database) -> None:
    life = with_a_long(database)
    life.ask(K.CLOSE_POSITION, {"symbol": BTC})
    assert life.ask(K.EMERGENCY_STOP).data["closing"] == 1
    assert reports(life)[0][1] == "flattening"
    life.take(tick(2, 40, 97, None))
    assert reports(life)[0][1] == "flat"
    assert orders(life, OrderRole.FLATTEN) == []


def test_a_venue_that_still_holds_something_is_not_called_flat(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = with_a_long(database)
    life.ask(K.EMERGENCY_STOP)
    executor = life.parts.executor

    async def still() -> dict[str, int]:
        return {BTC: 3}

    with monkeypatch.context() as patched:
        patched.setattr(executor, "venue_lots", still)
        life.take(tick(2, 40, 97, None))
        assert reports(life)[0][1:] == ("flattening", 1, 0, [*FLAT[:3], "venue_differs"])
        assert code(life.ask(K.REARM, {"confirm": "REARM"})) == "refused.flattening"
    life.take(closed(2, 97, 100))
    assert reports(life)[0][1] == "flat"


# --- ladders on prices --------------------------------------------------------------------------


def test_the_days_loss_trips_on_a_price_and_not_only_at_a_close(database: Database) -> None:
    limits = TENTH._replace(daily_warning_rate=500_000, daily_loss_rate=1_000_000)
    life = with_a_long(database, limits)
    life.take(tick(2, 20, 94, None))  # 10 lots x 6 and the fee of 1 are 61: 0.61 %
    assert alerts(life) == ["daily_loss_warning"]
    life.take(tick(2, 30, 90, None))  # 101 are 1.01 %
    assert alerts(life) == ["daily_loss_warning", "daily_loss_exceeded"]
    assert life.parts.risk.trading_state.value == "halted"
    assert life.lots == [10, 0]  # it keeps its stop
    assert rows(life, "SELECT at FROM alerts WHERE run_id = :run ORDER BY id")[1] == (
        "2024-01-01 00:02:30.000000",
    )


def test_the_kill_switch_trips_and_flattens_between_two_closes(database: Database) -> None:
    limits = DOWN._replace(drawdown_kill_rate=1_000_000)
    life = with_a_long(database, limits, flatten_on=ALL)
    life.take(tick(2, 30, 90, None), tick(2, 31, 91, None))
    assert life.lots == [0, 0]
    assert alerts(life) == ["drawdown_kill", "emergency_flat"]
    # bought at 100 and sold at 91: 90, and fees of 1 and 0.91
    assert life.parts.positions.cash == 10_000 * USDT - 9_191_000_000
    assert [report[:2] for report in reports(life)] == [("DRAWDOWN_EXCEEDED", "flat")]


def test_prices_of_symbols_that_are_not_held_are_neither_kept_nor_looked_at(
    database: Database,
) -> None:
    life = with_a_long(database)
    life.take(tick(2, 30, 99, 50), tick(2, 40, None, 20))
    finished(life.session.settle())
    assert list(life.record()[-1].prices) == [(0, 99)]  # type: ignore[union-attr]
    assert life.session.engine.now_ms == START_MS + 2 * MINUTE + 30_000


# --- held at the last moment, another configuration ---------------------------------------------


def test_entries_held_back_at_the_last_moment_are_held_back_in_the_repetition(
    database: Database,
) -> None:
    def may_enter(order: Order) -> str:
        return "too_late" if order.symbol == ETH else ""

    life = with_a_long(database, may_enter=may_enter)
    life.take(closed(2, 100, 100), closed(3, 100, 100), tick(4, 5, 100, 100))
    assert orders(life, OrderRole.ENTRY) == [(BTC, "filled", ""), (ETH, "canceled", "too_late")]
    assert [i for i in life.record() if isinstance(i, Held)] == [
        Held(START_MS + 4 * MINUTE, (3,), "too_late")  # 1 and 2 are BTC's entry and stop
    ]
    outcome = life.outcome()
    assert repeated(life).outcome() == outcome


def test_another_configuration_takes_over_orders_that_were_not_stored_yet(
    database: Database,
) -> None:
    life = with_a_long(database)
    life.journal.fails = JournalUnavailable("the disk is full")
    for kind, payload in (
        (K.CLOSE_POSITION, {"symbol": BTC}),
        (K.APPLY_CONFIG, {"config": configured(cooldown_bars=5)}),
    ):
        with pytest.raises(JournalUnavailable):
            life.ask(kind, payload)
    assert life.venue._books[0].exits == []  # what is not stored is not sent
    life.journal.fails = None
    finished(life.session.settle())
    assert len(life.venue._books[0].exits) == 1
    assert orders(life, OrderRole.EXIT) == [(BTC, "working", "operator")]
    life.take(tick(2, 40, 97, None))
    assert orders(life, OrderRole.EXIT) == [(BTC, "filled", "operator")]
    assert life.session.settings.limits.cooldown_bars == 5
    outcome = life.outcome()
    assert repeated(life).outcome() == outcome


def test_a_configuration_can_be_applied_right_after_a_restart_that_sends_again(
    database: Database,
) -> None:
    life = life_of(database)
    life.take(closed(0, 100, 100))
    life.take(closed(1, 100, 100))  # the entry is stored and sent; what came of it is not
    life = life.reborn()
    payload = {"config": configured(cooldown_bars=5)}
    assert code(life.ask(K.APPLY_CONFIG, payload)) == "answer.configured"
    life.take(tick(2, 5, 100, 100))
    assert life.lots == [10, 0]
    assert life.reborn().session.settings.limits.cooldown_bars == 5
