"""vectorbt: `Portfolio.from_signals` with its own stops, by Numba or by its Rust engine.

Orders are filled at the close of the signal's bar, which on these bars is the next open: filled at
the open of the next bar, vectorbt would not check the stop inside that bar. `run` is averages,
signals and simulation; counting the trades comes after it.
"""

# ruff: noqa: E402, I001  the clock starts before the imports, which it times

from benchmarks.peers.workload import Report

report = Report()

from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from benchmarks.peers.workload import (
    CASH, FAST, FEE, SLOW, STOP, TARGET, UNITS, crosses,
)  # fmt: skip

WARM = 1_000


def simulate(bars: pd.DataFrame) -> Any:
    """Return the portfolio of the strategy on `bars`."""
    close = bars["close"]
    fast, slow = (vbt.MA.run(close, n, ewm=True).ma.to_numpy() for n in (FAST, SLOW))
    signal = crosses(fast, slow, SLOW)
    return vbt.Portfolio.from_signals(
        close, signal > 0, signal < 0, open=bars["open"], high=bars["high"], low=bars["low"],
        size=UNITS, fees=FEE, init_cash=CASH, sl_stop=STOP, tp_stop=TARGET, freq="1min",
    )  # fmt: skip


def main() -> None:
    engine = report.options.variant
    vbt.settings["engine"] = engine
    report.phase("import")
    frame = pd.read_parquet(report.options.parquet)
    bars = frame.set_index(pd.to_datetime(frame.pop("timestamp"), unit="ms"))
    report.phase("load")
    simulate(bars.iloc[:WARM])
    report.phase("jit")
    portfolio = simulate(bars)
    report.phase("run")
    records = portfolio.trades.records
    closed = records[records["status"] == 1]
    left = closed["exit_idx"].to_numpy()
    # an exit by signal is filled at the bar's close: in our terms at the open of the next
    by_signal = closed["exit_price"].to_numpy() == bars["close"].to_numpy()[left]
    entered = closed["entry_idx"].to_numpy() + 1
    trades = zip(entered.tolist(), (left + by_signal.astype(np.int64)).tolist(), strict=True)
    report.trades(trades, float(portfolio.final_value()) - CASH)
    report.print("vectorbt", "vectorbt-rust" if engine == "rust" else "numba")


if __name__ == "__main__":
    main()
