"""What every system is given and what it must answer, so that the same work is compared.

Standard library and NumPy only: this runs in the environments of the peers as well.
"""

import argparse
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MINUTE_MS: Final = 60_000
START_MS: Final = 1_609_459_200_000  # 2021-01-01 UTC
FIRST_PRICE: Final = 3_000.0
TICK: Final = 0.01
UNITS: Final = 1  # bought at each entry
CASH: Final = 10_000_000  # so much that no limit on the account ever binds
FEE: Final = 0.0005
FAST: Final = 12
SLOW: Final = 26
STOP: Final = 0.01
TARGET: Final = 0.02
# 100 pairs for the sweep
PAIRS: Final = tuple((fast, slow) for fast in range(5, 15) for slow in range(20, 40, 2))

Floats = NDArray[np.float64]
Signals = NDArray[np.int8]
Trade = tuple[int, int]  # the bars in which it was entered and left


def crosses(fast: Floats, slow: Floats, warmup: int) -> Signals:
    """Return +1 where `fast` has crossed above `slow` at the bar's close, -1 below, else 0.

    The first `warmup` bars give none, and neither does the last: no bar follows to fill it in.
    """
    above = fast > slow
    signal = np.zeros(len(above), np.int8)
    changed = above[1:] != above[:-1]
    signal[1:][changed] = np.where(above[1:][changed], 1, -1)
    signal[:warmup] = 0
    signal[-1] = 0
    return signal


def bracket(close: float) -> tuple[float, float]:
    """Return the stop and the target of an entry at `close`, on the tick grid, away from it."""
    ticks = round(close / TICK)
    return (ticks * 99 // 100) / 100, -(-ticks * 102 // 100) / 100


class Report:
    """Times the phases of one process and prints them with the result as one line of JSON.

    Made before the heavy imports, so that their time is seen.
    """

    def __init__(self) -> None:
        self._at = perf_counter()
        self._values: dict[str, Any] = {"jit_s": 0.0}
        parser = argparse.ArgumentParser()
        parser.add_argument("parquet", type=Path)
        parser.add_argument("--trades", type=Path, help="where to write the trades, a line each")
        parser.add_argument("--variant", default="", help="what the module makes of it")
        parser.add_argument("--rounds", type=int, default=1)
        self.options = parser.parse_args()

    def phase(self, name: str) -> None:
        """End a part of the phase `name`: import, load, jit or run."""
        now = perf_counter()
        key = f"{name}_s"
        self._values[key] = self._values.get(key, 0.0) + now - self._at
        self._at = now

    def put(self, **values: Any) -> None:
        """Add values to the line."""
        self._values |= values

    def trades(self, trades: Iterable[Trade], net: float) -> None:
        """Add the closed round trips, and the change of equity, an open one at the last close."""
        listed = sorted(trades)
        self._values |= {"trades": len(listed), "net": net}
        if self.options.trades is not None:
            lines = (f"{entered} {left}\n" for entered, left in listed)
            self.options.trades.write_text("".join(lines))

    def print(self, *distributions: str) -> None:
        """Print the line, with the versions of `distributions`."""
        print(json.dumps(self._values | {"versions": {d: version(d) for d in distributions}}))
