"""How long one decision cycle of a living session takes, and what disturbs it.

    python -m benchmarks.live_cycle [--symbols 50] [--cycles 300]

A session on hourly candles of the demo market with `ema_cross` and `ai_signal`, so that every
cycle predicts. Prints, from the candles' arrival to the journal's commit (synchronous=FULL):

* p50 and p99 of a cycle, each stage's share, and the same work done one symbol at a time in the
  same run (features, prediction and a commit per symbol), as the reference;
* the same cycles while a training run goes on in its child process;
* the time from starting an engine process to its first heartbeat.

Run it on a quiet machine.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from auto_trading.bootstrap import LivingTools, RunSpec, build_living
from auto_trading.engine_file import read as engine_file
from auto_trading.gateways.demo_source import DemoSource
from auto_trading.live_model import LiveModel
from auto_trading.modelling import Modelling
from auto_trading.session import TradingSession
from auto_trading.session_inputs import Command, ModelReady
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.ai import features
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.messages import MarketSlice, Missed, Prices
from crypto_trader_pro.simulation.demo_market import ZERO_MS, DemoMarket
from crypto_trader_pro.simulation.instruments import INSTRUMENTS
from database import runs
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.models import AlertRow
from utils.clocks import SystemClock

HOUR = 3_600_000
WARM = 40
STAGES = {  # (attribute path from the session, method) -> stage
    ("engine.parts.monitor", "observe"): "gate and window hash",
    ("engine.parts.signals", "observe"): "signals: features, prediction, gates",
    ("engine.parts.decisions", "decide"): "decide and risk",
    ("engine", "state"): "checkpoint",
    ("engine.parts.journal", "commit"): "rows and commit",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--cycles", type=int, default=300)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_cycles(args.symbols, args.cycles, Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        _first_heartbeat(Path(folder))


async def _cycles(symbols: int, cycles: int, folder: Path) -> None:
    bench = Bench(symbols, folder)
    began = time.perf_counter()
    await bench.begin()
    seconds = time.perf_counter() - began
    print(f"{symbols} symbols, model trained in {seconds:.1f} s (start to installed)")
    plain = await bench.play(cycles)
    _print("cycle", plain)
    bench.print_stages()
    one_by_one = bench.one_by_one(min(30, cycles))
    _print("reference: one symbol at a time", one_by_one)
    ratio = np.median(one_by_one) / np.median(plain)
    print(f"  the cycle takes 1/{ratio:.0f} of it")
    bench.train()
    beside = await bench.play_while_training(cycles)
    _print(f"cycle beside a training run ({len(beside)} cycles)", beside)
    delay = (np.quantile(beside, 0.99) - np.quantile(plain, 0.99)) * 1000
    print(f"  p99 delayed by {delay:.1f} ms")
    bench.close()


def _print(name: str, seconds: Sequence[float]) -> None:
    p50, p99, worst = (np.quantile(seconds, q) * 1000 for q in (0.5, 0.99, 1.0))
    print(f"{name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, worst {worst:.2f} ms")


class Bench:
    """A session over the demo market, brought its candles by hand."""

    def __init__(self, symbols: int, folder: Path) -> None:
        names = [s for s in INSTRUMENTS if s.endswith(":USDT")][:symbols]
        self.items = tuple(INSTRUMENTS[s] for s in names)
        self.settings: Settings = load(
            overrides={
                "symbols": names, "engine.timeframe": "1h", "engine.trading_interval": 3600,
                "engine.max_concurrent_positions": 20,
            }
        )  # fmt: skip
        url = f"sqlite:///{folder}/bench.db"
        self.database = open_database(url)
        prepare(self.database)
        now = SystemClock().now
        with unit_of_work(self.database) as session:
            run_id = runs.create(
                session, kind="paper", source="demo", timeframe="1h", symbols=names,
                strategies=["ema_cross", "ai_signal"], inputs={}, config_hash="",
                config=self.settings.canonical_json(), now=now(),
            )  # fmt: skip
        spec = RunSpec(
            run_id, self.items, ("ema_cross", "ai_signal"), HOUR, HOUR, self.settings, folder
        )
        self.market = DemoMarket(self.items, seed=7)
        source = DemoSource(self.items, HOUR, seed=7, speed=300, warm_bars=WARM)
        self.models = Modelling(spec, source, self.database, url, lambda: self.settings, _fail)
        self.session: TradingSession = build_living(
            spec, LivingTools(self.database, now, model=self.models.make)
        )
        self.next = 0
        self.stages: dict[str, float] = {}

    async def begin(self) -> None:
        self.session.open(ZERO_MS)
        for k in range(-WARM, 0):
            await self.session.take(Missed(self._slice(k)))
        command = Command("start", CommandKind.START, {}, "bench", SystemClock().now(), ZERO_MS)
        await self.session.take(command)
        self.models.train_now()
        while (facts := self.models.take()) is None:
            time.sleep(0.05)  # noqa: ASYNC251  nothing else runs in this loop
        await self.session.take(ModelReady(ZERO_MS, facts))

    def _slice(self, k: int) -> MarketSlice:
        bars = tuple(self.market.bar(i.symbol, HOUR, k) for i in self.items)
        return MarketSlice(ZERO_MS + (k + 1) * HOUR, bars)

    async def play(self, cycles: int) -> list[float]:
        with self._timed():
            return [await self._cycle() for _ in range(cycles)]

    async def _cycle(self) -> float:
        market = self._slice(self.next)
        self.next += 1
        began = time.perf_counter()
        await self.session.take(market)
        seconds = time.perf_counter() - began
        opens = tuple((i, bar.close) for i, bar in enumerate(market.bars) if bar is not None)
        await self.session.take(Prices(market.close_ms + 1000, opens))
        return seconds

    def train(self) -> None:
        self.models.train_now()

    async def play_while_training(self, most: int) -> list[float]:
        """Play a cycle each 20 ms until the training run has ended."""
        seconds: list[float] = []
        while self.models.take() is None and len(seconds) < 20 * most:
            seconds.append(await self._cycle())
            await asyncio.sleep(0.02)
        return seconds

    @contextmanager
    def _timed(self) -> Iterator[None]:
        undo = [self._wrap(path, name, stage) for (path, name), stage in STAGES.items()]
        self._cycles_before = self.next
        yield
        for restore in undo:
            restore()
        self._timed_cycles = self.next - self._cycles_before

    def _wrap(self, path: str, name: str, stage: str) -> Callable[[], None]:
        target: Any = self.session
        for part in path.split("."):
            target = getattr(target, part)
        kind, plain = type(target), getattr(type(target), name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return plain(*args, **kwargs)
            finally:
                self.stages[stage] = self.stages.get(stage, 0.0) + time.perf_counter() - began

        setattr(kind, name, timed)
        return lambda: setattr(kind, name, plain)

    def print_stages(self) -> None:
        for stage, seconds in self.stages.items():
            print(f"  {stage}: {seconds / self._timed_cycles * 1000:.2f} ms a cycle")

    def one_by_one(self, rounds: int) -> list[float]:
        """Do a cycle's features, predictions and rows for one symbol after another."""
        core = self.session._core  # noqa: SLF001  the model in use
        live: Any = core.model  # type: ignore[attr-defined]
        assert isinstance(live, LiveModel)
        model = live._installed[-1].model  # noqa: SLF001
        window = [
            self.market.candles(i.symbol, HOUR, ZERO_MS - 760 * HOUR, ZERO_MS) for i in self.items
        ]
        now = SystemClock().now
        found = []
        for _ in range(rounds):
            began = time.perf_counter()
            for series in window:
                frame = features.compute(series, btc=window[0])
                model.predict(frame.values[-1:], np.array([100.0]))
                with unit_of_work(self.database) as session:
                    session.add(
                        AlertRow(
                            kind="SYSTEM_ERROR", severity="info", code="bench", numbers={},
                            at=now(), raised_at=now(),
                        )
                    )  # fmt: skip
            found.append(time.perf_counter() - began)
        return found

    def close(self) -> None:
        self.models.close()
        self.database.dispose()


def _fail(line: str) -> None:
    raise SystemExit(line)


def _first_heartbeat(folder: Path) -> None:
    """Start engine processes and see how long each takes to its first heartbeat."""
    environment = {
        **os.environ, "CTP_VAR_DIR": str(folder / "var"), "CTP_MARKET_DATA__SOURCE": "demo"
    }  # fmt: skip
    found = []
    for _ in range(6):
        command = [sys.executable, "-m", "crypto_trader_pro", "engine", "run"]
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while (seen := engine_file(folder / "var")) is None or seen.pid != process.pid:
            time.sleep(0.005)
        found.append(time.perf_counter() - began)
        process.terminate()
        process.wait()
    first, *others = found
    median = np.median(others)
    print(f"engine start to first heartbeat: {median:.2f} s (the first, with a new database:"
          f" {first:.2f} s)")  # fmt: skip


if __name__ == "__main__":
    main()
