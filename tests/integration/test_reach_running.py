"""How the engine starts, watches and ends the process beside it; the child is a small script."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auto_trading.reach import running
from auto_trading.reach.running import ReachProcess
from config.environment import Environment
from utils import reach_file
from utils.processes import own_process
from utils.reach_file import ReachFile

SLEEPS = ("-c", "import time; time.sleep(60)")
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN)"
STUBBORN = ("-c", f"{DEAF}; print('deaf', flush=True); time.sleep(60)")
Made = Callable[..., ReachProcess]


@pytest.fixture
def told() -> list[tuple[str, str, Mapping[str, Any]]]:
    return []


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    monkeypatch.setattr(running, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(running, "_LOOK", 0.02)
    monkeypatch.setattr(running, "_MOMENT", 0.05)
    environment = replace(Environment.read({}), var_dir=tmp_path)
    found: list[ReachProcess] = []

    def make(*command: str, steady: float = 10.0) -> ReachProcess:
        found.append(ReachProcess(environment, command=command, steady_seconds=steady))
        return found[-1]

    yield make
    for process in found:
        process.close(0.1)
        if process.child is not None and process.child.poll() is None:
            process.child.kill()
            process.child.wait()


def until(true: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def pid(process: ReachProcess) -> int:
    until(lambda: process.child is not None)
    assert process.child is not None
    return process.child.pid


def test_starting_it_takes_no_time_and_closing_ends_it(made: Made, told: list[Any]) -> None:
    process = made(*SLEEPS)
    began = time.monotonic()
    process.start(lambda *said: told.append(said))
    assert time.monotonic() - began < 0.05
    pid(process)
    process.close()
    assert process.child is not None
    assert process.child.returncode == -signal.SIGTERM
    assert told == []


def test_one_that_is_killed_is_started_again_told_once_and_its_recovery_once(
    made: Made, told: list[Any]
) -> None:
    process = made(*SLEEPS, steady=0.3)
    process.start(lambda *said: told.append(said))
    for _ in range(2):
        before = pid(process)
        os.kill(before, signal.SIGKILL)
        until(lambda before=before: pid(process) != before)  # type: ignore[misc]
    until(lambda: len(told) == 2)
    assert told == [
        ("error", "reach_failed", {"error": "exit code -9"}),
        ("info", "reach_recovered", {"failures": 2}),
    ]


def test_one_that_cannot_be_started_is_told_and_tried_on(
    made: Made, told: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "logs").write_text("no folder")
    process = made(*SLEEPS)
    process.start(lambda *said: told.append(said))
    until(lambda: told)
    ((_, code, numbers),) = told
    assert code == "reach_failed"
    assert "logs" in str(numbers["error"])
    (tmp_path / "logs").unlink()
    pid(process)


def test_one_that_does_not_react_is_killed(made: Made, told: list[Any], tmp_path: Path) -> None:
    process = made(*STUBBORN)
    process.start(lambda *said: told.append(said))
    pid(process)
    until(lambda: "deaf" in (tmp_path / "logs" / "reach.out").read_text())
    process.close(0.2)
    assert process.child is not None
    assert process.child.returncode == -signal.SIGKILL


def test_an_engine_that_fails_leaves_it_to_tell_of_it(made: Made, told: list[Any]) -> None:
    process = made(*SLEEPS)
    process.start(lambda *said: told.append(said))
    pid(process)
    process.let_go()
    process.close()
    assert process.child is not None
    assert process.child.poll() is None


def test_one_whose_place_was_taken_is_not_started_against_it(
    made: Made, told: list[Any], tmp_path: Path
) -> None:
    process = made(*SLEEPS)
    process.start(lambda *said: told.append(said))
    before = pid(process)
    me = own_process()
    reach_file.write(tmp_path, ReachFile(me.host, me.pid, me.started, 8502, "now"))
    os.kill(before, signal.SIGTERM)
    time.sleep(0.5)
    assert (pid(process), told) == (before, [])
    reach_file.remove(tmp_path, me)  # the other one has ended
    until(lambda: pid(process) != before)
