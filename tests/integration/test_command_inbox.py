"""The inbox: a real thread between a database and a recorder of what it hands on."""

import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auto_trading import control
from auto_trading.command_inbox import CommandInbox, InboxTools
from auto_trading.flags import Flags
from auto_trading.operations import Answer
from auto_trading.session_inputs import Command
from auto_trading.switchboard import Switchboard
from crypto_trader_pro.domain.enums import CommandKind, DesiredState, ObservedState, TradingState
from crypto_trader_pro.domain.errors import InputError, JournalUnavailable
from database import commands, lease
from database.auto_trading_db import open_database, unit_of_work
from database.lease import Beat, Holder
from database.models import CommandRow
from tests.control_plane import NOW, until
from tests.processes import locked

BEAT = Beat(ObservedState.RUNNING, TradingState.ACTIVE, "paper", "demo", None, None, None)
ANSWER = Answer.done("acknowledged", alert_id=1)


class Office:
    """An inbox with its database, and what came of it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        url = f"sqlite:///{file}"
        self.writer = open_database(url, durable=False, busy_seconds=0.1)
        self.reader = open_database(url, read_only=True, busy_seconds=0.1)
        self.board = Switchboard()
        self.handled: list[Command] = []
        self.wanted: list[DesiredState] = []
        self.lost: list[bool] = []
        self.beats = 0
        self.ready = True
        self.building = False
        self.idle = True
        self.act: Callable[[Command], Answer | None] = lambda _: ANSWER
        self.now = NOW
        self.epoch = self.take("this process")
        self.inbox = CommandInbox(
            InboxTools(
                self.reader, self.writer, self.epoch, lambda: self.now, self._beat, self.board,
                lambda: self.ready or self.building, lambda: self.ready,
                lambda: self.idle, self._handle,
                self.wanted.append, lambda: self.lost.append(True),
            )
        )  # fmt: skip

    def _beat(self) -> Beat:
        self.beats += 1
        return BEAT

    def _handle(self, command: Command) -> Answer | None:
        self.handled.append(command)
        return self.act(command)

    def take(self, owner: str) -> int:
        with unit_of_work(self.writer) as session:
            holder = Holder(owner, "elsewhere", 1, 1, "")
            epoch = lease.take(session, holder, self.now, is_gone=lambda _: True)
        assert epoch is not None
        return epoch

    def ask(self, kind: CommandKind, command_id: str, **payload: Any) -> None:
        control.ask(self.writer, kind, payload, by="kim", now=self.now, command_id=command_id)

    def write(self, command_id: str, kind: str, payload: Any) -> None:
        """Store a row as another program would, unchecked."""
        with unit_of_work(self.writer) as session:
            session.add(
                CommandRow(
                    command_id=command_id, kind=kind, payload=payload, requested_by="x",
                    requested_at=NOW, status="asked",
                )
            )  # fmt: skip

    def row(self, command_id: str) -> CommandRow:
        with unit_of_work(self.reader) as session:
            found = commands.find(session, command_id)
            assert found is not None
            return found

    def status(self, command_id: str) -> str:
        return self.row(command_id).status

    def heartbeat(self) -> datetime:
        with unit_of_work(self.reader) as session:
            found = lease.read(session)
            assert found is not None
            return found.heartbeat_at


@pytest.fixture
def office(tmp_path: Path, migrated_file: Path) -> Iterator[Office]:
    file = tmp_path / "office.db"
    shutil.copy(migrated_file, file)
    made = Office(file)
    yield made
    made.inbox.close(5.0)
    made.writer.dispose()
    made.reader.dispose()


@contextmanager
def at_work(office: Office) -> Iterator[None]:
    office.inbox.start()
    until(lambda: office.wanted, what="the first heartbeat")
    yield


def test_commands_come_in_order_and_are_answered_once(office: Office) -> None:
    names = [f"c{k}" for k in range(12)]
    for name in names:
        office.ask(CommandKind.STOP, name)
    with at_work(office):
        until(lambda: office.status("c11") == "done")
        time.sleep(0.25)
    assert [c.command_id for c in office.handled] == names
    assert office.row("c0").answer == {"code": "answer.acknowledged", "alert_id": 1}


def test_a_flood_of_signals_holds_up_neither_a_stop_nor_what_people_asked_before_it(
    office: Office,
) -> None:
    for k in range(200):
        office.ask(CommandKind.SIGNAL, f"s{k}", strategy="a", action="buy", alert_id=f"{k}")
    office.ask(CommandKind.START, "start")
    office.ask(CommandKind.STOP, "stop")
    with at_work(office):
        until(lambda: len(office.handled) >= 5)
        office.idle = False  # the session is busy: signals wait for it
        time.sleep(0.1)
        seen = len(office.handled)
        office.ask(CommandKind.STOP, "later")
        until(lambda: office.status("later") == "done")
        assert [c.command_id for c in office.handled[seen:]] == ["later"]
    names = [c.command_id for c in office.handled]
    assert names[:4] == ["start", "stop", "s0", "s1"]  # as they came, and signals last


def test_an_answer_that_comes_with_the_session_is_left_to_it(office: Office) -> None:
    office.act = lambda _: None
    office.ask(CommandKind.STOP, "c1")
    with at_work(office):
        until(lambda: office.handled)
        assert office.status("c1") == "taken"
        office.inbox.answer("c1", Answer.refused("input", reason="the engine stands still"))
        until(lambda: office.status("c1") == "refused")


@pytest.mark.parametrize(
    ("kind", "payload", "reason"),
    [
        ("dance", {}, "kind was 'dance', allowed: start, stop, "),
        ("close_position", {}, "command close_position lacks symbol"),
        ("rearm", {"word": "x"}, "command rearm lacks confirm"),
        ("stop", ["a", "list"], "payload of stop was list, allowed: an object"),
        ("stop", "text", "payload of stop was str, allowed: an object"),
    ],
)
def test_what_is_no_command_is_refused_and_the_next_is_served(
    office: Office, kind: str, payload: Any, reason: str
) -> None:
    office.write("bad", kind, payload)
    office.ask(CommandKind.STOP, "good")
    with at_work(office):
        until(lambda: office.status("good") == "done")
    found = office.row("bad")
    assert found.status == "refused"
    assert found.answer is not None
    assert found.answer["reason"].startswith(reason)
    assert [c.command_id for c in office.handled] == ["good"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InputError("there is no alert 7"), "there is no alert 7"),
        (KeyError("symbol"), "acknowledge_alert failed: KeyError('symbol')"),
        (ValueError("7x"), "acknowledge_alert failed: ValueError('7x')"),
    ],
)
def test_what_a_handler_cannot_do_is_refused(office: Office, error: Exception, reason: str) -> None:
    def fail(_: Command) -> Answer:
        raise error

    office.act = fail
    office.ask(CommandKind.ACKNOWLEDGE_ALERT, "c1", alert_ids="7x")
    with at_work(office):
        until(lambda: office.status("c1") == "refused")
    assert office.row("c1").answer == {"code": "refused.input", "reason": reason}


def test_an_answer_that_can_never_be_stored_does_not_hold_up_the_others(office: Office) -> None:
    with at_work(office):
        office.inbox.answer("nobody", ANSWER)
        office.inbox.answer("also nobody", replace(ANSWER, data={"x": object()}))
        office.ask(CommandKind.STOP, "c1")
        until(lambda: office.status("c1") == "done")


def test_a_command_whose_time_is_over_expires(office: Office) -> None:
    office.ask(CommandKind.LIFT_LOCK, "late", symbol="BTC/USDT")
    office.now += timedelta(seconds=60)
    office.ask(CommandKind.STOP, "c1")
    with at_work(office):
        until(lambda: office.status("c1") == "done")
    assert office.status("late") == "expired"
    assert [c.command_id for c in office.handled] == ["c1"]


def test_commands_wait_until_somebody_can_take_them(office: Office) -> None:
    office.ready = False
    office.ask(CommandKind.STOP, "c1")
    with at_work(office):
        time.sleep(0.3)
        assert office.status("c1") == "asked"
        office.ready = True
        until(lambda: office.status("c1") == "done")


def test_a_database_locked_for_two_seconds_loses_nothing(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    office.act = lambda _: None
    office.ask(CommandKind.STOP, "c1")
    with at_work(office), caplog.at_level(logging.WARNING):
        until(lambda: office.handled)
        with locked(office.file):
            office.now += timedelta(seconds=5)
            office.inbox.answer("c1", ANSWER)
            time.sleep(2.0)
            assert office.status("c1") == "taken"
        until(lambda: office.heartbeat() == office.now)
        until(lambda: office.status("c1") == "done")
        office.act = lambda _: ANSWER
        office.ask(CommandKind.STOP, "c2")
        until(lambda: office.status("c2") == "done")
    said = [r.message for r in caplog.records if r.name == "auto_trading.command_inbox"]
    assert len(said) == 2  # the failure once, its end once
    assert said[1] == "the database answers again"
    assert office.board.reason() == ""


def test_a_handler_whose_database_fails_is_asked_again_before_any_other(office: Office) -> None:
    left = [2]

    def fails_twice(_: Command) -> Answer:
        if left[0]:
            left[0] -= 1
            raise JournalUnavailable("the alert: locked")
        return ANSWER

    office.act = fails_twice
    for name in ("c1", "c2"):
        office.ask(CommandKind.STOP, name)
    with at_work(office):
        until(lambda: office.status("c2") == "done")
    assert [c.command_id for c in office.handled] == ["c1", "c1", "c1", "c2"]


def test_answers_are_stored_at_the_end_too(office: Office) -> None:
    office.act = lambda _: None
    office.ask(CommandKind.STOP, "c1")
    with at_work(office):
        until(lambda: office.handled)
    office.inbox._closing.set()
    time.sleep(0.01)
    office.inbox.answer("c1", ANSWER)
    office.inbox.close(5.0)
    assert office.status("c1") in ("done", "taken")  # the thread may have ended before
    office.inbox._guarded(office.inbox._store_answers)
    assert office.status("c1") == "done"


def test_the_heartbeat_comes_each_second_and_soon_when_asked(office: Office) -> None:
    with at_work(office):
        until(lambda: office.beats >= 3, 4.0)
        before = office.beats
        office.inbox.beat_soon()
        until(lambda: office.beats > before, 0.5)


def test_a_beat_that_fails_is_said_once_and_commands_go_on_afterwards(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> Beat:
        raise RuntimeError("changed size during iteration")

    object.__setattr__(office.inbox._tools, "beat", fails)
    office.inbox.start()
    office.ask(CommandKind.STOP, "c1")
    time.sleep(0.4)
    object.__setattr__(office.inbox._tools, "beat", office._beat)
    until(lambda: office.status("c1") == "done")
    assert len([r for r in caplog.records if "met a bug" in r.message]) == 1


def test_a_lost_account_forbids_entries_at_once_and_ends_the_thread(office: Office) -> None:
    with at_work(office):
        assert office.board.reason() == ""
        office.take("another engine")
        office.inbox.beat_soon()
        until(lambda: office.lost)
        assert office.board.reason() == "lease_lost"
        until(lambda: not office.inbox._thread.is_alive())
    office.ask(CommandKind.STOP, "c1")
    time.sleep(0.2)
    assert office.status("c1") == "asked"
    assert len(office.lost) == 1


def test_one_that_lost_the_account_takes_and_answers_nothing(office: Office) -> None:
    """It slept between two heartbeats: it does not know yet."""
    office.ask(CommandKind.STOP, "c1")
    office.take("another engine")
    assert office.inbox._claim() is None
    with unit_of_work(office.writer) as session:
        assert commands.claim_next(session, NOW) is not None  # by the other
    office.inbox.answer("c1", ANSWER)
    office.inbox._store_answers()
    assert office.status("c1") == "taken"


# --- asking ---------------------------------------------------------------------------------


def test_asking_without_a_field_is_refused_at_once(office: Office) -> None:
    with pytest.raises(InputError, match=r"^command rearm lacks confirm$"):
        office.ask(CommandKind.REARM, "c1")


def test_a_wish_is_stored_with_its_command_and_once(office: Office) -> None:
    def desired() -> str:
        with unit_of_work(office.reader) as session:
            found = lease.read(session)
            assert found is not None
            return found.desired_state

    office.ask(CommandKind.START, "c1")
    assert desired() == "running"
    with at_work(office):
        until(lambda: control.answer(office.reader, "c1"))
        office.ask(CommandKind.STOP, "c2")
        found = control.wait_for_answer(office.reader, "c2", 5.0)
        assert found is not None
        assert found.status == "done"
    office.ask(CommandKind.START, "c1")  # asked again: it is done already and means nothing new
    assert desired() == "stopped"


def test_waiting_for_an_answer_has_an_end(office: Office) -> None:
    office.ask(CommandKind.START, "c1")
    began = time.monotonic()
    assert control.wait_for_answer(office.reader, "c1", 0.1) is None
    assert time.monotonic() - began < 2.0


def test_a_stop_without_the_database_is_a_flag(tmp_path: Path) -> None:
    flags = Flags(tmp_path)
    control.stop_without_database(flags, CommandKind.EMERGENCY_STOP, "kim")
    assert [(f.kind, f.by) for f in flags.up()] == [(CommandKind.EMERGENCY_STOP, "kim")]


def test_the_database_is_free_while_the_beat_is_made(office: Office) -> None:
    """Making it may take a while; nobody else waits for it."""
    free: list[bool] = []

    def beat() -> Beat:
        with closing(sqlite3.connect(office.file, timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")
            free.append(True)
        return BEAT

    object.__setattr__(office.inbox._tools, "beat", beat)
    with at_work(office):
        assert free


def test_a_stop_is_handed_on_while_the_session_is_being_built_and_nothing_else(
    office: Office,
) -> None:
    office.ready, office.building = False, True
    office.ask(CommandKind.START, "c1")
    office.ask(CommandKind.STOP, "c2")
    office.inbox.start()
    until(lambda: [c.command_id for c in office.handled] == ["c2"])
    office.ready = True
    until(lambda: [c.command_id for c in office.handled] == ["c2", "c1"])
