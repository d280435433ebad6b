"""Fixtures and profiles for all tests."""

import os

import pytest
from hypothesis import settings

from tests.market_data import ROOT

# the kernel is compiled once for all tests and the processes that they start
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".pytest_cache" / "numba"))
os.environ.setdefault("MPLCONFIGDIR", str(ROOT / ".pytest_cache" / "matplotlib"))

# engines of tests talk to nobody; the tests of what talks switch it on
os.environ.setdefault("CTP_REACH__ENABLED", "false")

pytest_plugins = ("tests.databases", "tests.console_fixtures")

# a shared machine may pause for long; CI draws the same examples every time, people draw new ones
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the kernel before a run on several processes, in none of them."""
    if session.config.getoption("numprocesses", None):
        from tests.compiled import compile_once  # the workers do without its imports

        compile_once()
