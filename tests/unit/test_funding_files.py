"""Funding files: exact rates of one perpetual, one clear line for whatever is unusable."""

from pathlib import Path

import pytest

from auto_trading.gateways.funding_files import read_funding
from crypto_trader_pro.domain.errors import InputError

T0 = 1_672_531_200_000  # 2023-01-01 00:00 UTC


def funding_file(folder: Path, *rows: str, header: str) -> Path:
    path = folder / "f.csv"
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


HEADER = "timestamp,timestamp_raw,symbol,funding_rate,source"
ROWS = (
    f"{T0},{T0 + 9},BTCUSDT,0.00010000,a",
    f"{T0},{T0},ETHUSDT,-0.00003968,a",
    f"{T0 + 28_800_000},{T0},BTCUSDT,-0.01234567,a",
)


def test_funding_is_read_in_parts_of_1e8_for_one_symbol(tmp_path: Path) -> None:
    path = funding_file(tmp_path, *ROWS, header=HEADER)
    # 0.0001 x 1e8 = 10,000; -0.01234567 x 1e8 = -1,234,567
    assert read_funding(path, "BTC/USDT:USDT") == ([T0, T0 + 28_800_000], [10_000, -1_234_567])
    assert read_funding(path, "ETH/USDT:USDT") == ([T0], [-3968])


def test_funding_of_a_file_for_one_perpetual_needs_no_symbol_column(tmp_path: Path) -> None:
    path = funding_file(tmp_path, f"{T0},1e-04", header="fundingTime,fundingRate")
    at_ms, rates = read_funding(path, "BTC/USDT:USDT")
    assert (at_ms, rates) == ([T0], [10_000])
    assert {type(value) for value in at_ms + rates} == {int}


@pytest.mark.parametrize(
    ("rows", "symbol", "expected"),
    [
        (ROWS, "BTC/USDT", "symbol was 'BTC/USDT', allowed: a perpetual"),
        (
            ROWS,
            "XRP/USDT:USDT",
            "no funding of 'XRP/USDT:USDT', the file has: BTCUSDT, ETH",
        ),
        (
            (f"{T0},0,ETHUSDT,1,a", f"{T0},0,BTCUSDT,0.000000001,a"),
            "BTC/USDT:USDT",
            "row 3: funding_rate was '0.000000001', allowed: whole multiples of 0.00000001",
        ),
        (
            (ROWS[0], ROWS[1], ROWS[0]),
            "BTC/USDT:USDT",
            f"row 4: timestamp was '{T0}', allowed: times after the one above",
        ),
        (
            (ROWS[2], ROWS[1], ROWS[0]),
            "BTC/USDT:USDT",
            f"row 4: timestamp was '{T0}', allowed: times after the one above",
        ),
    ],
)
def test_unusable_funding_is_named(
    tmp_path: Path, rows: tuple[str, ...], symbol: str, expected: str
) -> None:
    path = funding_file(tmp_path, *rows, header=HEADER)
    with pytest.raises(InputError) as caught:
        read_funding(path, symbol)
    assert expected in str(caught.value)
