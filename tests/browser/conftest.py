"""A served console and a browser for all tests of this folder."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visits import CHROMIUM, is_open
from tests.browser.visits import Visit as Visit  # so that a test finds it here as well
from tests.engines import command
from tests.market_data import ROOT
from tests.processes import a_port

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # where the consoles are
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip every test of this folder where no browser is installed."""
    if CHROMIUM is None:
        for item in items:
            if "tests/browser" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason="no Chromium is installed"))


@contextmanager
def served(
    var_dir: Path, *engine: str, environ: Mapping[str, str] | None = None
) -> Iterator[str]:  # fmt: skip
    """Serve a console over `var_dir` and yield its address.

    Args:
        engine: words of a process beside it, as "tests.fake_engine"; none: no engine.
        environ: variables of both beside their places.
    """
    port = a_port()
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CTP_VAR_DIR", str(var_dir))
        monkeypatch.setenv("CTP_CONSOLE_PORT", str(port))
        monkeypatch.setenv("CTP_HTTP_PORT", str(a_port()))
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        for name, value in (environ or {}).items():
            monkeypatch.setenv(name, value)
        words = [engine] if engine else []
        started = [
            subprocess.Popen([sys.executable, "-m", *w], cwd=ROOT)
            for w in (*words, ("crypto_trader_pro", "console"))
        ]
        try:
            deadline = time.monotonic() + 60
            while not is_open(port):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            ended = command("down")
            for process in started:
                process.wait(20)
        assert ended.code == 0


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console whose engine is the stand-in, which answers at once."""
    with served(tmp_path_factory.mktemp("console"), "tests.fake_engine") as address:
        yield address


@pytest.fixture(scope="module")  # no longer: while it is open, no test may run a loop of its own
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()
