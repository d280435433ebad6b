"""The engine process: takes the account, begins or goes on with a session, serves it to its end.

Order of a start: log, database, lease and first heartbeat, then everything that takes time.
"""

import logging
import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from types import FrameType
from typing import TYPE_CHECKING, Final

from sqlalchemy import Engine as Database

from auto_trading import engine_file
from auto_trading.command_inbox import CommandInbox, InboxTools
from auto_trading.flags import Flags
from auto_trading.modes import refusal
from auto_trading.operations import Answer
from auto_trading.reach.running import ReachProcess
from auto_trading.session_inputs import Command
from auto_trading.shared import Databases, Shared
from auto_trading.switchboard import Switchboard, boot_seconds
from config.environment import Environment
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind, DesiredState, ObservedState, TradingState
from crypto_trader_pro.domain.errors import (
    ConfigError,
    InputError,
    JournalUnavailable,
    LeaseLost,
)
from database import commands, lease, runs
from database.auto_trading_db import prepare, unit_of_work
from database.lease import LEASE_SECONDS, Beat, Holder
from database.log_rows import LogTable
from database.migrations import REVISIONS
from database.models import EngineLeaseRow
from database.outbox import DatabaseOutbox
from utils.clocks import SystemClock
from utils.hurry import within
from utils.logging import setup_logging
from utils.notifications import NotificationManager
from utils.processes import ProcessId, is_gone, own_process
from utils.redaction import secrets_of
from utils.texts import language_of, say

if TYPE_CHECKING:
    from auto_trading.living_session import LivingSession

log = logging.getLogger(__name__)

_RELEASE_SECONDS: Final = 1.0  # that giving the lease back may take
_SIGNALS: Final = {
    signal.SIGTERM: CommandKind.SHUTDOWN,
    signal.SIGINT: CommandKind.SHUTDOWN,
    signal.SIGUSR1: CommandKind.STOP,
    signal.SIGUSR2: CommandKind.EMERGENCY_STOP,
}


def run_engine(
    environment: Environment, settings: Settings, *, wait_for_lease: bool, console: bool = False
) -> int:
    """Run until a shutdown is asked for; return the exit code.

    Args:
        wait_for_lease: under a supervisor: wait for the other engine's end instead of giving up.
        console: write the log to stderr too.

    Raises:
        ConfigError: another engine trades this account, or the session cannot be gone on with.
        JournalUnavailable: the database does not serve at the start.
        LeaseLost: another engine has taken the account; this one has stopped.
    """
    if code := refusal(settings.engine.mode):
        language = language_of(settings.engine.language, os.environ)
        raise ConfigError(say(language, f"preflight.{code}", mode=settings.engine.mode.value))
    with ExitStack() as stack:
        signals: list[CommandKind] = []
        _catch_signals(signals, stack)
        clock, secrets = SystemClock(), secrets_of(environment)
        databases = Databases.open(environment.database_url, stack)
        prepare(databases.journal)
        table = LogTable.open(environment.database_url)
        stack.callback(table.close)
        logs = setup_logging(
            environment.var_dir / "logs", level=logging.INFO, console=console,
            table_sink=table, clock=clock, secrets=secrets,
        )  # fmt: skip
        stack.callback(logs.close, 1.5)
        epoch = _take_lease(databases.inbox, settings, signals, wait=wait_for_lease)
        if epoch is None:
            return 0  # told to end while waiting
        reach = ReachProcess(environment)
        stack.callback(reach.close)  # after the last messages are stored
        outbox = DatabaseOutbox.open(environment.database_url)
        stack.callback(outbox.close)
        notifications = NotificationManager(settings, outbox, clock, secrets=secrets)
        stack.callback(notifications.close, 1.5)
        flags, switchboard = Flags(environment.var_dir), Switchboard()
        switchboard.lease_renewed(boot_seconds(), LEASE_SECONDS - 1)
        shared = Shared(
            environment,
            settings,
            databases,
            epoch,
            flags,
            switchboard,
            notifications,
            logs,
            signals=signals,
        )
        return _Process(shared, reach).run(stack)


class _Process:
    """Holds the session of the moment between the inbox and the supervisor."""

    def __init__(self, shared: Shared, reach: ReachProcess) -> None:
        self._shared = shared
        self._reach = reach
        self._living: LivingSession | None = None
        self._is_lost = False
        self._error: str | None = None  # why this process ends
        self._desired = DesiredState.STOPPED
        self._inbox = CommandInbox(self._inbox_tools())

    def run(self, stack: ExitStack) -> int:
        """Serve one session after another until the process is to end."""
        shared = self._shared
        with unit_of_work(shared.databases.inbox, "the commands") as session:
            commands.take_back(session, shared.now())
            row = lease.read(session)
            self._desired = DesiredState(row.desired_state) if row else DesiredState.STOPPED
        stack.callback(self._release)
        self.sign_of_life()
        self._inbox.start()
        stack.callback(self._inbox.close, 1.0)
        if shared.settings.reach.enabled:
            self._reach.start(shared.tell_of)
        try:
            self._serve()
        except Exception as e:
            self._error = str(e) or repr(e)
            self._reach.let_go()  # it tells of this end
            raise
        if self._is_lost:
            raise LeaseLost("another engine has taken the account; this one has stopped")
        return 0

    def _serve(self) -> None:
        # what a session needs takes half a second to import; the first heartbeat is out by now
        from auto_trading.living_session import LivingSession  # noqa: PLC0415

        left_over: Sequence[Command] = ()
        while not self._is_lost:
            with ExitStack() as own:
                living = LivingSession(self._shared, self, own)
                self._living = living
                for command in left_over:
                    living.supervisor.submit(command)
                living.run()
                left_over = living.supervisor.left_over()
            if not living.supervisor.wants_restart:
                break

    # --- for the session --------------------------------------------------------------------

    @property
    def desired(self) -> DesiredState:
        """What people want, as of the newest heartbeat."""
        return self._desired

    def answer(self, command_id: str, answer: Answer) -> None:
        """Store soon what became of a command that no session could carry out."""
        self._inbox.answer(command_id, answer)

    # --- for the inbox ----------------------------------------------------------------------

    def _inbox_tools(self) -> InboxTools:
        shared = self._shared
        return InboxTools(
            reader=shared.databases.reader, writer=shared.databases.inbox, epoch=shared.epoch,
            now=shared.now, beat=self._beat, switchboard=shared.switchboard,
            begun=self._has_begun, ready=self._is_ready, idle=self._is_idle, handle=self._handle,
            wanted=self._wanted, lost=self._lost,
        )  # fmt: skip

    def _has_begun(self) -> bool:
        return self._living is not None and not self._living.supervisor.is_ending

    def _is_ready(self) -> bool:
        return self._living is not None and self._living.supervisor.is_ready

    def _is_idle(self) -> bool:
        return self._living is not None and self._living.supervisor.is_idle

    def _handle(self, command: Command) -> Answer | None:
        living = self._living
        if living is None:
            raise InputError("no session is open")
        return living.handle(command)

    def _wanted(self, desired: DesiredState) -> None:
        self._desired = desired

    def _lost(self) -> None:
        log.critical("another engine has taken the account")
        self._is_lost = True
        if self._living is not None:
            self._living.supervisor.end()

    def _beat(self) -> Beat:
        """Return what the heartbeat tells."""
        living, shared = self._living, self._shared
        view = None if living is None else living.view()
        observed = ObservedState.STARTING if living is None else living.supervisor.observed()
        trading = TradingState.ACTIVE if view is None else TradingState(view["trading_state"])
        return Beat(
            observed, trading, shared.settings.engine.mode.value,
            "" if living is None else living.source_name,
            None if living is None else living.run_id,
            shared.last_error or None, view,
        )  # fmt: skip

    def sign_of_life(self) -> None:
        """Renew `engine.json`, for those who cannot ask the database; nothing here asks it."""
        shared, me, living = self._shared, own_process(), self._living
        observed = ObservedState.STARTING if living is None else living.supervisor.observed()
        view = None if living is None else living.view()
        trading = TradingState.ACTIVE if view is None else TradingState(view["trading_state"])
        content = engine_file.EngineFile(
            me.host, me.pid, me.started, shared.epoch, observed.value, trading.value,
            shared.switchboard.reason() or "allowed", shared.now().isoformat(),
        )  # fmt: skip
        try:
            engine_file.write(shared.environment.var_dir, content)
        except OSError as e:
            log.warning("engine.json cannot be written: %s", e.strerror)

    def _release(self) -> None:
        shared = self._shared

        def give_back() -> None:
            with unit_of_work(shared.databases.inbox, "the lease") as session:
                lease.release(session, shared.epoch, shared.now(), error=self._error)

        try:
            within(_RELEASE_SECONDS, give_back)
        except (JournalUnavailable, TimeoutError) as e:
            log.warning("%s: the lease ends by itself", e)
        engine_file.remove(shared.environment.var_dir, own_process())


def _catch_signals(signals: list[CommandKind], stack: ExitStack) -> None:
    """Note signals; the supervisor serves them. Only possible in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return

    def note(number: int, _: FrameType | None) -> None:
        signals.append(_SIGNALS[signal.Signals(number)])

    for number in _SIGNALS:
        before = signal.signal(number, note)
        stack.callback(signal.signal, number, before)


def _take_lease(
    database: Database, settings: Settings, signals: list[CommandKind], *, wait: bool
) -> int | None:
    me = own_process()
    build = f"{runs.installed_version()} schema {REVISIONS[-1]} config {settings.hash()[:16]}"
    holder = Holder(uuid.uuid4().hex, me.host, me.pid, me.started, build)
    told = False
    while CommandKind.SHUTDOWN not in signals:
        with unit_of_work(database, "the lease") as session:
            epoch = lease.take(session, holder, SystemClock().now(), is_gone=_has_ended)
            row = lease.read(session)
        if epoch is not None:
            log.info("took the account, epoch %d", epoch)
            return epoch
        other = "" if row is None else f"process {row.pid} on {row.host.partition('#')[0]}"
        if not wait:
            raise ConfigError(f"{other} trades this account; stop it first, or wait until it ends")
        if not told:
            log.warning("%s trades this account: waiting for its end", other)
            told = True
        time.sleep(1.0 + random.random())  # noqa: S311  so that two waiting ones do not collide
    return None


def _has_ended(row: EngineLeaseRow) -> bool:
    return is_gone(ProcessId(row.host, row.pid, row.pid_started))
