"""The engine's side: starts the process that talks to the outside, watches it, ends it.

Nothing here can hold up or stop the engine: a thread of its own does it all.
"""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from auto_trading.launching import output_file
from config.environment import Environment
from crypto_trader_pro.domain.errors import ConfigError
from utils import reach_file
from utils.processes import ProcessId

log = logging.getLogger(__name__)

COMMAND: Final = ("-m", "auto_trading.reach")
FIRST_PAUSE: Final = 1.0  # seconds before it is started again; doubles up to
LONGEST_PAUSE: Final = 60.0
STEADY_SECONDS: Final = 10.0  # after which a start has succeeded
END_SECONDS: Final = 2.5  # it ends itself within two
_LOOK: Final = 0.1
_MOMENT: Final = 0.5

Tell = Callable[[str, str, Mapping[str, Any]], None]  # severity, code, numbers


class ReachProcess:
    """The child process of one engine.

    Args:
        tell: puts a message into a bounded queue.
        command: what is run; tests bring others.
    """

    def __init__(
        self, environment: Environment, *, command: tuple[str, ...] = COMMAND,
        steady_seconds: float = STEADY_SECONDS,
    ) -> None:  # fmt: skip
        self._var_dir = environment.var_dir
        self._command = command
        self._steady = steady_seconds
        self._tell: Tell = lambda *_: None
        self._closing = threading.Event()
        self._left = False
        self.child: subprocess.Popen[bytes] | None = None
        self._failures = 0  # in a row
        self._thread = threading.Thread(target=self._watch, name="reach", daemon=True)

    def start(self, tell: Tell) -> None:
        """Begin; returns at once."""
        self._tell = tell
        self._thread.start()

    def let_go(self) -> None:
        """Leave the child alone: this engine fails, and somebody has to tell of it."""
        self._left = True
        self._closing.set()

    def close(self, seconds: float = END_SECONDS) -> None:
        """End the child, unless it was let go of."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join(1.0)
        child = self.child
        if self._left or child is None or child.poll() is not None:
            return
        child.terminate()
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            log.warning("the process for messages does not end and is killed")
            child.kill()
            child.wait(seconds)

    # --- the thread -------------------------------------------------------------------------

    def _watch(self) -> None:
        pause = FIRST_PAUSE
        while not self._closing.is_set():
            began = time.monotonic()
            error = self._one_life()
            if self._closing.is_set():
                return
            if error and self._failures == 0:
                log.error("the process for messages has ended: %s", error)
                self._tell("error", "reach_failed", {"error": error})
            self._failures += 1 if error else 0
            if time.monotonic() - began >= self._steady:
                pause = FIRST_PAUSE
            self._closing.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE) if error else FIRST_PAUSE

    def _one_life(self) -> str:
        """Start the child and wait for its end; return why it ended, "" where another serves."""
        other = self._other()
        if other is not None and self.child is not None:  # the first one takes over
            log.info("process %d sends the messages of this folder", other.pid)
            self._wait_while(lambda: self._other() is not None)
            return ""
        try:
            child = self.child = self._started()
        except (OSError, ConfigError) as e:
            return str(e)
        log.info("the process for messages is %d", child.pid)
        steady_at = time.monotonic() + self._steady
        while child.poll() is None and not self._closing.wait(_LOOK):
            if self._failures and time.monotonic() >= steady_at:
                self._tell("info", "reach_recovered", {"failures": self._failures})
                self._failures = 0
        # one that takes its place shows so in a moment
        if self._closing.wait(_MOMENT) or self._other() is not None:
            return ""
        return f"exit code {child.returncode}"

    def _started(self) -> "subprocess.Popen[bytes]":
        file = output_file(self._var_dir, "reach.out")
        with file.open("ab") as output:
            return subprocess.Popen(  # noqa: S603  our own command, no shell
                [sys.executable, *self._command], start_new_session=True, close_fds=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def _other(self) -> ProcessId | None:
        """Return a living process that serves this folder and is not the child."""
        found = reach_file.living(self._var_dir)
        child = self.child
        is_ours = found is not None and child is not None and found.pid == child.pid
        return None if is_ours else found

    def _wait_while(self, goes_on: Callable[[], bool]) -> None:
        while goes_on() and not self._closing.wait(1.0):
            pass
