"""Results of the backtest lab in Streamlit's own test harness: read, found, compared, proposed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from config.environment import Environment
from config.versions import fingerprint
from database import backtests, commands
from database.auto_trading_db import open_database, prepare, unit_of_work
from tests.console.shown import a_living_engine, page
from tests.console.test_backtest_lab import FILE, opened, told
from tests.lab_results import FAST, SLOW, STUDIES, one_of_each
from tests.rows import T0


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A var folder whose lab has done something of each kind; nobody writes into it."""
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CTP_VAR_DIR", str(folder / "var"))
        monkeypatch.setenv("CTP_RESEARCH__WORKERS", "1")
        places = Environment.current()
        engine = open_database(places.database_url)
        prepare(engine)
        one_of_each(engine, places, folder)
        engine.dispose()
    return folder / "var"


@pytest.fixture
def lab(worked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A copy of it that the console of this test is about."""
    shutil.copytree(worked, tmp_path / "lab")
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "lab"))
    engine = open_database(Environment.current().database_url)
    yield engine
    engine.dispose()


def result_box(shown: AppTest) -> Any:
    (box,) = [b for b in shown.selectbox if str(b.key).startswith("lab_result_")]
    return box


def chosen(shown: AppTest, number: int) -> AppTest:
    result_box(shown).set_value(number).run()
    assert not shown.exception
    assert not shown.error
    return shown


def test_a_backtest_is_shown_with_sample_trials_and_assumptions(lab: Engine) -> None:
    shown = chosen(opened(), 1)
    labels = [m.label for m in shown.metric]
    assert labels[:3] == ["Return", "Max drawdown", "Sharpe ratio"]
    assert "trades" in next(m.delta for m in shown.metric if m.label == "Win rate")
    words = told(shown)
    assert "Simulated on past candles. It is no promise" in words
    assert "Different sets of parameters tried on these candles so far:" in words
    assert "Candles of BTC/USDT:USDT from the database: 700 of 1h" in words
    assert len(shown.get("plotly_chart")) == 2  # curve, months
    files = {str(b.proto.label) for b in shown.get("download_button")}
    assert files >= {"report.html", "trades.csv", "summary.json"}


def test_a_result_that_comes_is_opened_without_a_click(lab: Engine) -> None:
    newest = 2 + len(STUDIES)
    shown = opened(lab_seen=(newest - 1, 0))  # what this tab last drew; another has come since
    assert any(b.value == newest for b in shown.selectbox)


def test_two_backtests_are_compared_with_their_differences(lab: Engine) -> None:
    shown = chosen(opened(), 1)
    shown.multiselect(key="lab_compare").set_value([2]).run()
    assert not shown.error
    tables = [t.value for t in shown.dataframe]
    figures = next(t for t in tables if "b2 − b1" in t.columns)
    assert list(figures.columns) == ["Figure", "b1", "b2", "b2 − b1"]
    keys = next(t for t in tables if list(t.columns) == ["Key", "b1", "b2"])
    assert keys.to_numpy().tolist() == [
        ["Fast average (candles)", "5", "9"], ["Slow average (candles)", "13", "21"],
    ]  # fmt: skip
    assert "b2: Different sets of parameters tried on these candles so far: 2" in told(shown)
    assert len(shown.get("plotly_chart")) == 1


def test_every_kind_of_study_is_shown_whole(lab: Engine) -> None:
    shown = opened()
    for number, kind in enumerate(STUDIES, 3):  # after two backtests
        shown.session_state["lab_chosen"] = shown.session_state["lab_turn"] = number
        shown.run()
        assert not shown.error, kind
        assert shown.metric, kind
        assert shown.get("plotly_chart") or shown.dataframe, kind
        # costs and capacity play the same parameters again; those were tried before
        assert "Different sets of parameters tried on these candles so far:" in told(shown), kind
    korean = page(FILE, chosen_language="ko", lab_chosen=5)
    assert not korean.error
    assert "시험한 서로 다른 매개변수 조합:" in told(korean)


def test_a_result_among_many_is_found_by_number_and_name(lab: Engine) -> None:
    with unit_of_work(lab) as session:
        first = backtests.find(session, "b1")
        for _ in range(60):
            backtests.add(
                session, kind="backtest", name="of a night", request=first.request, params={},
                engine="compiled", sha256="0", config_hash="0", summary=first.summary,
                folder="", now=T0,
            )  # fmt: skip
    shown = opened()
    assert len(result_box(shown).options) == 50  # the newest
    shown.text_input(key="lab_find").set_value("FIRS").run()
    assert [o.split(" ·")[0] for o in result_box(shown).options] == ["b1"]
    shown.text_input(key="lab_find").set_value("b2").run()
    assert [o.split(" ·")[0] for o in result_box(shown).options] == ["b2"]
    shown.text_input(key="lab_find").set_value("100%").run()
    assert "No result is called 100%; the newest are shown" in told(shown)


def test_the_parameters_of_a_result_are_proposed_as_one_command(lab: Engine) -> None:
    a_living_engine(lab)
    shown = chosen(opened(), 1)
    assert "Fast average (candles): 12 candles → 5 candles" in told(shown)
    assert "Slow average (candles): 26 candles → 13 candles" in told(shown)
    shown.button(key="lab_propose").click().run()
    with unit_of_work(lab) as session:
        (row,) = commands.newest(session)
    assert row.kind == "apply_config"
    assert row.payload == {
        "changes": {FAST: 5, SLOW: 13}, "base": fingerprint(Environment.current().config_dir),
    }  # fmt: skip


def with_parameters(database: Engine, reference: str, **changes: Any) -> None:
    """Let a stored result have been made with these parameters, else with those in force."""
    in_force = {"fast": 12, "slow": 26, "stop_pct": "1", "target_pct": "2"}
    with unit_of_work(database) as session:
        row = backtests.find(session, reference)
        row.summary = row.summary | {"params": {"ema_cross": in_force | changes}}


def test_parameters_in_force_are_said_to_be(lab: Engine) -> None:
    with_parameters(lab, "b1")
    shown = chosen(opened(), 1)
    assert "The configuration has these parameters already" in told(shown)
    assert "lab_propose" not in [b.key for b in shown.button]


def test_a_proposal_that_raises_risk_takes_the_typed_word(lab: Engine) -> None:
    a_living_engine(lab)
    with_parameters(lab, "b1", stop_pct="9")  # each position may lose nine times as much
    shown = chosen(opened(), 1)
    assert "raises risk: wider stop" in told(shown)
    assert shown.button(key="lab_propose").disabled
    shown.text_input(key="lab_word_1").set_value("raise").run()  # not the word
    assert shown.button(key="lab_propose").disabled
    shown.text_input(key="lab_word_1").set_value("RAISE").run()
    shown.button(key="lab_propose").click().run()
    with unit_of_work(lab) as session:
        (row,) = commands.newest(session)
    assert row.payload["changes"] == {"strategies.ema_cross.stop_pct": "9"}


def test_a_proposal_that_lowers_risk_takes_no_word(lab: Engine) -> None:
    a_living_engine(lab)
    with_parameters(lab, "b1", stop_pct="0.5")
    shown = chosen(opened(), 1)
    assert "lab_word_1" not in [field.key for field in shown.text_input]
    assert not shown.button(key="lab_propose").disabled
