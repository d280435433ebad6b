"""`ai_signal` in a run, on a market with a daily rhythm that a model can learn.

Two perpetuals, hourly candles from 2024-01-01. Features need 30 days, the first model a month of
decisions more: it is trained on 1 March, the second on 31 March.
"""

import asyncio
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pytest

from auto_trading.bootstrap import RunSpec, build_replay
from auto_trading.engine import AutoTradingEngine
from auto_trading.model_signals import ReplayModel
from auto_trading.model_store import ModelFolder
from auto_trading.model_world import ModelWorld
from auto_trading.translation import ai_config
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.ai import features, gates, labels, training, walk_forward
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.timeframes import timeframe_ms, timeframe_name, to_datetime, to_ms
from crypto_trader_pro.simulation.instruments import instrument
from database.auto_trading_db import open_database, prepare
from tests.builders import HOUR, START_MS
from tests.engines import SYSTEM_TIME, TABLES, Row, copied, read
from tests.rows import stored_run

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
SYMBOLS: Final = (BTC, ETH)
DAYS: Final = 112
UNPROVEN: Final = {"no_record", "few_trades", "few_weeks", "no_edge"}
SHORT_HISTORY: Final = {
    "strategies.ai_signal.train_months": 2,
    "strategies.ai_signal.min_months": 1,
    "strategies.ai_signal.retrain_months": 1,
    "strategies.ai_signal.expire_months": 2,
}


# --- a market and a run over it -----------------------------------------------------------------


def hours(symbol: str, seed: int, days: int = DAYS) -> CandleSeries:
    """Return hourly candles that rise from 00 to 12 UTC and fall from 12 to 24, with noise."""
    rng = np.random.default_rng(seed)
    n = days * 24
    rhythm = np.where(np.arange(n) % 24 < 12, 0.0025, -0.0025)
    close = 30_000.0 * np.exp(np.cumsum(rhythm + rng.normal(0.0, 0.0025, n)))
    open_ = np.concatenate(([30_000.0], close[:-1]))
    high = np.maximum(open_, close) * (1 + rng.uniform(0.0, 0.001, n))
    low = np.minimum(open_, close) * (1 - rng.uniform(0.0, 0.001, n))
    prices = [np.rint(x * 100).astype(np.int64) for x in (open_, high, low, close)]
    at = START_MS + np.arange(n) * HOUR
    return CandleSeries(symbol, HOUR, at, *prices, rng.integers(100_000, 900_000, n))


@cache
def market() -> tuple[CandleSeries, ...]:
    return tuple(hours(symbol, seed) for seed, symbol in enumerate(SYMBOLS, 11))


def model_settings(**more: Any) -> Settings:
    named = {key.replace("__", "."): value for key, value in more.items()}
    return load(overrides=SHORT_HISTORY | named, environ={}, dotenv={})


@dataclass(frozen=True, slots=True)
class Played:
    """A run that has ended: its rows, and what it was made of."""

    folder: Path
    settings: Settings
    series: Sequence[CandleSeries]
    report: Mapping[str, Any]

    def rows(self, table: str) -> list[Row]:
        return read(self.folder / "run.db", table)

    @property
    def cfg(self) -> AiConfig:
        return ai_config(self.settings, [instrument(s.symbol) for s in self.series])

    def world(self) -> ModelWorld:
        return world_of(self.series, self.cfg)

    def said(self) -> list[Row]:
        """Return what the model said, hold included."""
        return [s for s in self.rows("ai_signals_log") if s["strategy"] == "ai_signal"]


def world_of(series: Sequence[CandleSeries], cfg: AiConfig) -> ModelWorld:
    return ModelWorld.build([instrument(s.symbol) for s in series], series, {}, cfg)


@contextmanager
def an_engine(
    folder: Path, series: Sequence[CandleSeries], settings: Settings, *, resumed: bool = False
) -> Iterator[AutoTradingEngine]:
    """An engine over `folder / run.db` with the model strategy alone, its account open."""
    database = open_database(f"sqlite:///{folder / 'run.db'}", durable=False)
    try:
        prepare(database)
        names = [s.symbol for s in series]
        run_id = 1 if resumed else stored_run(database, symbols=names, strategies=["ai_signal"])
        length = series[0].timeframe_ms
        spec = RunSpec(
            run_id, tuple(instrument(n) for n in names), ("ai_signal",), length, length, settings,
            folder,
        )  # fmt: skip
        state = json.loads(read(folder / "run.db", "checkpoints")[0]["state"]) if resumed else None
        after_ms = state["engine"]["last_close_ms"] if state else 0
        engine = build_replay(
            spec, series, {}, database, lambda: SYSTEM_TIME, after_ms=after_ms
        )  # fmt: skip
        if state:
            asyncio.run(engine.restore(state))
        else:
            engine.open_account(min(int(s.open_ms[0]) for s in series))
        yield engine
    finally:
        database.dispose()


def played(folder: Path, series: Sequence[CandleSeries], settings: Settings) -> Played:
    with an_engine(folder, series, settings) as engine:
        asyncio.run(engine.run())
        return Played(folder, settings, series, engine.model_report() or {})


_kept: list[TemporaryDirectory[str]] = []


def a_folder() -> Path:
    """Return a folder that lives as long as this process."""
    folder = TemporaryDirectory(prefix="ctp-models-")
    _kept.append(folder)
    return Path(folder.name)


@cache
def trading() -> Played:
    """The run in which unproven signals trade."""
    return played(a_folder(), market(), model_settings(paper__trade_unproven=True))


@cache
def watching() -> Played:
    """The same run with orders only for what is proven."""
    return played(a_folder(), market(), model_settings(paper__trade_unproven=False))


# --- training -----------------------------------------------------------------------------------


def test_there_is_no_model_before_the_first_training_and_signals_after_it() -> None:
    models = trading().rows("models")
    first = min(m["trained_at"] for m in models)
    before = {s["reason"] for s in trading().said() if s["created_at"] < first}
    after = [s for s in trading().said() if s["created_at"] >= first]
    assert before == {"no_model"}
    assert {s["reason"] for s in after} <= {"model_signal", "no_edge", "slope"}
    assert {s["signal_type"] for s in after} == {"BUY", "SELL", "HOLD"}
    assert all(s["model_id"] for s in after)


def test_models_are_trained_when_the_walk_forward_would_train_them() -> None:
    times = walk_forward.cutoffs(trading().world().samples, trading().cfg)
    trained = [m["trained_at"] for m in trading().rows("models")]
    assert trained == [f"{to_datetime(ms):%Y-%m-%d %H:%M:%S.%f}" for ms in times]
    assert [t[:10] for t in trained] == ["2024-02-29", "2024-03-31"]


def test_a_models_row_tells_what_it_was_trained_on_and_how_it_did() -> None:
    first, second = trading().rows("models")
    assert json.loads(first["symbols"]) == list(SYMBOLS)
    assert first["data_from"] < first["data_to"] < first["trained_at"] < first["expires_at"]
    assert (first["strategy"], first["timeframe"]) == ("ai_signal", "1h")
    assert "model" not in json.loads(first["metrics"])  # nothing has been out of sample yet
    measured = json.loads(second["metrics"])
    assert measured["model"]["rows"] > 500
    assert measured["model"]["long"]["auc"] > 0.6  # the rhythm can be learned
    assert {"logistic_regression", "always_long", "costs_bp"} <= measured.keys()
    assert first["rows"] > 400
    assert not json.loads(first["metrics"])["shadow_only"]


def test_each_models_files_bear_its_id() -> None:
    run = trading()
    ids = [m["model_id"] for m in run.rows("models")]
    assert sorted(p.name for p in (run.folder / "models").iterdir()) == sorted(ids)
    assert [ModelFolder(run.folder / "models").load(i).id for i in ids] == ids


def changed_from(series: CandleSeries, from_ms: int) -> CandleSeries:
    """Return `series` with every candle that opens at `from_ms` or later worth a tenth more."""
    later = series.open_ms >= from_ms
    prices = [np.where(later, x + x // 10, x)
              for x in (series.open, series.high, series.low, series.close)]  # fmt: skip
    return CandleSeries(series.symbol, HOUR, series.open_ms, *prices, series.volume)


@pytest.mark.parametrize(("hours_after", "same"), [(0, True), (-1, False)])
def test_training_uses_nothing_after_its_cutoff(hours_after: int, same: bool) -> None:
    run = trading()
    first = run.rows("models")[0]
    cutoff = training_time(first)
    changed = [changed_from(s, cutoff + hours_after * HOUR) for s in run.series]
    again = training.fit(world_of(changed, run.cfg).samples, cutoff, run.cfg)
    # the last trades that may be used end right before the cutoff
    assert (again.id == first["model_id"]) is same


def training_time(model: Row) -> int:
    from datetime import UTC, datetime

    return to_ms(datetime.fromisoformat(model["trained_at"]).replace(tzinfo=UTC))
