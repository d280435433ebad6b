"""Exported candles come back to the very same whole units, whatever the grid."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from auto_trading.data_export import check_target, export_candles, export_funding
from auto_trading.gateways.candle_files import read_candles
from auto_trading.gateways.funding_files import read_funding
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries, series_of
from crypto_trader_pro.simulation.instruments import INSTRUMENTS, instrument
from tests.builders import MINUTE, START_MS, an_instrument
from tests.market_data import ROOT

BTC = instrument("BTC/USDT:USDT")
ODD = an_instrument("X/USDT", tick="0.5", lot="0.25", price_unit="0.5")


def random_series(symbol: str, rows: int, most: int) -> CandleSeries:
    rng = np.random.default_rng(7)
    middle = rng.integers(most // 2, most, rows)
    reach = rng.integers(0, most // 4, (2, rows))
    return CandleSeries(
        symbol, MINUTE, START_MS + MINUTE * np.arange(rows), middle, middle + reach[0],
        middle - reach[1], middle, rng.integers(0, most, rows),
    )  # fmt: skip


# up to the largest numbers that files hold: 2**50 units
@pytest.mark.parametrize("most", [200, 10**7, 2**49])
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_every_grid_comes_back(tmp_path: Path, suffix: str, most: int) -> None:
    grids = {(i.price_unit, i.lot): i for i in INSTRUMENTS.values()}
    for k, item in enumerate([*grids.values(), ODD]):
        # a step of 5 / 10 counts five of the file's units
        series = random_series(item.symbol, 300, most // (25 if item is ODD else 1))
        path = tmp_path / f"{k}.{suffix}"
        assert export_candles(series, item, path).rows == 300
        assert read_candles(path, item, MINUTE).bars() == series.bars()


def test_what_would_not_come_back_is_refused(tmp_path: Path) -> None:
    series = random_series(BTC.symbol, 20, 2**52)
    path = tmp_path / "a.parquet"
    with pytest.raises(InputError, match=r"a\.parquet: open was beyond 2\*\*50 units of 1e-2"):
        export_candles(series, BTC, path)
    assert list(tmp_path.iterdir()) == []


def test_a_half_written_file_takes_the_place_of_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("whole")

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("auto_trading.data_export._cells", full)
    with pytest.raises(InputError, match=r"a\.csv: cannot be written: No space left on device"):
        export_candles(random_series(BTC.symbol, 20, 100), BTC, path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "whole"


def test_negative_rates_and_small_ones_come_back(tmp_path: Path) -> None:
    at = START_MS + 28_800_000 * np.arange(4)
    rates = np.array([-750_000, -1, 0, 10_001])
    for name in ("f.parquet", "f.csv.gz"):
        export_funding(BTC.symbol, at, rates, tmp_path / name)
        assert read_funding(tmp_path / name, BTC.symbol) == (at.tolist(), rates.tolist())
    export_funding(BTC.symbol, at, rates, tmp_path / "f.csv")
    texts = [line.split(",")[2] for line in (tmp_path / "f.csv").read_text().splitlines()[1:]]
    assert [Decimal(t) for t in texts] == [
        Decimal("-0.0075"), Decimal("-1e-8"), Decimal(0), Decimal("0.00010001"),
    ]  # fmt: skip


def test_nothing_and_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no candles to write, allowed: at least one"):
        export_candles(series_of(BTC.symbol, MINUTE, []), BTC, tmp_path / "a.csv")
    none = np.array([], dtype=np.int64)
    with pytest.raises(InputError, match="no funding rates to write"):
        export_funding(BTC.symbol, none, none, tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"not a format to write, allowed: \.parquet"):
        check_target(tmp_path / "a.feather")


def test_writing_does_not_load_pandas(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from auto_trading.data_export import export_candles
from crypto_trader_pro.domain.market import Bar, series_of
from crypto_trader_pro.simulation.instruments import instrument
btc = instrument("BTC/USDT:USDT")
series = series_of(btc.symbol, 60_000, [Bar(60_000 * k, 9, 9, 9, 9, 9) for k in range(20)])
export_candles(series, btc, Path("a.parquet"))
print("pandas" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "False\n"
