"""The backtest lab in Streamlit's own test harness: empty, asked for, in work, done, compared."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from auto_trading_dashboard import own_commands
from auto_trading_dashboard.components import backtest_data, backtest_queue
from crypto_trader_pro.backtest.lab_request import LabKind, LabRequest
from database import backtest_jobs
from database.auto_trading_db import unit_of_work
from database.backtest_jobs import Worker
from database.models import BacktestJobRow
from tests.console.shown import page, said
from tests.lab_results import FAST, SLOW, a_request, store_candles
from tests.rows import T0
from utils.processes import own_process

FILE = "backtest_lab.py"


def opened(**state: Any) -> AppTest:
    shown = page(FILE, chosen_language="en", **state)
    assert not shown.error
    return shown


def jobs(database: Engine) -> list[BacktestJobRow]:
    with unit_of_work(database) as session:
        return backtest_jobs.newest(session)


def told(shown: AppTest) -> str:
    return said(shown).replace("\\", "")


def run_button(shown: AppTest) -> Any:
    return shown.button(key="lab_run")


# --- the form -----------------------------------------------------------------------------------


def test_without_candles_the_one_next_step_is_a_command(database: Engine) -> None:
    shown = opened()
    assert "There are no candles to play yet" in told(shown)
    assert "data download --symbol BTC/USDT:USDT --timeframe 1h" in shown.code[0].value
    assert run_button(shown).disabled
    assert "No result is stored yet" in told(shown)


def test_the_stored_candles_of_a_choice_are_shown_with_what_is_missing(
    database: Engine, tmp_path: Path
) -> None:
    store_candles(database, tmp_path)
    shown = opened()
    # 700 candles; the file of this seed has gaps
    assert "**BTC/USDT:USDT** 1h 700 candles, 2025-03-01 – 2025-03-30" in told(shown)
    assert "11 missing in between" in told(shown)
    assert "No funding rates are stored for BTC/USDT:USDT" in told(shown)
    shown.multiselect(key="lab_symbols").set_value(["ETH/USDT:USDT"]).run()
    assert "no candles stored" in told(shown)
    assert "data download --symbol ETH/USDT:USDT --timeframe 1h" in shown.code[0].value
    assert run_button(shown).disabled


def test_run_stores_one_job_with_what_the_form_says(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def run_soon(key: str, args: list[str], **_: Any) -> bool:
        started.append(args)
        return True

    monkeypatch.setattr(own_commands, "run_soon", run_soon)
    store_candles(database, tmp_path)
    shown = opened()
    shown.number_input(key=f"lab_{FAST}").set_value(7).run()
    shown.text_input(key="lab_paper.slippage_pct").set_value("0.05").run()
    shown.text_input(key="lab_name").set_value(" night ").run()
    run_button(shown).click().run()
    (job,) = jobs(database)
    request = LabRequest.of(job.request)
    assert (job.kind, job.name, job.status, job.requested_by) == (
        "backtest", "night", "queued", "console"
    )  # fmt: skip
    assert request.changes == {FAST: 7, "paper.slippage_pct": "0.05"}
    assert (request.engine, request.market["symbols"]) == ("compiled", ["BTC/USDT:USDT"])
    assert request.market["strategies"] == ["ema_cross"]
    assert started[0] == ["lab", "start"]
    assert "waiting" in told(shown)


@pytest.mark.parametrize(
    ("key", "kind", "value", "line"),
    [
        (FAST, "number_input", 30, f"{FAST} was 30, allowed: less than slow, which is 26"),
        ("strategies.ema_cross.stop_pct", "text_input", "0",
         "strategies.ema_cross.stop_pct was 0, allowed:"),
        ("paper.volume_share_pct", "text_input", "many",
         'paper.volume_share_pct was "many", allowed:'),
    ],
)  # fmt: skip
def test_a_wrong_value_is_said_at_once_and_nothing_can_be_asked(
    database: Engine, tmp_path: Path, key: str, kind: str, value: Any, line: str
) -> None:
    store_candles(database, tmp_path)
    shown = opened()
    getattr(shown, kind)(key=f"lab_{key}").set_value(value).run()
    assert line in told(shown)
    assert run_button(shown).disabled


def test_an_empty_range_an_unknown_symbol_and_no_strategy_are_said(
    database: Engine, tmp_path: Path
) -> None:
    store_candles(database, tmp_path)
    shown = opened()
    shown.date_input(key="lab_from").set_value(T0.date().replace(year=2025, month=5)).run()
    assert "none in this range; stored are 2025-03-01" in told(shown)
    shown.date_input(key="lab_to").set_value(T0.date().replace(year=2025, month=4)).run()
    assert "The range is empty: the first day is after the last" in told(shown)
    shown.multiselect(key="lab_strategies").set_value([]).run()
    assert "Choose at least one strategy" in told(shown)
    assert run_button(shown).disabled


def test_a_sweep_asks_for_its_values_and_counts_them(database: Engine, tmp_path: Path) -> None:
    store_candles(database, tmp_path)
    shown = opened()
    shown.pills(key="lab_kind").set_value("sweep").run()
    shown.text_input(key=f"lab_values_{FAST}").set_value("5:20:5").run()
    shown.text_input(key=f"lab_values_{SLOW}").set_value("26, 40").run()
    assert "8 combinations (at most 5000)" in told(shown)  # 5, 10, 15, 20 by 26, 40
    run_button(shown).click().run()
    assert LabRequest.of(jobs(database)[0].request).grid == {
        FAST: ["5", "10", "15", "20"], SLOW: ["26", "40"],
    }  # fmt: skip
    shown.text_input(key=f"lab_values_{SLOW}").set_value("1, x").run()
    assert "values were '1, x', allowed: numbers with commas" in told(shown)
    shown.text_input(key=f"lab_values_{SLOW}").set_value("1").run()
    assert f"{SLOW} was 1, allowed:" in told(shown)
    assert run_button(shown).disabled


def test_a_walk_forward_and_a_monte_carlo_study_ask_for_what_they_need(
    database: Engine, tmp_path: Path
) -> None:
    store_candles(database, tmp_path)
    shown = opened()
    shown.pills(key="lab_kind").set_value("walk_forward").run()
    assert "The candles span 29 days; one fold needs 240" in told(shown)
    assert run_button(shown).disabled
    shown.number_input(key="lab_train").set_value(20).run()
    shown.number_input(key="lab_test").set_value(9).run()
    shown.number_input(key="lab_purge").set_value(3).run()
    run_button(shown).click().run()
    shown.pills(key="lab_kind").set_value("monte_carlo").run()
    shown.segmented_control(key="lab_shaking").set_value("candles").run()
    run_button(shown).click().run()
    later, first = (LabRequest.of(job.request) for job in jobs(database))
    assert (first.kind, first.train_days, first.test_days, first.purge) == (
        LabKind.WALK_FORWARD, 20, 9, 3
    )  # fmt: skip
    assert (later.kind, later.shaking, later.runs) == (LabKind.MONTE_CARLO, "candles", 100)


def test_a_search_and_the_studies_of_costs_ask_for_what_they_need(
    database: Engine, tmp_path: Path
) -> None:
    store_candles(database, tmp_path)
    store_candles(database, tmp_path, bars=700, step_ms=1_800_000)
    shown = opened()
    shown.segmented_control(key="lab_timeframe").set_value("1h").run()
    shown.segmented_control(key="lab_detail_1h").set_value("30m").run()
    assert "**BTC/USDT:USDT** 30m 700 candles" in told(shown)  # these are what is read
    shown.pills(key="lab_kind").set_value("optimize").run()
    assert "The candles span 14 days; 4 parts need 28" in told(shown)  # a week for a Sharpe ratio
    assert run_button(shown).disabled
    shown.number_input(key="lab_windows").set_value(2).run()
    shown.number_input(key="lab_tries").set_value(20).run()
    assert "9 combinations are possible" in told(shown)  # half, as it is, one and a half: twice
    run_button(shown).click().run()
    for kind in ("costs", "capacity"):
        shown.pills(key="lab_kind").set_value(kind).run()
        run_button(shown).click().run()
    capacity, costs, search = (LabRequest.of(job.request) for job in jobs(database))
    assert (search.kind, search.tries, search.windows) == (LabKind.OPTIMIZE, 20, 2)
    assert search.market["detail_timeframe"] == "30m"
    assert (costs.kind, capacity.kind) == (LabKind.COSTS, LabKind.CAPACITY)


# --- the queue ----------------------------------------------------------------------------------


def queued(database: Engine, name: str = "") -> int:
    with unit_of_work(database) as session:
        request = a_request().as_json()
        return backtest_jobs.enqueue(
            session, kind="backtest", request=request, by="kim", now=T0, name=name
        )


def running(database: Engine, name: str = "", worker: Worker | None = None) -> int:
    job_id = queued(database, name)
    with unit_of_work(database) as session:
        backtest_jobs.claim_next(session, worker or Worker(*own_process()), T0)
        backtest_jobs.progress(session, job_id, 150, 600, "playing")
    return job_id


def test_a_waiting_and_a_running_job_can_be_canceled(database: Engine) -> None:
    first, second = running(database, "one"), queued(database, "two")
    shown = opened()
    assert "playing · 150 / 600" in shown.get("progress")[0].proto.text.replace("\\", "")
    shown.button(key=f"lab_cancel_{second}").click().run()
    shown.button(key=f"lab_cancel_{first}").click().run()
    assert [job.status for job in jobs(database)] == ["canceled", "running"]
    assert [job.cancel_asked for job in jobs(database)] == [True, True]
    assert "canceling" in told(shown)
    assert shown.button(key=f"lab_cancel_{first}").disabled


def test_a_failed_job_says_its_line_and_a_lost_one_that_it_is_tried_again(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(backtest_queue, "start_worker", lambda: started.append("lab"))
    failed = running(database)
    with unit_of_work(database) as session:
        backtest_jobs.fail(session, failed, "BTC/USDT:USDT: no 1h candle in the asked range", T0)
    me = own_process()
    running(database, worker=Worker(me.host, me.pid, me.started - 1))  # an earlier process
    shown = opened()
    assert "BTC/USDT:USDT: no 1h candle in the asked range" in told(shown)
    assert "worker gone, will be tried again" in told(shown)
    assert started  # the page itself sees to it


def test_a_job_that_is_over_cannot_be_canceled_and_says_so(database: Engine) -> None:
    job_id = queued(database)
    shown = opened()
    with unit_of_work(database) as session:
        backtest_jobs.ask_cancel(session, job_id, T0)
    shown.button(key=f"lab_cancel_{job_id}").click().run()
    assert f"Not taken: backtest job {job_id} is canceled already" in shown.error[0].value.replace(
        "\\", ""
    )


def test_commands_are_what_can_be_typed_here() -> None:
    first, second = backtest_data.commands("BTC/USDT", "5m", T0)
    assert first.endswith(
        "-m crypto_trader_pro data download --symbol BTC/USDT --timeframe 5m --from 2022-01-11"
    )
    assert second.endswith("data import FILE --symbol BTC/USDT --timeframe 5m")
