"""Watches the trading thread from outside and takes over when it hangs.

A command must take effect within a second whatever the cycle is doing. So a worker that does not
take one in time is given up: its fence is closed, and a new worker goes on from the last
checkpoint, by the same path as a restart. Nothing is lost by it: what was not committed was not
sent either.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from auto_trading.command_inbox import STOPS
from auto_trading.flags import Flags
from auto_trading.session_inputs import Command
from auto_trading.switchboard import Switchboard
from auto_trading.worker import Worker
from crypto_trader_pro.domain.enums import CommandKind, ObservedState
from crypto_trader_pro.domain.errors import ConfigError, HaltError, LeaseLost

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.02
PATIENCE_SECONDS: Final = 0.4  # that a command may wait for the worker
HANG_SECONDS: Final = 60.0  # that one step may take with nobody waiting
FAULTS: Final = 5  # new workers within `FAULT_WINDOW` before the engine calls itself faulted
FAULT_WINDOW: Final = 300.0


@dataclass(frozen=True, slots=True)
class SupervisorTools:
    """What the supervisor needs.

    Args:
        make_worker: builds a worker that begins at the last checkpoint; not started.
        faulted: told, in one line, why the engine gave a worker up or stands still.
        changed: told when the observed state has changed.
    """

    make_worker: Callable[[], Worker]
    flags: Flags
    switchboard: Switchboard
    signals: list[CommandKind]  # that the operating system sent, newest last
    now: Callable[[], datetime]
    faulted: Callable[[str], None]
    changed: Callable[[], None]


class Supervisor:
    """Runs in the main thread until the process is to end."""

    def __init__(self, tools: SupervisorTools) -> None:
        self._tools = tools
        self._worker: Worker | None = None
        self._given_up: list[Worker] = []
        self._takeovers: deque[float] = deque(maxlen=FAULTS)
        self._seen_flags: set[tuple[CommandKind, str]] = set()
        self._ending = threading.Event()
        self._restart = threading.Event()  # another session is to begin
        self._retry_at = 0.0
        self._told = ObservedState.STARTING
        self.halting: HaltError | None = None
        self.last_error = ""

    # --- from other threads and signal handlers ---------------------------------------------

    def submit(self, command: Command) -> None:
        """Hand a command to the worker; a stop forbids entries from this moment on."""
        if command.kind in STOPS:
            self._tools.switchboard.block("stop", "trading_stopped")
        worker = self._worker
        if worker is not None:
            worker.post(command)

    def end(self) -> None:
        self._ending.set()

    def begin_anew(self) -> None:
        """End the present session's worker; the caller of `run` starts another."""
        self._restart.set()
        self._ending.set()

    @property
    def wants_restart(self) -> bool:
        return self._restart.is_set()

    @property
    def worker(self) -> Worker | None:
        return self._worker

    def observed(self) -> ObservedState:
        """Return what the engine is doing."""
        worker = self._worker
        if self.halting is not None or len(self._takeovers) == FAULTS:
            return ObservedState.FAULTED
        if self._ending.is_set():
            return ObservedState.STOPPING
        if worker is None or worker.session is None:
            return ObservedState.STARTING
        if not worker.session.enabled:
            return ObservedState.STOPPED
        stopping = self._tools.switchboard.reason() == "trading_stopped"
        return ObservedState.STOPPING if stopping else ObservedState.RUNNING

    # --- the main thread --------------------------------------------------------------------

    def run(self) -> None:
        """Watch until told to end, or until the account is lost to another engine.

        Raises:
            LeaseLost: another engine has the account.
        """
        self._worker = self._tools.make_worker()
        self._worker.start()
        while not self._ending.wait(LOOK_SECONDS):
            self._look()
        self._close()

    def _look(self) -> None:
        self._serve_switches()
        worker = self._worker
        if worker is None:
            if self.halting is None and time.monotonic() >= self._retry_at:
                self._replace(())
        elif not worker.is_alive:
            self._died(worker)
        elif self._is_stuck(worker):
            self._take_over(worker)
        state = self.observed()
        if state is not self._told:
            self._told = state
            log.info("the engine is %s", state.value)
            self._tools.changed()

    def _serve_switches(self) -> None:
        """Serve signals and flag files: they need no database."""
        while self._tools.signals:
            self._order(self._tools.signals.pop(0), "signal")
        up = self._tools.flags.up()
        for kind, by in up:
            if (kind, by) not in self._seen_flags:
                self._order(kind, by)
        self._seen_flags = set(up)

    def _order(self, kind: CommandKind, by: str) -> None:
        log.warning("%s by %s", kind.value, by)
        if kind is CommandKind.SHUTDOWN:
            self._tools.flags.take_down(kind)
            self.end()
            return
        now = self._tools.now()
        self.submit(Command(f"{kind.value}-{now:%Y%m%d%H%M%S%f}"[:36], kind, {}, by, now))

    def _is_stuck(self, worker: Worker) -> bool:
        """True when a command waits too long, or a step goes on for ever.

        While a commit is under way there is nothing to take over to: the database hangs.
        """
        if worker.fence.is_held or worker.journal_error:
            return False
        since = worker.waiting_since
        if since is not None and time.monotonic() - since > PATIENCE_SECONDS:
            return worker.step_seconds > PATIENCE_SECONDS / 2
        return worker.step_seconds > HANG_SECONDS

    def _take_over(self, worker: Worker) -> None:
        if not worker.fence.close(0.05):
            return  # a commit began this moment; look again
        stuck = worker.step_seconds
        self._given_up.append(worker)
        self._fault(f"the trading thread hung for {stuck:.1f} s and was replaced")
        self._replace(worker.unfinished())

    def _replace(self, commands: Sequence[tuple[Command, float]]) -> None:
        fresh = self._tools.make_worker()
        now = time.monotonic()
        for command, _ in commands:  # the time that the first one wasted is not counted again
            fresh.post(command, now)
        self._worker = fresh
        fresh.start()

    def _died(self, worker: Worker) -> None:
        """Go on after a worker ended by an error; some errors want a person first."""
        error = worker.error
        self._worker = None
        worker.fence.close(1.0)
        if isinstance(error, LeaseLost):
            self._ending.set()
            raise error
        if isinstance(error, HaltError | ConfigError):
            self._tools.switchboard.block("fault", "halted")
            self.halting = error if isinstance(error, HaltError) else HaltError(str(error))
        self._fault(f"the trading thread ended: {error!r}")
        log.error("the trading thread ended", exc_info=error)
        wait = 0.2 * 2 ** len(self._takeovers)
        self._retry_at = time.monotonic() + wait
        if self.halting is None and worker.unfinished():
            self._replace(worker.unfinished())

    def _fault(self, line: str) -> None:
        now = time.monotonic()
        while self._takeovers and now - self._takeovers[0] > FAULT_WINDOW:
            self._takeovers.popleft()
        self._takeovers.append(now)
        self.last_error = line
        self._tools.faulted(line)

    def _close(self) -> None:
        """End the worker after its present step, or without it."""
        worker = self._worker
        if worker is not None and not worker.close(2.0):
            worker.fence.close(0.5)
            log.warning("the trading thread did not end in time; its last step does not count")
