"""Ticks, lots and minimums of a source's instruments, asked for once an hour at most."""

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

from crypto_trader_pro.domain.instruments import Instrument

TTL_SECONDS: Final = 3600.0


class Precision(NamedTuple):
    """The grid a venue takes orders on."""

    tick: Decimal  # smallest step of a price, quote per base
    lot: Decimal  # smallest step of a quantity, base
    min_notional: Decimal  # smallest order, quote


def precision_of(instrument: Instrument) -> Precision:
    return Precision(instrument.tick, instrument.lot, instrument.min_notional)


class PrecisionCache:
    """Remembers what `load` said of a symbol for an hour (document 001). Any thread may ask.

    Args:
        load: asks the source; its errors reach the caller, and an old answer never stands in.
        seconds: a clock that never goes back.
    """

    def __init__(
        self, load: Callable[[str], Precision], *, ttl_seconds: float = TTL_SECONDS,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._load = load
        self._ttl = ttl_seconds
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Precision]] = {}  # until when, what

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, symbol: str) -> Precision:
        """Return the precision of a symbol, from memory where it is young enough."""
        with self._lock:
            found = self._kept.get(symbol)
        if found is not None and self._seconds() < found[0]:
            return found[1]
        precision = self._load(symbol)  # without the lock: it may take as long as a network does
        with self._lock:
            self._kept[symbol] = (self._seconds() + self._ttl, precision)
        return precision

    def clean(self) -> int:
        """Forget what is too old; return how many symbols that were."""
        with self._lock:
            now = self._seconds()
            old = [symbol for symbol, (until, _) in self._kept.items() if until <= now]
            for symbol in old:
                del self._kept[symbol]
        return len(old)
