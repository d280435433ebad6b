"""What forbids new risk this very moment, in memory: set by any thread, asked before each send.

A stop works from the moment it is known, whatever the cycle or the database are doing.
"""

import threading
import time
from typing import Final

from crypto_trader_pro.domain.orders import Order

STOPPED: Final = "trading_stopped"


def boot_seconds() -> float:
    """Return a clock that no adjustment moves and that counts a suspended host's time too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Switchboard:
    """Thread-safe. Entries need: no stop, and a lease that is surely still ours."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: dict[str, str] = {}  # who blocks -> why
        self._lease_until = 0.0

    def block(self, who: str, why: str) -> None:
        """Forbid entries until `who` allows them again."""
        with self._lock:
            self._blocks[who] = why

    def allow(self, who: str) -> None:
        """Take back what `who` forbids; others may still forbid it."""
        with self._lock:
            self._blocks.pop(who, None)

    def lease_renewed(self, asked_at: float, seconds: float) -> None:
        """Note that the lease holds for `seconds` from the moment it was asked for."""
        with self._lock:
            self._lease_until = max(self._lease_until, asked_at + seconds)

    def reason(self) -> str:
        """Return why no entry may be sent now, a code; empty when one may.

        What nobody asked for is told before a stop, which people know of.
        """
        with self._lock:
            reasons, until = list(self._blocks.values()), self._lease_until
        if boot_seconds() >= until:
            reasons.append("lease_uncertain")
        return next((why for why in reasons if why != STOPPED), STOPPED if reasons else "")

    def may_enter(self, _: Order) -> str:
        """Answer for one entry, right before it is sent."""
        return self.reason()
