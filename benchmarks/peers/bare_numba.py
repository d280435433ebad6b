"""The ceiling: a bare Numba loop that keeps whole ticks, a side and a sum, and nothing else.

Compiled anew in every process. With `--variant sweep` all pairs, on all cores.
"""

# ruff: noqa: E402  the clock starts before the imports, which it times

from benchmarks.peers.workload import Report

report = Report()

from decimal import Decimal
from statistics import median
from time import perf_counter
from typing import Any

import numba
import numpy as np
import pyarrow.parquet as pa_parquet

from benchmarks.peers.workload import FAST, PAIRS, SLOW

WARM = 1_000
FEE_PARTS = 5  # of 10,000 of the price


@numba.njit(nogil=True)
def trade(prices: Any, fast: int, slow: int, trades: Any) -> tuple[int, int]:
    """Fill `trades` with the bars of each; return how many closed and the profit.

    Args:
        prices: open, high, low, close in ticks, shape (4, n).

    The profit is in parts of 10,000 of a tick, an open trade at the last close.
    """
    opens, highs, lows, closes = prices
    alpha_fast, alpha_slow = 2.0 / (fast + 1), 2.0 / (slow + 1)
    mean_fast = mean_slow = float(closes[0])
    above = False
    wanted = done = cash = entry = stop = target = entered = 0
    for i in range(len(closes)):
        if wanted > 0:
            entry, entered = opens[i], i
            stop, target = entry * 99 // 100, -(-entry * 102 // 100)
            cash -= FEE_PARTS * entry
        price = opens[i] if wanted < 0 else 0
        if entry and not price:
            price = stop if lows[i] <= stop else target if highs[i] >= target else 0
        if entry and price:
            cash += 10_000 * (price - entry) - FEE_PARTS * price
            trades[done, 0], trades[done, 1] = entered, i
            done += 1
            entry = 0
        mean_fast += alpha_fast * (closes[i] - mean_fast)
        mean_slow += alpha_slow * (closes[i] - mean_slow)
        was, above = above, mean_fast > mean_slow
        wanted = 0
        if was != above and i >= slow:
            wanted = 1 if above else -1 if entry else 0
    if entry:
        cash += 10_000 * (closes[-1] - entry)
    return done, cash


@numba.njit(parallel=True)
def sweep(prices: Any, pairs: Any) -> int:
    """Return the closed trades of all pairs together."""
    counts = np.zeros(len(pairs), np.int64)
    for k in numba.prange(len(pairs)):
        trades = np.empty((prices.shape[1] // 2 + 1, 2), np.int64)
        counts[k] = trade(prices, pairs[k, 0], pairs[k, 1], trades)[0]
    return int(counts.sum())


def read() -> Any:
    """Return the prices of the file in ticks, shape (4, n)."""
    names = ["open", "high", "low", "close"]
    # neither `read_table` nor `to_numpy`, which import pandas
    table = pa_parquet.ParquetFile(report.options.parquet).read(names, use_threads=False)
    columns = (table[name].combine_chunks().buffers()[1] for name in names)
    return np.stack([np.rint(100 * np.frombuffer(c)).astype(np.int64) for c in columns])


def main() -> None:
    report.phase("import")
    prices = read()
    pairs = np.array(PAIRS, np.int64)
    trades = np.empty((prices.shape[1] // 2 + 1, 2), np.int64)
    sweeping = report.options.variant == "sweep"
    report.phase("load")
    few = np.ascontiguousarray(prices[:, :WARM])
    sweep(few, pairs) if sweeping else trade(few, FAST, SLOW, trades)
    report.phase("jit")
    seconds = []
    for _ in range(report.options.rounds):
        began = perf_counter()
        done, cash = (sweep(prices, pairs), 0) if sweeping else trade(prices, FAST, SLOW, trades)
        seconds.append(perf_counter() - began)
    if sweeping:
        report.put(trades=done)
    else:
        net = float(Decimal(cash) / 10_000 / 100)
        report.trades(((int(e), int(x)) for e, x in trades[:done].tolist()), net)
    report.put(run_s=min(seconds), run_median_s=median(seconds))
    report.print("numba")


if __name__ == "__main__":
    main()
