"""Words that others wrote are shown as text, whatever they try; nothing of one tab is another's."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import delete

from config.environment import Environment
from crypto_trader_pro.domain.enums import CommandKind
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.models import EngineLeaseRow
from database.outbox import MESSAGE_CODE
from tests.browser.conftest import served
from tests.browser.test_control_panel import metric
from tests.browser.visits import Visit
from tests.console.control_view import VIEW
from tests.console.shown import a_living_engine
from tests.console_fixtures import Installation
from tests.rows import a_decision, a_position, an_alert, stored
from utils.clocks import SystemClock
from utils.processes import own_process

SOON: Final = 15_000  # ms
WIDE: Final = {"width": 1280, "height": 900}
EVIL: Final = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "[link](javascript:alert(1)) ![image](http://evil.example/x.png) $x^2$ :red[soon]"
    " **bold** `code` :smile: &lt; https://evil.example me@evil.example"
)
LONG: Final = "A" * 60 + "/USDT"
# what Markdown or HTML would have made of it; a table's own canvas may hold images of its own
MADE: Final = (
    "[data-testid=stMain] :is(a[href^='javascript'],img[src*='evil'],img[src='x'],"
    ".katex,strong:text-is('bold'),code:text-is('code'),span:text-is('soon'))"
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A console over an installation whose every word is hostile; its engine fell silent."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CTP_VAR_DIR", str(folder))
        database = open_database(Environment.current().database_url)
    prepare(database)
    locks = {EVIL: "2026-01-02T15:00:00+00:00"}
    gone = own_process()._replace(started=1)  # or the end of the console would end us
    a_living_engine(
        database, gone, last_error=f"# {EVIL}\n\n- a list\n1. another",
        view=VIEW | {"locks": locks, "equity": "-12345678901.123456789", "cash": "-0.00000001"},
    )  # fmt: skip
    at = SystemClock().now()
    stored(
        database,
        an_alert(code=MESSAGE_CODE, numbers={"message": EVIL}, raised_at=at, at=at),
        an_alert(code=EVIL, numbers={"<b>": EVIL}, raised_at=at, at=at),
        a_decision(1, symbol=EVIL, outcome="hold"),
        a_position(1, symbol=LONG),
        a_position(1, symbol=EVIL),
    )
    database.dispose()
    with served(folder) as address:
        yield address


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("", "me@evil.example"), ("/alerts", "[link](javascript:alert(1))"),
        ("/monitoring", "AAAA"), (f"/decisions?decision={quote(EVIL)}", "**bold**"),
        (f"/logs?correlation={quote(EVIL)}", ":red[soon]"), (f"/logs?at={quote(EVIL)}", "<script>"),
        (f"/settings?section={quote(EVIL)}", "Last error"), ("/jobs", "Last error"),
    ],
)  # fmt: skip
def test_what_others_wrote_is_text(hostile: str, browser: Browser, path: str, seen: str) -> None:
    visit = Visit(browser, hostile, path, viewport=WIDE, locale="en-US")
    page = visit.page
    expect(page.get_by_text("Last error").first).to_be_visible(timeout=SOON)
    expect(page.get_by_text(seen).first).to_be_visible(timeout=SOON)
    assert page.locator(MADE).evaluate_all("all => all.map(one => one.outerHTML)") == []
    links = page.locator("[data-testid=stMain] a[href*='evil']")
    told = links.evaluate_all("all => all.map(one => [one.href, one.textContent])")
    # a bare address leads where it says, nothing else leads anywhere
    assert [(a, said) for a, said in told if a.removeprefix("mailto:").strip("/") != said] == []
    assert page.title() != "owned"
    assert visit.fits(1280)
    visit.close()


def test_the_stop_is_up_within_a_second_whatever_the_database_does(
    browser: Browser, tmp_path: Path
) -> None:
    """The file is held by another for good while all parts of the page ask for it."""
    file = tmp_path / "crypto_trader_pro.db"
    database = open_database(f"sqlite:///{file}")
    prepare(database)
    a_living_engine(database, own_process()._replace(started=1), view=VIEW)
    database.dispose()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")  # a reader of WAL is held up by nobody
    with served(tmp_path) as address, closing(sqlite3.connect(file, isolation_level=None)) as other:
        visit = Visit(browser, address, viewport=WIDE, locale="en-US")
        page = visit.page
        expect(page.get_by_text("The engine vanished without").first).to_be_visible(timeout=SOON)
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        expect(page.get_by_text("The database does not answer")).to_be_visible(timeout=SOON)
        expect(page.get_by_text("it could not be read anew").first).to_be_visible(timeout=SOON)
        grey = "getComputedStyle(document.querySelector('[class*=st-key-stale_]')).opacity"
        assert float(page.evaluate(grey)) < 1
        began = time.monotonic()
        page.get_by_role("button", name="Emergency stop").click()
        flag = tmp_path / "control" / CommandKind.EMERGENCY_STOP.value
        while not flag.exists():
            assert time.monotonic() - began < 1
            time.sleep(0.01)
        print(f"the flag was up after {time.monotonic() - began:.2f} s")
        expect(page.get_by_text("the flag file is up").first).to_be_visible(timeout=SOON)
        other.execute("ROLLBACK")
        other.close()
        expect(page.get_by_text("The database does not answer")).to_have_count(0, timeout=SOON)
        expect(page.get_by_text("it could not be read anew")).to_have_count(0, timeout=SOON)
        visit.close()


@pytest.mark.slow  # 20 s; caches by language are asked in tests/console too
def test_two_operators_read_their_own_language_and_colours(
    small_installation: Installation, browser: Browser
) -> None:
    """What is kept for all tabs is kept for each language, zone and palette."""
    database = open_database(small_installation.database_url)
    with unit_of_work(database) as session:  # it names this process, which "down" would end
        session.exec(delete(EngineLeaseRow))
    database.dispose()
    with served(small_installation.var_dir) as address:
        korean = Visit(
            browser, address, "/performance", viewport=WIDE, locale="ko-KR",
            timezone_id="Asia/Seoul",
        )  # fmt: skip
        english = Visit(
            browser, address, "/performance", viewport=WIDE, locale="en-US",
            timezone_id="America/New_York",
        )  # fmt: skip
        for path in ("/performance", "/monitoring", "/decisions", "/models", ""):
            for visit in (korean, english):
                visit.page.goto(address + path, wait_until="domcontentloaded")
            for visit in (korean, english):
                visit.page.get_by_test_id("stHeading").first.wait_for(timeout=30_000)
                visit.page.wait_for_timeout(700)
            main = "[data-testid=stMain]"
            words = english.page.locator(main).inner_text()
            assert re.findall("[가-힣]+", words) == [], path
            assert "KST" not in words, path
            assert re.findall("[가-힣]{2}", korean.page.locator(main).inner_text()), path
            assert "EST" not in korean.page.locator(main).inner_text(), path
        korean.close()
        english.close()


def test_buttons_clicked_twice_ask_once_and_the_way_back_leaves_no_half_question(
    console: str, browser: Browser
) -> None:
    visit = Visit(browser, console, viewport=WIDE, locale="en-US")
    page = visit.page
    expect(metric(page, "Last heartbeat")).to_contain_text("ago", timeout=SOON)
    page.get_by_role("button", name="Emergency stop").dblclick()
    word = page.get_by_placeholder("REARM")
    word.fill("REARM")
    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_test_id("stHeading").first).to_contain_text("Jobs")
    page.get_by_role("button", name="Run now").first.dblclick()
    expect(page.locator(".st-key-notes").get_by_text("done").first).to_be_visible(timeout=SOON)
    page.go_back()
    expect(metric(page, "Trading state")).to_contain_text("halted", timeout=SOON)
    expect(page.get_by_placeholder("REARM")).to_have_value("", timeout=SOON)
    expect(page.get_by_role("listitem").filter(has_text="by console")).to_have_count(2)
    visit.close()
