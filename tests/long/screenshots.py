"""Pictures of the console beside an engine on the demo market: those of the README, or all.

    python -m tests.long.screenshots                      the pictures in docs/pictures
    python -m tests.long.screenshots --matrix FOLDER      every page, width, theme and language
    python -m tests.long.screenshots --matrix FOLDER --data small|large|empty

`--data` shows a made data set (`tests.console_data`) instead of an engine that has just begun.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from auto_trading_dashboard.navigation import entries
from tests import console_data
from tests.browser.visits import CHROMIUM, is_open
from tests.market_data import ROOT
from tests.processes import a_port

_WIDTHS: Final = ((1280, 900), (768, 1024), (390, 844))
_THEMES: Final = ("dark", "light")
_LOCALES: Final = ("ko-KR", "en-US")
_FILLS: Final = 8  # that a demo engine should have made before its picture is taken
_PATIENCE: Final = 480.0
_SETTLED: Final = 3.0  # seconds in which a page has drawn its charts and been refreshed once
_LONGEST: Final = 4000  # pixels of a picture
_README: Final = (
    ("", 1280, "dark", "ko-KR"), ("monitoring", 1280, "dark", "en-US"),
    ("monitoring", 390, "light", "ko-KR"), ("decisions", 1280, "light", "en-US"),
    ("performance", 1280, "light", "ko-KR"), ("backtest", 1280, "dark", "en-US"),
    ("models", 1280, "dark", "en-US"), ("settings", 1280, "dark", "ko-KR"),
)  # fmt: skip


def main() -> int:
    """Take the pictures; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--matrix", type=Path, help="a folder for every combination")
    parser.add_argument("--data", choices=("demo", "small", "large", "empty"), default="demo")
    parser.add_argument("--pages", help="paths, separated by commas; every page if not given")
    given = parser.parse_args()
    wanted: tuple[tuple[str, int, str, str], ...] = _README
    if given.matrix:
        paths = [e.path for e in entries()] if given.pages is None else given.pages.split(",")
        wanted = tuple(
            (path, width, theme, locale)
            for path, (width, _), theme, locale in itertools.product(
                paths, _WIDTHS, _THEMES, _LOCALES
            )
        )
    folder = given.matrix or ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with served(given.data) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for path, width, theme, locale in wanted:
            print(_picture(browser, address, folder, path, width, theme, locale))
        browser.close()
    return 0


@contextmanager
def served(data: str) -> Iterator[str]:
    """Serve a console over `data` with an engine beside it, and yield its address."""
    port = a_port()
    with tempfile.TemporaryDirectory() as var_dir:
        environment = {
            **os.environ, "CTP_VAR_DIR": var_dir, "CTP_CONSOLE_PORT": str(port),
            "CTP_HTTP_PORT": str(a_port()), "CTP_MARKET_DATA__SOURCE": "demo",
            "CTP_RESEARCH__WORKERS": "1",
        }  # fmt: skip
        for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
            environment.pop(name, None)
        url = f"sqlite:///{var_dir}/crypto_trader_pro.db"
        if data == "small":
            console_data.small(url, Path(var_dir))
        elif data == "large":
            console_data.large(url)
        if data != "empty":
            _play_backtests(environment)
        words = {"demo": ["crypto_trader_pro", "up"]}.get(data, ["crypto_trader_pro", "console"])
        started = [_module(environment, *words)]
        if data in ("small", "large"):
            started.append(_module(environment, "tests.console_beat", url, "--var-dir", var_dir))
        try:
            while not is_open(port):
                time.sleep(0.1)
            if data == "demo":
                _trade(environment)
            yield f"http://127.0.0.1:{port}"
        finally:
            _module(environment, "crypto_trader_pro", "down").wait(60)
            for process in started:
                process.terminate()
                process.wait(30)


def _play_backtests(environment: dict[str, str]) -> None:
    """Fill the backtest lab, which is empty beside an engine, in a process of its places."""
    code = (
        "from pathlib import Path; from config.environment import Environment;"
        "from tests.lab_results import fill; places = Environment.current();"
        "fill(places, places.var_dir)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)


def _module(environment: dict[str, str], *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", *words], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE if words[-1] == "--json" else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _trade(environment: dict[str, str]) -> None:
    """Start trading and wait for fills."""
    _module(environment, "crypto_trader_pro", "start").wait(60)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        told, _ = _module(environment, "crypto_trader_pro", "status", "--json").communicate()
        if json.loads(told)["fills_total"] >= _FILLS:
            return
        time.sleep(1)
    raise TimeoutError(f"no {_FILLS} fills within {_PATIENCE:g} s")


def _picture(
    browser: Browser, address: str, folder: Path, path: str, width: int, theme: str, locale: str
) -> str:
    """Store one picture, as high as the page is; return what was seen in a line."""
    height = dict(_WIDTHS)[width]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else
        "light", locale=locale, timezone_id="Asia/Seoul",
    )  # fmt: skip
    page = context.new_page()
    page.goto(f"{address}/{path}", wait_until="domcontentloaded")
    page.get_by_test_id("stHeading").first.wait_for(timeout=60_000)
    page.wait_for_timeout(_SETTLED * 1000)
    main = "document.querySelector('[data-testid=stMain]')"
    needed = int(page.evaluate(f"{main}.scrollHeight"))
    if needed > height:  # the page scrolls inside: make the window as high as it is
        page.set_viewport_size({"width": width, "height": min(needed, _LONGEST)})
        page.wait_for_timeout(_SETTLED * 500)
    file = folder / f"{path or 'control'}-{width}-{theme}-{locale[:2]}.png"
    page.screenshot(path=file)
    sideways = int(page.evaluate("document.documentElement.scrollWidth"))
    context.close()
    return f"{file.name} {width}x{needed}{'' if sideways <= width else f' WIDER: {sideways}'}"


if __name__ == "__main__":
    sys.exit(main())
