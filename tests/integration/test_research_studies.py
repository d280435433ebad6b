"""Whole studies over synthetic candles, by the reference engine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlmodel import Session

from auto_trading.backtesting.backtester import Backtester
from auto_trading.research import (
    capacity_estimate,
    cost_sensitivity,
    look_ahead,
    monte_carlo,
    optimize,
    overfitting_report,
    studies,
    sweep,
    walk_forward,
)
from auto_trading.research.folds import Plan
from auto_trading.research.parameters import with_params
from auto_trading.research.study import Canceled
from auto_trading.research.study_files import StudyFiles
from auto_trading.research.trials import window_of
from auto_trading.research.workplace import Workplace
from config.loading import load
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.domain.units import MONEY
from database import backtests
from tests.engines import Script, ScriptStream, wish
from tests.research_studies import FAST, GRID, SLOW, Lab, lab_in


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with lab_in(tmp_path) as made:
        yield made


def whole_run(lab: Lab, params: dict[str, str]) -> Any:
    tester = Backtester.load(lab.request, None, lab.folder)
    return tester.run(with_params(load(environ={}), params), engine="reference").result


def without_names(summary: dict[str, Any]) -> dict[str, Any]:
    """Return a summary without what names the study, as two of the same have it."""
    return {k: v for k, v in summary.items() if k not in ("study", "folder")}


def test_a_sweep_runs_what_the_settings_allow_best_first(lab: Lab) -> None:
    told: list[tuple[int, int]] = []
    files = lab.begin("sweep", sweep.options(GRID, "return"))
    found = studies.carry_on(files, lab.tools(progress=lambda *t: told.append(t)))
    assert (found["combinations"], found["skipped"], found["trials"]) == (6, 2, 4)
    returns = [row["return"] for row in found["rows"]]
    assert returns == sorted(returns, reverse=True)
    assert found["best"]["name"] == found["rows"][0]["name"]
    assert told[-1] == (4, 4)
    for row in found["rows"]:  # each row is the backtest of its parameters
        result = whole_run(lab, row["params"])
        assert row["return"] == result.final_equity / result.opening - 1
        assert row["fills"] == len(result.fills) > 10
    assert json.loads((files.folder / "summary.json").read_text()) == found


def test_the_same_sweep_again_is_no_more_trials_but_a_new_value_is(lab: Lab) -> None:
    first = lab.study("sweep", sweep.options(GRID, "return"))
    again = lab.study("sweep", sweep.options(GRID, "sharpe"))
    wider = lab.study("sweep", sweep.options({FAST: ["5", "6"], SLOW: ["20"]}, "return"))
    assert [s["trials"] for s in (first, again, wider)] == [4, 4, 5]
    # what counts against luck is all that was tried on these candles
    assert wider["luck"]["trials"] == 5
    assert wider["luck"]["expected_best"] > 0


def test_what_was_canceled_goes_on_where_it_was(lab: Lab) -> None:
    whole = lab.study("sweep", sweep.options(GRID, "return"))
    files = lab.begin("sweep", sweep.options(GRID, "return"))
    seen: list[int] = []

    def told(done: int, total: int) -> None:
        seen.append(done)

    with pytest.raises(Canceled):
        studies.carry_on(files, lab.tools(progress=told, canceled=lambda: 2 in seen))
    stored = (files.folder / "results.jsonl").read_text().splitlines()
    assert len(stored) == 2
    assert not (files.folder / "summary.json").exists()
    again = studies.carry_on(StudyFiles.find(lab.folder, files.id), lab.tools())
    assert without_names(again) == without_names(whole)
    lines = (files.folder / "results.jsonl").read_text().splitlines()
    assert lines[:2] == stored  # not computed again
    assert len(lines) == 4


def test_a_study_whose_candles_changed_is_not_gone_on_with(lab: Lab) -> None:
    files = lab.begin("sweep", sweep.options(GRID, "return"))
    with lab_in(lab.folder, bars=2_399):  # writes the file anew
        pass
    with pytest.raises(InputError) as raised:
        studies.carry_on(files, lab.tools())
    assert str(raised.value) == "the candles of sweep-1 are not those it began with"


def test_what_cannot_be_asked_leaves_nothing_behind(lab: Lab) -> None:
    for kind, options, line in (
        ("sweep", sweep.options({}, "return"), "no --param was given"),
        ("sweep", sweep.options(GRID, "luck"), "metric was 'luck', allowed: sharpe, return"),
        ("walk-forward", walk_forward.options(GRID, "return", Plan(False, 30, 5)), "the range has"),
        ("optimize", optimize.options(GRID, "sharpe", 0), "trials was 0, allowed: 1 to 100000"),
        ("optimize", optimize.options(GRID, "sharpe", 5, windows=5), "5 windows have 5.1 days"),
        ("monte-carlo", monte_carlo.options(["dice"]), "way was 'dice', allowed: trades"),
        (
            "monte-carlo",
            monte_carlo.options(noise=0.5),
            "noise was 50 percent, allowed: above 0, at most 10",
        ),
        ("costs", cost_sensitivity.options(["1"]), "one multiple of costs shows nothing"),
        ("costs", cost_sensitivity.options(["1", "x"]), "multiple of costs was 'x', allowed"),
        ("capacity", capacity_estimate.options("0"), "impact was '0' percent, allowed"),
        ("look-ahead", look_ahead.options(0), "cuts were 0, allowed: 1 to 1000"),
        ("overfitting", overfitting_report.options(GRID, "return", 3), "blocks was 3, allowed"),
        ("overfitting", overfitting_report.options(GRID, "return", 16), "16 blocks need 32 days"),
        ("dice", {}, "kind of study was 'dice', allowed: sweep, optimize"),
    ):
        with pytest.raises(InputError) as raised:
            lab.begin(kind, options)
        assert str(raised.value).startswith(line)
        assert "\n" not in str(raised.value)
    assert not (lab.folder / "research").exists()


def test_a_walk_forward_chooses_in_sample_and_judges_after(lab: Lab) -> None:
    plan = Plan(False, 7, 4, purge=4, embargo=2)
    found = lab.study("walk-forward", walk_forward.options(GRID, "return", plan))
    assert len(found["folds"]) == 4  # days 7-11, 11-15, 15-19, 19-23 of 25
    settings, tester = load(environ={}), Backtester.load(lab.request, None, lab.folder)
    growth = 1.0
    for fold in found["folds"]:
        train, test = (
            [np.datetime64(fold[f"{w}_{e}"][:-6]).astype("datetime64[ms]").astype(int).item()
             for e in ("from", "to")]
            for w in ("train", "test")
        )  # fmt: skip
        gains = {}
        for fast, slow in (("5", "20"), ("5", "30"), ("8", "20"), ("8", "30")):
            changed = with_params(settings, {FAST: fast, SLOW: slow})
            r = tester.run(changed, engine="reference", from_ms=train[0], to_ms=train[1]).result
            gains[f"fast={fast} slow={slow}"] = r.final_equity / r.opening - 1
        assert fold["in_sample"]["return"] == max(gains.values())
        assert gains[fold["chosen"]] == max(gains.values())
        # the test begins flat: nothing of its warm-up counts
        chosen = dict(p.split("=") for p in fold["chosen"].split())
        changed = with_params(settings, {FAST: chosen["fast"], SLOW: chosen["slow"]})
        bars = max(int(chosen["slow"]), settings.market_data.warm_bars)
        r = tester.run(
            changed, engine="reference", from_ms=test[0] - bars * 900_000, to_ms=test[1]
        ).result
        assert (r.equity[r.close_ms <= test[0]] == r.opening).all()
        assert fold["out_of_sample"]["return"] == r.final_equity / r.opening - 1
        growth *= r.final_equity / r.opening
    assert found["out_of_sample"]["return"] == pytest.approx(growth - 1, abs=1e-9)
    assert found["equity"][-1][1] == pytest.approx(growth, abs=1e-12)
    days = [ms for ms, _ in found["equity"]]
    assert days == sorted(set(days))
    chosen_fast = [fold["chosen"].split()[0][5:] for fold in found["folds"]]
    assert found["stability"][FAST]["chosen"] == chosen_fast
    with Session(lab.database) as session:  # the grid of the last fold, in its train window
        window = window_of(found["data_sha256"], *train)
        assert backtests.trials(session, window).count == 4
    assert found["luck"]["trials"] == 1  # one way of walking; its grid counts in each train window


def test_a_search_is_repeatable_prunes_and_goes_on(lab: Lab) -> None:
    grid = {FAST: [str(v) for v in range(4, 16)], SLOW: [str(v) for v in range(10, 40, 3)]}
    options = optimize.options(grid, "return", 14, windows=3)
    first = lab.study("optimize", options)
    assert first["tried"] == 14
    assert first["pruned"] > 0
    # a pruned trial saves the windows it was not run over; the best is run over the whole range
    assert first["backtests"] < 14 * 3 + 1
    files = lab.begin("optimize", options)
    seen: list[int] = []
    with pytest.raises(Canceled):
        studies.carry_on(
            files, lab.tools(progress=lambda d, _: seen.append(d), canceled=lambda: 17 in seen)
        )
    assert without_names(studies.carry_on(files, lab.tools())) == without_names(first)
    other = lab.study("optimize", optimize.options(grid, "return", 14, windows=3, seed=2))
    assert [row["name"] for row in other["rows"]] != [row["name"] for row in first["rows"]]


@pytest.mark.slow
def test_hyperband_and_no_pruner_search_too(lab: Lab) -> None:
    counts = {}
    for pruner in ("hyperband", "none"):
        found = lab.study("optimize", optimize.options(GRID, "return", 4, 2, pruner))
        counts[pruner] = found["pruned"]
        assert found["tried"] == 4
        assert found["skipped"] > 0  # 30/20 and 30/30 were asked for and told impossible
    assert counts["none"] == 0


def test_monte_carlo_is_repeatable_and_changes_what_it_says(lab: Lab) -> None:
    options = monte_carlo.options(runs=50, candle_runs=4)
    found, again = lab.study("monte-carlo", options), lab.study("monte-carlo", options)
    assert found["bands"] == again["bands"]
    result = whole_run(lab, {})
    trades = found["bands"]["trades"]
    assert trades["runs"] == 50
    assert len(set(trades["final_equity"])) == 1  # a sum has no order
    assert len(set(trades["max_drawdown"])) > 1
    candles = found["bands"]["candles"]
    assert candles["runs"] == 4
    assert len(set(candles["final_equity"])) > 1
    assert candles["fan"][0][0] == result.opening / MONEY
    other = lab.study("monte-carlo", monte_carlo.options(["candles"], candle_runs=4, seed=2))
    assert other["bands"]["candles"]["final_equity"] != candles["final_equity"]
    assert other["trials"] == 1  # the one set of parameters, however its candles were changed


def test_costs_fall_on_the_result_one_by_one(lab: Lab) -> None:
    found = lab.study("costs", cost_sensitivity.options(["0", "1", "3"]))
    table = {(row["fees"], row["slippage"]): row for row in found["rows"]}
    assert len(table) == 9
    result = whole_run(lab, {})
    assert table["1", "1"]["return"] == result.final_equity / result.opening - 1
    assert table["0", "0"]["paid_fees"] == "0"
    for k in ("0", "1", "3"):
        assert table["0", k]["return"] > table["1", k]["return"] > table["3", k]["return"]
        assert table[k, "0"]["return"] > table[k, "1"]["return"] > table[k, "3"]["return"]
    diagonal = [(float(k), table[k, k]["return"]) for k in ("0", "1", "3")]
    assert found["break_even"] == cost_sensitivity.break_even(diagonal)


def test_a_larger_account_hits_the_volume(lab: Lab) -> None:
    found = lab.study("capacity", capacity_estimate.options())
    assert found["impact_pct"] == "10"
    assert found["fills"] == len(whole_run(lab, {}).fills)
    profits = [float(row["profit_per_trade"]) for row in found["rows"]]
    assert profits[-1] < profits[0]
    assert int(found["first_capped_capital"]) <= int(found["half_capped_capital"])


def test_overfitting_is_judged_over_all_combinations(lab: Lab) -> None:
    found = lab.study("overfitting", overfitting_report.options(GRID, "return", 4))
    assert 0 <= found["pbo"] <= 1
    assert (found["blocks"], found["trials"], found["days"]) == (4, 4, 24)  # of 26 days, 4 * 6
    assert len(found["rows"]) == 4


def test_a_sound_strategy_passes_the_look_ahead_check(lab: Lab) -> None:
    found = lab.study("look-ahead", look_ahead.options(4))
    assert found["passed"]
    assert [cut["differs"] for cut in found["cuts"]] == [[]] * 4
    assert found["fills"] > 20


@pytest.mark.slow  # compiles
def test_a_compiled_sweep_says_what_the_reference_engine_says(lab: Lab) -> None:
    """At once in compiled code, and one by one: `profit_factor` needs the trades."""
    reference = lab.study("sweep", sweep.options(GRID, "sharpe"))
    for metric, engine in (("sharpe", "compiled"), ("profit_factor", "compiled")):
        files = lab.begin("sweep", sweep.options(GRID, metric), engine="compiled")
        found = studies.carry_on(files, lab.tools(Workplace(workers=2)))
        assert found["engine"] == {"runs": {engine: 4}, "refused": []}
        rows = {row["name"]: row for row in found["rows"]}
        for row in reference["rows"]:
            same = rows[row["name"]]
            for code in ("return", "sharpe", "sortino", "fills"):
                assert same[code] == row[code]
            assert same["max_drawdown"] == pytest.approx(row["max_drawdown"], abs=1.01e-8)
    plan = walk_forward.options(GRID, "return", Plan(False, 7, 4))
    files = lab.begin("walk-forward", plan, engine="compiled")
    walked, again = studies.carry_on(files, lab.tools()), lab.study("walk-forward", plan)
    assert [f["chosen"] for f in walked["folds"]] == [f["chosen"] for f in again["folds"]]
    assert walked["equity"] == again["equity"]


class PeekStream(ScriptStream):
    """Buys where the close two candles later is higher: it has seen the whole file."""

    future: dict[int, int]

    def step(self, bar: Bar) -> Signal:
        later = self.future.get(bar.open_ms + 2 * 900_000, 0)
        direction = (later > bar.close) - (0 < later < bar.close)
        said = wish(direction or 1, "ema_cross", stop=bar.close // 100)
        return said if direction else Signal("ema_cross", 0, "")


def test_a_strategy_that_peeks_is_caught(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    future: dict[int, int] = {}

    class Peek(Script):
        def stream(self, instrument: Instrument) -> ScriptStream:
            stream = PeekStream(self, instrument.symbol)
            stream.future = future
            return stream

    run = Backtester.run

    def with_future(self: Backtester, *args: Any, **given: Any) -> Any:
        candles = self.candles.between(given["from_ms"], given["to_ms"]).series[0]
        future.clear()
        future.update(zip(candles.open_ms.tolist(), candles.close.tolist(), strict=True))
        return run(self, *args, **given)

    monkeypatch.setattr(Backtester, "run", with_future)
    monkeypatch.setattr(
        "auto_trading.bootstrap.candle_strategies", lambda *_: [Peek({}, "ema_cross")]
    )
    found = lab.study("look-ahead", look_ahead.options(4))
    assert not found["passed"]
    assert all(cut["differs"] for cut in found["cuts"])
    assert "in the whole run" in found["cuts"][0]["differs"][0]
