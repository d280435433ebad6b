"""The performance page in Streamlit's own harness: empty, few and enough samples, filters, file."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Engine
from sqlmodel import SQLModel
from streamlit.testing.v1 import AppTest

from tests.console.shown import metrics, page, said
from tests.performance_rows import HOUR, a_round_trip, hourly
from tests.rows import an_equity, stored, stored_run

FILE = "performance_tracker.py"
ETH = "ETH/USDT:USDT"
DAY = 24 * HOUR


def unders(shown: AppTest) -> dict[str, str]:
    return {m.label: m.delta for m in shown.metric}


def a_year(database: Engine, **changes: Any) -> int:
    """A run of 40 days with twelve trades: four times +30, -20, +5."""
    run_id = stored_run(database, **changes)
    rows: list[SQLModel] = [
        an_equity(run_id, 0, "1000"),
        *(an_equity(run_id, DAY * n, str(1000 + 10 * (n % 3) + n)) for n in range(1, 41)),
    ]
    for n in range(12):
        rows += a_round_trip(
            run_id, n, DAY * 3 * n, ("30", "-20", "5")[n % 3], symbol=(ETH, "SOL/USDT:USDT")[n % 2],
            reason=("target", "stop", "exit")[n % 3],
        )  # fmt: skip
    stored(database, *rows)
    return run_id


def test_before_any_run_the_page_says_what_to_do(database: Engine) -> None:
    assert "Nothing has been run yet." in said(page(FILE))


def test_a_run_without_a_record_says_when_there_will_be_one(database: Engine) -> None:
    stored_run(database)
    shown = page(FILE)
    assert "This run has no equity yet." in said(shown)
    assert not shown.metric


def test_figures_of_known_trades_with_their_samples(database: Engine) -> None:
    a_year(database)
    shown = page(FILE)
    found, samples = metrics(shown), unders(shown)
    assert found["Profit factor"] == "1.75"  # 4 * 35 / (4 * 20)
    assert found["Win rate"] == "66.7 %"  # 8 of 12
    assert found["Expectancy (USDT)"] == ":green[▲ \\+5.00]"  # 4 * 15 / 12
    assert found["Fees (USDT)"] == "24.00"
    assert (
        found["Net profit (USDT)"] == ":green[▲ \\+50.00]"
    )  # 1000 + 10 * (40 % 3) + 40, less 1000
    assert samples["Net profit (USDT)"] == "equity 1,050.00"
    assert (found["Net return"], samples["Net return"]) == (":green[▲ \\+5.00 %]", "days: 41")
    assert samples["Win rate"] == "trades: 12"
    low, _, rest = samples["Sharpe"].partition(" to ")
    assert float(low.replace("−", "-")) < float(found["Sharpe"].replace("−", "-"))
    assert rest.endswith(", 41 d")
    for metric in shown.metric:
        assert len(metric.help) > 30, metric.label
        assert metric.delta, metric.label


def test_too_few_samples_are_told_and_no_number_is_made_up(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, *hourly(run_id, ["1000", "1010"]), *a_round_trip(run_id, 0, 0, "10"))
    shown = page(FILE)
    found, samples = metrics(shown), unders(shown)
    for name, needs in (
        ("Sharpe", "too few: 0 of 7 d"), ("Sortino", "too few: 0 of 7 d"),
        ("Calmar", "too few: 0 of 30 d"), ("Win rate", "too few: 1 of 10"),
        ("Profit factor", "too few: 1 of 10"), ("Expectancy (USDT)", "too few: 1 of 10"),
    ):  # fmt: skip
        assert (found[name], samples[name]) == ("–", needs)


def test_a_simulated_run_says_so_and_runs_are_apart(database: Engine) -> None:
    real = a_year(database)
    demo = stored_run(database, kind="paper", source="demo")
    stored(database, *hourly(demo, ["5000", "5001"]))
    shown = page(FILE)
    assert "SIMULATED MARKET" in said(shown)
    assert metrics(shown)["Trades"] == "0"
    shown.selectbox(key="run_choice").select(real).run()
    assert not shown.exception
    assert metrics(shown)["Trades"] == "12"
    assert (
        ":orange[SIMULATED MARKET: results prove nothing, and its time runs fast.] 2024"
        not in said(shown)
    )


def test_a_period_changes_everything(database: Engine) -> None:
    a_year(database)
    shown = page(FILE)
    shown.segmented_control(key="performance_period").set_value("days7").run()
    assert not shown.exception
    assert metrics(shown)["Trades"] == "1"  # of day 33, of those the last six are 36..41
    assert "2024-02-03 to 2024-02-09, trading days of UTC" in said(shown).replace("\\", "")


@pytest.mark.parametrize("kind", ["strategy", "symbol", "hour"])
def test_every_grouping_is_drawn(database: Engine, kind: str) -> None:
    a_year(database)
    shown = page(FILE)
    shown.segmented_control(key="performance_by").set_value(kind).run()
    assert not shown.exception
    groups = shown.dataframe[0].value
    assert groups["Trades"].sum() == 12
    assert len(groups) == {"strategy": 1, "symbol": 2, "hour": 1}[kind]


def test_filters_leave_what_they_say(database: Engine) -> None:
    a_year(database)
    shown = page(FILE)
    assert len(shown.dataframe[1].value) == 12
    shown.selectbox(key="performance_result").select("losers").run()
    assert set(shown.dataframe[1].value["Net profit"]) == {"▼ −20.00"}
    shown.selectbox(key="performance_reason").select("target").run()
    assert "No trade matches these filters." in said(shown)


def test_a_page_in_korean_has_no_english_word_of_ours(database: Engine) -> None:
    a_year(database, source="demo")
    shown = page(FILE, chosen_language="ko")
    assert "샤프 지수" in metrics(shown)
    assert list(shown.dataframe[1].value["청산 사유"])[:3] == ["신호 청산", "손절", "익절"]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], bytes]]:
    """What the download button would make when it is clicked."""
    found: list[Callable[[], bytes]] = []
    original = st.download_button

    def keep(label: str, data: Callable[[], bytes], **given: Any) -> bool:
        found.append(data)
        return original(label, data, **given)

    monkeypatch.setattr(st, "download_button", keep)
    return found


def test_the_file_has_all_filtered_trades_exactly_and_executes_nothing(
    database: Engine, files: list[Callable[[], bytes]]
) -> None:
    run_id = stored_run(database)
    rows: list[SQLModel] = hourly(run_id, ["1000"])
    for n in range(60):
        rows += a_round_trip(
            run_id, n, 40 * n, f"-0.{n + 1:08d}", strategy="=1+2" if n else "@cmd", symbol=ETH
        )
    stored(database, *rows)
    page(FILE)
    raw = files[-1]()
    assert raw.startswith(b"\xef\xbb\xbf")
    table = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert len(table) == 60  # not only the 50 of the page
    assert table[0]["Net profit"] == "-0.00000060"
    assert table[-1]["Net profit"] == "-0.00000001"
    assert (table[0]["Strategy"], table[-1]["Strategy"]) == ("'=1+2", "'@cmd")
    assert table[-1]["Opened"] == "2024-01-01T00:00:00+00:00"
    assert {row["Run"] for row in table} == {f"r{run_id}"}


def test_older_and_newer_turn_the_pages(database: Engine) -> None:
    run_id = stored_run(database)
    rows: list[SQLModel] = hourly(run_id, ["1000"])
    for n in range(53):
        rows += a_round_trip(run_id, n, 40 * n, "1")
    stored(database, *rows)
    shown = page(FILE)
    assert len(shown.dataframe[1].value) == 50
    assert shown.button(key="performance_newer").disabled
    shown.button(key="performance_older").click().run()
    assert len(shown.dataframe[1].value) == 3
    assert shown.button(key="performance_older").disabled
    shown.button(key="performance_newer").click().run()
    assert len(shown.dataframe[1].value) == 50
