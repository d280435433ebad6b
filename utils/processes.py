"""Which process is meant by a number: a pid alone is not enough, the kernel uses them again."""

import os
import socket
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")


class ProcessId(NamedTuple):
    """A process of this or another host, as it can be told from every later one."""

    host: str  # as `own_host` tells it
    pid: int
    started: int  # clock ticks after the boot at which it began; 0 where that is unknown


@cache
def own_host() -> str:
    """Return where pids and start ticks of this process mean something: "name#boot.namespace".

    A host name proves nothing: two machines may both be called "localhost", and containers of one
    machine count pids of their own. Without proc(5) there is the name alone.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        space = (_PROC / "self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()[:64]}#{boot}.{space}"


def own_process() -> ProcessId:
    """Return the identity of this process."""
    pid = os.getpid()
    return ProcessId(own_host(), pid, start_ticks(pid) or 0)


def start_ticks(pid: int) -> int | None:
    """Return when `pid` began, in clock ticks after the boot; None if there is no such process.

    A zombie has ended: it counts as gone. Source: proc(5), /proc/PID/stat fields 3 and 22.
    """
    fields = _stat(pid)
    return None if not fields or fields[0] in ("Z", "X") else int(fields[19])


def is_gone(process: ProcessId) -> bool:
    """True when `process` has provably ended: a process of this host that is no more.

    Of another host, or where the start was not known, nothing is proven.
    """
    if process.host != own_host() or process.pid <= 0:
        return False
    fields = _stat(process.pid)
    if not fields:  # /proc may be missing, or hide what others run
        return not _answers(process.pid)
    if fields[0] in ("Z", "X"):
        return True
    return process.started != 0 and int(fields[19]) != process.started


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on; none if it cannot be read."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # the name before it may hold anything


def _answers(pid: int) -> bool:
    """True when the kernel knows `pid`, whosever it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
