"""What a training run beside the engine costs its loop.

    python -m benchmarks.training_beside [--symbols 2]

A loop does the work of one prediction of 50 symbols every 20 ms, first alone, then while a real
child trains on 24 months of the demo market and its model is loaded in the watching thread. Prints
how late the loop woke and how long its work took, p50, p99 and the worst, and the seconds from the
request to the facts.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from auto_trading.model_shelf import ModelShelf
from auto_trading.model_store import ModelFolder
from auto_trading.training import Request, Trainer
from auto_trading.training_spec import TrainingSpec
from auto_trading.translation import ai_config
from config.loading import load
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.ai.last_row import Candles, last_rows
from crypto_trader_pro.simulation.demo_market import ZERO_MS, DemoMarket
from crypto_trader_pro.simulation.instruments import INSTRUMENTS, instrument
from database.auto_trading_db import open_database, prepare

HOUR: Final = 3_600_000
PERIOD: Final = 0.02
ALONE_SECONDS: Final = 10.0


class Loop:
    """Wakes every `PERIOD`, works, and notes how late it was and how long it took."""

    def __init__(self) -> None:
        items = [i for i in INSTRUMENTS.values() if ":" in i.symbol][:50]
        market = DemoMarket(items, seed=7)
        series = [market.candles(i.symbol, HOUR, ZERO_MS - WINDOW * HOUR, ZERO_MS) for i in items]
        self._candles = Candles(
            *(
                np.stack([getattr(s, name) for s in series], axis=1).astype(np.float64)
                for name in ("high", "low", "close", "volume")
            )
        )
        self._ready = np.ones(len(items), dtype=np.bool_)
        self.late: list[float] = []
        self.took: list[float] = []

    def step(self) -> None:
        due = time.perf_counter() + PERIOD
        time.sleep(PERIOD)
        began = time.perf_counter()
        last_rows(self._candles, ZERO_MS, self._ready, lead=0, lead_ready=True)
        self.late.append(began - due)
        self.took.append(time.perf_counter() - began)

    def tell(self, title: str) -> None:
        for name, values in (("woke late by", self.late), ("work took", self.took)):
            p50, p99, most = np.percentile(np.array(values) * 1000, [50, 99, 100])
            print(f"  {title:<16} {name:<13} p50 {p50:7.3f}  p99 {p99:7.3f}  most {most:7.3f} ms")
        self.late, self.took = [], []


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--symbols", type=int, default=2)
    options = parser.parse_args()
    settings = load(environ={}, dotenv={})
    symbols = tuple(s for s in INSTRUMENTS if ":" in s)[: options.symbols]
    cfg = ai_config(settings, [instrument(s) for s in symbols])
    loop = Loop()
    end = time.monotonic() + ALONE_SECONDS
    while time.monotonic() < end:
        loop.step()
    loop.tell("alone")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'bench.db'}"
        database = open_database(url)
        prepare(database)
        database.dispose()
        shelf = ModelShelf(ModelFolder(folder / "models"))
        trainer = Trainer(folder / "training", shelf, print)
        spec = TrainingSpec(
            "demo", settings.canonical_json(), symbols, ZERO_MS, str(folder), url, 900.0
        )
        began = time.perf_counter()
        trainer.train_now(Request(spec, "benchmark", cfg.timeframe_ms, cfg.hash()))
        while trainer.state.running:
            loop.step()
        seconds = time.perf_counter() - began
        loop.tell("beside training")
        facts = trainer.take()
        trainer.close()
    done = f"model {facts['model_id'][:12]}" if facts else "no model"
    print(f"  {len(symbols)} symbols, 24 months of 1h: {done} after {seconds:.1f} s")


if __name__ == "__main__":
    main()
