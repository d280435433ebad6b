"""The report of a backtest in a browser: drawn under its own policy, asking nobody for anything."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from auto_trading.backtesting.html_report import html_report
from auto_trading.backtesting.output import summary
from tests.backtest_case import small
from utils.texts import Language

_CHARTS = 4  # equity, distribution and two symbols; the run is too short for the rolling ratio


@pytest.fixture(scope="module", autouse=True)  # before the browser: it runs a loop of its own
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    told = summary(small(), reference="b7")
    path.write_text(html_report(small(), told, Language.KOREAN), encoding="utf-8")
    return path


class Opened:
    """The report in one look, with what the browser complained about and asked for."""

    def __init__(self, browser: Browser, file: Path, **context: Any) -> None:
        self.context = browser.new_context(offline=True, **context)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())
        self.until(f"document.querySelectorAll('.chart .cartesianlayer').length >= {_CHARTS}")

    def until(self, expression: str) -> None:
        """Wait until something is true; what Playwright has for it is an eval: not on this page."""
        deadline = time.monotonic() + 30
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, expression
            self.page.wait_for_timeout(50)


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide light", "narrow dark"])
def opened(request: pytest.FixtureRequest, browser: Browser, file: Path) -> Iterator[Opened]:
    width, scheme = request.param
    found = Opened(browser, file, viewport={"width": width, "height": 844}, color_scheme=scheme)
    yield found
    found.context.close()
    assert found.errors == []
    assert found.asked == [file.as_uri()]


def test_the_charts_are_drawn_and_nothing_scrolls_sideways(opened: Opened) -> None:
    page = opened.page
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".chart").count() == _CHARTS
    # bars of gains and of losses, and all four kinds of markers
    assert page.locator("#chart_distribution .bars .point").count() > 10
    assert page.locator("#chart_candles0 .legend .traces").count() == 4


def test_the_charts_follow_light_and_dark(browser: Browser, file: Path) -> None:
    found = Opened(browser, file, color_scheme="light")
    line = "document.querySelector('#chart_equity .js-line').style.stroke"
    light = found.page.evaluate(line)
    found.page.emulate_media(color_scheme="dark")
    found.until(f"{line} !== '{light}'")
    found.page.emulate_media(color_scheme="light")
    found.until(f"{line} === '{light}'")
    found.context.close()
    assert found.errors == []


def test_a_foreign_script_would_not_run(browser: Browser, file: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.html"
    text = file.read_text(encoding="utf-8")
    foreign = "<script>window.foreign = 1</script><img src='https://example.org/x.png'></body>"
    spoilt.write_text(text.replace("</body>", foreign), encoding="utf-8")
    found = Opened(browser, spoilt)
    assert found.page.evaluate("window.foreign === undefined")
    assert len([e for e in found.errors if "Content Security Policy" in e]) == 2
    found.context.close()
