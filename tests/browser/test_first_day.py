"""A trader's first day, in Chromium beside a real engine on the demo market.

Start, the first fill, why it came, stop, emergency stop until flat, re-arm; then the engine dies
while somebody watches.
"""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import served
from tests.browser.visits import Visit
from tests.engines import command

WIDE = {"width": 1280, "height": 1000}
SOON = 20_000  # milliseconds; a machine that does much else is slow


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console with a real engine beside it, which has nothing to do yet."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CTP_MARKET_DATA__SOURCE", "demo")
        folder: Path = tmp_path_factory.mktemp("desk")
        with served(folder, "crypto_trader_pro", "engine", "run") as address:
            yield address


def head(page: Page) -> str:
    return page.locator(".st-key-states").inner_text()


def visit(browser: Browser, address: str, path: str = "") -> Visit:
    return Visit(browser, address, path, viewport=WIDE, locale="en-US", timezone_id="Asia/Seoul")


def test_from_start_to_the_first_understood_trade(desk: str, browser: Browser) -> None:
    seen = visit(browser, desk)
    page = seen.page
    expect(page.locator(".st-key-states")).to_contain_text("engine stopped", timeout=60_000)
    page.get_by_role("button", name="Start trading").click()
    expect(page.locator(".st-key-notes")).to_contain_text("start trading done", timeout=SOON)
    expect(page.locator(".st-key-states")).to_contain_text("engine running", timeout=SOON)
    expect(page.locator(".st-key-notes")).to_contain_text("SIMULATED MARKET")

    page.get_by_role("link", name="Monitoring").click()
    trades = page.locator("[class*=st-key-trades_] canvas").first
    trades.wait_for(timeout=90_000)  # the first fill
    trades.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = trades.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 16, box["y"] + 48)
    link = page.get_by_role("link", name=re.compile("decision"))
    link.wait_for(timeout=SOON)
    link.click()
    story = page.locator(".st-key-decisions_story")
    expect(story).to_contain_text("was sent", timeout=SOON)
    expect(story).to_contain_text("18 rules were asked, 0 refused")
    expect(story).to_contain_text("the smallest bound was")
    story.get_by_role("button", name="Close").click()
    expect(story).not_to_be_visible(timeout=SOON)
    seen.close()


def test_stop_then_emergency_stop_until_flat_then_re_arm(desk: str, browser: Browser) -> None:
    """Continues the day: positions are open."""
    seen = visit(browser, desk)
    page = seen.page
    page.get_by_role("button", name="Stop trading").click()
    expect(page.locator(".st-key-notes")).to_contain_text("stop trading done", timeout=SOON)
    expect(page.locator(".st-key-states")).to_contain_text("engine stopped", timeout=SOON)
    assert command("status", "--json").result()["trading_state"] == "active"

    page.get_by_role("link", name="Monitoring").click()  # it is in reach on every page
    page.get_by_role("button", name="Emergency stop").dblclick()
    expect(page.locator(".st-key-states")).to_contain_text("trading halted", timeout=SOON)
    # done, or by flag file where the database took more than its moment
    expect(page.locator(".st-key-notes")).to_contain_text(
        re.compile("emergency stop (done|.*flag file)"), timeout=SOON
    )
    until_flat = time.monotonic() + 10
    while command("status", "--json").result()["open_positions"]:
        assert time.monotonic() < until_flat
    told = command("status", "--json").result()
    assert (told["open_positions"], told["trading_state"]) == (0, "halted")

    page.get_by_role("link", name="Control panel").click()
    steps = page.locator(".st-key-control_emergency_steps")
    expect(steps).to_contain_text(re.compile("flat", re.IGNORECASE), timeout=SOON)
    word = page.get_by_placeholder("REARM")
    word.fill("rearm")
    page.get_by_role("button", name="Re-arm").click()
    expect(page.locator(".st-key-notes")).to_contain_text("must be REARM", timeout=SOON)
    page.get_by_placeholder("REARM").fill("REARM")
    page.get_by_role("button", name="Re-arm").click()
    expect(page.locator(".st-key-notes")).to_contain_text("re-arm done", timeout=SOON)
    expect(page.locator(".st-key-states")).to_contain_text("trading active", timeout=SOON)
    seen.close()


def test_two_tabs_see_what_one_of_them_asked(desk: str, browser: Browser) -> None:
    one, other = visit(browser, desk), visit(browser, desk, "/monitoring")
    one.page.get_by_role("button", name="Start trading").click()
    expect(other.page.locator(".st-key-states")).to_contain_text("engine running", timeout=SOON)
    assert "start trading" not in other.page.locator(".st-key-notes").inner_text()
    one.close()
    other.close()


def test_an_engine_that_dies_is_seen_dying(desk: str, browser: Browser) -> None:
    """Last of the day."""
    seen = visit(browser, desk, "/monitoring")
    page = seen.page
    expect(page.locator(".st-key-states")).to_contain_text("engine running", timeout=SOON)
    os.kill(command("status", "--json").result()["engine_pid"], signal.SIGKILL)
    expect(page.locator(".st-key-states")).to_contain_text("engine faulted", timeout=SOON)
    grey = "() => [...document.querySelectorAll('[class*=st-key-stale_]')].length > 0"
    page.wait_for_function(grey, timeout=SOON)
    page.get_by_role("button", name="Emergency stop").click()  # and it still says what it can do
    expect(page.locator(".st-key-notes")).to_contain_text(
        "no engine runs; it takes effect when one starts", timeout=SOON
    )
    seen.close()
