"""How long one close of the model's timeframe takes in a living session, and what it costs beside.

    python -m benchmarks.live_prediction [--symbols 50] [--closes 400]

Seeded candles of as many perpetuals, a real model, one close after the other. Prints p50 and p99 of
the features of all symbols together, of the prediction (LightGBM and logistic regression, both
sides, one batch), of the whole `observe`, of the signals, and of the state for the checkpoint with
its size; beside them what `features.compute_rows` takes, which does every row's work.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np

from auto_trading.live_model import LiveModel
from auto_trading.live_prediction import Installed, predict
from auto_trading.model_judge import Permissions
from auto_trading.model_report import model_facts
from auto_trading.model_shelf import ModelShelf
from auto_trading.model_store import ModelFolder
from auto_trading.model_window import ModelWindow
from crypto_trader_pro.ai import features, gates, samples, training
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.last_row import Candles, last_rows
from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.ai.samples import History
from crypto_trader_pro.domain.enums import TradingMode
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, CandleSeries
from crypto_trader_pro.simulation.demo_market import ZERO_MS, DemoMarket
from crypto_trader_pro.simulation.instruments import INSTRUMENTS

HOUR: Final = 3_600_000
TRAINED: Final = 4_000  # candles that the model is trained on


class Book:
    """Takes the rows of a journal and forgets them."""

    def shadow_opened(self, *row: object) -> None: ...
    def shadow_closed(self, *row: object) -> None: ...
    def model_trained(self, facts: object) -> None: ...


class Monitor:
    bars: Sequence[Bar | None] = ()


def trained(series: Sequence[CandleSeries], cfg: AiConfig) -> Model:
    histories = [History(s.slice(0, TRAINED)) for s in series[:4]]
    made = samples.build(histories, cfg)
    return training.fit(made, int(series[0].open_ms[TRAINED]), cfg)


def timed(title: str, seconds: Sequence[float]) -> None:
    p50, p99 = np.percentile(np.array(seconds) * 1000, [50, 99])
    print(f"  {title:<52} p50 {p50:7.3f} ms   p99 {p99:7.3f} ms")


def features_alone(series: Sequence[CandleSeries], model: Model, cfg: AiConfig, n: int) -> None:
    """Time the features of the newest row and the prediction, each by itself."""
    k = len(series)
    ready = np.ones(k, dtype=np.bool_)
    window = ModelWindow([s.symbol for s in series], HOUR, HOUR, WINDOW)
    for i, s in enumerate(series):
        window.fill(i, s.slice(TRAINED, TRAINED + WINDOW))
    close_ms = window.end_ms
    row = window.row(close_ms)
    assert row is not None
    numbers = window.numbers(row, WINDOW)[:, 1:].transpose(1, 0, 2)
    windows = [s.slice(TRAINED, TRAINED + WINDOW) for s in series]
    rows, fast, asked, both, installed = (
        [],
        [],
        [],
        [],
        Installed(0, {}, model, gates.Trained(0, 0)),
    )
    for _ in range(n):
        began = perf_counter()
        candles = Candles(*np.array(numbers, dtype=np.float64, order="C"))
        frame = last_rows(candles, close_ms, ready, lead=0, lead_ready=True)
        fast.append(perf_counter() - began)
        stop_bp = np.full(k, 100.0)
        began = perf_counter()
        model.predict(frame.values, stop_bp)
        asked.append(perf_counter() - began)
        began = perf_counter()
        predict(window, installed, close_ms, cfg, 0)
        both.append(perf_counter() - began)
    for _ in range(max(10, n // 10)):
        began = perf_counter()
        slow = features.compute_rows(windows, btc=windows[0])
        rows.append(perf_counter() - began)
    same = (np.nan_to_num(slow.values) == np.nan_to_num(frame.values)).all()
    timed("features, newest row of all symbols", fast)
    timed("prediction, both sides, one batch", asked)
    timed("features and prediction from the window", both)
    timed(f"features.compute_rows (equal: {bool(same)})", rows)


def closes(
    instruments: Sequence[Instrument], series: Sequence[CandleSeries], model: Model, cfg: AiConfig,
    folder: Path, n: int,
) -> None:  # fmt: skip
    """Time a whole `observe`, the signals and the state at `n` closes."""
    store = ModelFolder(folder)
    store.save(model)
    live = LiveModel(
        instruments, cfg, Book(), ModelShelf(store),
        Permissions(TradingMode.CONSERVATIVE, True, HOUR),
        reload=lambda _a, _b: [], keep=lambda _i, _bar: None,
    )  # fmt: skip
    facts = model_facts("ai_signal", model, int(series[0].open_ms[-1]) + 10 * HOUR, {}, 1.0)
    none = {"long": [0, 0, 0.0], "short": [0, 0, 0.0]}
    for i, s in enumerate(series):
        live.seed(i, s.slice(TRAINED, TRAINED + WINDOW))
    live.install({**facts, "record": none, "windows": {"from_ms": 0, "to_ms": 0, "sums": {}}})
    observed, said, stated, size = [], [], [], 0
    columns = [s.slice(TRAINED + WINDOW, TRAINED + WINDOW + n).bars() for s in series]
    monitor = Monitor()
    for k in range(n):
        monitor.bars = [bars[k] for bars in columns]
        close_ms = columns[0][k].open_ms + HOUR
        began = perf_counter()
        live.observe(close_ms, monitor)  # type: ignore[arg-type]
        observed.append(perf_counter() - began)
        began = perf_counter()
        for i in range(len(instruments)):
            live.signal(i)
        said.append(perf_counter() - began)
        began = perf_counter()
        state = live.state()
        stated.append(perf_counter() - began)
        size = max(size, len(json.dumps(state, separators=(",", ":"))))
    warm = n // 5
    timed("observe: window, shadow trades, record, prediction", observed[warm:])
    timed("signals of all symbols", said[warm:])
    timed(f"state, {size:,} bytes at most", stated[warm:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--closes", type=int, default=400)
    options = parser.parse_args()
    instruments = [i for i in INSTRUMENTS.values() if ":" in i.symbol][: options.symbols]
    instruments.sort(key=lambda i: i.base != "BTC")
    market = DemoMarket(instruments, seed=7)
    from_ms = ZERO_MS - (TRAINED + WINDOW + options.closes) * HOUR
    series = [market.candles(i.symbol, HOUR, from_ms, ZERO_MS) for i in instruments]
    cfg = AiConfig(first_months=3, min_months=3, train_months=3)
    model = trained(series, cfg)
    model = replace(model, facts=replace(model.facts, config_hash=cfg.hash()))
    print(f"{len(instruments)} symbols, {options.closes} closes")
    features_alone(series, model, cfg, options.closes)
    with tempfile.TemporaryDirectory() as folder:
        closes(instruments, series, model, cfg, Path(folder), options.closes)


if __name__ == "__main__":
    main()
