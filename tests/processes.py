"""The command line as real processes: started with a var folder of their own, watched, killed."""

import json
import multiprocessing
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg.errors

from tests.market_data import ROOT
from tests.stored import newest_state

DATABASE: Final = "crypto_trader_pro.db"
DEADLINE: Final = 120.0  # seconds after which a process counts as hung
_STREAMS: Final = ("stdout", "stderr")
_WARM: Final = multiprocessing.get_context("forkserver")
_WARM.set_forkserver_preload(
    ["crypto_trader_pro.cli.app", "auto_trading.engine_process", "tests.engine_process"]
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    code: int
    stdout: str
    stderr: str

    def result(self) -> dict[str, Any]:
        """Return the one JSON object on stdout of a process that succeeded."""
        assert self.code == 0, f"exit code {self.code}: {self.stderr}"
        assert self.stdout.count("\n") == 1, f"one line expected: {self.stdout!r}"
        found = json.loads(self.stdout)
        assert isinstance(found, dict)
        return found

    def complaint(self) -> str:
        """Return the one line on stderr of a process that refused; stdout is empty."""
        assert self.stdout == "", f"nothing expected on stdout: {self.stdout!r}"
        lines = self.stderr.splitlines()
        assert len(lines) == 1, f"one line expected: {self.stderr!r}"
        assert "Traceback" not in lines[0]
        return lines[0]


class Running(Protocol):
    """A process under way; what `subprocess.Popen` has."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]: ...


class Forked:
    """A command in a process forked from one that has imported everything.

    The start of the interpreter, one to two seconds, is paid once for all of them.
    """

    def __init__(
        self, words: list[str], environment: dict[str, str], prepare: Callable[[], None] | None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        arguments = (words, environment, self._folder.name, prepare)
        self._process = _WARM.Process(target=_command, args=arguments)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end and return stdout and stderr."""
        self._process.join(timeout)
        assert self.poll() is not None, "the process hangs"
        stdout, stderr = (Path(self._folder.name, name) for name in _STREAMS)
        texts = stdout.read_text(encoding="utf-8"), stderr.read_text(encoding="utf-8")
        self._folder.cleanup()
        return texts


@dataclass(frozen=True, slots=True)
class Platform:
    """One installation: `python -m crypto_trader_pro` over `var_dir`.

    Args:
        settings: further environment variables; the caller's own `CTP_*` never get through.
        prepare: called in the child before it becomes the command, to take something away from it.
        warm: fork the processes, see `Forked`.
    """

    var_dir: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None
    warm: bool = False

    @property
    def database(self) -> Path:
        """The SQLite file, where no other database is configured."""
        return self.var_dir / DATABASE

    @property
    def where(self) -> Path | str:
        """The database, as `tests.stored.read_run` takes it."""
        return self.settings.get("CTP_DATABASE_URL", self.database)

    def start(self, *arguments: object) -> Running:
        """Start a command as the leader of its own process group."""
        words = list(map(str, arguments))
        if self.warm:
            return Forked(["crypto_trader_pro", *words], self._environment(), self.prepare)
        return subprocess.Popen(
            [sys.executable, "-m", "crypto_trader_pro", *words],
            cwd=ROOT, env=self._environment(), text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=self.prepare,
        )  # fmt: skip

    def run(self, *arguments: object) -> Ended:
        """Run a command to its end."""
        return finish(self.start(*arguments))

    def fork(self, *arguments: object) -> Ended:
        """Run a command to its end in a warm process."""
        return replace(self, warm=True).run(*arguments)

    def killed(self, moment: "Moment", *arguments: object) -> int:
        """Start a command, kill -9 its process group at `moment`, return the bars it had stored.

        Raises:
            AssertionError: it ended by itself before that.
        """
        process = self.start(*arguments)
        try:
            moment.wait(self.where, process)
        finally:
            kill(process)
            output = process.communicate(timeout=DEADLINE)
        assert process.poll() == -signal.SIGKILL, f"it ended by itself: {output}"
        return stored_bars(self.where)

    def _environment(self) -> dict[str, str]:
        foreign = ("CTP_", "DATABASE_URL", "BINANCE_", "ENVIRONMENT")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        return {**kept, "CTP_VAR_DIR": str(self.var_dir), "LC_ALL": "C.UTF-8", **self.settings}


@dataclass(frozen=True, slots=True)
class Moment:
    """When to strike: `bars` are stored by a commit, and `seconds` have passed since."""

    bars: int
    seconds: float = 0.0

    def wait(self, database: Path | str, process: Running) -> None:
        """Return at the moment, or when the process has ended."""
        deadline = time.monotonic() + DEADLINE
        while process.poll() is None and stored_bars(database) < self.bars:
            assert time.monotonic() < deadline, f"{self.bars} bars were not stored in time"
            time.sleep(0.01)
        time.sleep(self.seconds)


def _command(
    words: list[str], environment: dict[str, str], folder: str, prepare: Callable[[], None] | None
) -> None:
    """Become the command: its arguments, its environment, its standard streams."""
    os.setsid()
    for number, name in enumerate(_STREAMS, start=1):
        file = os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    sys.argv = words
    if prepare is not None:
        prepare()
    from crypto_trader_pro.cli.app import main

    main()


def stored_bars(database: Path | str) -> int:
    """Return how many bars the newest run's checkpoint has seen, -1 before the first commit."""
    try:
        state = newest_state(database)
    except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
        return -1  # there is no file or no schema yet
    return -1 if state is None else int(state["engine"]["bars"])


def kill(process: Running) -> None:
    """Send SIGKILL to the whole group of a process, unless it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def pause(pid: int, database: Path) -> None:
    """Stop a process in its tracks, but not within a write: SQLite would stay locked with it."""
    for _ in range(50):
        os.kill(pid, signal.SIGSTOP)
        with closing(sqlite3.connect(database, timeout=0.3)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError:
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)
    raise AssertionError("it writes all the time")


def finish(process: Running) -> Ended:
    """Wait for the end of a process and return it."""
    try:
        stdout, stderr = process.communicate(timeout=DEADLINE)
    except BaseException:
        kill(process)
        process.communicate()
        raise
    code = process.poll()
    assert code is not None
    return Ended(code, stdout, stderr)


@contextmanager
def locked(database: Path) -> Iterator[sqlite3.Connection]:
    """Hold the write lock of an SQLite file, as a backup or a screen that hangs would."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield holder
        holder.execute("ROLLBACK")


def play(
    candles: Mapping[str, Path], *more: object, timeframe: str = "1m", strategy: str = "ema_cross"
) -> Sequence[object]:
    """Return the arguments of a `replay --json` over symbol -> file."""
    pairs = [a for s, path in candles.items() for a in ("--candles", path, "--symbol", s)]
    return ["replay", *pairs, "--timeframe", timeframe, "--strategy", strategy, "--json", *more]


def a_port() -> int:
    """Return a port that nobody has right now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
