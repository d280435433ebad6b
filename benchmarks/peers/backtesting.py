"""backtesting.py: its `Backtest`, signals computed beforehand, orders with `sl` and `tp`.

`run` is `Backtest.run`, which ends with computing its statistics.
"""

# ruff: noqa: E402, I001  the clock starts before the imports, which it times

from benchmarks.peers.workload import Report

report = Report()

from typing import Any

import pandas as pd
from backtesting import Backtest, Strategy

from benchmarks.peers.workload import (
    CASH, FAST, FEE, SLOW, UNITS, bracket, crosses,
)  # fmt: skip


class Crossing(Strategy):  # type: ignore[misc]  # untyped here
    """Long while the fast average is above, until the stop or the target."""

    def init(self) -> None:
        close = pd.Series(self.data.Close)
        fast, slow = (close.ewm(span=n, adjust=False).mean().to_numpy() for n in (FAST, SLOW))
        self.signal: Any = self.I(lambda: crosses(fast, slow, SLOW))

    def next(self) -> None:
        signal = self.signal[-1]
        if signal > 0:
            stop, target = bracket(self.data.Close[-1])
            self.buy(size=UNITS, sl=stop, tp=target)
        elif signal < 0:
            self.position.close()


def main() -> None:
    report.phase("import")
    frame = pd.read_parquet(report.options.parquet)
    bars = frame.set_index(pd.to_datetime(frame.pop("timestamp"), unit="ms"))
    bars.columns = bars.columns.str.capitalize()
    backtest = Backtest(bars, Crossing, cash=CASH, commission=FEE)
    report.phase("load")
    stats = backtest.run()
    report.phase("run")
    trades = stats["_trades"]
    report.trades(
        zip(trades["EntryBar"].tolist(), trades["ExitBar"].tolist(), strict=True),
        float(stats["Equity Final [$]"]) - CASH,
    )
    report.print("backtesting")


if __name__ == "__main__":
    main()
