"""The performance page in a browser: it fits, follows a run in work, hands out its trades."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect
from sqlalchemy import Engine
from sqlmodel import SQLModel

from database.auto_trading_db import open_database, prepare
from tests.browser.conftest import served
from tests.browser.visits import Visit
from tests.performance_rows import HOUR, a_round_trip
from tests.rows import an_equity, stored, stored_run

DAY = 24 * HOUR


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Engine, int]]:
    """A paper run of forty days in work, twelve trades, halted on the tenth day."""
    folder = tmp_path_factory.mktemp("performance")
    database = open_database(f"sqlite:///{folder / 'crypto_trader_pro.db'}")
    prepare(database)
    run_id = stored_run(database, kind="paper", source="demo")
    rows: list[SQLModel] = [
        an_equity(
            run_id, HOUR * n, str(1000 + (n // 24) % 3 * 10 + n // 24),
            trading_state="halted" if 240 <= n < 264 else "active",
        )
        for n in range(40 * 24)
    ]  # fmt: skip
    for n in range(12):
        rows += a_round_trip(run_id, n, DAY * 3 * n, ("30", "-20", "5")[n % 3])
    stored(database, *rows)
    yield folder, database, run_id
    database.dispose()


@pytest.fixture(scope="module")
def performance(written: tuple[Path, Engine, int]) -> Iterator[str]:
    with served(written[0]) as address:
        yield address


def trades(visit: Visit) -> Locator:
    """The figure of how many positions were closed."""
    labels = visit.page.get_by_test_id("stMetricLabel").filter(has_text=re.compile("^Trades"))
    return visit.page.get_by_test_id("stMetric").filter(has=labels).get_by_test_id("stMetricValue")


@pytest.mark.parametrize(
    ("width", "scheme", "locale"), [(1280, "dark", "ko-KR"), (390, "light", "en-US")]
)
def test_the_page_fits_with_all_its_figures(
    performance: str, browser: Browser, width: int, scheme: str, locale: str, tmp_path: Path
) -> None:
    visit = Visit(
        browser, performance, "/performance", viewport={"width": width, "height": 900},
        color_scheme=scheme, locale=locale,
    )  # fmt: skip
    expect(visit.page.get_by_test_id("stMetric")).to_have_count(16, timeout=60_000)
    expect(visit.page.locator(".js-plotly-plot")).to_have_count(2, timeout=30_000)
    expect(visit.page.locator(".st-key-performance_csv")).to_be_visible(timeout=30_000)
    halted = "거래 중단" if locale == "ko-KR" else "Halted"
    expect(visit.page.locator(".legendtext", has_text=halted)).to_have_count(1)
    assert visit.fits(width)
    visit.picture(f"performance-{width}", tmp_path)
    visit.close()


def test_figures_follow_a_run_in_work_and_a_chosen_trade_stays_chosen(
    performance: str, browser: Browser, written: tuple[Path, Engine, int]
) -> None:
    _, database, run_id = written
    visit = Visit(
        browser, performance, "/performance", viewport={"width": 1280, "height": 900},
        locale="en-US",
    )  # fmt: skip
    page = visit.page
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=60_000)
    page.locator(".st-key-performance_csv").scroll_into_view_if_needed(timeout=60_000)
    page.wait_for_timeout(1_000)  # charts take their height last, and move what is below
    before = int(trades(visit).inner_text())
    table = page.locator(".st-key-performance_trades_0").bounding_box()
    assert table is not None
    page.mouse.click(table["x"] + 16, table["y"] + 53)
    link = page.locator(".st-key-performance_behind").get_by_role("link")
    expect(link).to_have_attribute("href", "decisions?decision=12", timeout=15_000)
    scrolled = page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
    stored(
        database, *a_round_trip(run_id, 99, 40 * DAY, "7"), an_equity(run_id, 40 * DAY + 60, "1050")
    )
    expect(trades(visit)).to_contain_text(str(before + 1), timeout=20_000)
    expect(link).to_be_visible()
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == scrolled
    visit.close()


def test_the_file_is_made_when_it_is_asked_for(
    performance: str, browser: Browser, tmp_path: Path
) -> None:
    visit = Visit(
        browser, performance, "/performance", viewport={"width": 1280, "height": 900},
        locale="ko-KR", timezone_id="Asia/Seoul",
    )  # fmt: skip
    button = visit.page.locator(".st-key-performance_csv button")
    button.scroll_into_view_if_needed(timeout=60_000)
    with visit.page.expect_download(timeout=30_000) as waiting:
        button.click()
    file = tmp_path / "trades.csv"
    waiting.value.save_as(file)
    assert waiting.value.suggested_filename == "r1-trades-all.csv"
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"))))
    assert len(rows) >= 12
    assert rows[-1]["진입 시각"] == "2024-01-01T09:00:00+09:00"
    visit.close()
