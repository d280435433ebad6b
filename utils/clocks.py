"""The only places where time comes from."""

import time
from datetime import UTC, datetime

from crypto_trader_pro.domain.timeframes import to_datetime


class SystemClock:
    """Wall-clock time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class SimulatedClock:
    """Time is the last event's time, and never runs backwards."""

    def __init__(self, start_ms: int = 0) -> None:
        self._now_ms = start_ms

    def now(self) -> datetime:
        return to_datetime(self._now_ms)

    def now_ms(self) -> int:
        return self._now_ms

    def advance_to(self, ms: int) -> None:
        """Move to `ms`.

        Raises:
            ValueError: `ms` lies before the present.
        """
        if ms < self._now_ms:
            raise ValueError(f"time ran backwards: {ms} < {self._now_ms}")
        self._now_ms = ms
