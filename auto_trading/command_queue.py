"""The commands of one worker: waiting, being worked on, done and not stored yet. Thread-safe.

When the worker hangs or dies, the next one must get each command that was not stored, in order,
and none that was: a command is done once.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from auto_trading.session_inputs import Command
from database.fence import Fence


@dataclass(frozen=True, slots=True)
class Left:
    """What a worker leaves behind that has ended or was given up."""

    stored: Sequence[Command]  # with their answers, but nobody was told of them yet
    waiting: Sequence[Command]  # not done, or done in memory alone
    current: Command | None  # the one of `waiting` that the worker was busy with


class CommandQueue:
    """Filled by any thread, emptied by the worker whose fence it is given."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Command, float]] = deque()
        self._current: tuple[Command, float] | None = None
        self._done: list[Command] = []  # in memory; their answers wait for a commit
        self._committed: str | None = None  # the newest commit before the present step
        self._handed_over = False

    # --- from other threads -----------------------------------------------------------------

    def put(self, command: Command, since: float | None = None) -> None:
        """Add a command that has waited since `since`, monotonic seconds; by default since now."""
        with self._lock:
            self._waiting.append((command, time.monotonic() if since is None else since))

    @property
    def waiting_since(self) -> float | None:
        """When the oldest command came that is not done yet (monotonic); None without one."""
        with self._lock:
            times = [since for _, since in self._waiting]
            if self._current is not None:
                times.append(self._current[1])
        return min(times, default=None)

    def holds(self, command_id: str) -> bool:
        """True while a command is not done and stored."""
        with self._lock:
            mine = [command for command, _ in self._waiting] + self._done
            if self._current is not None:
                mine.append(self._current[0])
        return any(command.command_id == command_id for command in mine)

    def hand_over(self) -> Left:
        """Return what is left; from now on the worker takes nothing more. Close its fence before.

        A step that got as far as a commit has stored its command, even if it hung afterwards.
        """
        with self._lock:
            self._handed_over = True
            current = None if self._current is None else self._current[0]
            own = [*self._done, *([] if current is None else [current])]
            waiting = [command for command, _ in self._waiting]
            self._done, self._current = [], None
            self._waiting.clear()
        if self.has_committed:
            return Left(own, waiting, None)
        return Left((), [*own, *waiting], current)

    # --- from the worker --------------------------------------------------------------------

    @property
    def has_committed(self) -> bool:
        """True when something was stored since the present, or newest, step began."""
        return self._fence.committed is not self._committed

    def step_begins(self) -> None:
        """Remember what was stored before a step."""
        self._committed = self._fence.committed

    def take(self) -> Command | None:
        """Take the oldest command to work on it; None without one.

        Raises:
            Fenced: the worker was given up.
        """
        with self._lock:
            self._fence.check()
            if not self._waiting:
                return None
            self.step_begins()
            self._current = self._waiting.popleft()
            return self._current[0]

    def done(self, command: Command) -> None:
        """Note the command in work as done."""
        with self._lock:
            if not self._handed_over:
                self._done.append(command)
                self._current = None

    def stored(self) -> Sequence[Command]:
        """Return the commands that a commit has stored since: it stores everything that waits."""
        with self._lock:
            if not self.has_committed:
                return ()
            stored, self._done = self._done, []
        return stored
