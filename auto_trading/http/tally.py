"""What became of the requests for signals since this process began, for /metrics."""

import threading
from collections import Counter
from collections.abc import Mapping


class Tally:
    """Counts by name; called from any thread."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, name: str, number: int = 1) -> None:
        """Count `number` more."""
        with self._lock:
            self._counts[name] += number

    def counts(self) -> Mapping[str, int]:
        """Return the counts as they are now."""
        with self._lock:
            return dict(self._counts)
