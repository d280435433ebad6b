"""The monitoring page in Chromium: a chart that keeps its zoom, a link to it, a click on a row."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine, insert

from database import commands
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.models import MarketDataRow
from tests.browser.conftest import served
from tests.browser.visits import Visit
from tests.rows import SYMBOL, T0, a_position, a_trade, an_order, stored, stored_run

D: Final = Decimal
ETH: Final = "ETH/USDT:USDT"
CHART: Final = "document.querySelector('.ctp-live')"
RANGE: Final = f"{CHART}._fullLayout.xaxis.range.map(String)"
DRAWN: Final = f"{CHART}.data[0].x.length"
DESK: Final = {"width": 1280, "height": 1000}


def store_candles(database: Engine, first: int, count: int) -> None:
    rows = [
        {"venue": "demo-7", "source": "demo", "symbol": symbol, "timeframe": "5m",
         "timestamp": T0 + timedelta(minutes=5 * k), "open": D("42000.5") + k,
         "high": D(42010) + k, "low": D(41990) + k, "close": D("42001.25") + k, "volume": D(k)}
        for k in range(first, first + count) for symbol in (SYMBOL, ETH)
    ]  # fmt: skip
    with unit_of_work(database) as session:
        session.connection().execute(insert(MarketDataRow), rows)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Engine]]:
    """The address of a console over a session with two positions, and its database."""
    folder: Path = tmp_path_factory.mktemp("monitoring")
    database = open_database(f"sqlite:///{folder / 'crypto_trader_pro.db'}")
    prepare(database)
    run = stored_run(
        database, kind="paper", source="demo", inputs={"venue": "demo-7"}, symbols=[SYMBOL, ETH]
    )
    stored(
        database, a_position(run, 3), a_position(run, 4, symbol=ETH), an_order(run, "in"),
        a_trade(run, "in"),
    )  # fmt: skip
    store_candles(database, 0, 120)
    with served(folder) as address:
        yield address, database
    database.dispose()


def visit(browser: Browser, address: str, query: str = "", **context: Any) -> Visit:
    values = {"viewport": DESK, "locale": "en-US", "timezone_id": "Asia/Seoul"}
    found = Visit(browser, address, f"/monitoring{query}", **{**values, **context})
    found.page.locator(".ctp-live .main-svg").first.wait_for(timeout=60_000)
    return found


def test_a_zoom_stays_while_candles_come(shown: tuple[str, Engine], browser: Browser) -> None:
    address, database = shown
    seen = visit(browser, address)
    page, chart = seen.page, seen.page.locator(".ctp-live")
    page.evaluate(f"{CHART}.isTheSame = true")
    box = chart.bounding_box()
    assert box is not None
    whole = page.evaluate(RANGE)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 150)
    for _ in range(3):
        page.mouse.wheel(0, -200)
        page.wait_for_timeout(100)
    page.wait_for_function(f"{RANGE}.join() !== {whole!r}.join()")
    page.wait_for_timeout(500)
    zoomed, before = page.evaluate(RANGE), page.evaluate(DRAWN)
    store_candles(database, 120, 5)
    page.wait_for_function(f"{DRAWN} === {before + 5}", timeout=20_000)
    assert page.evaluate(RANGE) == zoomed
    assert page.evaluate(f"{CHART}.isTheSame") is True
    chart.focus()
    page.keyboard.press("0")  # the whole range again
    page.wait_for_function(f"{RANGE}.join() !== {zoomed!r}.join()")
    words = page.evaluate(f"{CHART}.data[0].text.at(-1)").split("<br>")
    assert words[0] == "2024-01-01 19:20 KST"
    assert words[-2:] == ["Close 42,125.25", "Volume 124"]
    buttons = page.locator(".modebar-btn").evaluate_all("all => all.map(b => b.dataset.title)")
    assert "Whole range" in buttons
    assert not [title for title in buttons if "hare" in title]  # nothing leaves this machine
    seen.close()


def test_a_link_opens_the_same_chart_on_a_telephone(
    shown: tuple[str, Engine], browser: Browser, tmp_path: Path
) -> None:
    seen = visit(
        browser, shown[0], "?market=ETH&timeframe=1h", viewport={"width": 390, "height": 844},
        locale="ko-KR", color_scheme="dark",
    )  # fmt: skip
    chart = seen.page.locator(".ctp-live")
    label = chart.get_attribute("aria-label") or ""
    assert label.startswith("ETH/USDT:USDT · 1h · 캔들 ")
    box = chart.bounding_box()
    assert box is not None
    assert box["height"] == 320
    assert seen.fits(390)
    seen.picture("monitoring-390-dark-ko-KR", tmp_path)
    seen.close()


def test_a_row_is_selected_and_its_position_closed(
    shown: tuple[str, Engine], browser: Browser
) -> None:
    address, database = shown
    seen = visit(browser, address)
    page = seen.page
    rows = page.locator("[class*=st-key-positions_]")
    rows.scroll_into_view_if_needed()
    box = rows.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 16, box["y"] + 38 + 30 + 15)  # a canvas: the second row
    button = page.get_by_role("button", name=f"Close {ETH}")
    expect(button).to_be_visible(timeout=10_000)
    page.wait_for_timeout(4_500)  # two refreshes
    expect(button).to_be_visible()
    button.click()
    expect(page.locator(".st-key-header")).to_contain_text(f"close a position {ETH}")
    with unit_of_work(database) as session:
        assert [row.payload for row in commands.newest(session)] == [{"symbol": ETH}]
    seen.close()
