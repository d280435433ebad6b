"""Figures over the recent past, in bounded memory: error rates, quantiles, breaches of the VaR.

Whole numbers only and no clock: time and values are passed in, so that a repeated session measures
the same. State goes into the checkpoint as plain JSON values.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from crypto_trader_pro.domain.units import RATE

_BUCKETS: Final = 60  # a window forgets in steps of a 60th of its length


class RollingRate:
    """Failed and total calls of the last `window_ms`.

    Counted in buckets, so memory does not grow with the number of calls; what is forgotten is late
    by at most a bucket. Time that runs backwards counts as the newest time seen.
    """

    def __init__(self, window_ms: int) -> None:
        self._width = max(1, window_ms // _BUCKETS)
        self._length = max(1, window_ms // self._width)
        self._buckets: deque[list[int]] = deque()  # [number, total, failed], oldest first
        self._seen: tuple[int, int] | None = None  # totals of the counter that is observed

    def add(self, at_ms: int, total: int, failed: int) -> None:
        """Count `total` more calls, `failed` of which failed."""
        number = at_ms // self._width
        if self._buckets and number <= self._buckets[-1][0]:
            number = self._buckets[-1][0]
        else:
            self._buckets.append([number, 0, 0])
        self._buckets[-1][1] += total
        self._buckets[-1][2] += failed
        while self._buckets[0][0] <= number - self._length - 1:
            self._buckets.popleft()

    def observe(self, at_ms: int, total: int, failed: int) -> None:
        """Take a counter's totals since its start; only what is new counts.

        A counter that is smaller than before began anew, after a reconnect or a restart.
        """
        before = self._seen or (total, failed)
        if total < before[0] or failed < before[1]:
            before = (0, 0)
        self._seen = (total, failed)
        self.add(at_ms, total - before[0], failed - before[1])

    def totals(self, at_ms: int) -> tuple[int, int]:
        """Return (failed, total) of the window that ends at `at_ms`."""
        oldest = at_ms // self._width - self._length
        live = [bucket for bucket in self._buckets if bucket[0] >= oldest]
        return sum(bucket[2] for bucket in live), sum(bucket[1] for bucket in live)

    def clear(self) -> None:
        """Forget what was counted, but not where an observed counter stands."""
        self._buckets.clear()

    def state(self) -> dict[str, Any]:
        return {"buckets": [list(bucket) for bucket in self._buckets], "seen": self._seen}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._buckets = deque(list(bucket) for bucket in state["buckets"])
        seen = state["seen"]
        self._seen = None if seen is None else (seen[0], seen[1])


class RollingQuantile:
    """A quantile of the last `window` values.

    O(log n) to find a place and one short move of memory to insert.
    """

    def __init__(self, window: int) -> None:
        self._recent: deque[int] = deque(maxlen=window)
        self._sorted: list[int] = []

    def __len__(self) -> int:
        return len(self._recent)

    def add(self, value: int) -> None:
        if len(self._recent) == self._recent.maxlen:
            del self._sorted[bisect_left(self._sorted, self._recent[0])]
        self._recent.append(value)
        insort(self._sorted, value)

    def value(self, parts: int, of: int) -> int | None:
        """Return the smallest value that `parts`/`of` of all do not exceed; None without values.

        `value(99, 100)` is the 99th percentile: of 200 values the 198th.
        """
        if not self._sorted:
            return None
        place = -(-len(self._sorted) * parts // of)
        return self._sorted[max(0, place - 1)]

    def clear(self) -> None:
        self._recent.clear()
        self._sorted.clear()

    def state(self) -> dict[str, Any]:
        return {"recent": list(self._recent)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._recent = deque(state["recent"], maxlen=self._recent.maxlen)
        self._sorted = sorted(self._recent)


class VarBreaches:
    """Periods of the last `window_ms` whose loss was larger than the value at risk before them.

    The value at risk of a period is the historical one: of the last `history` returns the
    `tail` quantile. A period is whatever lies between two calls of `close`: a candle, an hour, a
    day. Only periods that held a position count, because an account that rests has no risk to
    measure and would make the first fee a breach.

    Args:
        tail: expected share of breaches, parts of 1e8; 1 % by default.
        history: returns that the estimate looks back on; it begins once 1 / tail are there.
        floor: a loss up to this part of equity is no breach, parts of 1e8; an account that has
            traded little so far must not be halted by a small loss.
    """

    def __init__(
        self, window_ms: int, *, tail: int = 1_000_000, history: int = 500, floor: int = 100_000
    ) -> None:
        self._window_ms = window_ms
        self._tail = tail
        self._floor = floor
        self._needed = -(-RATE // tail)
        self._returns = RollingQuantile(max(history, self._needed))
        self._breaches: deque[int] = deque()  # times
        self._equity = 0  # at the last close

    def close(self, at_ms: int, equity: int, *, exposed: bool) -> bool:
        """End a period; True when its loss was a breach.

        Args:
            equity: money units.
            exposed: a position was held in the period.
        """
        before, self._equity = self._equity, equity
        while self._breaches and self._breaches[0] <= at_ms - self._window_ms:
            self._breaches.popleft()
        if before <= 0 or not exposed:
            return False
        result = (equity - before) * RATE // before  # rounded down: against the account
        limit = self.value_at_risk
        self._returns.add(result)
        is_breach = limit is not None and -result > max(limit, self._floor)
        if is_breach:
            self._breaches.append(at_ms)
        return is_breach

    @property
    def value_at_risk(self) -> int | None:
        """Loss that the next period should not pass, parts of 1e8; None with too few returns."""
        if len(self._returns) < self._needed:
            return None
        return max(0, -(self._returns.value(self._tail, RATE) or 0))

    def count(self, at_ms: int) -> int:
        """Return the number of breaches in the window that ends at `at_ms`."""
        return sum(1 for at in self._breaches if at > at_ms - self._window_ms)

    def clear(self) -> None:
        """Forget the breaches; what returns are usual stays known."""
        self._breaches.clear()

    def state(self) -> dict[str, Any]:
        return {
            "returns": self._returns.state(),
            "breaches": list(self._breaches),
            "equity": self._equity,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._returns.restore(state["returns"])
        self._breaches = deque(state["breaches"])
        self._equity = state["equity"]
