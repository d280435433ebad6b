"""Fixtures with the console's data sets: made once per test session, copied for each test."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Installation:
    """A var folder with a database of the expected name in it."""

    var_dir: Path

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.var_dir / 'crypto_trader_pro.db'}"


@pytest.fixture(scope="session")
def small_template(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The small set, made once; nobody writes into it."""
    from tests.console_data import small

    made = Installation(tmp_path_factory.mktemp("console-small"))
    with ThreadPoolExecutor(1) as pool:  # Playwright may have an event loop running in this thread
        pool.submit(small, made.database_url, made.var_dir).result()
    return made


@pytest.fixture(scope="session")
def large_template(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A two-hundredth of the large set, made once; nobody writes into it."""
    from tests.console_data import large

    made = Installation(tmp_path_factory.mktemp("console-large"))
    large(made.database_url, logs=5_000, trades=500, decisions=5_000, candles=2_500)
    return made


@pytest.fixture
def small_installation(small_template: Installation, tmp_path: Path) -> Installation:
    """A copy of the small set of this test's own."""
    return Installation(Path(shutil.copytree(small_template.var_dir, tmp_path / "small")))


@pytest.fixture
def large_installation(large_template: Installation, tmp_path: Path) -> Installation:
    """A copy of the two-hundredth of the large set of this test's own."""
    return Installation(Path(shutil.copytree(large_template.var_dir, tmp_path / "large")))
