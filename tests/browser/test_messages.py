"""What is clicked while pages change arrives once, where it belongs, however messages overtake."""

import time
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from crypto_trader_pro.domain.enums import CommandKind
from tests.browser.conftest import served
from tests.browser.test_control_panel import SOON, WIDE, kinds, metric
from tests.browser.visits import Visit
from tests.market_data import ROOT

# keeps what the page would send, until `release` sends it: from number `first` on, then the rest
_HOLD = """() => {
    const real = WebSocket.prototype.send, held = [];
    let holds = true;
    WebSocket.prototype.send = function (message) {
        if (holds) held.push([this, message]);
        else real.call(this, message);
    };
    window.heldMessages = () => held.length;
    window.release = first => {
        holds = false;
        for (const [socket, message] of [...held.slice(first), ...held.slice(0, first)])
            real.call(socket, message);
    };
}"""


def held(page: Page) -> int:
    page.wait_for_timeout(200)  # the browser sends in its next free moment
    return int(page.evaluate("heldMessages()"))


def test_what_a_left_page_still_asks_for_does_not_empty_the_window(
    console: str, browser: Browser
) -> None:
    visit = Visit(browser, console, viewport=WIDE, locale="en-US")
    page = visit.page
    page.get_by_role("link", name="Jobs").click()
    run_now = page.get_by_role("button", name="Run now").first
    expect(run_now).to_be_visible(timeout=SOON)
    page.evaluate(_HOLD)
    run_now.click()
    first = held(page)
    page.go_back()
    assert held(page) > first > 0
    page.evaluate(f"release({first})")  # the way back overtakes the click
    expect(metric(page, "Trading state")).to_be_visible(timeout=SOON)
    page.wait_for_timeout(4_500)  # each part is drawn anew meanwhile
    expect(metric(page, "Trading state")).to_be_visible()
    visit.close()


def test_an_emergency_stop_between_two_pages_is_not_lost(console: str, browser: Browser) -> None:
    visit = Visit(browser, console, viewport=WIDE, locale="en-US")
    page = visit.page
    expect(metric(page, "Trading state")).to_be_visible(timeout=SOON)
    before = kinds().count("emergency_stop")
    page.evaluate(_HOLD)
    for name in ("Performance", "Logs"):
        page.get_by_role("link", name=name).click()
        if name == "Performance":
            page.get_by_role("button", name="Emergency stop").click()
        assert held(page) > 0
    page.evaluate("release(0)")
    expect(page.get_by_test_id("stHeading").first).to_contain_text("Logs", timeout=SOON)
    deadline = time.monotonic() + 10.0
    while kinds().count("emergency_stop") == before and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert kinds().count("emergency_stop") == before + 1
    visit.close()


def test_an_emergency_stop_waits_for_no_page(tmp_path: Path, browser: Browser) -> None:
    with served(tmp_path, environ={"PYTHONPATH": str(ROOT / "tests" / "slow_pages")}) as address:
        visit = Visit(browser, address, viewport=WIDE, locale="en-US")
        page = visit.page
        stop = page.get_by_role("button", name="Emergency stop")
        expect(stop).to_be_visible(timeout=SOON)
        page.get_by_role("link", name="Walk").click()
        expect(page.get_by_test_id("stHeading").first).to_contain_text("Walk", timeout=SOON)
        began = time.monotonic()
        stop.click()
        flag = tmp_path / "control" / CommandKind.EMERGENCY_STOP.value
        while not flag.exists():
            assert time.monotonic() - began < 1
            time.sleep(0.01)
        print(f"the flag was up after {time.monotonic() - began:.2f} s")
        expect(page.get_by_text("asked").first).to_be_visible(timeout=SOON)  # once it is drawn
        visit.close()
