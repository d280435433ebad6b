"""Pause, resume, and canceling entries, as a session does them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from auto_trading.account_report import account_report
from auto_trading.command_inbox import STOPS
from crypto_trader_pro.domain.enums import CommandKind, OrderRole
from crypto_trader_pro.domain.errors import JournalUnavailable
from database import wishes
from tests.engines import SYSTEM_TIME
from tests.reaching import (
    BTC,
    ETH,
    a_database,
    a_session,
    at,
    close,
    code,
    it_repeats,
    orders,
    rows,
    the_books_agree,
    with_a_long,
)
from tests.sessions import Life

K = CommandKind


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("pausing")
    with a_database(folder) as made:
        yield made


def state(life: Life) -> str:
    return str(account_report(life.session)["trading_state"])


def test_while_paused_nothing_is_entered_and_exits_go_on(database: Database) -> None:
    life = with_a_long(database)
    answer = life.ask(K.PAUSE)
    assert answer.data == {"code": "answer.paused", "open_positions": 1, "entries": 0}
    report = account_report(life.session)
    assert (report["paused"], report["trading_state"]) == (True, "reducing")
    for k in range(2, 6):
        close(life, k, 100)
    assert rows(life, "SELECT first_refusal FROM decisions WHERE run_id = :run AND mask <> 0") == [
        ("trading_state",)
    ]
    at(life, 6, 1, 79)  # the stop rests at 80
    assert life.lots == [0, 0]
    assert code(life.ask(K.RESUME)) == "answer.resumed"
    assert code(life.ask(K.RESUME)) == "refused.not_paused"
    it_repeats(life)


def test_a_pause_is_told_once_and_survives_start_rearm_and_death(database: Database) -> None:
    life = with_a_long(database)
    for _ in range(2):
        life.ask(K.PAUSE)
    assert code(life.ask(K.REARM, {"confirm": "REARM"})) == "refused.not_halted"
    life = life.reborn()
    assert code(life.ask(K.START)) == "answer.started_paused"
    life.ask(K.EMERGENCY_STOP)
    at(life, 2, 9, 100)
    assert code(life.ask(K.REARM, {"confirm": "REARM"})) == "answer.rearmed"
    assert state(life) == "reducing"
    assert code(life.ask(K.RESUME)) == "answer.resumed_stopped"
    assert state(life) == "active"
    told = [c for (c,) in rows(life, "SELECT code FROM alerts WHERE run_id = :run ORDER BY id")]
    assert told == ["paused", "emergency_stop", "emergency_flat", "rearmed", "resumed"]
    it_repeats(life)


def test_resuming_does_not_lift_an_emergency(database: Database) -> None:
    life = with_a_long(database)
    life.ask(K.PAUSE)
    life.ask(K.EMERGENCY_STOP)
    answer = life.ask(K.RESUME)
    assert (code(answer), answer.data["trigger"]) == ("answer.resumed_latched", "MANUAL_STOP")
    assert state(life) == "halted"


def test_an_entry_that_waits_is_dropped_and_one_that_works_stays(database: Database) -> None:
    life = a_session(database, buys=True)  # its entry works at the venue
    assert life.ask(K.PAUSE).data["entries"] == 1
    assert orders(life, OrderRole.ENTRY) == [(BTC, "working", "")]
    held = a_session(database, buys=True, starts=False)
    held.ask(K.START)
    for k in (2, 3, 4):
        close(held, k, 100)
    held.journal.fails = JournalUnavailable("the disk is full")
    with pytest.raises(JournalUnavailable):
        close(held, 5, 100)  # ETH is bought, and its intent cannot be stored
    with pytest.raises(JournalUnavailable):
        held.ask(K.PAUSE)
    held.journal.fails = None
    held.outcome()
    assert orders(held, OrderRole.ENTRY) == [(ETH, "canceled", "journal_unavailable")]


def test_an_unsent_entry_of_a_paused_session_is_not_sent_after_a_restart(
    database: Database,
) -> None:
    """The process dies between the commit and the sending; the checkpoint has the pause."""
    life = a_session(database, buys=True)
    life.ask(K.PAUSE)
    life.ask(K.CANCEL_ENTRIES)
    for k in (2, 3, 4):
        close(life, k, 100)
    life = life.reborn()
    close(life, 5, 100)
    assert [o.status.value for o in life.parts.executor.orders.values()] == []
    the_books_agree(life)


@pytest.mark.parametrize(("symbol", "count"), [(None, 1), (BTC, 1), (ETH, 0)])
def test_entries_are_canceled_by_symbol_or_all_and_protection_never(
    database: Database, symbol: str | None, count: int
) -> None:
    life = a_session(database, buys=True)
    answer = life.ask(K.CANCEL_ENTRIES, {"symbol": symbol})
    assert answer.data == {"code": "answer.entries_canceled", "count": count}
    assert life.ask(K.CANCEL_ENTRIES, {"symbol": symbol}).data["count"] == 0
    at(life, 2, 5, 100)
    assert life.lots == [0 if count else 10, 0]
    if life.lots[0]:
        life.ask(K.CANCEL_ENTRIES)
        assert orders(life, OrderRole.STOP) == [(BTC, "working", "")]
    it_repeats(life)


def test_entries_of_a_symbol_that_nobody_trades_are_refused(database: Database) -> None:
    life = a_session(database)
    answer = life.ask(K.CANCEL_ENTRIES, {"symbol": "DOGE"})
    assert answer.data["reason"] == f"symbol was 'DOGE', allowed: {BTC}, {ETH}"


def test_a_wish_to_pause_waits_for_an_engine_and_one_to_resume_does_not(
    database: Database,
) -> None:
    assert K.PAUSE in STOPS
    assert K.RESUME not in STOPS
    paused = wishes.wish(database, K.PAUSE, by="kim", now=SYSTEM_TIME)
    resumed = wishes.wish(database, K.RESUME, by="kim", now=SYSTEM_TIME)
    assert paused.expires_at is None
    assert resumed.expires_at is not None
