"""The control panel in Chromium: two sizes, two themes, an engine beside it, and its end."""

import os
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from config.environment import Environment
from database import commands
from database.auto_trading_db import open_database, unit_of_work
from tests.browser.conftest import served
from tests.browser.visits import Visit
from tests.engines import command

WIDE = {"width": 1280, "height": 900}
SOON = 15_000  # ms


def metric(page: Page, label: str) -> Locator:
    """Return a figure by its label."""
    return page.get_by_test_id("stMetric").filter(has_text=label)


def kinds() -> list[str]:
    reader = open_database(Environment.current().database_url, read_only=True)
    try:
        with unit_of_work(reader) as session:
            return [row.kind for row in reversed(commands.newest(session))]
    finally:
        reader.dispose()


@pytest.mark.parametrize(
    ("width", "height", "scheme", "locale"),
    [
        (1280, 900, "dark", "ko-KR"),
        (390, 844, "light", "en-US"),
        pytest.param(768, 900, "light", "ko-KR", marks=pytest.mark.slow),
        pytest.param(390, 844, "dark", "ko-KR", marks=pytest.mark.slow),
    ],
)
def test_the_page_fits_and_speaks_the_browsers_language(
    console: str, browser: Browser, width: int, height: int, scheme: str, locale: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    visit = Visit(
        browser, console, viewport={"width": width, "height": height}, color_scheme=scheme,
        locale=locale,
    )  # fmt: skip
    page = visit.page
    start, safe = ("자동매매 시작", "안전 점검") if locale == "ko-KR" else (
        "Start trading", "Safety checks"
    )  # fmt: skip
    button = page.get_by_role("button", name=start)
    expect(button).to_be_visible()
    expect(page.get_by_role("heading", name=safe)).to_be_visible(timeout=SOON)
    box = button.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < height  # never below the fold
    assert visit.fits(width)
    background = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert background == ("rgb(14, 17, 22)" if scheme == "dark" else "rgb(255, 255, 255)")
    visit.picture(f"control-{width}-{scheme}-{locale}", tmp_path)
    visit.close()


def test_start_emergency_and_re_arm_are_asked_done_and_seen(console: str, browser: Browser) -> None:
    visit = Visit(browser, console, viewport=WIDE, locale="en-US")
    page = visit.page
    start = page.get_by_role("button", name="Start trading")
    requests = page.get_by_role("listitem").filter(has_text="by console")

    start.dblclick()
    expect(page.get_by_text("The engine trades, as wanted.")).to_be_visible(timeout=SOON)
    expect(requests.first).to_contain_text("done by console", timeout=SOON)
    assert kinds() == ["start"]  # a double click is one command

    page.get_by_role("button", name="Emergency stop").click()
    expect(metric(page, "Trading state")).to_contain_text("halted", timeout=SOON)
    expect(start).to_be_disabled()
    word = page.get_by_placeholder("REARM")
    word.fill("rearm")
    page.wait_for_timeout(4_500)  # the part is drawn anew meanwhile; what was typed stays
    expect(word).to_have_value("rearm")
    page.get_by_role("button", name="Re-arm").click()
    expect(page.get_by_text('The confirmation was "rearm", it must be REARM.')).to_be_visible()
    word.fill("REARM")
    page.get_by_role("button", name="Re-arm").click()
    expect(metric(page, "Trading state")).to_contain_text("active", timeout=SOON)
    expect(word).to_have_count(0, timeout=SOON)
    expect(start).to_be_enabled()
    assert kinds() == ["start", "emergency_stop", "rearm"]
    visit.close()


def test_the_help_of_a_page_leads_to_its_part_of_the_walk(console: str, browser: Browser) -> None:
    visit = Visit(browser, console, "/decisions", viewport=WIDE, locale="ko-KR")
    page = visit.page
    page.get_by_role("link", name="화면 읽는 법").click()
    part = page.locator("#decisions")  # the page before has a heading of this name too
    expect(part).to_be_in_viewport(timeout=SOON)
    page.wait_for_timeout(500)
    box = part.bounding_box()
    assert box is not None
    assert 100 < box["y"] < 400  # below the frame's head, not behind it
    visit.close()


def test_the_heartbeat_goes_on_without_a_reload_and_shows_its_end(
    console: str, browser: Browser
) -> None:
    """Last with this console: the engine dies."""
    visit = Visit(browser, console, viewport={"width": 390, "height": 844}, locale="en-US")
    page = visit.page
    expect(metric(page, "Last heartbeat")).to_contain_text("0 s ago", timeout=SOON)
    page.get_by_role("button", name="Start trading").click()
    expect(metric(page, "Actual")).to_contain_text("running", timeout=SOON)
    pid = command("status", "--json").result()["engine_pid"]
    os.kill(pid, signal.SIGKILL)
    expect(metric(page, "Actual")).to_contain_text("faulted", timeout=SOON)
    expect(page.get_by_text("The engine vanished without a word")).to_be_visible()
    expect(page.get_by_text("No engine tells: the last stored figures")).to_be_visible()
    visit.close()


@pytest.mark.slow
def test_from_nothing_to_the_first_fill_by_two_clicks(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A console alone: it starts the engine that is missing, and the engine trades."""
    monkeypatch.setenv("CTP_MARKET_DATA__SOURCE", "demo")
    with served(tmp_path) as address:
        visit = Visit(browser, address, viewport=WIDE, locale="en-US")
        page = visit.page
        expect(page.get_by_text("Three steps to the first fill")).to_be_visible(timeout=SOON)
        page.get_by_role("button", name="Start the engine").click()
        expect(page.get_by_text("The engine watches the market and sends")).to_be_visible(
            timeout=60_000
        )
        page.get_by_role("button", name="Start trading").click()
        expect(page.get_by_text("On the demo market it usually comes")).to_be_visible(timeout=SOON)
        expect(page.get_by_text("Three steps to the first fill")).to_have_count(0, timeout=90_000)
        expect(metric(page, "Open positions / limit")).to_contain_text("/ 5")
        expect(page.get_by_text("The engine trades, as wanted.")).to_be_visible()
        visit.close()
