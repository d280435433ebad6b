"""What surrounds every page: stop in reach, choices that last, no other host or origin."""

import http.client
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, expect

from auto_trading_dashboard.navigation import entries
from tests.browser.conftest import served
from tests.browser.visits import Visit, is_open
from tests.market_data import ROOT
from tests.processes import a_port

PATHS = [f"/{entry.path}" for entry in entries()]
WIDE = {"width": 1280, "height": 900}
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455, section 1.3


def handshake(address: str, **headers: str) -> int:
    """Return the status with which the console answers a WebSocket of these headers."""
    at = urlsplit(address)
    connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=10)
    given = {
        "Host": at.netloc, "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Key": _KEY, "Sec-WebSocket-Version": "13", **headers,
    }  # fmt: skip
    connection.putrequest("GET", "/_stcore/stream", skip_host=True, skip_accept_encoding=True)
    for name, value in given.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_first_page_ever_asked_for_is_a_deep_link_and_has_its_frame(
    browser: Browser, tmp_path: Path
) -> None:
    with served(tmp_path) as address:
        visit = Visit(browser, address, "/decisions", viewport=WIDE, locale="en-US")
        expect(visit.page.get_by_role("button", name="Emergency stop")).to_be_visible()
        expect(visit.page.get_by_role("link", name="Monitoring")).to_be_visible()
        visit.close()


def test_no_page_asks_another_host(console: str, browser: Browser) -> None:
    """Every request is recorded; a second proof: this browser finds no other host anyway."""
    visit = Visit(browser, console, viewport=WIDE, locale="ko-KR")
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        visit.context.new_page().goto("http://localhost")
    for path in PATHS:
        visit.page.goto(console + path, wait_until="domcontentloaded")
        visit.page.get_by_test_id("stHeading").first.wait_for(timeout=30_000)
        expect(visit.page.locator(".st-key-emergency_stop button")).to_be_visible()
        visit.page.wait_for_timeout(500)
    visit.close()


def test_emergency_stop_stays_in_sight_on_a_long_page(console: str, browser: Browser) -> None:
    for width, height in ((1280, 900), (390, 500)):
        viewport = {"width": width, "height": height}
        visit = Visit(browser, console, "/walk", viewport=viewport, locale="en-US")
        page = visit.page
        scroll = "document.querySelector('[data-testid=stMain]').scrollTo(0, 100000)"
        moved = "document.querySelector('[data-testid=stMain]').scrollTop"
        page.wait_for_function(f"() => {{ {scroll}; return {moved} > 300 }}")
        box = page.locator(".st-key-emergency_stop button").bounding_box()
        assert box is not None
        assert 30 <= box["y"] <= 120
        assert box["x"] + box["width"] <= width
        hit = page.evaluate(
            "([x, y]) => document.elementFromPoint(x, y).closest('button')?.innerText",
            [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2],
        )
        assert "Emergency stop" in hit  # nothing lies over it
        visit.close()


def test_language_and_colours_last_across_tabs_of_a_browser(console: str, browser: Browser) -> None:
    visit = Visit(browser, console, viewport=WIDE, locale="ko-KR")
    page = visit.page
    expect(page.get_by_role("button", name="긴급 중단")).to_be_visible()
    page.get_by_role("radio", name="영어").click()
    expect(page.get_by_role("button", name="Emergency stop")).to_be_visible()
    page.get_by_role("radio", name="▲ red").click()  # English begins with green
    page.wait_for_function("() => document.cookie.includes('ctp_palette=kr')")
    second = visit.context.new_page()
    second.goto(f"{console}/monitoring", wait_until="domcontentloaded")
    expect(second.get_by_role("button", name="Emergency stop")).to_be_visible(timeout=30_000)
    expect(second.get_by_role("radio", name="▲ red")).to_be_checked()
    visit.close()


def test_a_theme_that_was_chosen_holds_on_every_page(console: str, browser: Browser) -> None:
    visit = Visit(browser, console, viewport=WIDE, locale="en-US", color_scheme="light")
    page = visit.page
    page.get_by_test_id("stMainMenu").click()
    page.get_by_test_id("stMainMenuItem-theme-Dark").click()
    dark = "() => getComputedStyle(document.querySelector('.stApp')).backgroundColor"
    page.wait_for_function(f"() => ({dark})() === 'rgb(14, 17, 22)'")
    page.wait_for_timeout(1200)  # the script that copies the choice looks twice a second
    page.goto(f"{console}/logs", wait_until="domcontentloaded")
    page.get_by_test_id("stHeading").first.wait_for(timeout=30_000)
    assert page.evaluate(dark) == "rgb(14, 17, 22)"
    visit.close()


def test_back_button_unknown_address_and_reload(console: str, browser: Browser) -> None:
    visit = Visit(browser, console, viewport=WIDE, locale="en-US")
    page = visit.page
    page.get_by_role("link", name="Logs").click()
    expect(page.get_by_test_id("stHeading").first).to_contain_text("Logs")
    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_test_id("stHeading").first).to_contain_text("Jobs")
    page.go_back()
    expect(page.get_by_test_id("stHeading").first).to_contain_text("Logs")
    page.reload(wait_until="domcontentloaded")
    expect(page.get_by_test_id("stHeading").first).to_contain_text("Logs", timeout=30_000)
    page.goto(f"{console}/nowhere", wait_until="domcontentloaded")
    expect(page.get_by_role("button", name="Emergency stop")).to_be_visible(timeout=30_000)
    visit.errors.clear()  # the address does not exist, and the client says so
    visit.close()


def test_a_page_of_another_site_cannot_speak_to_the_console(console: str) -> None:
    own = urlsplit(console).netloc
    assert handshake(console, Origin=console) == 101
    assert handshake(console, Origin="http://evil.example") == 403
    assert handshake(console, Host="evil.example", Origin="http://evil.example") in (400, 403)
    assert handshake(console, Host="evil.example", Origin=f"http://{own}") in (400, 403)


def test_any_address_but_loopback_is_refused(browser: Browser, tmp_path: Path) -> None:
    """Served by hand and open to the network, it shows one sentence and touches nothing."""
    port = a_port()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "var"))
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "main_platform.py",
             "--server.address", "0.0.0.0",  # noqa: S104  what is refused
             "--server.port", str(port)],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 30
            while not is_open(port):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            page = browser.new_page(locale="en-US")
            page.goto(f"http://127.0.0.1:{port}/", wait_until="domcontentloaded")
            refusal = page.get_by_text("The console is served at 0.0.0.0 and refuses")
            expect(refusal).to_be_visible(timeout=30_000)
            assert page.get_by_role("button", name="Emergency stop").count() == 0
            page.context.close()
        finally:
            process.terminate()
            process.wait(10)
    assert not (tmp_path / "var").exists()


def test_the_console_listens_on_loopback_only(console: str) -> None:
    port = urlsplit(console).port
    assert port is not None
    inodes = [
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].split(":")[1], 16) == port
    ]
    assert inodes == [f"0100007F:{port:04X}"]  # 127.0.0.1, in the kernel's byte order
    with socket.socket() as probe:
        probe.settimeout(5)
        assert probe.connect_ex(("127.0.0.1", port)) == 0
