"""Fixtures and profiles for all tests."""

import os
import sys
import threading
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.market_data import ROOT

# the kernel is compiled once for all tests and the processes that they start
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".pytest_cache" / "numba"))
os.environ.setdefault("MPLCONFIGDIR", str(ROOT / ".pytest_cache" / "matplotlib"))

# engines of tests talk to nobody; the tests of what talks switch it on
os.environ.setdefault("CTP_REACH__ENABLED", "false")

pytest_plugins = ("tests.databases", "tests.console_fixtures")

# Many examples, many pages, whole books computed again: other tests run the same lines, and these
# take two to three times as long where coverage looks on. What they run is not counted.
UNCOUNTED = (
    "tests/console/test_states.py",
    "tests/contract/test_monitoring_views.py::test_nothing_reads_a_long_table_from_end_to_end",
    "tests/integration/test_books_recomputed.py",
    "tests/integration/test_real_candles.py",
    "tests/integration/test_research_studies.py",
    "tests/property/test_backtest_oracle.py",
    "tests/property/test_config_mutations.py",
    "tests/property/test_config_text.py",
    "tests/property/test_data_gate.py",
    "tests/property/test_matching.py",
    "tests/property/test_parity.py",
    "tests/property/test_positions.py",
    "tests/property/test_risk_manager.py",
    "tests/property/test_rollups.py",
    "tests/property/test_rules.py",
    "tests/property/test_session_repeats.py",
    "tests/property/test_simulated_venue.py",
    "tests/property/test_venue_realism.py",
    "tests/unit/test_downloads.py::test_whatever_the_words_are_rows_stay_rows",
)

# a shared machine may pause for long; CI draws the same examples every time, people draw new ones
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the kernel before a run on several processes, in none of them."""
    if session.config.getoption("numprocesses", None):
        from tests.compiled import compile_once  # the workers do without its imports

        compile_once()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let coverage look away from `UNCOUNTED`; its own mark does nothing in xdist's processes."""
    if not item.nodeid.startswith(UNCOUNTED):
        return (yield)
    here, threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(here)
        threading.settrace(threads)
