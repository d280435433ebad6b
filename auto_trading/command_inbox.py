"""The thread between database and engine: heartbeat, lease, commands. It never waits for the cycle.

Its own connection with a short timeout: while the database hangs, it hangs, and nobody else does.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading.control import FIELDS
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
SIGNAL_SECONDS: Final = 0.02  # between two signals from outside: the market comes in between
BEAT_SECONDS: Final = 1.0
STOPS: Final = frozenset(
    {CommandKind.STOP, CommandKind.EMERGENCY_STOP, CommandKind.PAUSE, CommandKind.SHUTDOWN}
)


@dataclass(frozen=True, slots=True)
class InboxTools:
    """What the inbox needs.

    Args:
        reader: a read-only connection pool: looking for commands is no write.
        writer: with a short timeout.
        beat: returns what the heartbeat tells.
        begun: False while there is nobody to hand commands to; they wait in their table.
        ready: False while a session is being built; only stops are handed on then.
        idle: False while the session has a command to work on; signals from outside wait for it,
            so that however many come, what people ask and the market get their turn.
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
    begun: Callable[[], bool]
    ready: Callable[[], bool]
    idle: Callable[[], bool]
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
        self._soon = threading.Event()
        self._failing = self._is_lost = self._has_signaled = False
        self._trouble = ""
        self._unserved: Command | None = None  # taken, but the database did not serve its work
        self._answers: deque[tuple[str, Answer]] = deque()  # that the database has not taken yet

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout: float) -> None:
        """End after the present round; answers that wait are stored if that works at once."""
        self._closing.set()
        self._soon.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def beat_soon(self) -> None:
        """Let the next heartbeat come at once: something has changed. From any thread."""
        self._soon.set()

    def answer(self, command_id: str, answer: Answer) -> None:
        """Store what became of a command that was taken, as soon as that works. From any thread."""
        self._answers.append((command_id, answer))

    def _run(self) -> None:
        while not self._closing.is_set():
            self._has_signaled = False
            self._guarded(self._round)
            self._closing.wait(SIGNAL_SECONDS if self._has_signaled else POLL_SECONDS)
        if not self._is_lost:
            self._guarded(self._store_answers)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except JournalUnavailable as e:
            if not self._failing:
                log.warning("%s: heartbeat and commands wait; flag files still work", e)
            self._failing = True
        except Exception as e:
            if repr(e) != self._trouble:  # ten times a second is too often to say it
                log.exception("the command inbox met a bug; it goes on")
            self._trouble = repr(e)

    def _round(self) -> None:
        if self._is_beat_due:
            self._beat()
        if self._is_lost:
            return
        self._store_answers()
        if self._unserved is not None:
            self._serve(self._unserved)
        if self._tools.begun() and self._has_waiting():
            while (row := self._claim()) is not None:
                self._take(row)
                if self._is_beat_due or not self._has_waiting():
                    return

    @property
    def _is_beat_due(self) -> bool:
        return self._soon.is_set() or boot_seconds() >= self._next_beat

    def _beat(self) -> None:
        tools = self._tools
        self._soon.clear()
        beat = tools.beat()
        asked_at = boot_seconds()
        with unit_of_work(tools.writer, "the heartbeat") as session:
            wanted = lease.renew(session, tools.epoch, beat, tools.now())
        if wanted is None:
            tools.switchboard.block("lease", "lease_lost")
            self._is_lost = True
            self._closing.set()
            tools.lost()
            return
        tools.switchboard.lease_renewed(asked_at, LEASE_SECONDS - 1)
        if self._failing:
            log.warning("the database answers again")
            self._failing = False
        self._next_beat = asked_at + BEAT_SECONDS
        tools.wanted(wanted)

    def _takes_signals(self) -> bool:
        return not self._has_signaled and self._tools.idle()

    def _has_waiting(self) -> bool:
        with unit_of_work(self._tools.reader, "the commands") as session:
            return commands.is_any_waiting(session, signals=self._takes_signals())

    def _claim(self) -> CommandRow | None:
        """Take the next command; None as well where another engine has the account."""
        with unit_of_work(self._tools.writer, "the commands") as session:
            if not lease.is_held(session, self._tools.epoch):
                return None
            commands.expire(session, self._tools.now())
            kinds = None if self._tools.ready() else STOPS  # a stop need not wait for a session
            return commands.claim_next(
                session, self._tools.now(), kinds, signals=self._takes_signals()
            )

    def _take(self, row: CommandRow) -> None:
        """Refuse what cannot be a command; serve the others."""
        wrong = _wrong_with(row)
        if wrong:
            self._finish(row.command_id, Answer.refused("input", reason=wrong))
            return
        kind = CommandKind(row.kind)
        self._has_signaled = self._has_signaled or kind is CommandKind.SIGNAL
        command = Command(row.command_id, kind, row.payload, row.requested_by, row.requested_at)
        log.info(
            "%s asked by %s", kind.value, row.requested_by,
            extra={"correlation_id": row.command_id, "data": dict(row.payload)},
        )  # fmt: skip
        self._serve(command)

    def _serve(self, command: Command) -> None:
        self._unserved = command
        try:
            answer = self._tools.handle(command)
        except JournalUnavailable:
            raise  # it is served again before any other
        except InputError as e:
            answer = Answer.refused("input", reason=str(e))
        except Exception as e:
            log.exception("%s met a bug", command.kind.value)
            answer = Answer.refused("input", reason=f"{command.kind.value} failed: {e!r}")
        self._unserved = None
        if answer is not None:
            self._finish(command.command_id, answer)

    def _finish(self, command_id: str, answer: Answer) -> None:
        self.answer(command_id, answer)
        self._store_answers()

    def _store_answers(self) -> None:
        while self._answers:
            command_id, answer = self._answers[0]
            try:
                with unit_of_work(self._tools.writer, "the answer") as session:
                    if not lease.is_held(session, self._tools.epoch):
                        return  # the engine that has the account answers
                    commands.finish(
                        session, command_id, answer.status, answer.data, self._tools.now()
                    )
            except JournalUnavailable:
                raise
            except Exception:  # one that can never be stored must not hold up the others
                log.exception("the answer to command %s is not stored: %s", command_id, answer)
            self._answers.popleft()


def _wrong_with(row: CommandRow) -> str:
    """Return in one line why a row cannot be a command, else nothing."""
    if row.kind not in [kind.value for kind in CommandKind]:
        return f"kind was {row.kind!r}, allowed: {', '.join(kind.value for kind in CommandKind)}"
    payload: Any = row.payload  # another program may have stored anything
    if not isinstance(payload, Mapping):
        return f"payload of {row.kind} was {type(payload).__name__}, allowed: an object"
    missing = [name for name in FIELDS.get(CommandKind(row.kind), ()) if name not in payload]
    return f"command {row.kind} lacks {', '.join(missing)}" if missing else ""
