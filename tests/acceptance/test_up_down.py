"""`up`, Ctrl-C, `status`, `down`, as an operator does it: real engine, real console."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines import command
from tests.market_data import ROOT
from tests.processes import Ended, a_port
from utils.processes import start_ticks

# as it can be typed in the project's folder
PYTHON = (
    Path(sys.executable).relative_to(ROOT)
    if Path(sys.executable).is_relative_to(ROOT)
    else Path(sys.executable)
)


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """An installation of its own on the demo market; `down` clears up after it."""
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    found = a_port()
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("CTP_CONSOLE_PORT", str(found))
    monkeypatch.setenv("CTP_HTTP_PORT", str(a_port()))
    monkeypatch.setenv("CTP_MARKET_DATA__SOURCE", "demo")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    yield found
    assert command("down").code == 0


def start(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "crypto_trader_pro", *words], cwd=ROOT, text=True,
        start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(process: "subprocess.Popen[str]") -> Ended:
    out, err = process.communicate(timeout=60)
    return Ended(process.returncode, out, err)


def until(true: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def serves(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def status() -> dict[str, Any]:
    return command("status", "--json").result()


def test_up_serves_and_ctrl_c_leaves_the_engine(port: int) -> None:
    process = start("up")
    try:
        until(lambda: serves(port) or process.poll() is not None)
        pid = status()["engine_pid"]
        assert pid is not None
        assert start_ticks(pid) is not None
        again = ended(start("up"))  # while it runs: nothing is started, and it says so
        assert (again.code, again.stderr) == (0, "")
        assert f"Engine runs already: process {pid}." in again.stdout
        assert f"A console runs already: http://127.0.0.1:{port}." in again.stdout
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as the terminal sends it: to the whole group
    first = ended(process)
    assert (first.code, first.stderr) == (0, "")
    assert f"Engine started: process {pid}." in first.stdout
    assert f"Console: http://127.0.0.1:{port}" in first.stdout
    assert first.stdout.splitlines()[-1] == (
        f"The engine goes on (process {pid}). To stop trading: {PYTHON} -m crypto_trader_pro stop."
        f" To end it: {PYTHON} -m crypto_trader_pro down."
    )
    assert not serves(port)
    assert status()["engine_pid"] == pid

    shown = command("down")
    assert (shown.code, shown.stdout) == (0, f"The engine has ended (process {pid}).\n")
    assert status()["observed_state"] == "stopped"
    assert status()["engine_pid"] is None
    assert command("down").stdout == "Neither console nor engine runs.\n"


@pytest.mark.parametrize("how", ["down", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_a_console_alone_ends_by_down_and_by_signal(port: int, how: str) -> None:
    process = start("console")
    until(lambda: serves(port) or process.poll() is not None)
    if how == "down":
        assert "The console has ended" in command("down").stdout
    else:
        process.send_signal(signal.SIGTERM)  # to the parent only: it takes its child with it
    found = ended(process)
    assert (found.code, found.stderr) == (0, "")
    assert found.stdout.splitlines()[-1] == "The console has ended."
    assert not serves(port)
    assert status()["engine_pid"] is None  # a console starts nothing


def test_a_port_that_another_program_has_is_one_line_and_nothing_was_started(
    port: int, tmp_path: Path
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        found = command("up")
    assert found.code == 2
    assert f"CTP_CONSOLE_PORT was {port}, allowed: a free port" in found.complaint()
    assert not (tmp_path / "var" / "engine.json").exists()


def test_an_engine_that_refuses_its_configuration_is_told_with_its_line(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_MARKET_DATA__SOURCE", "replay")
    found = command("engine", "start")
    assert (found.code, "ended at once (exit code 2)" in found.stderr) == (2, True)
    assert "0 imported 5m candles" in found.stderr


@pytest.mark.parametrize("mode", ["live", "backtest"])
def test_an_engine_refuses_real_money_as_long_as_it_cannot_send_orders(
    port: int, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("CTP_ENGINE__MODE", mode)
    monkeypatch.setenv("CTP_ENGINE__ENABLE_PAPER_TRADING", str(mode == "backtest").lower())
    monkeypatch.setenv("CTP_MARKET_DATA__SOURCE", "exchange")
    found = command("engine", "run")
    assert found.code == 2
    told = "does not exist yet" if mode == "live" else "runs no living engine"
    assert told in found.complaint()


def test_a_killed_engine_is_faulted_and_started_again(port: int) -> None:
    assert "Engine started" in command("engine", "start").stdout
    command("start", "--json")
    until(lambda: status()["observed_state"] == "running", 20)
    before = status()
    assert before["desired_state"] == "running"
    os.kill(before["engine_pid"], signal.SIGKILL)
    until(lambda: start_ticks(before["engine_pid"]) is None)
    killed = status()
    assert (killed["observed_state"], killed["engine_pid"]) == ("faulted", None)
    assert killed["desired_state"] == "running"
    assert "Engine started" in command("engine", "start").stdout
    after = status()
    assert after["epoch"] == before["epoch"] + 1
    until(lambda: status()["observed_state"] == "running", 20)  # as it was wanted


def test_a_service_manager_is_told_ready_alive_and_stopping(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1500000")
        process = start("engine", "run", "--wait-for-lease")
        assert manager.recv(100) == b"READY=1"
        assert status()["engine_pid"] == process.pid  # ready is after the first heartbeat
        assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        process.terminate()
        said = manager.recv(100)
        while said == b"WATCHDOG=1":
            said = manager.recv(100)
        assert said == b"STOPPING=1"
        assert ended(process).code == 0
