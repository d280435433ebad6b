"""The service manager's watchdog, fed by the engine's own signs of life.

Feeding it from a mere timer would keep a dead engine looking alive. The engine file is renewed
with every heartbeat, also while the database hangs: a fresh one of this process is the proof.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from auto_trading import engine_file
from utils.clocks import SystemClock
from utils.processes import own_process
from utils.service_watchdog import ServiceWatchdog

FRESH: Final = timedelta(seconds=15)  # the oldest heartbeat that still counts as life
_LOOK_SECONDS: Final = 0.5


@contextmanager
def watched_service(
    var_dir: Path, watchdog: ServiceWatchdog | None = None, look_seconds: float = _LOOK_SECONDS
) -> Iterator[None]:
    """Tell the service manager READY at the first heartbeat, WATCHDOG after that, STOPPING last."""
    manager = watchdog or ServiceWatchdog.current()
    ended = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(var_dir, manager, ended, look_seconds), name="watchdog", daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        manager.stopping()
        ended.set()
        watcher.join(5.0)


def _watch(
    var_dir: Path, manager: ServiceWatchdog, ended: threading.Event, look_seconds: float
) -> None:
    period = None if manager.seconds is None else manager.seconds / 3
    is_ready, next_at = False, 0.0
    while not ended.wait(look_seconds):
        if not _is_fresh(var_dir):
            continue
        if not is_ready:
            is_ready = manager.ready()
        if period is not None and time.monotonic() >= next_at:
            manager.alive()
            next_at = time.monotonic() + period


def _is_fresh(var_dir: Path) -> bool:
    found = engine_file.read(var_dir)
    if found is None or found.process != own_process():
        return False
    return SystemClock().now() - datetime.fromisoformat(found.at) < FRESH
