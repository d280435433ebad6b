"""Hands items to a slow store from a thread of its own, so that nobody else waits for it."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, Generic, TypeVar

from crypto_trader_pro.domain.errors import TradingError
from utils.failure_log import FailureLog

_Item = TypeVar("_Item")

FIRST_RETRY: Final = 0.1  # seconds; doubles up to
LAST_RETRY: Final = 5.0


class BatchWriter(Generic[_Item]):
    """Buffers items and stores them in order, in batches, again and again until it works.

    An item leaves the buffer when it is stored. A store that cannot take items now raises a
    `TradingError`, and the same batch is offered again. Any other error is a bug in an item: then
    the batch is stored one by one, and the item that fails alone is left out, counted and said.

    Args:
        name: what is written, as the log names it.
        capacity: items kept; one more is dropped and counted.
        linger_seconds: how long to collect after the first item, so that batches are few.
    """

    def __init__(
        self, name: str, store: Callable[[Sequence[_Item]], None], trouble: FailureLog, *,
        capacity: int = 10_000, batch: int = 500, linger_seconds: float = 0.0,
    ) -> None:  # fmt: skip
        self._name = name
        self._store = store
        self._trouble = trouble
        self._capacity = capacity
        self._batch = batch
        self._linger = linger_seconds
        self._items: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._deadline = float("inf")
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name=f"{name} writer", daemon=True)
        self._thread.start()

    def put(self, item: _Item) -> bool:
        """Take `item` and return at once; False when it is dropped (full or closed)."""
        full = f"{self._name} buffer"
        with self._changed:
            is_closed = self._closing.is_set()
            taken = len(self._items) < self._capacity and not is_closed
            if taken:
                self._items.append(item)
                self._changed.notify_all()
            else:
                self.dropped += 1
        if taken:
            self._trouble.recovered(full)
        elif not is_closed:
            self._trouble.failed(full, f"{full} is full: what comes now is dropped and counted")
        return taken

    @property
    def waiting(self) -> int:
        """Items that are not stored yet."""
        return len(self._items)

    def flush(self, timeout: float) -> bool:
        """Wait until all is stored, at most `timeout` seconds; False when some is not."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._items, timeout)

    def close(self, timeout: float) -> int:
        """Store what there is within `timeout` seconds; return how many items were not."""
        self._deadline = time.monotonic() + timeout
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(timeout)
        return len(self._items)

    def _run(self) -> None:
        while batch := self._next():
            if not self._write(batch):
                return
            with self._changed:
                for _ in batch:
                    self._items.popleft()
                self._changed.notify_all()

    def _next(self) -> list[_Item]:
        """Wait for items; none are left when it returns an empty list."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closing.is_set())
        if self._linger:
            self._closing.wait(self._linger)
        with self._changed:
            return list(islice(self._items, self._batch))

    def _write(self, batch: Sequence[_Item]) -> bool:
        """Store `batch`; False when closing ran out of time."""
        delay = FIRST_RETRY
        while True:
            try:
                self._store(batch)
            except TradingError as e:
                self._trouble.failed(self._name, f"{self._name} cannot be written: {e}")
            except Exception as e:  # noqa: BLE001  a bug in one item must not stop the others
                return self._write_singly(batch, e)
            else:
                self._trouble.recovered(self._name)
                self._trouble.recovered(f"{self._name} entry")
                return True
            if time.monotonic() >= self._deadline:
                return False
            if self._closing.wait(delay):
                time.sleep(FIRST_RETRY)
            delay = min(2 * delay, LAST_RETRY)

    def _write_singly(self, batch: Sequence[_Item], error: Exception) -> bool:
        if len(batch) > 1:
            return False not in [self._write([item]) for item in batch]
        self.dropped += 1
        first_line = str(error).partition("\n")[0]
        self._trouble.failed(
            f"{self._name} entry",
            f"{self._name}: an entry cannot be stored and is left out:"
            f" {type(error).__name__}: {first_line}",
        )
        return True
