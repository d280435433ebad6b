"""Tasks for the tests of parallel research; here, because a worker imports them by name."""

import os
import signal
import time
from pathlib import Path
from typing import Any


def square(world: int, x: int) -> int:
    if x == 3:
        raise ValueError("three\nis bad")
    return world * x * x


def killer(world: int, x: int) -> int:
    """Kill the worker that computes the task of this number."""
    if x == world:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return x


def dies_once(folder: str, x: int) -> int:
    """Kill the worker that computes task 2 for the first time."""
    mark = Path(folder) / "died"
    if x == 2 and not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def slow(folder: str, x: int) -> dict[str, Any]:
    """Say which process computes, and take a while."""
    (Path(folder) / f"pid-{os.getpid()}").touch()
    time.sleep(0.25)
    return {"x": x, "pid": os.getpid()}
