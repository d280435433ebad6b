"""A short command loads and holds no more than it needs, and finds the same."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from auto_trading.backtesting.compiled import is_compiled
from auto_trading.gateways.candle_files import read_candles
from crypto_trader_pro.backtest import account_metrics, kernel_run
from crypto_trader_pro.backtest.account_metrics import Fall, deepest_fall
from crypto_trader_pro.backtest.compiler import sources_digest
from crypto_trader_pro.backtest.kernel_run import largest_fall
from crypto_trader_pro.backtest.market_grid import grid_of
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.simulation.instruments import instrument
from tests.engines import command
from tests.synthetic import BTC, write_candles

MINUTE = 60_000
START_MS = 1_700_000_040_000
SYMBOL = "BTC/USDT:USDT"


def loaded_after(lines: str, *names: str) -> list[str]:
    """Return which of the modules an interpreter of its own has after `lines`."""
    told = f"{lines}\nimport sys\nprint(*[n for n in {names!r} if n in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return ended.stdout.split()


def test_a_backtest_of_files_loads_no_database() -> None:
    lines = (
        "import crypto_trader_pro.cli.backtest_command\n"
        "import auto_trading.backtesting.backtester, auto_trading.backtesting.output"
    )
    heavy = ("sqlalchemy", "sqlmodel", "database", "pandas", "scipy", "numba", "rich.console")
    assert loaded_after(lines, "numpy", *heavy) == ["numpy"]


def test_numba_is_loaded_without_what_it_only_looks_for() -> None:
    lines = (
        "from crypto_trader_pro.backtest.numba_loading import load_numba\n"
        "load_numba()\n"
        "from numba.core.registry import cpu_target\n"
        "cpu_target.target_context.refresh()"
    )
    names = ("numba", "scipy", "coverage", "cffi", "yaml")
    assert loaded_after(lines, *names) == ["numba"]
    # it was a matter of that import only
    assert loaded_after(f"{lines}\nimport scipy, yaml", *names) == ["numba", "scipy", "yaml"]


@pytest.fixture
def series(tmp_path: Path) -> CandleSeries:
    """Five candles of a Parquet file."""
    close = np.array([10.0, 11.0, 12.0, 11.5, 11.0])
    table = pa.table({
        "timestamp": START_MS + MINUTE * np.arange(5), "open": close, "high": close + 1,
        "low": close - 1, "close": close, "volume": np.full(5, 3.0),
    })  # fmt: skip
    pa_parquet.write_table(table, tmp_path / "five.parquet")
    return read_candles(tmp_path / "five.parquet", instrument(SYMBOL), MINUTE)


def rows_of(series: CandleSeries) -> list[list[int]]:
    return [list(bar) for bar in series.bars()]


def test_candles_of_one_table_are_not_copied_for_the_kernel(series: CandleSeries) -> None:
    for part in (series, series.slice(1, 4)):
        table = grid_of([part]).table
        assert np.shares_memory(table, series.open_ms)
        assert table.flags.c_contiguous
        assert table.tolist() == rows_of(part)


def test_columns_of_something_else_are_copied(series: CandleSeries) -> None:
    columns = (series.open, series.high, series.low, series.close, series.volume)
    swapped = CandleSeries(SYMBOL, MINUTE, series.open_ms, *columns[::-1])
    halves = CandleSeries(
        SYMBOL, MINUTE, *(c[::2] for c in (series.open_ms, *columns))
    )  # fmt: skip
    own = CandleSeries(SYMBOL, MINUTE, series.open_ms, *(c.copy() for c in columns))
    for other in (swapped, halves, own):
        table = grid_of([other]).table
        assert not np.shares_memory(table, series.open_ms)
        assert table.tolist() == rows_of(other)


@pytest.mark.parametrize("length", [1, 2, 3, 100])
def test_falls_do_not_depend_on_the_parts(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_metrics, "_PART", length)
    monkeypatch.setattr(kernel_run, "_PART", length)
    equity = np.array([120, 120, 90, 100, 120, 60, 90], np.int64)
    # from 120 at place 5 to 60 at place 6: half, counted with the 100 before the first
    assert deepest_fall(equity, 100) == Fall(0.5, 5, 6, None)
    assert deepest_fall(equity[:5].astype(np.float64)) == Fall(0.25, 1, 2, 4)
    assert deepest_fall(equity[2:4], 100) == Fall(0.1, 0, 1, 2)
    assert deepest_fall(equity[:2], 100) == Fall(0.0, 0, 0, 0)
    assert largest_fall(100, equity) == 50_000_000
    assert largest_fall(200, equity) == 70_000_000  # 200 to 60
    assert largest_fall(100, equity[:2]) == 0


def test_a_first_run_says_that_it_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    file = write_candles(tmp_path / "btc.csv.gz", BTC, seed=3, bars=100)
    line = "Compiling the kernel, once: a good ten seconds. Later runs begin at once.\n"
    asked = (
        "backtest", "--strategy", "ema_cross", "--candles", file, "--symbol", SYMBOL,
        "--timeframe", "1m", "--no-store", "--json", "--set", "market_data.warm_bars=10",
    )  # fmt: skip
    # what would compile is not: only what is said before it counts
    monkeypatch.setattr("auto_trading.backtesting.backtester.Backtester.run", _reached)
    assert command(*asked).stderr.startswith(line)
    assert "ompiling" not in command(*asked, "--engine", "reference").stderr
    folder = tmp_path / "var" / "numba" / sources_digest() / "backtest"
    folder.mkdir(parents=True)
    (folder / "passes.gate_pass-17.py311.1.nbc").touch()
    assert not is_compiled(tmp_path / "var")  # it was interrupted
    (folder / "kernel.play-204.py311.1.nbc").touch()
    assert is_compiled(tmp_path / "var")
    assert "ompiling" not in command(*asked).stderr


def _reached(*_arguments: object, **_named: object) -> None:
    raise KeyboardInterrupt
