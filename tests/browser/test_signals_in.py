"""Signals in, in Chromium, beside a real HTTP server: a key is made, tested, put away, repeated."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from auto_trading.http.server import HttpService
from config.environment import Environment
from database import webhooks
from database.auto_trading_db import open_database, prepare, unit_of_work
from tests.browser.conftest import served
from tests.browser.visits import Visit
from tests.http_server import MASTER, Site, running, settings_with
from utils import reach_file
from utils.clocks import SystemClock
from utils.processes import own_process
from utils.reach_file import ReachFile

SOON = 20_000  # ms


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A console whose engine is the stand-in, and the server that signals are sent to."""
    folder = tmp_path_factory.mktemp("signals")
    environ = {"CTP_WEBHOOK_HMAC_SECRET": MASTER, "CTP_REACH__ENABLED": "true"}
    with served(folder, "tests.fake_engine", environ=environ) as address:
        places = Environment.current()
        database = open_database(places.database_url, durable=False, busy_seconds=1.0)
        prepare(database)
        reader = open_database(places.database_url, read_only=True, busy_seconds=1.0)
        site = Site(folder, settings_with(), database, reader)
        site.service = HttpService(replace(site.tools(), environment=places))
        me = own_process()
        with running(site.service):
            now = SystemClock().now().isoformat()
            file = ReachFile(me.host, me.pid, me.started, places.http_port, now)
            reach_file.write(folder, file)
            yield address
        (folder / "reach.json").unlink()  # it names this process, which `down` must not end
        database.dispose()
        reader.dispose()


def click_row(page: Page, table: int, row: int) -> None:
    """Rows are drawn on a canvas: the box before a row is hit by its place."""
    frame = page.get_by_test_id("stDataFrame").nth(table)
    frame.evaluate("e => e.scrollIntoView({block: 'center'})")
    box = frame.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 16, box["y"] + 53 + 30 * row)


def filling(browser: Browser, listening: str, name: str) -> Visit:
    """Open the page and the form of a new strategy, with its name in it."""
    visit = Visit(
        browser, listening, "/signals", viewport={"width": 1280, "height": 1400}, locale="en-US"
    )
    page = visit.page
    expect(page.get_by_text("Signals are taken at 127.0.0.1:")).to_be_visible(timeout=SOON)
    visit.settle()
    page.get_by_text("New strategy").click()
    page.get_by_role("textbox", name="Strategy", exact=True).fill(name)
    visit.settle()  # a click is lost where a table comes in between its two halves
    return visit


def test_a_strategy_is_made_tested_and_its_signal_repeated(
    listening: str, browser: Browser
) -> None:
    visit = filling(browser, listening, "scout")
    page = visit.page
    page.get_by_text("Require a signature (HMAC)").click()
    page.get_by_role("button", name="Create and show the key").click()
    shown = page.locator(".st-key-signals_key")
    expect(shown.get_by_text("This is the only time")).to_be_visible(timeout=SOON)
    address = shown.get_by_test_id("stCode").first.inner_text()
    assert address.startswith("http://127.0.0.1:")

    shown.get_by_role("button", name="Send a test signal").click()
    expect(shown.get_by_text("Answer 202")).to_be_visible(timeout=SOON)
    expect(shown.locator(".stMarkdownBadge", has_text="done")).to_be_visible(
        timeout=SOON
    )  # the engine's word
    shown.get_by_role("button", name="I have kept it").click()
    expect(shown).to_have_count(0, timeout=SOON)
    assert address.rpartition("/")[2] not in page.content()

    expect(page.get_by_text("1 signals, times in")).to_be_visible(timeout=SOON)
    click_row(page, 1, 0)
    body = page.locator(".st-key-signals_entry").get_by_test_id("stCode")
    expect(body).to_contain_text('"action": "cancel"', timeout=SOON)
    page.get_by_role("button", name="Replay").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("2 signals, times in")).to_be_visible(timeout=SOON)
    reader = open_database(Environment.current().database_url, read_only=True)
    with unit_of_work(reader) as session:
        newest, first = webhooks.journal_page(session)
    reader.dispose()
    assert (newest.replay_of, newest.replayed_by) == (first.id, "console")
    visit.close()


def test_one_click_is_one_signal_whatever_the_timers_do(listening: str, browser: Browser) -> None:
    """The moment between a click and its message is stretched until timers fall into it."""
    visit = filling(browser, listening, "once")
    page = visit.page
    page.get_by_role("button", name="Create and show the key").click()
    shown = page.locator(".st-key-signals_key")
    expect(shown.get_by_text("This is the only time")).to_be_visible(timeout=SOON)
    page.evaluate("""() => {
        const real = window.setTimeout;
        window.setTimeout = (f, ms, ...rest) => real(f, ms === 0 ? 5000 : ms, ...rest);
    }""")
    shown.get_by_role("button", name="Send a test signal").click()
    expect(shown.get_by_text("Answer 202")).to_be_visible(timeout=SOON)
    page.wait_for_timeout(6_000)
    reader = open_database(Environment.current().database_url, read_only=True)
    with unit_of_work(reader) as session:
        sent = [e for e in webhooks.journal_page(session) if e.strategy == "once"]
    reader.dispose()
    assert len(sent) == 1
    visit.close()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_the_page_fits_a_telephone(listening: str, browser: Browser, scheme: str) -> None:
    visit = Visit(
        browser, listening, "/signals", viewport={"width": 390, "height": 844}, locale="ko-KR",
        color_scheme=scheme,
    )  # fmt: skip
    expect(visit.page.get_by_text("신호 기록")).to_be_visible(timeout=SOON)
    visit.page.get_by_text("새 전략").click()
    expect(visit.page.get_by_text("서명(HMAC) 필수")).to_be_visible(timeout=SOON)
    assert visit.fits(390)
    visit.close()
