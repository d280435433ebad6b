"""Where the tests find real market data, which is not part of the project."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("CTP_TEST_DATA", ROOT.parent / "shared" / "data"))


def data_file(*parts: str) -> Path:
    """Return a file of the data folder, or skip the test with the reason."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no market data at {path}; set CTP_TEST_DATA")
    return path


def candle_file(name: str) -> Path:
    """Return `candles/NAME.csv.gz`, or skip."""
    return data_file("candles", f"{name}.csv.gz")
