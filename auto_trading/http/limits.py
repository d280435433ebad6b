"""Counting in memory: who fails, how often; never a row, never without end."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MINUTE: Final = 60.0


class Windows:
    """Counts events by name in windows of a minute; the names seen longest ago are forgotten.

    Args:
        most: names that are kept.
        clock: seconds, monotonic.
    """

    def __init__(self, most: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def count(self, name: str, limit: int) -> int:
        """Return how many events of `name` this window has; the event is counted if below `limit`.

        So a result of `limit` says that the event was one too many.
        """
        now = self._clock()
        began, number = self._counts.get(name, (now, 0))
        if now - began >= _MINUTE:
            began, number = now, 0
        self._counts[name] = (began, min(number + 1, limit))
        self._counts.move_to_end(name)
        while len(self._counts) > self._most:
            self._counts.popitem(last=False)
        return number

    def __len__(self) -> int:
        return len(self._counts)


class Strangers:
    """Requests whose key opens nothing: limited by address, and told of once when they are many."""

    def __init__(
        self, *, each: int = 20, many: int = 200, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._each = each
        self._many = many
        self._clock = clock
        self._windows = Windows(clock=clock)
        self._told_at: float | None = None
        self._began = clock()
        self._in_window = 0
        self.total = 0

    def failed(self, address: str) -> bool:
        """Count a failure; False once the address has had enough of them in this minute."""
        now = self._clock()
        if now - self._began >= _MINUTE:
            self._began, self._in_window = now, 0
        self._in_window += 1
        self.total += 1
        return self._windows.count(_network(address), self._each) < self._each

    def to_tell(self) -> int:
        """Return how many failed within a minute if people should know, once an hour; else 0."""
        now = self._clock()
        is_told = self._told_at is not None and now - self._told_at < 3600
        if self._in_window < self._many or is_told:
            return 0
        self._told_at = now
        return self._in_window


def _network(address: str) -> str:
    """Return what counts as one sender: an IPv4 address, or the /64 that a site has of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))
