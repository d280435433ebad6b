"""The comparison with the backtest in a browser: asked by a click, told, and it fits."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import delete

from database.auto_trading_db import open_database, unit_of_work
from database.models import EngineLeaseRow
from tests.browser.conftest import served
from tests.browser.visits import Visit
from tests.console_fixtures import Installation


@pytest.fixture(scope="module")
def small(small_template: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console over a living session of days, with a model and closes by hand."""
    folder = tmp_path_factory.mktemp("parity") / "var"
    made = Installation(Path(shutil.copytree(small_template.var_dir, folder)))
    database = open_database(made.database_url)
    with unit_of_work(database) as session:  # it names this process, which "down" would end
        session.exec(delete(EngineLeaseRow))
    database.dispose()
    with served(made.var_dir) as address:
        yield address


@pytest.mark.slow  # a backtest beside the console
@pytest.mark.parametrize(
    ("width", "scheme", "locale"), [(1280, "dark", "ko-KR"), (390, "light", "en-US")]
)
def test_a_session_is_compared_on_a_click(
    small: str, browser: Browser, width: int, scheme: str, locale: str, tmp_path: Path
) -> None:
    visit = Visit(
        browser, small, "/performance", viewport={"width": width, "height": 1000},
        color_scheme=scheme, locale=locale,
    )  # fmt: skip
    page = visit.page
    button = page.locator(".st-key-performance_parity button")
    button.scroll_into_view_if_needed(timeout=90_000)
    expect(button).to_be_enabled(timeout=60_000)
    button.click()
    zero = "0은 이 캔들" if locale == "ko-KR" else "Zero means"
    expect(page.get_by_text(zero)).to_be_visible(timeout=120_000)
    chart = page.locator(".st-key-performance_parity_chart .js-plotly-plot")
    expect(chart).to_have_count(1, timeout=30_000)
    expect(page.locator(".st-key-performance_parity_part")).to_be_visible(timeout=30_000)
    assert visit.fits(width)
    chart.scroll_into_view_if_needed()
    page.wait_for_timeout(1_000)
    visit.picture(f"parity-{width}-{scheme}", tmp_path)
    visit.close()
