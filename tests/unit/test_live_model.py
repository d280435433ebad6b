"""A living model at the edges: no model, an old one, lost files, lost candles, other settings."""

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auto_trading.live_prediction import Installed, masked, predict, unmasked
from auto_trading.model_report import model_facts
from auto_trading.model_shelf import ModelShelf
from auto_trading.model_store import ModelFolder
from auto_trading.model_window import ModelWindow, fingerprint
from crypto_trader_pro.ai import gates
from crypto_trader_pro.ai.calendar import months_after
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar, CandleSeries, series_of
from crypto_trader_pro.simulation.instruments import INSTRUMENTS
from tests.builders import HOUR, START_MS
from tests.living import NO_RECORD, Living, feed, installable, windows_of
from tests.market_data import ROOT
from tests.rhythm import SYMBOLS, a_folder, hours
from tests.unit.test_ai_samples import trained

CFG = AiConfig(
    horizon=4, min_months=1, first_months=1, train_months=2, retrain_months=1, expire_months=2
)


@cache
def stored() -> tuple[Path, dict[str, Any]]:
    """A folder with a model that was trained for `CFG` at the start of the candles, its facts."""
    folder = a_folder()
    made = trained()
    facts = replace(made.facts, cutoff_ms=START_MS, months=2, config_hash=CFG.hash())
    model = replace(made, facts=facts)
    ModelFolder(folder).save(model)
    expires = months_after(START_MS, CFG.expire_months)
    row = model_facts("ai_signal", model, expires, {}, 1.0)
    return folder, installable(row)


@cache
def candles() -> tuple[CandleSeries, ...]:
    return tuple(hours(symbol, seed, days=80) for seed, symbol in enumerate(SYMBOLS, 3))


def a_living(cfg: AiConfig = CFG, *, bar_ms: int = HOUR) -> Living:
    return Living(SYMBOLS, cfg, stored()[0], bar_ms=bar_ms)


def fed(living: Living, first: int, last: int) -> list[str]:
    """Feed some hours; return the reasons of the last one's signals."""
    reasons: list[str] = []
    for close_ms, bars in feed(candles())[first:last]:
        reasons = [s.reason for s in living.take(close_ms, bars)]
    return reasons


def saved(living: Living) -> Any:
    return json.loads(json.dumps(living.model.state(), allow_nan=False))


# --- what is said while nothing can be ----------------------------------------------------------


def test_without_a_model_it_is_silent_and_says_so() -> None:
    living = a_living()
    assert fed(living, 0, 3) == ["no_model", "no_model"]
    status = living.model.status
    assert (status.code, status.wants, status.model_id) == ("no_model", "no_model", "")
    assert living.model.report()["models"] == 0
    assert living.model.training_seconds == 0.0


def test_with_a_model_and_no_window_it_says_that() -> None:
    living = a_living()
    living.model.install(stored()[1])
    assert living.model.status.code == "no_features"  # before the first candle, too
    assert fed(living, 0, WINDOW - 1) == ["no_features", "no_features"]
    assert living.model.status.wants == "gap"
    assert fed(living, WINDOW - 1, WINDOW) not in (["no_features"] * 2, ["no_model"] * 2)
    status = living.model.status
    assert (status.ready, status.symbols, status.short, status.wants) == (2, 2, (), "")
    assert status.code == "few_trades"
    assert status.model_id == stored()[1]["model_id"]


def test_what_no_history_can_fill_is_asked_for_once() -> None:
    living = a_living()
    living.model.install(stored()[1])
    fed(living, 0, 10)
    assert living.model.status.wants == "gap"
    assert living.model.status.short == SYMBOLS
    living.model.install(stored()[1])  # brought no candles
    fed(living, 10, 20)
    living.reborn(saved(living))
    assert (living.model.status.wants, living.model.status.short) == ("", SYMBOLS)
    fed(living, 20, WINDOW + 3)
    assert living.model.status.ready == 2
    fed(living, WINDOW + 4, WINDOW + 6)  # a new gap
    assert living.model.status.wants == "gap"


def test_a_model_is_followed_by_the_next_in_time_and_expires() -> None:
    living = a_living()
    living.model.install(stored()[1])
    # cutoff 1 January: the next is due on 1 February, 744 hours on; it expires on 1 March, 1440
    fed(living, 0, 743)
    assert living.model.status.wants == ""
    fed(living, 743, 744)
    assert living.model.status.wants == "due"
    assert living.model.status.due_ms == START_MS + 744 * HOUR
    assert "model_expired" not in fed(living, 744, 1_439)
    assert fed(living, 1_439, 1_440) == ["model_expired", "model_expired"]
    assert (living.model.status.code, living.model.status.wants) == ("model_expired",) * 2
    assert fed(living, 1_440, 1_600) == ["model_expired", "model_expired"]
    assert not living.model._predicted  # what was said has been scored long ago
    living.reborn(saved(living))
    assert living.model.status.code == "model_expired"


def test_a_price_that_never_moves_has_no_signal() -> None:
    living = a_living()
    living.model.install(stored()[1])
    said = []
    for close_ms, bars in feed(candles())[: WINDOW + 2]:
        at = close_ms - HOUR
        said = living.take(close_ms, [bars[0], Bar(at, 500, 500, 500, 500, 0)])
    assert said[1].reason == "no_features"
    assert said[0].reason != "no_features"


# --- models and candles that come in ------------------------------------------------------------


def test_candles_before_the_session_are_taken_and_seen_ones_stay() -> None:
    living = a_living()
    fed(living, WINDOW, WINDOW + 1)
    past = candles()[0].slice(0, WINDOW + 1)
    other = CandleSeries(past.symbol, HOUR, past.open_ms, past.open, past.high, past.low,
                         past.close, past.volume + 1)  # fmt: skip
    assert living.model.seed(0, other) == WINDOW
    assert living.model.seed(0, other) == 0
    window = living.model._window
    last = int(past.open_ms[-1]) + HOUR
    assert window.bar(0, last) == past.bars()[-1]
    assert window.bar(0, last - HOUR) == other.bars()[-2]
    with pytest.raises(InputError, match=r"candles were of BTC/USDT:USDT, 3600000 ms; needed"):
        living.model.seed(1, past)


def test_a_record_comes_with_the_first_model_and_goes_on() -> None:
    living = a_living()
    facts = {**stored()[1], "record": {"long": [100, 20 * 10**12, 25.0], "short": [9, 0, 0.0]}}
    living.model.install(facts)
    shown = living.model.report()["brier_skill_gate_pct"]
    assert shown == {"long": 20.0, "short": None}  # 1 - 20 / 25
    fed(living, 0, WINDOW + 40)
    assert living.model._skill[1].rows > 100
    rows = living.model._skill[1].rows
    living.model.install({**facts, "record": NO_RECORD})
    assert living.model._skill[1].rows == rows


def test_a_model_that_is_not_stored_cannot_be_installed() -> None:
    with pytest.raises(InputError, match="model 00 is not stored"):
        a_living().model.install({**stored()[1], "model_id": "00"})


def test_a_symbol_whose_candles_did_not_come_is_left_out() -> None:
    living = a_living()
    first, last = START_MS, START_MS + WINDOW * HOUR
    windows = windows_of(candles(), first, last)
    del windows["sums"][SYMBOLS[1]]
    living.store.came = {stored()[1]["model_id"]: [s.between(first, last) for s in candles()]}
    assert living.model.install({**stored()[1], "windows": windows})
    said = fed(living, WINDOW, WINDOW + 1)
    assert said[1] == "no_features"
    assert said[0] != "no_features"


# --- checkpoints --------------------------------------------------------------------------------


def test_a_model_whose_files_are_gone_leaves_the_session_without_one() -> None:
    living = a_living()
    living.model.install(stored()[1])
    fed(living, 0, WINDOW + 5)
    state = saved(living)
    for row in state["installed"]:
        row[1]["model_id"] = "00" * 32
    living.reborn(state)
    status = living.model.status
    assert (status.code, status.wants, status.lost_model) == ("no_model", "no_model", "00" * 32)
    assert fed(living, WINDOW + 5, WINDOW + 6) == ["no_model", "no_model"]
    living.model.install(stored()[1])
    assert living.model.status.lost_model == ""
    assert "no_features" not in fed(living, WINDOW + 6, WINDOW + 7)


def test_candles_that_are_not_those_seen_are_not_used() -> None:
    living = a_living()
    living.model.install(stored()[1])
    fed(living, 0, WINDOW + 5)
    state = saved(living)
    at = max(living.store.kept[1])
    bar = living.store.kept[1][at]
    living.store.kept[1][at] = bar._replace(volume=bar.volume + 1)
    living.reborn(state)
    assert living.model.status.lost_windows == (SYMBOLS[1],)
    said = fed(living, WINDOW + 5, WINDOW + 6)
    assert said[1] == "no_features"
    assert said[0] != "no_features"
    assert living.model.status.wants == "gap"


def test_candles_that_the_session_never_saw_do_not_come_in_by_a_restart() -> None:
    living = a_living()
    fed(living, 0, 10)
    fed(living, 12, 20)
    state = saved(living)
    for bar in candles()[0].bars()[:30]:
        living.store.keep(0, bar)
    living.reborn(state)
    assert living.model.status.lost_windows == ()
    assert living.model._window.bar(0, START_MS + 11 * HOUR) is None
    assert living.model._window.bar(0, START_MS + 10 * HOUR) is not None


def test_other_settings_begin_anew() -> None:
    living = a_living()
    living.model.install(stored()[1])
    fed(living, 0, WINDOW + 5)
    other = living.made(replace(CFG, horizon=5))
    other.restore(saved(living))
    assert other.status.code == "no_model"
    assert other.status.ready == 0


def test_the_state_of_fifty_symbols_is_small_and_quick() -> None:
    """Five-minute candles, everything under way: shadow trades, unfinished hours, predictions."""
    names = [s for s in INSTRUMENTS if ":" in s][:50]
    cfg = AiConfig(min_months=1, first_months=1, train_months=2, retrain_months=1)
    model = replace(trained(), facts=replace(trained().facts, cutoff_ms=START_MS,
                                             config_hash=cfg.hash()))  # fmt: skip
    folder = a_folder()
    ModelFolder(folder).save(model)
    living = Living(names, cfg, folder, bar_ms=HOUR // 12)
    row = model_facts("ai_signal", model, START_MS + 10**10, {}, 1.0)
    living.model.install(installable(row))
    past = [hours(name, 1 + i % 5, days=32) for i, name in enumerate(names)]
    for i, series in enumerate(past):
        living.model.seed(i, series.slice(0, 740))
    for k in range(740, 767):
        for part in range(12 if k < 766 else 7):
            at = START_MS + k * HOUR + part * HOUR // 12
            bars = []
            for series in past:
                hour = series.slice(k, k + 1).bars()[0]
                first = hour.open if part == 0 else hour.close
                bars.append(Bar(at, first, hour.high, hour.low, hour.close, 10_000))
            living.take(at + HOUR // 12, bars)
    began = time.perf_counter()
    for _ in range(20):
        state = living.model.state()
    took = (time.perf_counter() - began) / 20
    assert len(living.book.opened) > 50
    assert (
        len(state["unfinished"] if "unfinished" in state else state["window"]["unfinished"]) == 50
    )
    assert len(json.dumps(state, separators=(",", ":"))) < 20_000
    assert took < 0.02  # goal 0.001; a busy machine must not fail this


# --- the window ---------------------------------------------------------------------------------


def a_window(length: int = 10) -> ModelWindow:
    return ModelWindow(["A", "B"], HOUR, HOUR, length)


def bar(hour: int, price: int = 100) -> Bar:
    return Bar(hour * HOUR, price, price + 1, price - 1, price, 5)


def test_a_window_moves_on_and_forgets() -> None:
    window = a_window()
    for hour in range(600):  # longer than the table has spare rows
        assert window.put(0, bar(hour, 100 + hour))
        if hour % 2:
            assert window.put(1, bar(hour))
    row = window.row(600 * HOUR)
    assert row is not None
    assert window.numbers(row, 10)[:, 3, 0].tolist() == list(range(690, 700))
    assert window.whole(row, 10).tolist() == [True, False]
    assert not window.whole(row, 11).any()
    assert window.row(590 * HOUR) is None
    assert window.row(601 * HOUR) is None
    assert not window.put(0, bar(580))  # too old
    assert not window.put(0, bar(599, 7))  # there already
    assert window.bar(0, 590 * HOUR) is None
    window.put(0, bar(5_000))  # a jump over everything
    row = window.row(5_001 * HOUR)
    assert row is not None
    assert window.whole(row, 1).tolist() == [True, False]
    assert not window.whole(row, 2).any()


def test_impossible_candles_are_not_taken() -> None:
    window = a_window()
    assert not window.put(0, Bar(0, 5, 4, 3, 5, 1))
    zero = series_of("A", HOUR, [bar(1), Bar(2 * HOUR, 0, 1, 0, 1, 1), bar(3)])
    assert window.fill(0, zero) == 2
    assert window.fill(0, zero.slice(0, 0)) == 0


def test_too_many_holes_cost_what_is_before_them() -> None:
    window = a_window(200)
    for hour in range(0, 140, 2):
        window.put(0, bar(hour))
        window.put(1, bar(hour))
        window.put(1, bar(hour + 1))
    state = window.state()
    assert len(state["seen"][0][2]) < 64
    assert window.bar(0, HOUR) is None
    assert window.bar(1, HOUR) == bar(0)


def test_parts_of_candles_that_never_become_whole_do_not_pile_up() -> None:
    window = ModelWindow(["A"], HOUR // 2, HOUR, 10)
    for hour in range(40):
        assert window.push(0, Bar(hour * HOUR, 5, 5, 5, 5, 1)) is None
    assert len(window.state()["unfinished"]) == 16
    window.advance(60 * HOUR)
    assert window.state()["unfinished"] == []


def test_a_fingerprint_is_of_every_number() -> None:
    series = series_of("A", HOUR, [bar(1), bar(2), bar(3)])
    window = a_window()
    window.fill(0, series)
    assert window.state()["seen"][0][0] == fingerprint(series)
    seen = {fingerprint(series)}
    for column in range(6):
        rows = [list(b) for b in series.bars()]
        rows[1][column] += 1 if column else 0
        if column == 0:
            rows = [[b[0] + HOUR, *b[1:]] for b in rows]
        seen.add(fingerprint(series_of("A", HOUR, [Bar(*r) for r in rows])))
    assert len(seen) == 7
    assert fingerprint(series.slice(0, 0)) == "0"


def test_a_window_of_other_lengths_is_refused() -> None:
    with pytest.raises(InputError, match="target timeframe was 3600000 ms, allowed: multiples"):
        ModelWindow(["A"], 7 * 60_000, HOUR, 10)


def test_a_model_is_asked_only_inside_the_window() -> None:
    folder, facts = stored()
    model = ModelFolder(folder).load(facts["model_id"])
    installed = Installed(0, facts, model, gates.Trained(0, 2))
    with pytest.raises(ValueError, match="close 3600000 is outside the window that ends 0"):
        predict(a_window(), installed, HOUR, CFG, None)


def test_flags_survive_as_text() -> None:
    flags = np.random.default_rng(1).random(50) < 0.5
    assert unmasked(masked(flags), 50).tolist() == flags.tolist()


# --- the shelf ----------------------------------------------------------------------------------


def test_a_shelf_reads_a_model_once_and_keeps_a_few() -> None:
    folder, facts = stored()
    shelf = ModelShelf(ModelFolder(folder))
    model = shelf.put(facts["model_id"], candles())
    assert shelf.model(facts["model_id"]) is model
    assert shelf.windows(facts["model_id"]) == candles()
    assert shelf.windows("00") is None
    for seed in range(4):
        other = replace(model, facts=replace(model.facts, seed=100 + seed))
        ModelFolder(folder).save(other)
        shelf.model(other.id)
    assert shelf.model(facts["model_id"]) is not model
    with pytest.raises(InputError, match="is not stored"):
        shelf.put("00", ())


def test_a_skill_without_a_base_is_none() -> None:
    living = a_living()
    assert math.isnan(living.model._skill[1].skill)
    assert saved(living)["skill"] == [None, None]


def test_the_engine_imports_no_training_library() -> None:
    program = (
        "import sys, auto_trading.live_model, auto_trading.training, auto_trading.model_shelf;"
        " print(sorted({'lightgbm', 'pandas', 'sklearn', 'scipy'} & sys.modules.keys()))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"
