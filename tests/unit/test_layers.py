"""The layers hold, and the engine starts without the heavy libraries."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.market_data import ROOT

HEAVY = (
    "numba", "pandas", "lightgbm", "sklearn", "ccxt", "streamlit", "plotly", "alembic", "typer",
)  # fmt: skip
ENTRANCES = (
    "auto_trading.engine", "auto_trading.bootstrap", "auto_trading.replay", "auto_trading.status",
)  # fmt: skip
LINT = Path(sys.executable).with_name("lint-imports")


def imported(file: Path) -> set[str]:
    """Return the first names of what a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def test_the_consoles_entry_knows_the_console_only() -> None:
    """The linter of layers sees packages; this is a module."""
    assert imported(ROOT / "main_platform.py") == {"streamlit", "auto_trading_dashboard"}


def in_a_process(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def test_every_contract_between_the_layers_is_kept() -> None:
    found = in_a_process(str(LINT), "--no-cache")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "0 broken" in found.stdout


@pytest.mark.parametrize("module", ENTRANCES)
def test_the_engine_loads_no_heavy_library(module: str) -> None:
    code = f"import sys, {module}; print(sorted(set({HEAVY}) & set(sys.modules)))"
    found = in_a_process(sys.executable, "-c", code)
    assert found.stderr == ""
    assert found.stdout.strip() == "[]"


def test_the_search_would_find_one() -> None:
    code = f"import sys, auto_trading.model_signals; print(sorted(set({HEAVY}) & set(sys.modules)))"
    found = in_a_process(sys.executable, "-c", code)
    assert "lightgbm" in found.stdout


def test_help_is_there_without_the_heavy_libraries() -> None:
    code = (
        "import sys\n"
        "from crypto_trader_pro.cli.app import app\n"
        "try:\n    app(['--help'])\n"
        "except SystemExit:\n"
        f"    print(sorted((set({HEAVY}) - {{'typer'}}) & set(sys.modules)))"
    )
    found = in_a_process(sys.executable, "-c", code)
    assert found.stdout.strip().splitlines()[-1] == "[]"
