"""Operators in Chromium, each in a context of its own: how long they wait, what they receive."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from auto_trading_dashboard.navigation import PageEntry
from utils.texts import Language, say

CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
LANGUAGE: Final = Language.ENGLISH
_PATIENCE: Final = 90_000  # ms
# the page's title stands, the run that drew it is over, and Emergency stop can be clicked
_USABLE: Final = """title => {
    const app = document.querySelector('[data-testid=stApp]');
    const stop = document.querySelector('.st-key-emergency button');
    const heads = [...document.querySelectorAll('[data-testid=stMain] h2')];
    return app && app.getAttribute('data-test-script-state') === 'notRunning'
        && stop && !stop.disabled && heads.some(h => h.innerText.trim().startsWith(title))
        && !document.querySelector('[data-testid=stMain] [data-testid=stSkeleton]');
}"""


@contextmanager
def browser() -> Iterator[Browser]:
    """Give a Chromium.

    Raises:
        SystemExit: none is installed.
    """
    if CHROMIUM is None:
        raise SystemExit("no Chromium is installed")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield found
        found.close()


class Operator:
    """One browser context on one page.

    Attributes:
        loaded: seconds from the navigation until the page was usable.
        received: bytes over the WebSocket so far. frames: messages.
    """

    def __init__(self, browser: Browser, address: str, entry: PageEntry) -> None:
        self.received = self.frames = 0
        self.entry = entry
        self._context = browser.new_context(
            viewport={"width": 1280, "height": 900}, locale="en-US"
        )  # fmt: skip
        self.page: Page = self._context.new_page()
        self.page.on("websocket", self._listen)
        began = time.perf_counter()
        self.page.goto(f"{address}/{entry.path}", wait_until="commit")
        self._await(entry)
        self.loaded = time.perf_counter() - began

    def _listen(self, socket: Any) -> None:
        socket.on("framereceived", self._count)

    def _count(self, payload: Any) -> None:
        self.received += len(payload)
        self.frames += 1

    def _await(self, entry: PageEntry) -> None:
        title = say(LANGUAGE, f"{entry.name}.title")
        self.page.wait_for_function(_USABLE, arg=title, timeout=_PATIENCE, polling="raf")

    def change_to(self, entry: PageEntry) -> float:
        """Click the way to a page; return the seconds until it is usable."""
        link = self.page.get_by_test_id("stSidebarNavLink").get_by_text(
            say(LANGUAGE, f"{entry.name}.title"), exact=True
        )
        link.wait_for(timeout=_PATIENCE)
        began = time.perf_counter()
        link.click()
        self._await(entry)
        self.entry = entry
        return time.perf_counter() - began

    def watch(self, seconds: float) -> None:
        """Look at the page; events of all contexts are counted meanwhile."""
        self.page.wait_for_timeout(seconds * 1000)

    def faults(self) -> int:
        """Return how many parts of the page could not be drawn."""
        return self.page.locator(
            "[data-testid=stMain] .stException, [data-testid=stAlertContentError]"
        ).count()

    def close(self) -> None:
        self._context.close()
