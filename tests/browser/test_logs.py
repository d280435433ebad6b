"""Logs, alerts and jobs in Chromium: a line opens, its story follows, one click acknowledges."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from config.environment import Environment
from crypto_trader_pro.domain.enums import Component, NotificationType
from crypto_trader_pro.domain.ports import LogEntry
from database import alerts
from database.auto_trading_db import open_database, unit_of_work
from database.log_rows import LogTable
from tests.browser.conftest import served
from tests.browser.visits import Visit
from utils.clocks import SystemClock

# the chosen word is in a field or beside it
_ALL_LEVELS = """() => { const e = document.querySelector('.st-key-logs_level');
  return e && (e.innerText + [...e.querySelectorAll('input')].map(i => i.value + i.ariaLabel))
    .includes('All levels'); }"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A console with an engine, some lines of the log and an alert."""
    with served(tmp_path_factory.mktemp("logs"), "tests.fake_engine") as address:
        database, now = open_database(Environment.current().database_url), SystemClock().now()
        lines = [
            LogEntry(now - timedelta(seconds=60 - k), level, Component.RISK, f"line {k}",
                     {"lots": k}, "r1:BTC/USDT:5" if k < 2 else None, 1)
            for k, level in enumerate(["INFO", "WARNING", "ERROR"])
        ]  # fmt: skip
        LogTable(database).write(lines)
        with unit_of_work(database) as session:
            alerts.raise_alert(
                session, NotificationType.SYSTEM_ERROR, "error", "job_failed",
                {"job": "retention", "error": "the disk is full"}, at=now, now=now,
            )  # fmt: skip
        database.dispose()
        yield address


def click_row(page: Page, row: int) -> None:
    """Rows are drawn on a canvas: the box before a row is hit by its place."""
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 16, box["y"] + 53 + 30 * row)


def test_a_line_opens_and_leads_to_its_story_and_back(written: str, browser: Browser) -> None:
    visit = Visit(
        browser, written, "/logs", viewport={"width": 1280, "height": 900}, locale="en-US"
    )
    page = visit.page
    page.get_by_test_id("stDataFrame").first.wait_for(timeout=30_000)
    click_row(page, 1)
    expect(page.get_by_test_id("stCode")).to_have_text("line 1", timeout=20_000)
    expect(page.get_by_text("Following pauses while a line is open")).to_be_visible()
    page.get_by_role("button", name="Only the lines of this id").click()
    expect(page.get_by_text("2 lines under r1:BTC/USDT:5, in order")).to_be_visible(timeout=20_000)
    page.wait_for_url("**/logs?correlation=*", timeout=20_000)
    page.get_by_role("button", name="Back to all lines").click()
    expect(page.get_by_role("button", name="Newest")).to_be_visible(timeout=20_000)
    visit.close()


@pytest.mark.parametrize(
    ("path", "word"),
    [("/logs", "레벨"), ("/alerts", "심각도"), ("/jobs", "지금 실행")],
)
def test_the_pages_fit_a_telephone(written: str, browser: Browser, path: str, word: str) -> None:
    visit = Visit(
        browser, written, path, viewport={"width": 390, "height": 844}, locale="ko-KR",
        color_scheme="dark",
    )  # fmt: skip
    expect(visit.page.get_by_text(word).first).to_be_visible(timeout=30_000)
    assert visit.fits(390)
    visit.close()


def test_an_alert_is_acknowledged_and_leads_to_the_log_of_its_moment(
    written: str, browser: Browser
) -> None:
    visit = Visit(
        browser, written, "/alerts", viewport={"width": 1280, "height": 900}, locale="en-US"
    )
    page = visit.page
    expect(page.get_by_text("Job retention failed: the disk is full")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Acknowledge", exact=True).click()
    asked = page.get_by_text("acknowledge an alert").first
    expect(asked).to_be_visible(timeout=20_000)  # in the head of the page, with what became of it
    page.get_by_role("link", name="Log lines of that moment").click()
    page.wait_for_url("**/logs*", timeout=20_000)
    expect(page.get_by_text(re.compile(r"^\d+ lines, "))).to_be_visible(timeout=30_000)
    page.wait_for_function(_ALL_LEVELS, timeout=20_000)
    visit.close()
