"""`ai_signal` in a run, on a market with a daily rhythm that a model can learn.

Two perpetuals, hourly candles from 2024-01-01. Features need 30 days, the first model a month of
decisions more: it is trained on 29 February, the second on 29 March. The rhythm is so strong that
the proving gate opens at its first look after eight weeks, on 22 April; the runs end on 27 April.
"""

import asyncio
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auto_trading.bootstrap import RunSpec, build_replay
from auto_trading.engine import AutoTradingEngine
from auto_trading.model_store import ModelFolder
from auto_trading.model_world import ModelWorld
from auto_trading.translation import ai_config
from config.settings import Settings
from crypto_trader_pro.ai import features, gates, labels, training, walk_forward
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from crypto_trader_pro.simulation.instruments import instrument
from database.auto_trading_db import open_database, prepare
from tests.builders import HOUR
from tests.engines import SYSTEM_TIME, TABLES, Row, read
from tests.rhythm import BTC, SYMBOLS, a_folder, halved, hours, market, model_settings, without
from tests.rows import stored_run

# --- a market and a run over it -----------------------------------------------------------------


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
    assert {s["reason"] for s in after} <= {"model_signal", "model_shadow", "no_edge"}
    assert {s["signal_type"] for s in after} == {"BUY", "SELL", "HOLD"}
    assert all(s["model_id"] for s in after)


def test_models_are_trained_by_the_calendar_of_the_walk_forward() -> None:
    times = walk_forward.cutoffs(trading().world().samples, trading().cfg)
    trained = [when(m["trained_at"]) for m in trading().rows("models")]
    assert [to_datetime(ms).isoformat()[:10] for ms in times] == ["2024-02-29", "2024-03-31"]
    assert trained == times


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
    open_, high, low, close = (
        np.where(later, x + x // 10, x)
        for x in (series.open, series.high, series.low, series.close)
    )
    return CandleSeries(series.symbol, HOUR, series.open_ms, open_, high, low, close, series.volume)


@pytest.mark.parametrize(("hours_after", "same"), [(0, True), (-48, False)])
def test_training_uses_nothing_after_its_cutoff(hours_after: int, same: bool) -> None:
    run = trading()
    first = run.rows("models")[0]
    cutoff = when(first["trained_at"])
    changed = [changed_from(s, cutoff + hours_after * HOUR) for s in run.series]
    again = training.fit(world_of(changed, run.cfg).samples, cutoff, run.cfg)
    # the last trades that may be used end right before the cutoff
    assert (again.id == first["model_id"]) is same


# --- signals and orders -------------------------------------------------------------------------


def test_a_live_row_of_features_predicts_what_the_batch_did() -> None:
    run, cfg = trading(), trading().cfg
    said = [s for s in run.said() if s["model_id"]]
    folder = ModelFolder(run.folder / "models")
    for row in said[:: len(said) // 40]:
        at = when(row["created_at"])
        known = [s.between(None, at) for s in run.series]
        windows = [s.slice(len(s) - WINDOW, len(s)) for s in known]
        frame = features.compute_rows(windows, btc=windows[0])
        i = SYMBOLS.index(row["symbol"])
        stop, _ = labels.distances(windows[i].close[-1:], frame.atr[i : i + 1], cfg)
        model = folder.load(row["model_id"])
        stop_bp = stop / windows[i].close[-1:] * 10_000.0
        best = gates.best_side(model.predict(frame.values[i : i + 1], stop_bp), 0, ready=True)
        assert [row[k] for k in ("probability", "break_even", "edge_mbp")] == [
            best.probability, best.break_even, best.edge_mbp,
        ]  # fmt: skip
        assert row["baseline_probability"] == best.baseline_probability
        assert row["confidence_score"] == best.probability // 10_000


def test_nothing_is_ordered_before_it_is_proven() -> None:
    run = watching()
    proven = min(s["created_at"] for s in run.said() if s["model_gate"] == "open")
    assert proven[:10] == "2024-04-22"  # a Monday: the gate looks once a week
    assert len([t for t in run.rows("shadow_trades") if t["decided_at"] < proven]) > 200
    orders = run.rows("orders")
    assert min(o["decided_at"] for o in orders) >= proven
    assert {s["reason"] for s in run.said() if s["signal_type"] != "HOLD" and
            s["created_at"] < proven} == {"model_shadow"}  # fmt: skip
    shadows = [d for d in run.rows("decisions") if d["outcome"] == "shadow"]
    assert len(shadows) > 200
    assert run.report["proving"]["open"] is True


def test_where_the_configuration_lets_them_unproven_signals_trade_and_say_so() -> None:
    run = trading()
    said = {(s["created_at"], s["symbol"]): s for s in run.said()}
    entries = [o for o in run.rows("orders") if o["role"] == "entry"]
    before = [o for o in entries if o["decided_at"] < "2024-04-22"]
    assert len(before) > 100
    marks = {said[o["decided_at"], o["symbol"]]["model_gate"] for o in before}
    assert marks == {"no_record", "few_trades", "few_weeks"}
    later = {said[o["decided_at"], o["symbol"]]["model_gate"] for o in entries} - marks
    assert later <= {"open"}


def test_an_unproven_signal_is_let_through_no_other_gate() -> None:
    run = trading()
    closed = {"no_skill", "novel_market", "model_ranks_nothing", "features_not_ready"}
    kept = [s for s in run.said() if s["model_gate"] in closed and s["signal_type"] != "HOLD"]
    assert {s["reason"] for s in kept} <= {"model_shadow"}
    ordered = {(o["decided_at"], o["symbol"]) for o in run.rows("orders")}
    assert not any((s["created_at"], s["symbol"]) in ordered for s in kept)
    # an edge below the margin is refused by its rule, with its numbers
    refused = [d for d in run.rows("decisions") if d["first_refusal"] == "expected_edge"]
    assert refused
    for d in refused:
        inputs = json.loads(d["inputs"])
        assert 0 < inputs[18] <= inputs[19] == 20_000  # edge and margin of CONSERVATIVE


def test_a_position_of_the_model_ends_within_its_horizon() -> None:
    lives = [p for p in trading().rows("positions") if p["status"] == "CLOSED"]
    assert len(lives) > 100
    longest = max(when(p["close_time"]) - when(p["open_time"]) for p in lives)
    assert longest <= 24 * HOUR  # horizon_bars


# --- shadow trades ------------------------------------------------------------------------------


def test_a_shadow_trade_is_joined_with_the_outcome_of_its_label() -> None:
    run, cfg = watching(), watching().cfg
    rows = run.rows("shadow_trades")
    ended = [t for t in rows if t["closed_at"]]
    assert len(ended) > 300
    assert len(rows) - len(ended) <= len(SYMBOLS)  # those that the end of the run cut off
    names = {labels.STOPPED: "stop", labels.TARGET_HIT: "target", labels.TIMED_OUT: "time_out"}
    for symbol, series in zip(SYMBOLS, run.series, strict=True):
        frame = features.compute(series, btc=run.series[0])
        tick = instrument(symbol).tick_units
        ends = {
            "BUY": labels.outcomes(series, frame.atr, 1, cfg, tick_units=tick),
            "SELL": labels.outcomes(series, frame.atr, -1, cfg, tick_units=tick),
        }
        for t in (t for t in ended if t["symbol"] == symbol):
            (k,) = np.flatnonzero(frame.close_ms == when(t["decided_at"])).tolist()
            o = ends[t["side"]]
            assert when(t["closed_at"]) == o.exit_ms[k]
            assert t["realized_mbp"] == round(float(o.net_bp[k]) * 1000)
            assert t["exit_reason"] == names[int(o.reason[k])]


def test_a_symbol_is_followed_by_one_shadow_trade_at_a_time() -> None:
    for symbol in SYMBOLS:
        rows = [t for t in watching().rows("shadow_trades") if t["symbol"] == symbol]
        for before, after in pairwise(rows):
            assert before["closed_at"] <= after["decided_at"]


def test_shadow_trades_are_the_same_whether_orders_are_sent_or_not() -> None:
    assert trading().rows("shadow_trades") == watching().rows("shadow_trades")


def test_a_shadow_trade_that_a_gap_swallowed_does_not_block_its_symbol(tmp_path: Path) -> None:
    first = watching().rows("shadow_trades")[0]
    gap_ms = when(first["decided_at"]) + HOUR
    series = [without(s, gap_ms, 3) if s.symbol == first["symbol"] else s for s in market()]
    run = played(tmp_path, series, watching().settings)
    rows = [t for t in run.rows("shadow_trades") if t["symbol"] == first["symbol"]]
    assert rows[0]["decided_at"] == first["decided_at"]
    assert rows[0]["realized_mbp"] is None  # nobody can say how it ended
    # 30 days later its features are whole again
    assert len(rows) > 20


# --- less history than a model needs, and finer candles -----------------------------------------


def test_with_less_history_than_the_minimum_a_model_is_never_more_than_shadow(
    tmp_path: Path,
) -> None:
    settings = model_settings(
        paper__trade_unproven=True,
        strategies__ai_signal__min_months=8, strategies__ai_signal__train_months=8,
        strategies__ai_signal__retrain_months=3, strategies__ai_signal__expire_months=6,
    )  # fmt: skip
    # six months after 30 days of warming up: the first model is of 31 July
    run = played(tmp_path, (hours(BTC, 11, days=220),), settings)
    (model,) = run.rows("models")
    assert model["trained_at"][:10] == "2024-07-31"
    assert json.loads(model["metrics"])["shadow_only"]
    wished = [s for s in run.said() if s["signal_type"] != "HOLD"]
    assert len(wished) > 50
    assert {s["reason"] for s in wished} == {"model_shadow"}
    assert {s["model_gate"] for s in wished} == {"short_history"}
    assert run.rows("orders") == []
    assert len(run.rows("shadow_trades")) > 10


def test_finer_candles_give_the_same_models_and_shadow_trades(tmp_path: Path) -> None:
    coarse, fine = tmp_path / "coarse", tmp_path / "fine"
    coarse.mkdir()
    fine.mkdir()
    series = [hours(symbol, seed, days=66) for seed, symbol in enumerate(SYMBOLS, 11)]
    by_hour = played(coarse, series, watching().settings)
    by_half = played(fine, [halved(s) for s in series], watching().settings)
    assert len(by_hour.rows("shadow_trades")) > 10
    assert by_half.rows("shadow_trades") == by_hour.rows("shadow_trades")
    ids = [[m["model_id"] for m in run.rows("models")] for run in (by_hour, by_half)]
    assert ids[0] == ids[1]
    between = {s["reason"] for s in by_half.said() if s["created_at"][14:16] == "30"}
    assert between == {"not_due"}


# --- resuming -----------------------------------------------------------------------------------


def cut_off(folder: Path, settings: Settings, instants: int) -> None:
    """Play some instants, commit, and stop as a killed process does."""

    async def some(engine: AutoTradingEngine) -> None:
        async for instant in engine._ports.feed.slices():
            await engine.on_slice(instant)
            if engine.slices == instants:
                break

    with an_engine(folder, market(), settings) as engine:
        asyncio.run(some(engine))
        if not engine._parts.executor._gateway._events:  # type: ignore[attr-defined]
            engine.commit()  # else it has committed before it sent


@pytest.mark.parametrize(
    ("instants", "keep_models"),
    [
        (1_418, True),  # right after it
        (1_700, True),  # amid shadow trades
        pytest.param(2_200, False, marks=pytest.mark.slow),  # after the second
        (2_750, True),  # in the week in which the gate opened
    ],
)
def test_a_resumed_run_says_and_does_the_same(
    tmp_path: Path, instants: int, keep_models: bool
) -> None:
    cut_off(tmp_path, trading().settings, instants)
    if not keep_models:
        shutil.rmtree(tmp_path / "models")  # they are trained again and must be equal
    with an_engine(tmp_path, market(), trading().settings, resumed=True) as engine:
        asyncio.run(engine.run())
        report = engine.model_report()
    for table in TABLES:
        again, expected = read(tmp_path / "run.db", table), trading().rows(table)
        for row in (*again, *expected):
            row.pop("training_seconds", None)
        assert again == expected, table
    assert report == trading().report


def when(text: str) -> int:
    """Return the milliseconds of an instant as SQLite holds it."""
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))
