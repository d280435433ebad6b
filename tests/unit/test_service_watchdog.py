"""sd_notify over real sockets."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_trading import engine_file
from auto_trading.service_watch import watched_service
from utils.clocks import SystemClock
from utils.processes import own_process
from utils.service_watchdog import ServiceWatchdog


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's socket and the address that a service is told."""
    address = str(tmp_path / "notify")
    told = address if request.param == "file" else f"@ctp-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address if request.param == "file" else "\0" + told[1:])
        listener.settimeout(5)
        yield listener, told


def test_each_state_is_one_datagram(manager: tuple[socket.socket, str]) -> None:
    listener, address = manager
    watchdog = ServiceWatchdog.current({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"})
    assert watchdog.seconds == 30.0
    assert [watchdog.ready(), watchdog.alive(), watchdog.stopping()] == [True, True, True]
    assert [listener.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "relative"},
        {"NOTIFY_SOCKET": "/nowhere/at/all"},
        {"WATCHDOG_USEC": "30000000"},  # a watchdog without a socket
    ],
)
def test_without_a_manager_nothing_is_sent_and_nothing_fails(environ: dict[str, str]) -> None:
    watchdog = ServiceWatchdog.current(environ)
    assert watchdog.seconds is None
    assert not watchdog.ready()


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [("500000", "", 0.5), ("500000", "self", 0.5), ("500000", "1", None), ("0", "", None),
     ("many", "", None)],
)  # fmt: skip
def test_the_watchdog_is_ours_only_if_it_says_so(
    microseconds: str, pid: str, seconds: float | None
) -> None:
    environ = {
        "NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": microseconds,
        "WATCHDOG_PID": str(os.getpid()) if pid == "self" else pid,
    }  # fmt: skip
    assert ServiceWatchdog.current(environ).seconds == seconds


def a_heartbeat(folder: Path, *, pid: int | None = None, at: str | None = None) -> None:
    me = own_process()
    now = SystemClock().now().isoformat()
    engine_file.write(
        folder,
        engine_file.EngineFile(
            me.host, pid or me.pid, me.started, 1, "running", "active", "allowed", at or now
        ),
    )


def test_a_service_is_ready_with_its_first_heartbeat_and_lives_by_the_next(
    manager: tuple[socket.socket, str], tmp_path: Path
) -> None:
    listener, address = manager
    listener.settimeout(0.2)
    watchdog = ServiceWatchdog(address, 0.03)
    with watched_service(tmp_path, watchdog, look_seconds=0.01):
        with pytest.raises(TimeoutError):
            listener.recv(100)  # no heartbeat yet
        a_heartbeat(tmp_path)
        assert listener.recv(100) == b"READY=1"
        assert {listener.recv(100) for _ in range(3)} == {b"WATCHDOG=1"}
    rest: list[bytes] = []
    while not rest or rest[-1] != b"STOPPING=1":
        rest.append(listener.recv(100))
    assert set(rest[:-1]) <= {b"WATCHDOG=1"}


@pytest.mark.parametrize("stale", ["foreign", "old"])
def test_a_heartbeat_of_another_or_of_long_ago_is_no_sign_of_life(
    manager: tuple[socket.socket, str], tmp_path: Path, stale: str
) -> None:
    listener, address = manager
    listener.settimeout(0.2)
    if stale == "foreign":
        a_heartbeat(tmp_path, pid=1)
    else:
        a_heartbeat(tmp_path, at="2026-01-01T00:00:00+00:00")
    with watched_service(tmp_path, ServiceWatchdog(address, 0.03), look_seconds=0.01):
        time.sleep(0.05)
        with pytest.raises(TimeoutError):
            listener.recv(100)
    assert listener.recv(100) == b"STOPPING=1"
