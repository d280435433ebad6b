"""Giving up a worker that hangs, without it ever doing anything again.

A worker holds the fence while it commits, and asks it before it sends. The supervisor closes it:
from then on both raise, however late the worker wakes. A commit that is under way is waited for,
so that the last checkpoint is known for certain.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from crypto_trader_pro.domain.errors import Fenced


class Fence:
    """One worker's permission to act. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self.committed: str | None = None  # the state of the last commit of this worker

    @contextmanager
    def held(self) -> "Iterator[Fence]":
        """Hold it while something is stored.

        Raises:
            Fenced: it was closed.
        """
        with self._lock:
            self.check()
            yield self

    def check(self) -> None:
        """Raise unless this worker still counts.

        Raises:
            Fenced: it was closed.
        """
        if self._closed:
            raise Fenced("this worker was given up")

    @property
    def is_held(self) -> bool:
        """True while a commit is under way."""
        return self._lock.locked()

    def close(self, timeout: float) -> bool:
        """Close it for good; False if a commit is still under way after `timeout` seconds."""
        if not self._lock.acquire(timeout=timeout):
            return False
        try:
            self._closed = True
        finally:
            self._lock.release()
        return True


class _Open(Fence):
    """The fence of a run that nobody supervises: nothing is locked, nothing is remembered."""

    @contextmanager
    def held(self) -> Iterator[Fence]:
        yield Fence()


OPEN: Final = _Open()
