"""The Models page: what a model learnt, how it did, and what the engine says of it."""

from typing import Any

import pytest
from sqlalchemy import Engine

from auto_trading_dashboard.components.models_state import verdict
from auto_trading_dashboard.navigation import entries
from database.auto_trading_db import unit_of_work
from database.models import ModelRow
from tests.console.shown import a_living_engine, asked, page, said
from tests.console_fixtures import Installation
from tests.contract.test_model_views import a_model, a_shadow
from tests.fake_engine import ACCOUNT
from tests.rows import stored, stored_run

TOLD: dict[str, Any] = {
    "code": "few_trades", "model_id": "a" * 64, "trained_ms": 1_700_000_000_000,
    "due_ms": 1_702_600_000_000, "expires_ms": 1_707_800_000_000, "ready_symbols": 2, "symbols": 3,
    "training": "", "training_seconds": 0.0, "training_done": 0, "training_models": 0,
    "failure": "",
    "proving": {
        "open": False, "code": "few_trades", "shadow_trades": 12, "needed_trades": 200, "weeks": 1,
        "expected_bp": None, "realized_bp": None, "interval_bp": None, "lower_bp": None,
    },
}  # fmt: skip
FILE = next(entry.file for entry in entries() if entry.name == "models")


def living(database: Engine, **model: Any) -> None:
    a_living_engine(database, view={**ACCOUNT, "model": {**TOLD, **model}})


def test_nothing_yet_says_what_will_come(database: Engine) -> None:
    assert "Nothing has been run yet. Start trading on the control panel" in said(page(FILE))


def test_a_run_without_the_strategy_says_how_to_turn_it_on(database: Engine) -> None:
    stored_run(database, strategies=["ema_cross"])
    assert "This run does not use the AI strategy. Turn on ai_signal" in said(page(FILE))


def test_an_old_model_without_figures_is_said_to_have_none(database: Engine) -> None:
    stored(database, a_model("m" * 64, stored_run(database), 0))
    told = said(page(FILE))
    for sentence in (
        "20,000 samples", "No out-of-sample record yet", "no record of what it looks at",
        "no record by fold", "No shadow trade has ended yet",
    ):  # fmt: skip
        assert sentence in told


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_real_models_record_is_shown_whole(
    small_installation: Installation, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("CTP_VAR_DIR", str(small_installation.var_dir))
    shown = page(FILE, chosen_language=language)
    assert not shown.error
    scores = shown.dataframe[0].value
    assert len(scores) == 3  # the model, logistic regression, always long
    assert str(scores.iloc[0, 1]).replace(",", "").isdigit()
    folds = shown.dataframe[1].value
    assert len(folds) >= 1


def test_the_engines_model_is_told_in_words(database: Engine) -> None:
    living(database)
    told = said(page(FILE)).replace("\\", "")  # what Markdown would take for its own
    assert "unproven: too few shadow trades" in told
    assert "2 of 3 symbols are ready" in told
    assert "12 of 200 shadow trades" in told


def test_training_shows_how_far_it_is_and_a_failure_why(database: Engine) -> None:
    living(database, training="asked", training_done=3, training_models=12, training_seconds=65.0)
    shown = page(FILE)
    bar = shown.get("progress")[0]
    assert bar.proto.value == 25  # 3 of 12
    assert "3 of 12 models of the past measured, 1 min so far" in bar.proto.text
    assert not shown.error


def test_a_failed_training_says_why(database: Engine) -> None:
    living(database, failure="training: history has 0 decisions")
    assert "history has 0 decisions" in said(page(FILE))


def test_an_engine_without_the_strategy_says_so(database: Engine) -> None:
    a_living_engine(database, view={**ACCOUNT, "model": None})
    assert "The engine does not run the AI strategy" in said(page(FILE))


def test_training_is_asked_by_one_click(database: Engine) -> None:
    living(database)
    shown = page(FILE)
    shown.button(key="models_train").click().run()
    assert asked(database) == [("train_now", "console")]
    shown.button(key="models_train").click().run()  # the second half of a double click
    assert len(asked(database)) == 1


def test_one_of_several_models_can_be_chosen(database: Engine) -> None:
    run = stored_run(database)
    stored(database, a_model("a" * 64, run, 0), a_model("b" * 64, run, 31), a_shadow(run, 0, 5_000))
    shown = page(FILE)
    assert "Model bbbbbbbbbbbb" in said(shown)
    shown.selectbox(key="models_chosen").select("a" * 64).run()
    assert "Model aaaaaaaaaaaa" in said(shown)
    with unit_of_work(database) as session:
        assert session.get(ModelRow, "b" * 64) is not None
    assert "1 shadow trades ended, 0 open" in said(shown)


def test_the_verdict_never_names_a_profit_before_it_is_proven() -> None:
    assert verdict(TOLD["proving"]) == "Not proven: 12 of 200 shadow trades."
    figures = {
        "shadow_trades": 300, "weeks": 40, "expected_bp": 12.0, "realized_bp": -1.5,
        "interval_bp": [-9.0, 6.0], "lower_bp": -8.0,
    }  # fmt: skip
    no_edge = verdict({**TOLD["proving"], **figures})
    assert no_edge.startswith("No edge after costs. 300 shadow trades in 40 weeks: expected 12.0")
    proven = verdict({**TOLD["proving"], **figures, "open": True})
    assert proven.startswith("Proven: 300 shadow trades in 40 weeks brought -1.5 bp [-9.0, 6.0]")
