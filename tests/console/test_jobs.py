"""The page of the jobs in Streamlit's own harness: every state in words, and "run now"."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from config.job_schedule import ALL_TURNS
from database import commands, job_rows
from database.auto_trading_db import unit_of_work
from tests.console.shown import a_living_engine, page, said
from utils.clocks import SystemClock

FILE = "jobs_view.py"
NAMES = [name for turn in ALL_TURNS.values() for name in turn.names]


def ran(
    database: Engine, name: str, seconds_ago: float, error: str | None = None, *,
    is_over: bool = True,
) -> None:  # fmt: skip
    at = SystemClock().now() - timedelta(seconds=seconds_ago)
    with unit_of_work(database) as session:
        job_rows.begun(session, name, at)
        if is_over:
            job_rows.ended(session, name, at, at + timedelta(seconds=0.25), error)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_job_is_there_before_the_first_run(database: Engine, language: str) -> None:
    shown = page(FILE, chosen_language=language)
    never = "no run yet" if language == "en" else "실행 기록 없음"
    assert said(shown).count(f"{never}]") == len(NAMES)
    assert {f"job_run_{name}" for name in NAMES} <= {b.key for b in shown.button}


def test_there_is_a_page_before_there_is_a_database() -> None:
    assert "Jobs appear here as soon as there is a database" in said(page(FILE))


def test_without_an_engine_nothing_can_be_run(database: Engine) -> None:
    shown = page(FILE)
    assert "needs a running engine" in said(shown)
    assert all(shown.button(key=f"job_run_{name}").disabled for name in NAMES)


def test_one_click_runs_a_job(database: Engine) -> None:
    a_living_engine(database)
    shown = page(FILE)
    shown.button(key="job_run_order_status").click().run()
    assert not shown.exception
    with Session(database) as session:
        (row,) = commands.newest(session)
    assert (row.kind, row.payload) == ("run_job", {"job": "order_status"})


def test_how_the_jobs_went_and_when_they_run_again(database: Engine) -> None:
    a_living_engine(database)
    ran(database, "equity_snapshot", 20)
    ran(database, "order_status", 40, "the books *differ*")
    ran(database, "order_status", 10, "the books *differ*")
    ran(database, "retention", 900, is_over=False)
    ran(database, "train", 30, is_over=False)
    ran(database, "daily_metrics", 90, "locked")
    ran(database, "daily_metrics", 80)
    ran(database, "sweep", 80)
    told = said(page(FILE))
    for expected in (
        "**Equity snapshot** :green-badge[:material/check_circle: ok]",
        " s ago; took 0.250 s",
        "Every 1 min; next by",
        "**Reconciliation** :red-badge",
        "Failed 2 times in a row: the books *differ*",
        "**Clean-up** :red-badge[:material/error: hangs]",
        "more than 10 minutes",
        "**Model training** :blue-badge[:material/sync: running]",
        "Looks every 5 s and works when there is something to do",
        "Last failure, since overcome: locked",
        "**sweep**",
    ):
        assert expected in told, expected


def test_a_job_that_an_engine_left_behind_is_told(database: Engine) -> None:
    ran(database, "retention", 900, is_over=False)
    assert "The engine ended while it ran" in said(page(FILE))
