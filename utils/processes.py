"""Which process is meant by a number: a pid alone is not enough, the kernel uses them again."""

import os
import socket
from pathlib import Path
from typing import NamedTuple


class ProcessId(NamedTuple):
    """A process of this or another host, as it can be told from every later one."""

    host: str
    pid: int
    started: int  # clock ticks after the boot at which it began; 0 where that is unknown


def own_process() -> ProcessId:
    """Return the identity of this process."""
    pid = os.getpid()
    return ProcessId(socket.gethostname(), pid, start_ticks(pid) or 0)


def start_ticks(pid: int) -> int | None:
    """Return when `pid` began, in clock ticks after the boot; None if there is no such process.

    A zombie has ended: it counts as gone. Source: proc(5), /proc/PID/stat fields 3 and 22.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] in ("Z", "X") else int(fields[19])


def is_gone(process: ProcessId) -> bool:
    """True when `process` has provably ended: a process of this host that is no more.

    Of another host, or where the start was not known, nothing is proven.
    """
    if process.host != socket.gethostname():
        return False
    found = start_ticks(process.pid)
    return found is None or (process.started != 0 and found != process.started)
