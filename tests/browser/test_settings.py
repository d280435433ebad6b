"""The settings page in Chromium over a real engine on the demo market."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from config.environment import SHIPPED
from config.settings import FILES
from tests.browser.conftest import served
from tests.browser.visits import Visit
from tests.engine_process import QUICK

expect.set_options(timeout=30_000)  # beside other tests a rerun takes its time


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("config")
    for name in FILES:
        shutil.copy(SHIPPED / name, found / name)
    return found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[str]:
    environ = {
        **QUICK, "CTP_MARKET_DATA__DEMO_SPEED": "300", "CTP_CONFIG_DIR": str(folder),
        "CTP_RETENTION__LOGS_DAYS": "40",
    }  # fmt: skip
    words = ("crypto_trader_pro", "engine", "run")
    with served(tmp_path_factory.mktemp("settings"), *words, environ=environ) as found:
        yield found


def opened(browser: Browser, address: str, width: int = 1280) -> Visit:
    viewport = {"width": width, "height": 900}
    visit = Visit(browser, address, "/settings", viewport=viewport, locale="en-US")
    expect(visit.page.locator(".st-key-settings_changes")).to_be_visible(timeout=60_000)
    expect(visit.page.get_by_text("heartbeat")).to_be_visible(timeout=60_000)  # the engine is up
    return visit


def request(page: Page) -> Locator:
    return page.locator(".st-key-settings_send button")


def box(page: Page, label: str) -> Locator:
    return page.get_by_label(label, exact=True).and_(page.locator("input"))


def put(page: Page, label: str, value: str) -> None:
    field = box(page, label)
    field.fill(value)
    field.press("Enter")


def section(page: Page, name: str) -> None:
    page.get_by_text(name, exact=True).first.click()


def size(folder: Path) -> Any:
    tree = json.loads((folder / "auto_trading_config.json").read_text())
    return tree["risk_management"]["position_size_pct"]


def test_an_edit_is_accepted_by_the_engine_and_a_wrong_one_shows_its_line(
    browser: Browser, address: str, folder: Path
) -> None:
    visit = opened(browser, address)
    page = visit.page
    section(page, "Risk basics")
    put(page, "Position size (%)", "100.5")
    line = "risk_management.position_size_pct was 100.5, allowed: number 0 < x ≤ 100"
    expect(page.get_by_text(line).first).to_be_visible()
    expect(request(page)).to_be_disabled()
    put(page, "Position size (%)", "1.75")
    request(page).click()
    expect(page.get_by_text("Nothing is changed.")).to_be_visible()
    assert size(folder) == 1.75
    expect(box(page, "Position size (%)")).to_have_value("1.75")
    visit.close()


def test_of_two_tabs_the_second_sees_what_the_first_has_changed(
    browser: Browser, address: str, folder: Path
) -> None:
    visits = opened(browser, address), opened(browser, address)
    one, two = (visit.page for visit in visits)
    for page in (one, two):
        section(page, "Risk basics")
    put(two, "Stop loss (%)", "0.8")
    put(one, "Position size (%)", "1.5")
    request(one).click()
    expect(one.get_by_text("Nothing is changed.")).to_be_visible()
    expect(two.get_by_text("Somebody changed the configuration")).to_be_visible()
    expect(request(two)).to_be_disabled()
    two.get_by_role("button", name="Seen, keep my changes").click()
    request(two).click()
    expect(two.get_by_text("Nothing is changed.")).to_be_visible()
    tree = json.loads((folder / "auto_trading_config.json").read_text())["risk_management"]
    assert (tree["position_size_pct"], tree["stop_loss_pct"]) == (1.5, 0.8)
    for visit in visits:
        visit.close()


def test_one_column_on_a_telephone(browser: Browser, address: str) -> None:
    visit = opened(browser, address, 390)
    page = visit.page
    assert visit.fits(390)
    expect(page.locator("[data-testid=stNumberInput]").nth(2)).to_be_visible()
    lefts = page.locator("[data-testid=stNumberInput]").evaluate_all(
        "all => all.map(e => Math.round(e.getBoundingClientRect().left))"
    )
    assert len(lefts) > 2
    assert len(set(lefts)) == 1
    section(page, "Retention")
    expect(box(page, "Keep logs (days)")).to_be_disabled()
    expect(page.get_by_text("CTP_RETENTION__LOGS_DAYS")).to_be_visible()
    visit.close()
