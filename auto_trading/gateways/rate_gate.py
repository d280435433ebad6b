"""Keeps requests out of the window in which a venue has asked for silence."""

import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Final

TOO_MANY: Final = 429
BANNED: Final = 418  # Binance: 429 was ignored
FORBIDDEN: Final = 403  # Bybit: too many requests of one address, ten minutes
_FIRST_SECONDS: Final = 10.0
_SECONDS: Final = {BANNED: 120.0, FORBIDDEN: 600.0}
_LONGEST_SECONDS: Final = 600.0


class RateGate:
    """One for all clients of a venue in this process: limits count by address. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._until = 0.0
        self._strikes = 0  # refusals without Retry-After since the last good answer
        self.windows = 0  # times that silence was asked for

    @property
    def wait_seconds(self) -> float:
        """How long to keep silent; 0 when requests may be sent."""
        return max(0.0, self._until - self._monotonic())

    def response(self, status: int, headers: Mapping[str, str]) -> None:
        """Take note of an answer of the venue."""
        if status < 400:
            self._strikes = 0
        elif status in (TOO_MANY, BANNED, FORBIDDEN):
            self.silence(self._asked_for(headers), _SECONDS.get(status))

    def silence(self, asked: float | None = None, usual: float | None = None) -> None:
        """Begin a window: what the venue asked for, else what is usual, else longer each time."""
        with self._lock:
            if asked is None and usual is None:
                usual = min(_FIRST_SECONDS * 2**self._strikes, _LONGEST_SECONDS)
                self._strikes = min(self._strikes + 1, 10)
            seconds = asked if asked is not None else usual or 0.0
            self._until = max(self._until, self._monotonic() + seconds)
            self.windows += 1

    @staticmethod
    def _asked_for(headers: Mapping[str, str]) -> float | None:
        named = {name.lower(): value for name, value in headers.items()}
        try:
            seconds = float(named.get("retry-after", ""))
        except ValueError:  # absent, or a date, which none of the venues sends
            return None
        return seconds if 0 <= seconds < 10**7 else None
