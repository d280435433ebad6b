"""Starting and ending engine processes, with a stand-in engine: races, deaf ones, used numbers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auto_trading import engine_file
from auto_trading.ending import Ended, How, end_everything, engines
from auto_trading.flags import Flags
from auto_trading.launching import Launch, last_lines, output_file, start_engine
from config.environment import Environment
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import ConfigError, InputError
from utils import consoles
from utils.locks import exclusive
from utils.processes import ProcessId, is_gone, own_process, start_ticks

FAKE = ("-m", "tests.fake_engine")
DEAF = (*FAKE, "deaf")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """An installation of its own; whatever engine is left in it is killed."""
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path))
    for name in ("CTP_DATABASE_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    found = Environment.current()
    yield found
    for process in engines(found):
        if process.host == own_process().host:
            os.kill(process.pid, signal.SIGKILL)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def process_of(pid: int) -> ProcessId:
    return ProcessId(own_process().host, pid, start_ticks(pid) or 0)


def test_two_who_start_at_once_get_one_engine_and_one_end_ends_it(places: Environment) -> None:
    with ThreadPoolExecutor(2) as both:
        futures = [both.submit(start_engine, places, command=FAKE) for _ in range(2)]
        first, second = sorted((f.result() for f in futures), key=lambda x: x.was_running)
    assert (first.was_running, second.was_running) == (False, True)
    assert first.pid == second.pid
    assert first.beats
    assert second.beats
    process = process_of(first.pid)
    assert os.getsid(first.pid) == first.pid  # of a session of its own: no terminal ends it
    assert end_everything(places, "test") == [Ended("engine", first.pid, How.FLAG)]
    assert is_gone(process)
    assert Flags(places.var_dir).up() == []
    assert end_everything(places, "test") == []  # again changes nothing


def test_a_shutdown_meant_for_an_engine_of_the_past_does_not_end_the_next(
    places: Environment,
) -> None:
    Flags(places.var_dir).put(CommandKind.SHUTDOWN, "long ago")
    found = start_engine(places, command=FAKE)
    assert found.beats
    time.sleep(0.2)
    assert not is_gone(process_of(found.pid))


def test_a_killed_engine_is_replaced_at_once(places: Environment) -> None:
    first = start_engine(places, command=FAKE)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: start_ticks(first.pid) is None)
    second = start_engine(places, command=FAKE)
    assert (second.was_running, second.beats) == (False, True)
    assert second.pid != first.pid


def test_a_deaf_engine_is_killed_and_that_is_said(places: Environment) -> None:
    found = start_engine(places, command=DEAF)
    ended = end_everything(places, "test", flag_seconds=0.2, signal_seconds=0.3)
    assert ended == [Ended("engine", found.pid, How.KILLED)]
    assert Flags(places.var_dir).up() == []  # not for the next one


def test_an_engine_that_ends_at_once_tells_why(places: Environment) -> None:
    file = output_file(places.var_dir, "engine.out")
    file.write_text("of another time\n")
    code = "import sys; print('the first'); print('no such key', file=sys.stderr); sys.exit(3)"
    found = start_engine(places, command=("-c", code))
    assert (found.exit_code, found.beats, found.was_running) == (3, False, False)
    assert sorted(found.last_lines) == ["no such key", "the first"]


def test_an_engine_whose_heart_does_not_beat_in_time(places: Environment) -> None:
    found = start_engine(places, command=("-c", "import time; time.sleep(60)"), seconds=0.3)
    os.kill(found.pid, signal.SIGKILL)
    assert found == Launch(found.pid, was_running=False, beats=False)


def test_a_start_that_another_has_had_under_way_for_long(places: Environment) -> None:
    with (
        exclusive(places.var_dir / "locks" / "engine-start", "x"),
        pytest.raises(InputError, match=r"another process has been starting the engine for 0\.2 s"),
    ):
        start_engine(places, command=FAKE, seconds=0.2)


def a_file(folder: Path, process: ProcessId) -> None:
    engine_file.write(
        folder,
        engine_file.EngineFile(
            process.host, process.pid, process.started, 1, "running", "active", "allowed",
            "2026-01-01T00:00:00+00:00",
        ),
    )  # fmt: skip


def test_a_number_that_is_used_again_is_left_alone(places: Environment) -> None:
    """The file names this very process with another start: sending SIGTERM would end the tests."""
    me = own_process()
    a_file(places.var_dir, me._replace(started=me.started - 1))
    consoles.register(places.var_dir, me._replace(started=me.started - 1), 8501)
    assert engines(places) == []
    assert end_everything(places, "test") == []


def test_a_process_of_another_host_is_not_ours_to_end(places: Environment) -> None:
    """Its number is that of a process here, which must not be hit."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        a_file(places.var_dir, process_of(child.pid)._replace(host="elsewhere"))
        ended = end_everything(places, "test", flag_seconds=0.05, signal_seconds=0.05)
        assert [e.how for e in ended] == [How.LEFT]
        time.sleep(0.1)
        assert child.poll() is None
        child.kill()
    engine_file.remove(places.var_dir)  # or the fixture would go by it


def test_an_engine_without_its_file_is_found_by_the_lease_of_its_own_database(
    places: Environment,
) -> None:
    found = start_engine(places, command=FAKE)
    os.kill(found.pid, signal.SIGSTOP)
    engine_file.remove(places.var_dir)
    try:
        assert [p.pid for p in engines(places)] == [found.pid]
        elsewhere = Environment.read(
            {"CTP_VAR_DIR": str(places.var_dir / "other"), "CTP_DATABASE_URL": places.database_url}
        )
        assert engines(elsewhere) == []  # a database that two folders share
    finally:
        os.kill(found.pid, signal.SIGCONT)


def test_a_console_is_ended_by_signal(places: Environment) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); "
    for code, how in (("print(1, flush=True); ", How.TERMINATED), (deaf, How.KILLED)):
        command = [sys.executable, "-c", code + "import time; time.sleep(60)"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            consoles.register(places.var_dir, process_of(child.pid), 8501)
            ended = end_everything(places, "test", signal_seconds=0.5)
            assert ended == [Ended("console", child.pid, how)]
    assert list((places.var_dir / "consoles").iterdir()) == []


def test_the_output_file_begins_anew_when_it_is_large(tmp_path: Path) -> None:
    file = output_file(tmp_path, "engine.out")
    file.write_bytes(b"x" * (5 * 2**20 + 1))
    assert output_file(tmp_path, "engine.out").stat().st_size == 0
    file.write_text("\n".join(f"line {n}" for n in range(100)))
    assert last_lines(file) == tuple(f"line {n}" for n in range(88, 100))
    assert last_lines(tmp_path / "nowhere") == ()


def test_a_log_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("not a folder")
    with pytest.raises(ConfigError, match="cannot be written"):
        output_file(tmp_path, "engine.out")
