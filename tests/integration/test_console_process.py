"""The console's process from its parent's side, with a stand-in for the console itself."""

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from auto_trading.ending import end_everything
from config.environment import Environment
from crypto_trader_pro.cli import console_process
from tests.engines import command
from tests.processes import Ended
from utils import consoles
from utils.locks import exclusive
from utils.processes import own_process

LISTEN = """
import os, signal, socket, sys, time
listener = socket.socket()
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
"""
WAIT = "time.sleep(60)\n"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        monkeypatch.setenv("CTP_CONSOLE_PORT", str(found.getsockname()[1]))
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return Environment.current()


def served(monkeypatch: pytest.MonkeyPatch, code: str) -> Ended:
    """Run `console` here, over a process of `code`."""
    monkeypatch.setattr(
        console_process, "console_command", lambda port: [sys.executable, "-c", code, str(port)]
    )
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    found = command("console")
    assert {n: signal.getsignal(n) for n in before} == before
    return found


def test_the_real_command_listens_on_this_machine_only() -> None:
    words = console_process.console_command(8501)
    assert words[words.index("--server.address") + 1] == "127.0.0.1"
    assert words[-2:] == ["--server.port", "8501"]
    assert words[words.index("--browser.gatherUsageStats") + 1] == "false"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_parent_ends_both(
    places: Environment, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    signals_parent = f"listener.accept(); os.kill(os.getppid(), {int(number)})\n"
    found = served(monkeypatch, LISTEN + signals_parent + WAIT)
    assert (found.code, found.stderr) == (0, "")
    assert found.stdout.splitlines()[-1] == "The console has ended."
    assert consoles.running(places.var_dir) == []


def test_a_deaf_console_is_killed(places: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_process, "_END_SECONDS", 0.2)
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    signals_parent = "listener.accept(); os.kill(os.getppid(), signal.SIGTERM)\n"
    found = served(monkeypatch, LISTEN + deaf + signals_parent + WAIT)
    assert (found.code, found.stderr) == (0, "")


def test_down_ends_it(places: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    def end() -> None:
        while not consoles.running(places.var_dir):
            time.sleep(0.01)
        end_everything(places, "test")

    other = threading.Thread(target=end)
    other.start()
    found = served(monkeypatch, LISTEN + WAIT)
    other.join()
    assert (found.code, found.stderr) == (0, "")


def test_a_console_that_fails_says_why(
    places: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = served(monkeypatch, "import sys; print('no such module'); sys.exit(3)")
    assert found.code != 0
    assert found.stderr.splitlines() == [
        "The console ended with an error (exit code 3). It said last:", "no such module",
    ]  # fmt: skip


def test_a_second_console_of_the_same_port_says_where_the_first_is(
    places: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = f"A console runs already: http://127.0.0.1:{places.console_port}.\n"
    with exclusive(places.var_dir / "locks" / f"console-{places.console_port}", "x"):
        assert served(monkeypatch, WAIT).stdout == told  # begun in this moment
    consoles.register(places.var_dir, own_process(), places.console_port)
    assert served(monkeypatch, WAIT).stdout == told
    assert os.getpid() == own_process().pid


def test_the_end_of_up_tells_what_goes_on(places: Environment) -> None:
    def told(environment: Environment) -> str:
        from contextlib import redirect_stderr, redirect_stdout
        from io import StringIO

        out = StringIO()
        with redirect_stdout(out), redirect_stderr(out):
            console_process.tell_end(environment)
        return out.getvalue()

    assert told(places) == "No engine runs.\n"
    silent = Environment.read(
        {"CTP_VAR_DIR": str(places.var_dir), "CTP_DATABASE_URL": "postgresql://me@127.0.0.1:1/t"}
    )
    assert "PostgreSQL 127.0.0.1:1/t" in told(silent)
