"""Makes the bars: one-minute candles of a geometric Brownian motion, as Parquet and as CSV.

60 % volatility a year, six steps a minute, each open the close before it, a tick of 0.01, and a
volume that no order of the workload comes near.
"""

import argparse
from math import sqrt
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from benchmarks.peers.workload import FIRST_PRICE, MINUTE_MS, START_MS

VOLATILITY: Final = 0.6  # a year
STEPS: Final = 6  # a minute
VOLUME: Final = 1_000_000.0
STEPS_A_YEAR: Final = 365 * 24 * 60 * STEPS


def cents(count: int, seed: int) -> NDArray[np.int64]:
    """Return open, high, low and close of `count` bars in ticks, shape (4, count)."""
    step = VOLATILITY / sqrt(STEPS_A_YEAR)
    moves = np.random.default_rng(seed).normal(-step * step / 2, step, count * STEPS)
    path = np.rint(100 * FIRST_PRICE * np.exp(np.cumsum(moves))).astype(np.int64)
    steps = path.reshape(count, STEPS)
    close = steps[:, -1]
    open_ = np.concatenate(([round(100 * FIRST_PRICE)], close[:-1]))
    high = np.maximum(open_, steps.max(axis=1))
    low = np.minimum(open_, steps.min(axis=1))
    return np.stack((open_, high, low, close))


def write(folder: Path, count: int, seed: int) -> None:
    """Write both files, unless they are there."""
    parquet, table_csv = paths(folder, count, seed)
    if parquet.exists() and table_csv.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    prices = dict(zip(("open", "high", "low", "close"), cents(count, seed) / 100, strict=True))
    times = START_MS + MINUTE_MS * np.arange(count, dtype=np.int64)
    table = pa.table({"timestamp": times, **prices, "volume": np.full(count, VOLUME)})
    for path, put in ((parquet, pa_parquet.write_table), (table_csv, pa_csv.write_csv)):
        part = path.with_suffix(".part")  # an interrupted run must not leave half a file
        put(table, part)
        part.replace(path)


def paths(folder: Path, count: int, seed: int) -> tuple[Path, Path]:
    """Return where the Parquet and the CSV file of these bars are."""
    stem = folder / f"gbm-{seed}-{count}"
    return stem.with_suffix(".parquet"), stem.with_suffix(".csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bars", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    write(options.folder, options.bars, options.seed)


if __name__ == "__main__":
    main()
