"""Commands of this program as child processes: a page asks and goes on, the answer comes later.

What the console may not do in its own process, or what would hold up a page, runs beside it:
`preflight`, `why`, the start of an engine. Shared by all sessions.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard import services
from utils.redaction import Redactor, secrets_of

TIMEOUT_SECONDS: Final = 60.0
PROGRAM: Final = (sys.executable, "-m", "crypto_trader_pro")
_AT_ONCE: Final = 2  # children; the others wait for their turn
_KEPT: Final = 64  # answers
_LINE: Final = 300  # characters of a complaint


@dataclass(frozen=True, slots=True)
class Running:
    """Asked and not answered yet."""

    since: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """The answer.

    Args:
        json: the object that the command printed; of a command that prints words, its lines.
        at: when it came, system time.
        seconds: that the command took.
    """

    json: Any
    at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer; `line` says why."""

    line: str
    at: datetime


Result = Running | Done | Failed


class OwnCommands:
    """Runs each command once at a time and keeps its last answer.

    Args:
        program: that the arguments are given to.
        now: system time.
        redactor: takes secrets out of what a command complains of.
    """

    def __init__(
        self, now: Callable[[], datetime], redactor: Redactor, program: Sequence[str] = PROGRAM
    ) -> None:
        self._now = now
        self._redactor = redactor
        self._program = tuple(program)
        self._results: dict[str, Result] = {}
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def run_soon(
        self, key: str, args: Sequence[str], timeout: float, *, prints_json: bool = True
    ) -> bool:
        """Start a command and return; False: it runs already.

        Args:
            key: names the question; its answer is kept under it.
            timeout: seconds after which the command is killed.
        """
        with self._lock:
            if isinstance(self._results.get(key), Running):
                return False
            self._results[key] = Running(self._now())
        threading.Thread(
            target=self._run, args=(key, tuple(args), timeout, prints_json), name=f"own {key}",
            daemon=True,
        ).start()  # fmt: skip
        return True

    def result(self, key: str) -> Result | None:
        """Return how the last request stands; None: it was never asked."""
        with self._lock:
            return self._results.get(key)

    def _run(self, key: str, args: tuple[str, ...], timeout: float, prints_json: bool) -> None:
        with self._turns:
            found = self._answer(args, timeout, prints_json)
        with self._lock:
            self._results.pop(key, None)
            self._results[key] = found
            over = [k for k, r in self._results.items() if not isinstance(r, Running)]
            for old in over[: max(0, len(over) - _KEPT)]:
                del self._results[old]

    def _answer(self, args: tuple[str, ...], timeout: float, prints_json: bool) -> Done | Failed:
        began = time.monotonic()
        try:
            process = subprocess.Popen(  # noqa: S603  our own command, no shell
                [*self._program, *args], start_new_session=True, text=True, encoding="utf-8",
                errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )  # fmt: skip
        except (OSError, ValueError) as e:  # no memory for a child; a NUL in an argument
            return Failed(self._line(args, str(e)), self._now())
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            return Failed(self._line(args, f"no answer in {timeout:g} s"), self._now())
        seconds = time.monotonic() - began
        if not prints_json and process.returncode == 0:
            return Done(out.splitlines(), self._now(), seconds)
        answer = _object(out) if prints_json else None
        if answer is not None:
            return Done(answer, self._now(), seconds)
        said = _last(err) or _last(out) or "nothing"
        return Failed(self._line(args, f"exit code {process.returncode}, said {said}"), self._now())

    def _line(self, args: tuple[str, ...], why: str) -> str:
        return self._redactor.text(f"{' '.join(args)}: {why}"[:_LINE])


def run_soon(
    key: str, args: Sequence[str], timeout: float = TIMEOUT_SECONDS, *, prints_json: bool = True
) -> bool:
    """Start `python -m crypto_trader_pro ARGS` beside the console; False: it runs already.

    Args:
        key: names the question; its answer is kept under it, for every tab.
        timeout: seconds after which the command is killed.
        prints_json: it prints one JSON object, whatever its exit code; else words, and 0 is good.
    """
    return _shared().run_soon(key, args, timeout, prints_json=prints_json)


def result(key: str) -> Result | None:
    """Return how the last request under `key` stands; None: it was never asked."""
    return _shared().result(key)


@st.cache_resource
def _shared() -> OwnCommands:
    hidden = Redactor(secrets_of(services.environment()))
    return OwnCommands(services.clock().now, hidden, PROGRAM)


def _object(out: str) -> dict[str, Any] | None:
    try:
        found = json.loads(out)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _kill(process: subprocess.Popen[str]) -> None:
    """End a child and what it started; an engine that it detached is in a session of its own."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
