"""A picture of a backtest's report for the README, drawn from synthetic candles.

python -m tests.long.report_picture [--language ko|en]     docs/pictures/backtest-LANGUAGE.png
"""

import argparse
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from auto_trading.backtesting.backtester import Backtester
from auto_trading.backtesting.html_report import html_report
from auto_trading.backtesting.output import Findings, summary
from auto_trading.backtesting.request import BacktestRequest
from auto_trading.replay_market import ReplayRequest
from config.loading import load
from tests.browser.visits import CHROMIUM
from tests.market_data import ROOT
from tests.synthetic import BTC, ETH, write_candles
from utils.texts import Language

_BARS: Final = 4_000  # hours
_HOUR_MS: Final = 3_600_000
_SIZE: Final = (1280, 1500)  # what a reader sees first


def main() -> int:
    """Take the picture; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--language", choices=list(Language), default=Language.ENGLISH)
    language = Language(parser.parse_args().language)
    file = ROOT / "docs" / "pictures" / f"backtest-{language.value}.png"
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "report.html"
        page.write_text(_report(Path(name), language), encoding="utf-8")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            width, height = _SIZE
            opened = browser.new_page(viewport={"width": width, "height": height})
            opened.goto(page.as_uri())
            opened.locator("#chart_distribution .main-svg").first.wait_for()
            opened.screenshot(path=file)
            browser.close()
    print(file)
    return 0


def _report(folder: Path, language: Language) -> str:
    coins = (BTC, ETH)
    files = tuple(
        write_candles(folder / f"{k}.csv.gz", coin, seed=11, bars=_BARS, step_ms=_HOUR_MS)
        for k, coin in enumerate(coins)
    )
    symbols = tuple(coin.symbol for coin in coins)
    market = ReplayRequest(symbols, files, "1h", 3_600, ("ema_cross",))
    tester = Backtester.load(BacktestRequest(market), None, folder)
    done = tester.run(load(environ={}, dotenv={}), engine="reference")
    found = Findings.of(done, tester.candles, intervals=True)
    return html_report(found, summary(found, reference="b1"), language)


if __name__ == "__main__":
    raise SystemExit(main())
