"""Training beside a running engine: a child process at the lowest priority, watched by a thread.

The engine asks (`consider`, `train_now`) and looks whether a model stands ready (`take`); both
answer at once. The child may crash, hang or write garbage: that costs an alert and nothing else.
"""

import logging
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from auto_trading.live_status import ModelStatus
from auto_trading.model_shelf import ModelShelf
from auto_trading.model_window import fingerprint
from auto_trading.training_spec import TrainingSpec, read_progress, read_result, read_windows
from config.environment import DATABASE_URL
from crypto_trader_pro.domain.errors import InputError, TradingError

log = logging.getLogger(__name__)

DEADLINE_SECONDS: Final = 900.0
_POLL_SECONDS: Final = 0.2
_FIRST_PAUSE: Final = 30.0  # after a failure; doubled by each that follows, up to the longest
_LONGEST_PAUSE: Final = 3600.0
_TAKEN_PAUSE: Final = 10.0  # in which a finished model is installed and the status knows it
_GAP_PAUSE: Final = 600.0  # between two runs that only fill gaps
_LAST_LINES: Final = 2_000  # characters of what a crashed child printed
# one thread in every library: a second one would take the loop's core
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
_ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Request:
    """What the watching thread is asked to do."""

    spec: TrainingSpec
    reason: str
    timeframe_ms: int
    config_hash: str


@dataclass(frozen=True, slots=True)
class TrainingState:
    """For the screen. Seconds of the monotonic clock."""

    running: str  # why a run is under way, "" if none is
    seconds: float  # since it began
    done: int  # models of the past that it has measured
    models: int  # of how many; 0 before that is known
    failures: int  # in a row
    failure: str  # the last one's line, "" after a success


class Trainer:
    """Starts training runs, one at a time, and brings their models.

    Args:
        folder: for the runs' files; each run's are removed after it.
        shelf: where a finished model is put, loaded, before it is told of.
        failed: told of each failure in one line (an alert); called in the watching thread.
        deadline_seconds: after which a run is killed.
        command: the child's, for tests.
    """

    def __init__(
        self, folder: Path, shelf: ModelShelf, failed: Callable[[str], None], *,
        deadline_seconds: float = DEADLINE_SECONDS,
        command: Sequence[str] = (sys.executable, "-m", "auto_trading.training_process"),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._shelf = shelf
        self._failed = failed
        self._deadline = deadline_seconds
        self._command = tuple(command)
        self._monotonic = monotonic
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running = ""
        self._began = 0.0
        self._run_folder: Path | None = None
        self._failures = 0
        self._failure = ""
        self._not_before = 0.0
        self._gap_not_before = 0.0
        self._closing = threading.Event()
        self._runs = 0
        self._thread = threading.Thread(target=self._watch, name="training", daemon=True)
        self._thread.start()

    # --- for the engine: answers at once ----------------------------------------------------

    def consider(self, status: ModelStatus, request: Callable[[str], Request]) -> bool:
        """Start a run if the model wants one and none is under way; return whether it did.

        After a failure the next try waits, ever longer.
        """
        now = self._monotonic()
        if not status.wants or self._running or now < self._not_before:
            return False
        if status.wants == "gap":
            if now < self._gap_not_before:
                return False
            self._gap_not_before = now + _GAP_PAUSE
        return self.train_now(request(status.wants))

    def train_now(self, request: Request) -> bool:
        """Start a run, whatever the schedule says; False if one is under way."""
        with self._lock:
            if self._running or self._closing.is_set():
                return False
            self._running, self._began = request.reason, self._monotonic()
        self._requests.put(request)
        return True

    def take(self) -> dict[str, Any] | None:
        """Return the facts of a model that has become ready, once; None if there is none."""
        try:
            return self._ready.get_nowait()
        except queue.Empty:
            return None

    @property
    def state(self) -> TrainingState:
        with self._lock:
            seconds = self._monotonic() - self._began if self._running else 0.0
            folder = self._run_folder
            failures, failure = self._failures, self._failure
            running = self._running
        done, models = read_progress(folder) if running and folder is not None else (0, 0)
        return TrainingState(running, seconds, done, models, failures, failure)

    def close(self) -> None:
        """End the run that is under way, and the thread."""
        self._closing.set()
        self._requests.put(None)
        self._thread.join(timeout=5.0)

    # --- the watching thread ----------------------------------------------------------------

    def _watch(self) -> None:
        while (request := self._requests.get()) is not None:
            try:
                facts = self._run(request)
            except (TradingError, OSError) as error:
                self._note(str(error))
            except Exception as error:
                log.exception("training")
                self._note(f"training failed: {error!r}")
            else:
                if facts is not None:
                    self._ready.put(facts)
                self._note("")

    def _note(self, failure: str) -> None:
        with self._lock:
            self._failure = failure
            self._failures = self._failures + 1 if failure else 0
            pause = min(_FIRST_PAUSE * 2 ** (self._failures - 1), _LONGEST_PAUSE)
            self._not_before = self._monotonic() + (pause if failure else _TAKEN_PAUSE)
            self._running = ""
        if failure and not self._closing.is_set():
            self._failed(failure)

    def _run(self, request: Request) -> dict[str, Any] | None:
        """Train; return the facts of a model that stands on the shelf, None when closing.

        Raises:
            InputError: the run failed, took too long, or left something that cannot be used.
        """
        self._runs += 1
        folder = self._folder / f"run-{os.getpid()}-{self._runs}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._run_folder = folder
        try:
            code = self._child(request, folder)
            if code is None:
                return None
            return self._loaded(request, folder, code)
        finally:
            self._run_folder = None
            shutil.rmtree(folder, ignore_errors=True)

    def _child(self, request: Request, folder: Path) -> int | None:
        """Run the child to its end; return its exit code, None when closing."""
        spec = request.spec.write(folder)
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(paths),
            DATABASE_URL: request.spec.database_url,
        }  # fmt: skip
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  our own command, no shell
                [*self._command, str(spec)], env=environment, close_fds=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        deadline = time.monotonic() + self._deadline
        try:
            while (code := process.poll()) is None:
                if self._closing.wait(_POLL_SECONDS):
                    return None
                if time.monotonic() > deadline:
                    raise InputError(f"training took longer than {self._deadline:g} s: ended")
            return code
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def _loaded(self, request: Request, folder: Path, code: int) -> dict[str, Any]:
        """Check what the child left, and load its model here, away from the loop."""
        try:
            result = read_result(folder)
        except InputError as error:
            raise InputError(f"{error} (exit code {code}): {_last_line(folder)}") from None
        if "failure" in result:
            raise InputError(f"training: {result['failure']}")
        facts: dict[str, Any] = result["facts"]
        try:
            _check(facts, request.config_hash)
            windows = read_windows(folder, request.spec.symbols, request.timeframe_ms)
            sums = {w.symbol: fingerprint(w) for w in windows if len(w)}
            if sums != facts["windows"]["sums"]:
                raise InputError("the candles that came with the model are not those it says")
            self._shelf.put(facts["model_id"], windows)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"training left facts that cannot be used: {error!r}") from None
        return facts


def _check(facts: Mapping[str, Any], config_hash: str) -> None:
    if facts["config_hash"] != config_hash:
        raise InputError(
            f"model {facts['model_id'][:12]} is of settings {facts['config_hash'][:12]}, needed:"
            f" {config_hash[:12]}"
        )
    for name in ("long", "short"):
        rows, squares, base = facts["record"][name]
        if rows < 0 or squares < 0 or base < 0:
            raise InputError(
                f"the record of {name} was {facts['record'][name]}, allowed: 0 or more"
            )
    for name in ("trained_at", "expires_at"):
        if not isinstance(facts[name], int):
            raise InputError(f"{name} was {facts[name]!r}, allowed: milliseconds")


def _last_line(folder: Path) -> str:
    with suppress(OSError):
        text = (folder / "output").read_text(encoding="utf-8", errors="replace")[-_LAST_LINES:]
        lines = [line for line in text.splitlines() if line.strip()]
        if lines:
            return lines[-1]
    return "it printed nothing"
