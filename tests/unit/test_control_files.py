"""Flags, the engine's file, processes and the switchboard: what works without a database."""

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from auto_trading import engine_file, switchboard
from auto_trading.engine_file import EngineFile
from auto_trading.flags import FLAGS, Flags
from auto_trading.switchboard import Switchboard
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import ConfigError
from tests.builders import an_order
from utils import processes
from utils.processes import ProcessId, is_gone, own_process, start_ticks

STOP, EMERGENCY, SHUTDOWN = CommandKind.STOP, CommandKind.EMERGENCY_STOP, CommandKind.SHUTDOWN
ME: Final = own_process()


# --- flags ----------------------------------------------------------------------------------


def up(flags: Flags) -> list[tuple[CommandKind, str]]:
    return [(flag.kind, flag.by) for flag in flags.up()]


def test_flags_come_most_urgent_first_and_are_taken_down(tmp_path: Path) -> None:
    flags = Flags(tmp_path)
    assert flags.up() == []
    for kind in (SHUTDOWN, STOP, EMERGENCY):
        flags.put(kind, kind.value)
    assert [kind for kind, _ in up(flags)] == [EMERGENCY, STOP, SHUTDOWN]
    flags.take_down(STOP)
    flags.take_down(STOP)
    assert [kind for kind, _ in up(flags)] == [EMERGENCY, SHUTDOWN]


def test_a_flag_put_up_again_is_another_one(tmp_path: Path) -> None:
    flags = Flags(tmp_path)
    flags.put(STOP, "kim")
    first = flags.up()
    assert flags.up() == first
    time.sleep(0.01)
    flags.put(STOP, "kim")
    assert flags.up() != first


@pytest.mark.parametrize(
    ("content", "by"),
    [
        (b"", "file"),
        (b"kim\n", "kim"),
        (b"\xff\xfe\x00", "\ufffd\ufffd"),
        (b"a\x1b[31mb\r\n", "a[31mb"),
        (b"x" * 10_000, "x" * 64),
    ],
)
def test_whatever_is_in_a_flag_counts(tmp_path: Path, content: bytes, by: str) -> None:
    flags = Flags(tmp_path)
    flags.path(STOP).parent.mkdir()
    flags.path(STOP).write_bytes(content)
    assert up(flags) == [(STOP, by)]


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path), lambda path: path.symlink_to("x")],
    ids=["folder", "pipe", "loop", "dangling"],
)
def test_what_cannot_be_read_counts_and_holds_nobody_up(
    tmp_path: Path, make: Callable[[Path], Any], caplog: pytest.LogCaptureFixture
) -> None:
    flags = Flags(tmp_path)
    flags.path(STOP).parent.mkdir()
    make(flags.path(STOP))
    assert up(flags) == [(STOP, "file")]
    with caplog.at_level(logging.WARNING):
        flags.take_down(STOP)  # a folder cannot be unlinked: said, not raised
    assert (len(flags.up()), len(caplog.records)) in {(0, 0), (1, 1)}


def test_a_folder_that_is_none_holds_no_flags(tmp_path: Path) -> None:
    (tmp_path / "control").write_text("")
    flags = Flags(tmp_path)
    assert flags.up() == []
    with pytest.raises(ConfigError, match=r"^flag .*stop cannot be written"):
        flags.put(STOP, "kim")


def test_flags_from_many_threads_are_whole(tmp_path: Path) -> None:
    flags, errors = Flags(tmp_path), []

    def work(name: str) -> None:
        try:
            for _ in range(50):
                flags.put(STOP, name * 20)
                for _, by in up(flags):
                    assert by in ("a" * 20, "b" * 20)
        except BaseException as e:  # noqa: BLE001  the test looks at it
            errors.append(e)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [p.name for p in (tmp_path / "control").iterdir()] == ["stop"]
    assert set(FLAGS) == {EMERGENCY, STOP, SHUTDOWN}


# --- engine.json ----------------------------------------------------------------------------


def a_file(process: ProcessId = ME, epoch: int = 5) -> EngineFile:
    return EngineFile(*process, epoch, "running", "active", "allowed", "2030-01-01T00:00:00+00:00")


def test_the_engine_file_round_trips_and_is_removed(tmp_path: Path) -> None:
    assert engine_file.read(tmp_path) is None
    assert engine_file.write(tmp_path, a_file())
    found = engine_file.read(tmp_path)
    assert found == a_file()
    assert found is not None
    assert found.is_alive
    assert found.process == ME
    engine_file.remove(tmp_path)
    engine_file.remove(tmp_path)
    assert engine_file.read(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", "{}", '{"pid": 1}', "\udcff", "[" * 100_000],
)
def test_a_damaged_engine_file_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "engine.json").write_bytes(text.encode("utf-8", errors="surrogateescape"))
    assert engine_file.read(tmp_path) is None
    assert engine_file.write(tmp_path, a_file())


def test_a_wrong_type_in_the_file_is_damage(tmp_path: Path) -> None:
    engine_file.write(tmp_path, replace(a_file(), pid="../../x"))  # type: ignore[arg-type]
    assert engine_file.read(tmp_path) is None


def test_an_engine_that_slept_leaves_the_file_of_the_one_that_trades(tmp_path: Path) -> None:
    now = a_file(epoch=6)  # of a process that lives: this one
    asleep = a_file(ME._replace(pid=2**22 + 1, started=1), epoch=5)
    assert engine_file.write(tmp_path, now)
    assert not engine_file.write(tmp_path, asleep)
    engine_file.remove(tmp_path, asleep.process)
    assert engine_file.read(tmp_path) == now
    engine_file.remove(tmp_path, now.process)
    assert engine_file.read(tmp_path) is None


def test_the_file_of_a_dead_engine_is_replaced_whatever_its_epoch(tmp_path: Path) -> None:
    engine_file.write(tmp_path, a_file(ME._replace(started=ME.started + 1), epoch=99))
    assert engine_file.write(tmp_path, a_file(epoch=1))


# --- processes ------------------------------------------------------------------------------


def test_this_process_lives_and_one_that_ended_does_not() -> None:
    assert not is_gone(ME)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = start_ticks(child.pid)
        assert started is not None
        other = ProcessId(ME.host, child.pid, started)
        assert not is_gone(other)
        child.kill()
        while start_ticks(child.pid) is not None:
            time.sleep(0.005)
        assert is_gone(other)  # a zombie has ended
    assert is_gone(other)


@pytest.mark.parametrize(
    ("process", "gone"),
    [
        (ME._replace(started=ME.started + 1), True),  # the pid is used again
        (ME._replace(started=0), False),  # its start was not known
        (ME._replace(host="elsewhere"), False),
        (ME._replace(host=socket.gethostname()), False),  # a name alone proves nothing
        (ME._replace(pid=2**22 + 1), True),  # larger than the kernel gives
        (ME._replace(pid=0), False),
        (ME._replace(pid=-1), False),
    ],
)
def test_what_proves_an_end(process: ProcessId, *, gone: bool) -> None:
    assert is_gone(process) is gone


def test_without_proc_a_process_that_answers_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    processes.own_host.cache_clear()
    try:
        me = own_process()
        assert me == (socket.gethostname(), os.getpid(), 0)
        assert not is_gone(me)
        assert is_gone(me._replace(pid=2**22 + 1))
        monkeypatch.setattr(os, "kill", _forbidden)
        assert not is_gone(me._replace(pid=2**22 + 1))  # somebody else's
    finally:
        monkeypatch.undo()
        processes.own_host.cache_clear()


def _forbidden(*_: int) -> None:
    raise PermissionError


def test_the_host_fits_its_column() -> None:
    assert len(ME.host) <= 128
    assert ME.host.startswith(f"{socket.gethostname()[:64]}#")


# --- switchboard ----------------------------------------------------------------------------


def test_several_may_forbid_and_each_lifts_only_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard, "boot_seconds", lambda: 100.0)
    board = Switchboard()
    assert board.reason() == "lease_uncertain"  # nobody has a lease at first
    board.lease_renewed(100.0, 9.0)
    assert board.reason() == ""
    board.block("s1", "trading_stopped")
    board.block("lease", "lease_lost")
    assert board.may_enter(an_order()) == "lease_lost"  # before a stop, which people know of
    board.allow("lease")
    assert board.reason() == "trading_stopped"
    board.block("lease", "lease_lost")
    board.allow("s1")
    assert board.reason() == "lease_lost"
    board.allow("nobody")
    board.allow("lease")
    assert board.may_enter(an_order()) == ""


def test_a_lease_is_counted_from_when_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [50.0]
    monkeypatch.setattr(switchboard, "boot_seconds", lambda: now[0])
    board = Switchboard()
    board.lease_renewed(50.0, 9.0)
    board.lease_renewed(45.0, 9.0)  # an answer that comes late shortens nothing
    now[0] = 58.999
    assert board.reason() == ""
    now[0] = 59.0
    assert board.reason() == "lease_uncertain"


def test_the_boot_clock_runs_with_a_suspended_host() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= switchboard.boot_seconds() <= before + 5
