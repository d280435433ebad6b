"""Ours: the compiled kernel, the reference engine, and the sweep, by `--variant`.

One unit at each entry, as the peers have it: the largest order of the instrument is one unit, and
that bound is the smallest of the five. Targets pay 0.05 % as well, not the 0.02 % that the venue
asks of makers. Everything else is the shipped configuration with the settings of `systems`.
"""

# ruff: noqa: E402, I001  the clock starts before the imports, which it times

from benchmarks.peers.workload import Report

report = Report()

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter

from auto_trading.backtesting.backtester import Backtest, Backtester
from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.compiled import machine_code, prepare
from auto_trading.backtesting.given_signals import GivenSignals
from auto_trading.backtesting.reference import run_reference
from auto_trading.backtesting.request import BacktestRequest
from auto_trading.backtesting.signals import signal_table
from auto_trading.backtesting.sweeping import Sweeper
from auto_trading.replay_market import ReplayRequest
from benchmarks.peers.systems import SETTINGS, SYMBOL
from benchmarks.peers.workload import (
    FAST, FEE, MINUTE_MS, PAIRS, SLOW, START_MS, UNITS, Trade,
)  # fmt: skip
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.backtest.result import (
    FILL_AT, FILL_LOTS, FILL_REASON, FILL_REASONS, FILL_SIDE, BacktestResult,
)  # fmt: skip
from crypto_trader_pro.domain.enums import FillReason
from crypto_trader_pro.domain.instruments import money

STRATEGY = "ema_cross"
REFERENCE_ROUNDS = 3
AT_OPEN = {FILL_REASONS.index(r.value) for r in (FillReason.ENTRY, FillReason.EXIT)}


def settings_of(fast: int = FAST, slow: int = SLOW) -> Settings:
    """Return the settings of the workload."""
    section = f"strategies.{STRATEGY}"
    own = {
        f"{section}.long_only": "true",
        f"{section}.fast": str(fast),
        f"{section}.slow": str(slow),
    }
    return load(overrides={**SETTINGS, **own})


def loaded(var_dir: Path) -> Backtester:
    """Return the candles of the file, of an instrument that trades one unit at 0.05 %."""
    market = ReplayRequest((SYMBOL,), (report.options.parquet,), "1m", 60, (STRATEGY,))
    backtester = Backtester.load(BacktestRequest(market), None, var_dir)
    (found,) = backtester.candles.instruments
    fee = Decimal(str(FEE))
    own = replace(found, max_lots=int(UNITS / found.lot), maker_fee=fee, taker_fee=fee)
    return replace(backtester, candles=replace(backtester.candles, instruments=(own,)))


def trades_of(result: BacktestResult) -> list[Trade]:
    """Return the bars in which each closed trade was entered and left.

    Raises:
        ValueError: a fill that is not the whole of an order: the size was not the workload's.
    """
    (instrument,) = result.instruments
    fills = result.fills[:, [FILL_AT, FILL_SIDE, FILL_LOTS, FILL_REASON]].tolist()
    trades = []
    entered = -1
    for at_ms, side, lots, reason in fills:
        if lots != instrument.max_lots:
            raise ValueError(f"a fill had {lots} lots, expected {instrument.max_lots}")
        # stops and targets are dated at the close of their bar
        bar = (at_ms - START_MS) // MINUTE_MS - (reason not in AT_OPEN)
        if side > 0:
            entered = bar
        else:
            trades.append((entered, bar))
    return trades


def tell(result: BacktestResult, seconds: Sequence[float]) -> None:
    """Put the trades and the times of the rounds into the report."""
    report.trades(trades_of(result), float(money(result.final_equity - result.opening)))
    report.put(run_s=min(seconds), run_median_s=median(seconds), refusals=dict(result.refusals))


def reference(backtester: Backtester, var_dir: Path) -> None:
    """The engine of the main job, with signals computed beforehand."""
    settings = settings_of()
    candles: Candles = backtester.candles
    given_signals(candles, settings, var_dir)
    report.phase("jit")
    began = perf_counter()
    signals = given_signals(candles, settings, var_dir)
    report.put(signals_s=perf_counter() - began)
    report.phase("load")
    seconds = []
    for _ in range(min(report.options.rounds, REFERENCE_ROUNDS)):
        began = perf_counter()
        result, _, _ = run_reference(
            candles, (STRATEGY,), MINUTE_MS, settings, var_dir, signals=signals
        )  # fmt: skip
        seconds.append(perf_counter() - began)
    tell(result, seconds)


def given_signals(candles: Candles, settings: Settings, var_dir: Path) -> GivenSignals:
    """Return what the strategy says, for the reference engine to be given; it can be used again."""
    code = machine_code(var_dir)
    _prepared, tape = prepare(candles, (STRATEGY,), MINUTE_MS, settings, code)
    said = signal_table(tape, (STRATEGY,), settings, code, None)
    return GivenSignals(
        candles.instruments, said.events.table, tape.grid.open_ms, MINUTE_MS, (STRATEGY,),
        said.reasons,
    )  # fmt: skip


def compiled(backtester: Backtester, var_dir: Path) -> None:
    """The kernel; the gate's pass over the candles and the signals are stated beside it."""
    settings = settings_of()
    warm = kernel_run(backtester, settings)
    report.phase("jit")
    rounds = range(report.options.rounds)
    runs = [kernel_run(backtester, settings) for _ in rounds]
    tell(warm.result, [run.seconds for run in runs])
    before = [preparing(backtester.candles, settings, var_dir) for _ in rounds]
    report.put(
        gate_s=min(gate for gate, _ in before),
        signals_s=min(signals for _, signals in before),
        together_s=min(run.seconds + run.preparing_seconds for run in runs),
    )


def preparing(candles: Candles, settings: Settings, var_dir: Path) -> tuple[float, float]:
    """Return the seconds of the gate's pass with making the arrays, and of the signals."""
    code = machine_code(var_dir)
    began = perf_counter()
    _prepared, tape = prepare(candles, (STRATEGY,), MINUTE_MS, settings, code)
    gated = perf_counter()
    signal_table(tape, (STRATEGY,), settings, code, None)
    return gated - began, perf_counter() - gated


def sweep(backtester: Backtester, var_dir: Path) -> None:
    """Every pair through the kernel, signals and daily figures included; on all cores."""
    every = [settings_of(fast, slow) for fast, slow in PAIRS]
    threads = os.cpu_count() or 1
    sweeper = Sweeper(backtester.candles, (STRATEGY,), MINUTE_MS, every[0], var_dir)
    sweeper.run(every[:threads], threads)
    report.phase("jit")
    seconds = []
    for _ in range(report.options.rounds):
        began = perf_counter()
        rows = sweeper.run(every, threads)
        seconds.append(perf_counter() - began)
    closed = sum(row.trades for row in rows)
    report.put(trades=closed, run_s=min(seconds), run_median_s=median(seconds))


def kernel_run(backtester: Backtester, settings: Settings) -> Backtest:
    """Run on the kernel.

    Raises:
        RuntimeError: the reference engine took over.
    """
    done = backtester.run(settings, engine="compiled")
    if done.engine != "compiled":
        raise RuntimeError(f"the kernel did not run: {done.refused or 'no reason was given'}")
    return done


VARIANTS: dict[str, Callable[[Backtester, Path], None]] = {
    "compiled": compiled,
    "reference": reference,
    "sweep": sweep,
}


def main() -> None:
    report.phase("import")
    var_dir = Path(os.environ["CTP_VAR_DIR"])  # the driver's; what is compiled is kept there
    backtester = loaded(var_dir)
    report.phase("load")
    VARIANTS[report.options.variant](backtester, var_dir)
    report.print(*(["numba"] if "numba" in sys.modules else []))


if __name__ == "__main__":
    main()
