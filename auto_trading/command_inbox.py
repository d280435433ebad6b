"""The thread between database and engine: heartbeat, lease, commands. It never waits for the cycle.

Its own connection with a short timeout: while the database hangs, it hangs, and nobody else does.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Engine as Database

from auto_trading.operations import Answer
from auto_trading.session_inputs import Command
from auto_trading.switchboard import Switchboard, boot_seconds
from crypto_trader_pro.domain.enums import CommandKind, DesiredState
from crypto_trader_pro.domain.errors import InputError, JournalUnavailable
from database import commands, lease
from database.auto_trading_db import unit_of_work
from database.lease import LEASE_SECONDS, Beat
from database.models import CommandRow

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.1
BEAT_SECONDS: Final = 1.0
STOPS: Final = frozenset({CommandKind.STOP, CommandKind.EMERGENCY_STOP, CommandKind.SHUTDOWN})


@dataclass(frozen=True, slots=True)
class InboxTools:
    """What the inbox needs.

    Args:
        reader: a read-only connection pool: looking for commands is no write.
        writer: with a short timeout.
        beat: returns what the heartbeat tells.
        ready: False while no session can take commands; they wait in their table.
        handle: does what a command asks, or hands it on; None: its answer comes with the
            session's commit.
        wanted: told what people want, once a second.
        lost: called when another engine has the account.
    """

    reader: Database
    writer: Database
    epoch: int
    now: Callable[[], datetime]
    beat: Callable[[], Beat]
    switchboard: Switchboard
    ready: Callable[[], bool]
    handle: Callable[[Command], Answer | None]
    wanted: Callable[[DesiredState], None]
    lost: Callable[[], None]


class CommandInbox:
    """Polls for commands ten times a second and beats once a second."""

    def __init__(self, tools: InboxTools) -> None:
        self._tools = tools
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._next_beat = 0.0
        self._failing = False
        self._answers: list[tuple[str, Answer]] = []  # that the database has not taken yet

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout: float) -> None:
        self._closing.set()
        self._thread.join(timeout)

    def beat_soon(self) -> None:
        """Let the next heartbeat come at once: something has changed."""
        self._next_beat = 0.0

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._round()
            except JournalUnavailable as e:
                if not self._failing:
                    log.warning("%s: heartbeat and commands wait; flag files still work", e)
                self._failing = True
            except Exception:
                log.exception("the command inbox met a bug; it goes on")
            self._closing.wait(POLL_SECONDS)

    def _round(self) -> None:
        if boot_seconds() >= self._next_beat:
            self._beat()
        self._store_answers()
        if self._has_waiting() and self._tools.ready():
            while (row := self._claim()) is not None:
                self._serve(row)

    def _beat(self) -> None:
        tools = self._tools
        asked_at = boot_seconds()
        with unit_of_work(tools.writer, "the heartbeat") as session:
            wanted = lease.renew(session, tools.epoch, tools.beat(), tools.now())
        if wanted is None:
            tools.switchboard.block("lease", "lease_lost")
            self._closing.set()
            tools.lost()
            return
        tools.switchboard.lease_renewed(asked_at, LEASE_SECONDS - 1)
        if self._failing:
            log.warning("the database answers again")
            self._failing = False
        self._next_beat = asked_at + BEAT_SECONDS
        tools.wanted(wanted)

    def _has_waiting(self) -> bool:
        with unit_of_work(self._tools.reader, "the commands") as session:
            return commands.is_any_waiting(session)

    def _claim(self) -> CommandRow | None:
        with unit_of_work(self._tools.writer, "the commands") as session:
            return commands.claim_next(session, self._tools.now())

    def _serve(self, row: CommandRow) -> None:
        try:
            kind = CommandKind(row.kind)
        except ValueError:
            allowed = ", ".join(k.value for k in CommandKind)
            text = f"kind was {row.kind!r}, allowed: {allowed}"
            self._finish(row.command_id, Answer.refused("input", reason=text))
            return
        command = Command(row.command_id, kind, row.payload, row.requested_by, row.requested_at)
        log.info(
            "%s asked by %s", kind.value, row.requested_by,
            extra={"correlation_id": row.command_id, "data": dict(row.payload)},
        )  # fmt: skip
        try:
            answer = self._tools.handle(command)
        except InputError as e:
            answer = Answer.refused("input", reason=str(e))
        if answer is not None:
            self._finish(row.command_id, answer)

    def _finish(self, command_id: str, answer: Answer) -> None:
        self._answers.append((command_id, answer))
        self._store_answers()

    def _store_answers(self) -> None:
        while self._answers:
            command_id, answer = self._answers[0]
            with unit_of_work(self._tools.writer, "the answer") as session:
                commands.finish(session, command_id, answer.status, answer.data, self._tools.now())
            self._answers.pop(0)
