"""The backtest lab in Chromium: queue, progress, cancel, a restart of the console, a result."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from config.environment import Environment
from database import backtest_jobs
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.models import BacktestJobRow
from tests.browser.conftest import served
from tests.browser.visits import Visit
from tests.lab_results import store_candles

expect.set_options(timeout=60_000)  # a job begins a process of its own, beside other tests
ENVIRON = {"CTP_RESEARCH__WORKERS": "1"}


@pytest.fixture
def var_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture
def database(var_dir: Path) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("CTP_DATABASE_URL", "DATABASE_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CTP_VAR_DIR", str(var_dir))
        engine = open_database(Environment.current().database_url)
    prepare(engine)
    yield engine
    engine.dispose()


def opened(browser: Browser, address: str, width: int = 1280) -> Visit:
    visit = Visit(
        browser, address, "/backtest", viewport={"width": width, "height": 900}, locale="en-US"
    )
    expect(visit.page.locator(".st-key-lab_queue")).to_be_visible()
    return visit


def ask(page: Page, name: str) -> None:
    field = page.get_by_label("Name", exact=True)
    field.fill(name)
    field.press("Enter")
    run = page.locator(".st-key-lab_run button")
    expect(run).to_be_enabled()
    run.click()
    expect(page.locator(".st-key-lab_queue").get_by_text(name)).to_be_visible()


def job(database: Engine, job_id: int) -> BacktestJobRow:
    with unit_of_work(database) as session:
        row = backtest_jobs.find(session, job_id)
    assert row is not None
    return row


def test_a_backtest_is_one_click_and_its_result_comes_by_itself(
    browser: Browser, database: Engine, var_dir: Path, tmp_path: Path
) -> None:
    store_candles(database, tmp_path, bars=300)
    with served(var_dir, environ=ENVIRON) as address:
        visit = opened(browser, address, width=390)
        page = visit.page
        page.locator(".st-key-lab_run button").click()
        expect(page.locator(".st-key-lab_queue").get_by_text("ema_cross")).to_be_visible()
        expect(page.locator(".st-key-lab_headline")).to_be_visible()
        expect(page.get_by_text("Simulated on past candles")).to_be_visible()
        page.get_by_role("link", name="To the results").click()
        expect(page.get_by_role("heading", name="Results")).to_be_in_viewport()
        with page.expect_download() as download:
            page.get_by_role("button", name="report.html").click()
        assert Path(download.value.path()).read_text().startswith("<!doctype html>")
        assert visit.fits(390)
        visit.close()
    assert (job(database, 1).status, job(database, 1).backtest_id) == ("finished", 1)


@pytest.mark.slow  # a hundred whole backtests
def test_a_job_shows_its_progress_is_canceled_and_survives_a_restart_of_the_console(
    browser: Browser, database: Engine, var_dir: Path, tmp_path: Path
) -> None:
    store_candles(database, tmp_path, bars=1_500)
    with served(var_dir, environ=ENVIRON) as address:
        visit = opened(browser, address)
        page = visit.page
        # a hundred whole backtests by the slower engine: there is time to look
        page.get_by_role("radio", name="Monte Carlo").click()
        page.get_by_role("radio", name="Candles").click()
        page.get_by_role("radio", name="reference").click()
        ask(page, "unwanted")
        queue = page.locator(".st-key-lab_queue")
        expect(queue.get_by_text("/ 101", exact=False)).to_be_visible()
        page.locator(".st-key-lab_cancel_1 button").click()
        expect(queue.get_by_text("canceled").first).to_be_visible()
        assert job(database, 1).status == "canceled"
        ask(page, "wanted")
        expect(queue.get_by_text("/ 101", exact=False)).to_be_visible()
        visit.close()
    # nobody serves the console; the worker goes on
    worker = job(database, 2)
    assert worker.status in ("running", "finished")
    with served(var_dir, environ=ENVIRON) as address:
        visit = opened(browser, address)
        page = visit.page
        expect(page.locator(".st-key-lab_bands_candles")).to_be_visible(timeout=120_000)
        assert (job(database, 2).status, job(database, 2).attempts) == ("finished", 1)
        expect(page.get_by_text("Simulated on past candles")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("button", name="summary.json").click()
        assert (
            json.loads(Path(download.value.path()).read_text())["bands"]["candles"]["runs"] == 100
        )
        page.set_viewport_size({"width": 390, "height": 900})
        page.wait_for_timeout(500)
        assert visit.fits(390)
        visit.close()
