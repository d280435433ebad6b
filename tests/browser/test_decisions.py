"""Decisions in a real browser: a row is opened, followed, decided again; filters make links."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import delete

from database.auto_trading_db import open_database, unit_of_work
from database.decision_search import Wanted, find
from database.models import EngineLeaseRow
from tests.browser.conftest import served
from tests.browser.visits import Visit
from tests.console_fixtures import Installation
from tests.rows import a_decision, stored

WIDE = {"width": 1280, "height": 900}

# What Streamlit does for a moment when other rows come: the old table stays beside the new one.
# Returns by how many pixels the story below moves then.
JUMP = """box => {
    const top = () => document.querySelector(".st-key-decisions_story").getBoundingClientRect().top
    const before = top()
    const old = box.firstElementChild.cloneNode(true)
    box.append(old)
    const moved = top() - before
    old.remove()
    return moved
}"""


@pytest.fixture(scope="module")
def small(
    small_template: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Installation]]:
    """The address of a console over the small set, and where that is."""
    folder = tmp_path_factory.mktemp("decisions") / "var"
    made = Installation(Path(shutil.copytree(small_template.var_dir, folder)))
    database = open_database(made.database_url)
    with unit_of_work(database) as session:  # it names this process, which "down" would end
        session.exec(delete(EngineLeaseRow))
    database.dispose()
    with served(made.var_dir) as address:
        yield address, made


def newest(made: Installation, **wanted: Any) -> int:
    database = open_database(made.database_url, read_only=True)
    try:
        with unit_of_work(database) as session:
            return find(session, 1, Wanted(**wanted), limit=1)[0].id
    finally:
        database.dispose()


def opened(page: Page) -> str:
    """Return the number of the decision that the address names."""
    return parse_qs(urlsplit(page.url).query).get("decision", [""])[0]


def test_a_row_opens_its_story_which_stays_while_new_decisions_come(
    small: tuple[str, Installation], browser: Browser
) -> None:
    address, made = small
    visit = Visit(browser, address, "/decisions", viewport=WIDE, locale="en-US")
    page = visit.page
    expect(page.get_by_text("Newest 50:")).to_be_visible(timeout=60_000)
    table = page.get_by_test_id("stDataFrame").first
    table.click(position={"x": 16, "y": 38 + 15})
    story = page.locator(".st-key-decisions_story")
    expect(story).to_contain_text("Candle fingerprint", timeout=30_000)
    number = opened(page)
    assert int(number) == newest(made)
    expect(story).to_contain_text(f"decision {number}")

    database = open_database(made.database_url)
    later = [  # three candles that follow the last
        a_decision(1, 40 * 60 + 5 * n, symbol="ETH/USDT:USDT", outcome="shadow",
                   strategy="ai_signal", direction=1)
        for n in range(1, 4)
    ]  # fmt: skip
    stored(database, *later)
    database.dispose()
    expect(page.get_by_text("to 2024-01-02 16:15")).not_to_have_count(0, timeout=30_000)
    expect(story).to_contain_text(f"decision {number}")
    assert opened(page) == number
    # or a click would miss the button that it was meant for
    assert page.locator("[class*=st-key-rows_decisions_list]").evaluate(JUMP) == 0
    page.get_by_role("button", name="Close", exact=True).click()
    expect(story).to_have_count(0, timeout=30_000)
    assert opened(page) == ""
    visit.close()


def test_a_shadow_is_decided_again_and_its_features_are_shown(
    small: tuple[str, Installation], browser: Browser, tmp_path: Path
) -> None:
    address, made = small
    number = newest(made, outcome="shadow", symbol="BTC/USDT:USDT")
    visit = Visit(
        browser, address, f"/decisions?decision={number}", viewport=WIDE, locale="ko-KR",
        color_scheme="dark", timezone_id="Asia/Seoul",
    )  # fmt: skip
    story = visit.page.locator(".st-key-decisions_story")
    expect(story).to_contain_text("KST", timeout=60_000)
    button = story.get_by_role("button", name="다시 판단하고 특징으로 설명")
    button.click()
    expect(story).to_contain_text("다시 판단하는 중", timeout=30_000)
    expect(story).to_contain_text("결과가 같습니다", timeout=120_000)
    expect(story.locator(".js-plotly-plot")).to_have_count(2, timeout=30_000)
    expect(story.get_by_text("ret_1 = ", exact=False)).to_be_visible()
    visit.picture("decisions-dark-ko-KR", tmp_path)
    visit.close()


def test_on_a_telephone_filters_are_behind_a_button_and_make_a_link(
    small: tuple[str, Installation], browser: Browser, tmp_path: Path
) -> None:
    address, _ = small
    visit = Visit(
        browser, address, "/decisions?rule=max_positions", locale="en-US",
        viewport={"width": 390, "height": 844},
    )  # fmt: skip
    page = visit.page
    button = page.get_by_role("button", name="Filters (1)")
    expect(button).to_be_visible(timeout=60_000)
    assert visit.fits(390)
    button.click()
    shown = page.get_by_test_id("stPopoverBody")
    expect(shown.get_by_role("combobox", name="Rule")).to_have_value("number of positions")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear filters").first.click()
    expect(page.get_by_role("button", name="Filters (0)")).to_be_visible(timeout=30_000)
    deadline = time.monotonic() + 10
    while "rule=" in page.url and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert "rule=" not in page.url
    visit.picture("decisions-390", tmp_path)
    visit.close()
