"""A person at the console: one page in Chromium, in a context of its own."""

import os
import shutil
import socket
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page

CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
# two addresses that Streamlit's client probes under the page's own path first
_PROBES: Final = ("_stcore/health", "_stcore/host-config")
_HEIGHT: Final = "document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight"


class Visit:
    """One page, with what went wrong on it: `close` refuses errors and foreign requests.

    Args:
        path: of the page, as "/monitoring".
        context: of the browser: viewport, locale, color_scheme, timezone_id.
    """

    def __init__(self, browser: Browser, address: str, path: str = "", **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self._address = address
        self._allowed = (address, address.replace("http:", "ws:"), "data:", "blob:")
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("websocket", lambda socket: self._asked(socket.url))
        self.page.goto(address + path, wait_until="domcontentloaded")
        self.page.get_by_test_id("stHeading").first.wait_for(timeout=60_000)

    def picture(self, name: str, folder: Path) -> Path:
        """Store what is seen in `folder`, or where `CTP_TEST_PICTURES` says."""
        file = Path(os.environ.get("CTP_TEST_PICTURES", str(folder))) / f"{name}.png"
        self.page.screenshot(path=file, full_page=True)
        return file

    def settle(self) -> None:
        """Wait until nothing has moved for half a second: tables and folds come one by one."""
        still, height = 0, -1
        for _ in range(100):
            found = int(self.page.evaluate(_HEIGHT))
            still, height = (still + 1 if found == height else 0), found
            if still == 5:
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"the page still moves after 10 s: {height} px")

    def fits(self, width: int) -> bool:
        """True when nothing makes the page scroll sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth") <= width)

    def close(self) -> None:
        """End the visit.

        Raises:
            AssertionError: the browser met an error, or another host was asked.
        """
        self.context.close()
        assert (self.errors, self.foreign) == ([], [])

    def _note(self, message: Any) -> None:
        if message.type == "error" and not any(p in str(message.location) for p in _PROBES):
            self.errors.append(message.text)

    def _asked(self, url: str) -> None:
        if not url.startswith(self._allowed):
            self.foreign.append(url)


def is_open(port: int) -> bool:
    """True when somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
