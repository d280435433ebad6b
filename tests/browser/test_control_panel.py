"""The first page in Chromium: served by `console`, an engine beside it, two sizes, two themes."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from config.environment import Environment
from database import commands
from database.auto_trading_db import open_database, unit_of_work
from tests.engines import command
from tests.market_data import ROOT

CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
# two addresses that Streamlit's client probes under the page's own path first
_PROBES: Final = ("_stcore/health", "_stcore/host-config")


def a_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console whose engine is the stand-in, which answers at once."""
    port = a_port()
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path_factory.mktemp("console")))
        monkeypatch.setenv("CTP_CONSOLE_PORT", str(port))
        monkeypatch.setenv("CTP_HTTP_PORT", str(a_port()))
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        started = [
            subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT)
            for words in (("tests.fake_engine",), ("crypto_trader_pro", "console"))
        ]
        deadline = time.monotonic() + 60
        while not is_open(port):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        assert command("down").code == 0
        for process in started:
            process.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield found
        found.close()


class Visit:
    """One page in a context of its own, with what went wrong on it."""

    def __init__(self, browser: Browser, address: str, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._requested)
        self._address = address
        self.page.goto(address, wait_until="domcontentloaded")
        self.page.get_by_test_id("stMetric").nth(9).wait_for(timeout=60_000)

    def _note(self, message: Any) -> None:
        if message.type == "error" and not any(p in str(message.location) for p in _PROBES):
            self.errors.append(message.text)

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self._address, "data:", "blob:")):
            self.foreign.append(request.url)

    def close(self) -> None:
        self.context.close()
        assert (self.errors, self.foreign) == ([], [])


@pytest.mark.parametrize(
    ("width", "height", "scheme", "locale"),
    [
        (1280, 900, "dark", "ko-KR"),
        (390, 844, "light", "en-US"),
        pytest.param(1280, 900, "light", "en-US", marks=pytest.mark.slow),
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
    name = "긴급 중단" if locale == "ko-KR" else "Emergency stop"
    button = page.get_by_role("button", name=name)
    expect(button).to_be_visible()
    box = button.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= width
    assert box["y"] < 150  # never below the fold
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert background == ("rgb(14, 17, 22)" if scheme == "dark" else "rgb(255, 255, 255)")
    pictures = Path(os.environ.get("CTP_TEST_PICTURES", str(tmp_path)))
    page.screenshot(path=pictures / f"{width}-{scheme}-{locale}.png", full_page=True)
    visit.close()


def kinds() -> list[str]:
    reader = open_database(Environment.current().database_url, read_only=True)
    try:
        with unit_of_work(reader) as session:
            return [row.kind for row in reversed(commands.newest(session))]
    finally:
        reader.dispose()


def test_start_emergency_and_re_arm_are_asked_done_and_seen(console: str, browser: Browser) -> None:
    visit = Visit(browser, console, viewport={"width": 1280, "height": 900}, locale="en-US")
    page = visit.page
    observed = page.get_by_test_id("stMetric").nth(1)
    trading = page.get_by_test_id("stMetric").nth(2)
    asked = page.locator(".st-key-requests")

    page.get_by_role("button", name="Start trading").dblclick()
    expect(asked).to_contain_text("start trading done Trading was started.", timeout=10_000)
    expect(observed).to_contain_text("running", timeout=10_000)
    assert kinds() == ["start"]  # a double click is one command

    page.get_by_role("button", name="Emergency stop").click()
    expect(asked).to_contain_text("emergency stop done", timeout=10_000)
    expect(trading).to_contain_text("halted", timeout=10_000)

    word = page.get_by_placeholder("REARM")
    word.fill("REARM")
    page.get_by_role("button", name="Re-arm").click()
    expect(asked).to_contain_text("re-arm done", timeout=10_000)
    expect(trading).to_contain_text("active", timeout=10_000)
    assert kinds() == ["start", "emergency_stop", "rearm"]
    visit.close()


def test_the_heartbeat_goes_on_without_a_reload_and_shows_its_end(
    console: str, browser: Browser
) -> None:
    """Last in this file: the engine dies."""
    visit = Visit(browser, console, viewport={"width": 390, "height": 844}, locale="en-US")
    beat = visit.page.get_by_test_id("stMetric").nth(3)
    expect(beat).to_contain_text("0 s ago")
    visit.page.get_by_role("button", name="Start trading").click()
    expect(visit.page.get_by_test_id("stMetric").nth(1)).to_contain_text("running", timeout=10_000)
    pid = command("status", "--json").result()["engine_pid"]
    os.kill(pid, signal.SIGKILL)
    expect(visit.page.get_by_test_id("stMetric").nth(1)).to_contain_text("faulted", timeout=15_000)
    expect(visit.page.get_by_text("No engine runs")).to_be_visible()
    visit.close()
