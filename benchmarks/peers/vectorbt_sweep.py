"""vectorbt: the sweep, all pairs as columns of one `Portfolio.from_signals`."""

# ruff: noqa: E402, I001  the clock starts before the imports, which it times

from benchmarks.peers.workload import Report

report = Report()

from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from benchmarks.peers.workload import (
    CASH, FEE, PAIRS, STOP, TARGET, UNITS, crosses,
)  # fmt: skip

WARM = 1_000


def simulate(bars: pd.DataFrame) -> Any:
    """Return the portfolio with one column per pair."""
    close = bars["close"]
    spans = sorted({span for pair in PAIRS for span in pair})
    averages = vbt.MA.run(close, spans, ewm=True).ma.to_numpy()
    column = {span: averages[:, k] for k, span in enumerate(spans)}
    signal = np.stack([crosses(column[f], column[s], s) for f, s in PAIRS], axis=1)
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
    closed = portfolio.trades.records["status"].to_numpy() == 1
    report.put(trades=int(closed.sum()))
    report.print("vectorbt", "vectorbt-rust" if engine == "rust" else "numba")


if __name__ == "__main__":
    main()
