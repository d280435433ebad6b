"""Watches the trading thread from outside and takes over when it hangs.

A command must take effect within a second whatever the cycle is doing. So a worker that does not
take one in time is given up: its fence is closed, and a new worker goes on from the last
checkpoint, by the same path as a restart. Nothing is lost by it: what was not committed was not
sent either.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from auto_trading.command_inbox import STOPS
from auto_trading.flags import Flags
from auto_trading.session_inputs import Command
from auto_trading.switchboard import STOPPED, Switchboard
from auto_trading.switches import Switches
from auto_trading.worker import Worker
from crypto_trader_pro.domain.enums import CommandKind, ObservedState
from crypto_trader_pro.domain.errors import ConfigError, HaltError, LeaseLost

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.02
BEAT_SECONDS: Final = 0.8
PATIENCE_SECONDS: Final = 0.3  # that a command may wait for the worker
HANG_SECONDS: Final = 60.0  # that one step may take with nobody waiting
BEGIN_PATIENCE: Final = 0.5  # that it may take first while a stop waits for it
BEGIN_SECONDS: Final = 30.0  # that building the session may take, whoever waits
FAULTS: Final = 5  # new workers within `FAULT_WINDOW` before the engine calls itself faulted
FAULT_WINDOW: Final = 300.0
BLAMES: Final = 2  # workers that a command may cost before it is refused
_FIRST_WAIT: Final = 0.2  # seconds before a new worker; twice as long for each fault
_GO_ON: Final = frozenset({CommandKind.START, CommandKind.REARM})  # a person has looked
_FAULT: Final = "fault"
_SESSION: Final = "session"


def _nothing(*_: Any) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class SupervisorTools:
    """What the supervisor needs.

    Args:
        make_worker: builds a worker that begins at the last checkpoint; not started.
        faulted: told, in one line, why the engine gave a worker up or stands still.
        changed: told when the observed state has changed.
        beat: called at least once a second and at each change of the observed state, whatever the
            database and the worker do.
        refuse: told of a command that is not carried out, and why.
    """

    make_worker: Callable[[], Worker]
    flags: Flags
    switchboard: Switchboard
    signals: list[CommandKind]  # that the operating system sent, newest last
    now: Callable[[], datetime]
    faulted: Callable[[str], None]
    changed: Callable[[], None]
    beat: Callable[[], None] = _nothing
    refuse: Callable[[Command, str], None] = _nothing


class Supervisor:
    """Runs in the main thread until the process is to end."""

    def __init__(self, tools: SupervisorTools) -> None:
        self._tools = tools
        self._lock = threading.Lock()  # of the worker and the commands that wait for one
        self._worker: Worker | None = None
        self._pending: list[Command] = []
        self._tried: set[str] = set()  # commands that were with a worker when it ended badly
        self._blamed: Counter[str] = Counter()  # and how often it was busy with them
        self._stops: set[str] = set()  # that forbid entries until they are stored
        self._given_up: list[Worker] = []
        self._begins = 0  # workers in a row that were given up before their session stood
        self._takeovers: deque[float] = deque(maxlen=FAULTS)
        self._switches = Switches(tools.flags, tools.signals, tools.now, self.submit, self.end)
        self._ending = threading.Event()
        self._restart = threading.Event()  # another session is to begin
        self._goes_on = threading.Event()  # a person asked to go on after a fault
        self._retry_at = self._next_beat = self._held_at = 0.0
        self._told: ObservedState | None = None
        self._trouble = ""
        self.halting: HaltError | None = None
        self.last_error = ""

    # --- from other threads and signal handlers ---------------------------------------------

    def submit(self, command: Command) -> None:
        """Hand a command to the worker, or keep it for the next one.

        A stop forbids entries from this moment until it is done and stored.
        """
        with self._lock:
            if command.kind in STOPS:
                self._stops.add(command.command_id)
                self._tools.switchboard.block(command.command_id, STOPPED)
            if command.kind in _GO_ON:
                self._goes_on.set()
            if self._worker is None:
                self._pending.append(command)
            else:
                self._worker.post(command)

    @property
    def is_idle(self) -> bool:
        """True while no command waits for the worker or is being worked on."""
        with self._lock:
            worker = self._worker
            return (
                not self._pending and worker is not None and worker.commands.waiting_since is None
            )

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
    def is_ending(self) -> bool:
        return self._ending.is_set()

    @property
    def worker(self) -> Worker | None:
        return self._worker

    @property
    def is_ready(self) -> bool:
        """True when commands are taken: by a session, or to be answered that there is none."""
        return not self._ending.is_set() and (self._stands or self._is_faulted)

    @property
    def _stands(self) -> bool:
        worker = self._worker
        return worker is not None and worker.session is not None

    def observed(self) -> ObservedState:
        """Return what the engine is doing."""
        worker = self._worker
        if self._is_faulted:
            return ObservedState.FAULTED
        if self._ending.is_set():
            return ObservedState.STOPPING
        if worker is None or worker.session is None:
            return ObservedState.STARTING
        if not worker.session.enabled:
            return ObservedState.STOPPED
        return ObservedState.STOPPING if self._stops else ObservedState.RUNNING

    @property
    def _is_faulted(self) -> bool:
        """True while a person is needed, or after many faults in the last minutes."""
        times = tuple(self._takeovers)
        many = len(times) == FAULTS and time.monotonic() - times[0] <= FAULT_WINDOW
        return self.halting is not None or many

    # --- the main thread --------------------------------------------------------------------

    def run(self) -> None:
        """Watch until told to end, or until the account is lost to another engine.

        Raises:
            LeaseLost: another engine has the account.
        """
        self._tell_state()
        self._begin_worker()
        while not self._ending.wait(LOOK_SECONDS):
            self._look()
        self._tell_state()
        self._close()

    def left_over(self) -> list[Command]:
        """Return, once, the commands that nobody took any more: for the session after this one."""
        with self._lock:
            left, self._pending = self._pending, []
        return left

    def _look(self) -> None:
        try:
            self._switches.serve()
            self._check_worker()
            self._forget_what_is_done()
            self._lift_fault()
        except LeaseLost:
            raise
        except Exception as e:  # noqa: BLE001  whatever it is, the watch goes on
            self._note(e)
        self._tell_state()

    def _check_worker(self) -> None:
        worker = self._worker
        if worker is None:
            self._start_again()
        elif not worker.is_alive:
            self._died(worker)
        elif self._is_stuck(worker):
            self._take_over(worker)

    def _tell_state(self) -> None:
        state, now = self.observed(), time.monotonic()
        if state is self._told and now < self._next_beat:
            return
        self._next_beat = now + BEAT_SECONDS
        changed, self._told = state is not self._told, state
        try:
            self._tools.beat()
            if changed:
                log.info("the engine is %s", state.value)
                self._tools.changed()
        except Exception as e:  # noqa: BLE001  whatever it is, the watch goes on
            self._note(e)

    def _note(self, error: Exception) -> None:
        """Log a bug of ours; fifty times a second is too often to say it."""
        if repr(error) != self._trouble:
            log.error("the supervisor met a bug; it goes on", exc_info=error)
        self._trouble = repr(error)

    # --- a worker that hangs or dies --------------------------------------------------------

    def _is_stuck(self, worker: Worker) -> bool:
        """True when a command waits too long, or a step goes on for ever.

        While a commit is under way there is nothing to take over to: the database hangs.
        """
        now = time.monotonic()
        if worker.fence.is_held:
            self._held_at = now
            return False
        quiet = min(worker.quiet_seconds, now - self._held_at)
        if worker.session is None:
            # a stop that waits makes us impatient, but each next one is given twice the time
            hurried = BEGIN_PATIENCE * 2.0**self._begins
            return quiet > (min(hurried, BEGIN_SECONDS) if self._stops else BEGIN_SECONDS)
        self._begins = 0
        since = worker.commands.waiting_since
        if since is not None and now - since > PATIENCE_SECONDS:
            return quiet > PATIENCE_SECONDS / 2
        return quiet > HANG_SECONDS

    def _take_over(self, worker: Worker) -> None:
        if not worker.fence.close(0.05):
            return  # a commit began this moment; look again
        stuck = worker.quiet_seconds
        self._begins += worker.session is None
        worst = self._take_from(worker)
        worker.give_up()
        self._given_up = [w for w in (*self._given_up, worker) if w.is_alive]
        self._fault(f"the trading thread hung for {stuck:.1f} s and was replaced")
        wait = self._wait() if self._is_faulted or worst > 1 else 0.0
        self._retry_at = time.monotonic() + wait
        self._start_again()

    def _died(self, worker: Worker) -> None:
        """Go on after a worker ended by an error; some errors want a person first."""
        error = worker.error
        worker.fence.close(1.0)
        self._take_from(worker)
        if isinstance(error, LeaseLost):
            self._ending.set()
            raise error
        log.error("the trading thread ended", exc_info=error)
        self._fault(f"the trading thread ended: {error!r}")
        self._retry_at = time.monotonic() + self._wait()
        if isinstance(error, HaltError | ConfigError):
            self._halt(error)

    def _halt(self, error: HaltError | ConfigError) -> None:
        """Stand still until a person acts. Protection stays; new risk is forbidden."""
        self.halting = error if isinstance(error, HaltError) else HaltError(str(error))
        self._goes_on.clear()
        with self._lock:
            waiting, self._pending = self._pending, []
        for command in waiting:
            self._tools.refuse(command, f"the engine stands still: {error}")

    def _fault(self, line: str) -> None:
        self._takeovers.append(time.monotonic())
        self.last_error = line
        self._tools.faulted(line)

    def _wait(self) -> float:
        """Return how long to wait for the next worker: longer for each of the newest faults."""
        since = time.monotonic() - FAULT_WINDOW
        return _FIRST_WAIT * 2.0 ** len([at for at in self._takeovers if at >= since])

    def _take_from(self, worker: Worker) -> int:
        """Keep the commands of a worker whose fence is closed for the one after it.

        Returns:
            How many workers the command has cost that this one was busy with.
        """
        with self._lock:
            left = worker.commands.hand_over()
            self._worker = None
            self._pending = [*left.waiting, *self._pending]
            self._tried.update(c.command_id for c in self._pending)
        worker.tell(left.stored)
        current = left.current
        if current is None:
            return 0
        self._blamed[current.command_id] += 1
        cost = self._blamed[current.command_id]
        if cost >= BLAMES and current.kind not in STOPS:
            with self._lock:
                self._pending.remove(current)
            self._tools.refuse(current, f"{current.kind.value} failed twice and is not tried again")
        return cost

    def _start_again(self) -> None:
        """Start a worker when its time has come; at once for a stop, or a person after a halt."""
        with self._lock:
            fresh = [c for c in self._pending if c.command_id not in self._tried]
        if self.halting is not None:
            due = bool(fresh)
        else:
            due = time.monotonic() >= self._retry_at or any(c.kind in STOPS for c in fresh)
        if not due:
            return
        try:
            self._begin_worker()
        except Exception as e:
            log.exception("no trading thread can be made")
            self._tried.update(c.command_id for c in fresh)
            self._fault(f"no trading thread can be made: {e!r}")
            self._retry_at = time.monotonic() + self._wait()

    def _begin_worker(self) -> None:
        worker = self._tools.make_worker()
        with self._lock:
            for command in self._pending:
                worker.post(command)
            self._pending.clear()
            self._worker = worker
        worker.start()

    def _forget_what_is_done(self) -> None:
        """Forget the commands that are stored; a stop then holds as long as the session says so."""
        with self._lock:
            worker = self._worker
            waiting = {c.command_id for c in self._pending}
            done = [
                known
                for known in self._stops | self._tried
                if known not in waiting and (worker is None or not worker.commands.holds(known))
            ]
            self._follow_session(worker)
            for known in done:
                self._tried.discard(known)
                self._blamed.pop(known, None)
                if known in self._stops:
                    self._stops.remove(known)
                    self._tools.switchboard.allow(known)

    def _follow_session(self, worker: Worker | None) -> None:
        """Forbid entries while the session is stopped, so that everybody can see it."""
        session = None if worker is None else worker.session
        if session is not None and session.enabled:
            self._tools.switchboard.allow(_SESSION)
        elif session is not None:
            self._tools.switchboard.block(_SESSION, STOPPED)

    def _lift_fault(self) -> None:
        """Forbid entries while faulted; allow them when that is long past or a person goes on."""
        if self._goes_on.is_set() and self._stands:
            self._goes_on.clear()
            self._takeovers.clear()
            self.halting = None
        if self._is_faulted:
            self._tools.switchboard.block(_FAULT, "halted")
        else:
            self._tools.switchboard.allow(_FAULT)

    def _close(self) -> None:
        """End the worker after its commands, or without them; nobody takes over."""
        worker = self._worker
        if worker is not None and not worker.close(2.0):
            log.warning("the trading thread did not end in time; its last step does not count")
        if worker is not None and worker.fence.close(0.5):
            worker.give_up()
            self._take_from(worker)
