"""What people may ask of a living engine: done at once, done once, refused where it must be."""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auto_trading import control
from crypto_trader_pro.domain.enums import CommandKind
from database.auto_trading_db import open_database, prepare
from tests.engine_process import CROWDED, Hang, Site, a_site, stand_still, until
from tests.oracle_session import audit_session
from utils.clocks import SystemClock

MANY = 20
FLAT_SECONDS = 2.0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_site(tmp_path) as made:
        yield made


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Site]:
    with a_site(tmp_path, CROWDED) as made:
        yield made


def put_a_command(
    site: Site, kind: CommandKind, payload: dict[str, Any] | None = None, *,
    ago: float = 0.0,
) -> str:  # fmt: skip
    """Store a command `ago` seconds in the past, as somebody did with no engine up."""
    site.var_dir.mkdir(parents=True, exist_ok=True)
    database = open_database(f"sqlite:///{site.where}")
    try:
        prepare(database)
        now: datetime = SystemClock().now() - timedelta(seconds=ago)
        row = control.ask(database, kind, payload, by="test", now=now)
        return row.command_id
    finally:
        database.dispose()


def flat_in_time(site: Site, began: float) -> float:
    until(lambda: not site.positions(), "flat positions", 10)
    return time.monotonic() - began


def report_is_complete(site: Site, positions: int) -> None:
    """The row of the newest emergency stop tells the whole story."""
    report = until(
        lambda: site.rows("emergency_stops", "WHERE status = 'flat' ORDER BY id DESC"),
        "the report", 3,
    )[0]  # fmt: skip
    assert report["trigger"] == "MANUAL_STOP"
    assert (report["positions"], report["remaining"]) == (positions, 0)
    assert report["finished_at"] >= report["started_at"]
    assert [step["step"] for step in report["steps"]] == [
        "halted", "entries_canceled", "flattening", "flat", "orders_canceled",
    ]  # fmt: skip
    assert site.rows("orders", "WHERE status IN ('working', 'partial', 'journaled')") == []
    codes = {row["code"] for row in site.rows("alerts")}
    assert {"emergency_stop", "emergency_flat"} <= codes


def no_entries_for(site: Site, seconds: float) -> None:
    before = [order["client_order_id"] for order in site.entry_orders()]
    time.sleep(seconds)
    assert [order["client_order_id"] for order in site.entry_orders()] == before


# --- emergency stop -----------------------------------------------------------------------------


def test_an_emergency_stop_with_many_positions_is_flat_in_two_seconds_and_latched(
    crowded: Site,
) -> None:
    process = crowded.trading(MANY)
    began = time.monotonic()
    answer = crowded.ask(CommandKind.EMERGENCY_STOP)
    seconds = flat_in_time(crowded, began)
    assert (answer.code, answer.status) == ("answer.halted", "done")
    assert answer.seconds < 1.0
    assert seconds < FLAT_SECONDS
    assert answer.data["closing"] == answer.data["positions"] >= MANY
    report_is_complete(crowded, answer.data["positions"])
    no_entries_for(crowded, 0.5)

    assert crowded.ask(CommandKind.START).code == "refused.latched"
    for word in ("rearm", "", "REARM "):
        refused = crowded.ask(CommandKind.REARM, {"confirm": word})
        assert (refused.status, refused.code) == ("refused", "refused.confirm")

    crowded.kill(process)  # the latch holds
    process = crowded.up()
    assert crowded.ask(CommandKind.START).code == "refused.latched"
    assert crowded.status()["trading_state"] == "halted"
    no_entries_for(crowded, 0.3)
    assert len(crowded.rows("emergency_stops")) == 1  # it was not stopped once more

    assert crowded.ask(CommandKind.REARM, {"confirm": "REARM"}).code == "answer.rearmed"
    no_entries_for(crowded, 0.3)  # armed is not started
    entries = len(crowded.entry_orders())
    assert crowded.ask(CommandKind.START).code == "answer.started"
    until(lambda: len(crowded.entry_orders()) > entries, "an entry", 20)
    crowded.prove(process)


def test_an_emergency_stop_is_flat_in_two_seconds_with_the_cycle_hung(
    crowded: Site, tmp_path: Path
) -> None:
    hang = Hang(tmp_path / "hang", "decide")
    process = crowded.trading(MANY + 5, prepare=hang.planted())
    hang.arm()
    until(hang.is_on, "the hang", 10)
    positions = len(crowded.positions())
    began = time.monotonic()
    answer = crowded.ask(CommandKind.EMERGENCY_STOP)
    seconds = flat_in_time(crowded, began)
    assert answer.code == "answer.halted"
    assert answer.seconds < 1.0
    assert seconds < FLAT_SECONDS
    assert answer.data["positions"] == positions >= MANY
    report_is_complete(crowded, positions)
    no_entries_for(crowded, 0.5)
    crowded.prove(process)


@pytest.mark.slow
def test_an_emergency_stop_that_is_killed_half_way_goes_on_at_the_next_start(
    crowded: Site,
) -> None:
    """Killed between "halted" and "flat": the market stands still until the next start."""
    process = crowded.trading(MANY)
    crowded.kill(process)
    held = len(crowded.positions())
    process = crowded.up(prepare=stand_still)
    answer = crowded.ask(CommandKind.EMERGENCY_STOP)
    assert answer.code == "answer.halted"
    assert len(crowded.positions()) == held  # no price has come yet
    crowded.kill(process)
    process = crowded.up()
    flat_in_time(crowded, time.monotonic())
    report_is_complete(crowded, held)
    assert len(crowded.rows("emergency_stops")) == 1
    flattening = crowded.rows("orders", "WHERE role = 'flatten'")
    assert len(flattening) == held  # one each, nothing twice
    crowded.prove(process)


def test_a_refused_rearm_leaves_the_emergency_as_what_is_wanted(site: Site) -> None:
    site.up()
    assert site.ask(CommandKind.EMERGENCY_STOP).code == "answer.halted"
    assert site.ask(CommandKind.REARM, {"confirm": "rearm"}).code == "refused.confirm"
    assert site.ask(CommandKind.START).code == "refused.latched"
    time.sleep(1.5)  # a heartbeat
    assert site.lease()["desired_state"] == "emergency"


@pytest.mark.slow
def test_a_rearm_after_the_ladders_emergency_trades_only_once_started(tmp_path: Path) -> None:
    limits = {
        "CTP_LIMITS__DRAWDOWN_RECOVER_PCT": "0.01",
        "CTP_LIMITS__DRAWDOWN_REDUCE_PCT": "0.02",
        "CTP_LIMITS__DRAWDOWN_KILL_PCT": "0.03",  # the entries' fees alone do it
    }
    with a_site(tmp_path, {**CROWDED, **limits}) as site:
        site.up()
        site.ask(CommandKind.START)
        stop = until(lambda: site.rows("emergency_stops", "WHERE status = 'flat'"), "the end", 30)
        assert stop[0]["trigger"] == "DRAWDOWN_EXCEEDED"
        assert site.ask(CommandKind.REARM, {"confirm": "REARM"}).code == "answer.rearmed"
        no_entries_for(site, 1.5)


def test_a_rearm_that_was_answered_holds_after_a_kill(site: Site) -> None:
    process = site.trading()
    site.ask(CommandKind.EMERGENCY_STOP)
    until(lambda: site.rows("emergency_stops", "WHERE status = 'flat'"), "flat", 5)
    assert site.ask(CommandKind.REARM, {"confirm": "REARM"}).code == "answer.rearmed"
    site.kill(process)
    site.up()
    time.sleep(0.5)
    assert len(site.rows("emergency_stops")) == 1  # nobody has stopped it again
    assert site.ask(CommandKind.START).code == "answer.started"


# --- start and stop -----------------------------------------------------------------------------


def test_a_start_with_no_engine_up_is_durable_and_so_is_a_stop(site: Site) -> None:
    started = put_a_command(site, CommandKind.START, ago=3_600)
    process = site.up()
    until(lambda: site.command(started)["status"] == "done", "the start", 3)
    until(site.positions, "a position", 30)
    site.kill(process)
    stopped = put_a_command(site, CommandKind.STOP)
    before = site.entry_orders()
    process = site.up()
    until(lambda: site.command(stopped)["status"] == "done", "the stop", 3)
    # what was decided before the kill may still be journaled as canceled, never as new
    time.sleep(0.5)
    assert [o["client_order_id"] for o in site.entry_orders()] == [
        o["client_order_id"] for o in before
    ]
    assert site.positions() or site.rows("positions")  # a stop closes nothing by itself
    site.kill(process)
    assert audit_session(site.session()) == {}


@pytest.mark.slow
def test_a_stop_keeps_positions_and_their_protection_at_work(crowded: Site) -> None:
    process = crowded.trading(MANY)
    answer = crowded.ask(CommandKind.STOP)
    assert (answer.code, answer.status) == ("answer.stopped", "done")
    assert answer.seconds < 1.0
    open_then = len(crowded.positions())
    assert open_then > 0
    no_entries_for(crowded, 0.3)
    # the venue goes on: stops and targets close them one by one
    until(lambda: len(crowded.positions()) < open_then, "protection at work", 30)
    assert crowded.rows("orders", "WHERE role = 'flatten'") == []
    crowded.kill(process)
    assert audit_session(crowded.session()) == {}


# --- once, in time, or not at all ---------------------------------------------------------------


@pytest.mark.slow
def test_a_command_asked_twice_is_done_once(crowded: Site) -> None:
    process = crowded.trading(MANY)
    symbol = crowded.positions()[0]["symbol"]
    command_id = uuid.uuid4().hex
    first = crowded.ask(CommandKind.CLOSE_POSITION, {"symbol": symbol}, command_id=command_id)
    again = crowded.ask(CommandKind.CLOSE_POSITION, {"symbol": symbol}, command_id=command_id)
    assert first.code == again.code == "answer.closing"
    time.sleep(0.5)
    closing = crowded.rows("orders", "WHERE role = 'exit' AND reason = 'operator'")
    assert [o["client_order_id"] for o in closing] == [first.data["client_order_id"]]
    crowded.kill(process)
    assert audit_session(crowded.session()) == {}


@pytest.mark.slow
def test_what_was_only_meant_for_the_moment_is_not_done_a_minute_later(crowded: Site) -> None:
    process = crowded.trading(MANY)
    crowded.kill(process)
    symbol = crowded.positions()[0]["symbol"]
    stale = put_a_command(crowded, CommandKind.CLOSE_POSITION, {"symbol": symbol}, ago=61)
    fresh = put_a_command(crowded, CommandKind.LIFT_LOCK, {"symbol": symbol}, ago=30)
    process = crowded.up()
    until(lambda: crowded.command(fresh)["status"] == "refused", "the fresh one's answer", 3)
    assert crowded.rows("orders", "WHERE reason = 'operator'") == []
    crowded.ask(CommandKind.RUN_JOB, {"job": "expire_commands"})  # comes once a minute by itself
    until(lambda: crowded.command(stale)["status"] == "expired", "the stale one's end", 3)
    crowded.kill(process)


def test_a_command_that_an_engine_took_and_did_not_answer_is_done_by_the_next(site: Site) -> None:
    command_id = put_a_command(site, CommandKind.START)
    import sqlite3

    with closing(sqlite3.connect(site.platform.database)) as database:
        database.execute("UPDATE commands SET status = 'taken'")
        database.commit()
    site.up()
    until(lambda: site.command(command_id)["status"] == "done", "the answer", 3)


def test_unknown_symbols_and_orders_are_refused_in_words(site: Site) -> None:
    site.up()
    refused = site.ask(CommandKind.CLOSE_POSITION, {"symbol": "NO/SUCH"})
    assert (refused.status, refused.code) == ("refused", "refused.input")
    assert "'NO/SUCH'" in refused.data["reason"]
    assert "BTC/USDT" in refused.data["reason"]
    refused = site.ask(CommandKind.CLOSE_POSITION, {"symbol": "BTC/USDT"})
    assert refused.code == "refused.no_position"
    refused = site.ask(CommandKind.CANCEL_ORDER, {"client_order_id": "r1o9999999"})
    assert refused.code == "refused.no_order"


@pytest.mark.slow
def test_the_order_that_protects_a_position_cannot_be_canceled(site: Site) -> None:
    site.trading()
    site.ask(CommandKind.STOP)
    stop = until(lambda: site.rows("orders", "WHERE role = 'stop' AND status = 'working'"), "", 20)
    refused = site.ask(CommandKind.CANCEL_ORDER, {"client_order_id": stop[0]["client_order_id"]})
    assert refused.status == "refused"
    assert refused.code in ("refused.protects", "refused.no_order")  # it may have filled
