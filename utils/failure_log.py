"""Says a failure once and its recovery once, however often it happens in between."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any


class FailureLog:
    """Logs the first failure of a streak and its end; counts the rest in silence.

    Safe to call from any thread.

    Args:
        log: where it is said.
        level: of the failure; a recovery is a WARNING, so that it is seen wherever that was.
        capacity: streaks remembered; beyond it the one that has been quiet longest is forgotten,
            and said again should it go on.
        seconds: a clock that only runs forward.
    """

    def __init__(
        self, log: logging.Logger, *, level: int = logging.ERROR, capacity: int = 256,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._log = log
        self._level = level
        self._capacity = capacity
        self._seconds = seconds
        self._lock = threading.RLock()  # a signal's handler may fail too, in the same thread
        self._streaks: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, since

    def failed(self, key: str, message: str, **data: Any) -> bool:
        """Note that `key` failed; True when that is news and was logged."""
        with self._lock:
            count, since = self._streaks.pop(key, (0, self._seconds()))
            self._streaks[key] = (count + 1, since)
            if len(self._streaks) > self._capacity:
                self._streaks.popitem(last=False)
        if count:
            return False
        self._log.log(self._level, "%s", message, extra={"data": {"failing": key, **data}})
        return True

    def recovered(self, key: str) -> bool:
        """Note that `key` works; True when it had failed, which is logged."""
        if key not in self._streaks:  # the usual case costs no lock
            return False
        with self._lock:
            count, since = self._streaks.pop(key, (0, 0.0))
        if count:  # not another thread's recovery
            self._say_recovered(key, count, self._seconds() - since)
        return count > 0

    def count(self, key: str) -> int:
        """Return how often `key` failed since it last worked."""
        return self._streaks.get(key, (0, 0.0))[0]

    def _say_recovered(self, key: str, count: int, seconds: float) -> None:
        times = "once" if count == 1 else f"{count} times"
        data = {"recovered": key, "failures": count, "seconds": round(seconds, 3)}
        self._log.warning(
            "%s works again; failed %s in %.1f s", key, times, seconds, extra={"data": data}
        )
