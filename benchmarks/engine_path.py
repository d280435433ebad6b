"""How fast the engine path is on real one-minute candles, with everything on.

Plays `ema_cross` with every rule, every decision row, journal, ledger and checkpoint through the
classes of `replay`, and beside it, in the same run, a bare Python loop that does the same trading
with order objects and no rows, as the reference of what the language allows.

    python -m benchmarks.engine_path CANDLES.csv.gz [CANDLES.csv.gz] --symbol S [--symbol S]

Prints bars/s (wall and CPU), the ratio to the bare loop, peak memory, and each stage's share of the
CPU time, sampled every 2 ms. Run it on a quiet machine; the CPU figures are the steadier ones.
"""

import argparse
import asyncio
import resource
import signal
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from types import FrameType
from typing import Any

from auto_trading.bootstrap import RunSpec, build_replay
from auto_trading.gateways.candle_files import read_candles
from benchmarks.bare_loop import trade
from config.loading import load
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.simulation.instruments import instrument
from database import run_results, runs
from database.auto_trading_db import open_database, prepare, unit_of_work
from utils.clocks import SystemClock

MINUTE_MS = 60_000
STAGES = {  # file name -> stage; the innermost frame of ours decides
    "replay_feed.py": "feed",
    "simulated_venue.py": "venue",
    "venue_ledger.py": "venue",
    "matching.py": "venue",
    "costs.py": "venue",
    "market_monitor.py": "gate and window hash",
    "data_gate.py": "gate and window hash",
    "signal_generator.py": "signals",
    "trend_following.py": "signals",
    "decision_maker.py": "decide",
    "risk_manager.py": "risk",
    "rules.py": "risk",
    "checks.py": "risk",
    "sizing.py": "risk",
    "limits.py": "risk",
    "order_making.py": "execute and book",
    "trade_executor.py": "execute and book",
    "position_manager.py": "execute and book",
    "positions.py": "execute and book",
    "ledger.py": "execute and book",
    "orders.py": "execute and book",
    "journal.py": "rows and commit",
    "journal_rows.py": "rows and commit",
    "statements.py": "rows and commit",
    "types.py": "rows and commit",
    "instruments.py": "rows and commit",
    "engine.py": "engine and checkpoint",
}


class Sampler:
    """Counts, at equal steps of CPU time, which stage is running."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def _tick(self, _signal: int, frame: FrameType | None) -> None:
        while frame is not None:
            stage = STAGES.get(Path(frame.f_code.co_filename).name)
            if stage is not None:
                self.counts[stage] += 1
                return
            frame = frame.f_back
        self.counts["other"] += 1

    def __enter__(self) -> "Sampler":
        signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, 0.002, 0.002)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def timed(run: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return wall seconds, CPU seconds and the result of `run`."""
    wall, cpu = perf_counter(), process_time()
    result = run()
    return perf_counter() - wall, process_time() - cpu, result


def play(series: list[CandleSeries], folder: Path, name: str) -> tuple[float, float, Any]:
    """Play `series` as one portfolio into a fresh database; return times and counts."""
    settings = load()
    instruments = tuple(instrument(s.symbol) for s in series)
    database = open_database(f"sqlite:///{folder / name}.db", durable=False)
    prepare(database)
    now = SystemClock().now
    with unit_of_work(database) as session:
        run_id = runs.create(
            session, kind="replay", source="replay", timeframe="1m",
            symbols=[s.symbol for s in series], strategies=["ema_cross"], inputs={},
            config_hash=settings.hash(), config=settings.canonical_json(), now=now(),
        )  # fmt: skip
    spec = RunSpec(
        run_id, instruments, ("ema_cross",), MINUTE_MS, MINUTE_MS, settings, folder
    )  # fmt: skip
    engine = build_replay(spec, series, {}, database, now)
    engine.open_account(min(int(s.open_ms[0]) for s in series))
    wall, cpu, _ = timed(lambda: asyncio.run(engine.run()))
    with database.connect() as connection:
        counts = run_results.counts(connection, run_id)
    database.dispose()
    return wall, cpu, counts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("candles", type=Path, nargs="+")
    parser.add_argument("--symbol", action="append", required=True)
    parser.add_argument("--bars", type=int, default=100_000, help="in all, over the symbols")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    each = options.bars // len(options.candles)
    series = [
        read_candles(path, instrument(symbol), MINUTE_MS).slice(0, each)
        for path, symbol in zip(options.candles, options.symbol, strict=True)
    ]
    bars = sum(len(s) for s in series)
    bare = [timed(lambda: [trade(s) for s in series]) for _ in range(options.rounds)]
    trades = sum(bare[0][2])
    print(f"{bars:,} one-minute bars of {', '.join(options.symbol)}")
    best_bare = min(cpu for _, cpu, _ in bare)
    print(f"bare loop, no rows: {bars / best_bare:>10,.0f} bars/s CPU, {trades} executions")
    with tempfile.TemporaryDirectory() as folder:
        rounds = [play(series, Path(folder), f"plain{k}") for k in range(options.rounds)]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with Sampler() as sampler:
            play(series, Path(folder), "sampled")
    counts = rounds[0][2]
    walls, cpus = sorted(r[0] for r in rounds), sorted(r[1] for r in rounds)
    middle = len(rounds) // 2
    print(
        f"engine path:        {bars / cpus[0]:>10,.0f} bars/s CPU best,"
        f" {bars / cpus[middle]:,.0f} median;"
        f" wall {bars / walls[0]:,.0f} best, {bars / walls[middle]:,.0f} median"
    )
    print(
        f"                    {counts.decisions:,} decisions, {counts.orders:,} orders,"
        f" {counts.fills:,} fills; 1/{cpus[0] / best_bare:.1f} of the bare loop;"
        f" peak memory {memory:.0f} MiB"
    )
    total = sum(sampler.counts.values())
    for stage, n in sampler.counts.most_common():
        print(f"  {100 * n / total:5.1f} %  {stage}")


if __name__ == "__main__":
    main()
