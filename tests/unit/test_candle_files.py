"""Candle files: exact numbers in, one clear line for whatever is unusable."""

import gzip
import hashlib
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as pa_feather
import pyarrow.parquet as pa_parquet
import pytest

from auto_trading.gateways.candle_files import file_sha256, read_candles
from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.simulation.instruments import instrument
from tests.market_data import ROOT

BTC = instrument("BTC/USDT:USDT")  # price unit 0.01, lot 0.001
MINUTE = 60_000
T0 = 1_672_531_200_000  # 2023-01-01 00:00 UTC
HEADER = "timestamp,open,high,low,close,volume"
FIRST = f"{T0},16537.5,16538.0,16523.0,16529.2,16.536"
SECOND = f"{T0 + MINUTE},16529.2,16533.6,16519.0,16521.5,0.0019"
BARS = [
    Bar(T0, 1653750, 1653800, 1652300, 1652920, 16536),
    Bar(T0 + MINUTE, 1652920, 1653360, 1651900, 1652150, 1),  # 0.0019 is one lot of 0.001
]
NUMBERS: dict[str, list[Any]] = {
    "open": [16537.5, 16529.2],
    "high": [16538.0, 16533.6],
    "low": [16523.0, 16519.0],
    "close": [16529.2, 16521.5],
    "volume": [16.536, 0.0019],
}


def csv_file(folder: Path, *rows: str, header: str = HEADER, name: str = "c.csv") -> Path:
    path = folder / name
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def parquet_file(folder: Path, columns: dict[str, Any]) -> Path:
    path = folder / "c.parquet"
    pa_parquet.write_table(pa.table(columns), path)
    return path


def refusal(path: Path, timeframe_ms: int = MINUTE) -> str:
    with pytest.raises(InputError) as caught:
        read_candles(path, BTC, timeframe_ms)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_a_csv_file_is_read_exactly(tmp_path: Path) -> None:
    series = read_candles(csv_file(tmp_path, FIRST, SECOND), BTC, MINUTE)
    assert series.bars() == BARS
    assert (series.symbol, series.timeframe_ms) == ("BTC/USDT:USDT", MINUTE)


def test_a_gzipped_csv_file_is_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "c.csv.gz"
    path.write_bytes(gzip.compress("\r\n".join((HEADER, FIRST, SECOND)).encode()))
    assert read_candles(path, BTC, MINUTE).bars() == BARS


def test_columns_may_come_in_any_order_and_case_with_others_between(tmp_path: Path) -> None:
    header = "\ufeffVolume,trades,Close,LOW,note,High, Open_Time ,open"
    row = f"16.536,x,16529.2,16523.0,,16538.0,{T0},16537.5"
    assert read_candles(csv_file(tmp_path, row, header=header), BTC, MINUTE).bars() == BARS[:1]


@pytest.mark.parametrize("factor", [(1, 1000), (1, 1), (1000, 1)], ids=["s", "ms", "us"])
def test_whole_seconds_milliseconds_and_microseconds_are_told_apart(
    tmp_path: Path, factor: tuple[int, int]
) -> None:
    at = [T0 * factor[0] // factor[1], (T0 + MINUTE) * factor[0] // factor[1]]
    rows = [f"{ms},10,10,10,10,1" for ms in at]
    series = read_candles(csv_file(tmp_path, *rows), BTC, MINUTE)
    assert series.open_ms.tolist() == [T0, T0 + MINUTE]


@pytest.mark.parametrize(
    "text",
    [
        "2023-01-01",
        "2023-01-01 00:00",
        "2023-01-01T00:00:00",
        "2023-01-01 00:00:00.000",
        "2023-01-01T00:00:00Z",
        "2023-01-01 00:00:00+00:00",
        "2023-01-01T05:30:00+05:30",
        "2022-12-31T19:00:00-05:00",
    ],
)
def test_iso_text_is_utc_unless_it_says_otherwise(tmp_path: Path, text: str) -> None:
    path = csv_file(tmp_path, f"{text},10,10,10,10,1", header="date,open,high,low,close,volume")
    assert read_candles(path, BTC, MINUTE).open_ms.tolist() == [T0]


@pytest.mark.parametrize(
    "times",
    [
        pa.array([T0, T0 + MINUTE]),
        pa.array([T0, T0 + MINUTE], pa.timestamp("ms")),
        pa.array([T0 * 10**6, (T0 + MINUTE) * 10**6], pa.timestamp("ns", "UTC")),
        pa.array(["2023-01-01 00:00", "2023-01-01 00:01"]),
    ],
    ids=["int64", "timestamp", "timestamp with zone", "text"],
)
@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_parquet_and_feather_doubles_are_read_exactly(
    tmp_path: Path, kind: str, times: Any
) -> None:
    table = pa.table({"date": times, **NUMBERS})
    path = tmp_path / f"c.{kind}"
    if kind == "parquet":
        pa_parquet.write_table(table, path)
    else:
        pa_feather.write_feather(table, path)
    assert read_candles(path, BTC, MINUTE).bars() == BARS


def test_dates_decimals_whole_numbers_and_dictionaries_are_read_too(tmp_path: Path) -> None:
    columns = {
        "date": pa.array([date(2023, 1, 1)]),
        "open": pa.array([Decimal("16537.5")]),
        "high": pa.array([16538]),
        "low": pa.array(["16523.00"]).dictionary_encode(),
        "close": pa.array(["16529.2"], pa.large_string()),
        "volume": pa.array([Decimal("16.5369")]),
    }
    assert read_candles(parquet_file(tmp_path, columns), BTC, 86_400_000).bars() == BARS[:1]
    columns["date"] = pa.array(["2023-01-01"]).dictionary_encode()
    assert read_candles(parquet_file(tmp_path, columns), BTC, 86_400_000).bars() == BARS[:1]


def test_volume_is_rounded_down_to_lots_without_a_float_error(tmp_path: Path) -> None:
    # 16.536 / 0.001 is 16535.999999999998 in floats, 0.29 / 0.001 is 289.99999999999994; the double
    # below 0.29 is less than 290 lots, the one above is not
    texts = ["16.536", "0.29", "0.2899999", "0.0009999", "1e-3", "123456789.1234567"]
    doubles = [16.536, 0.29, 0.28999999999999998 - 2**-54, 0.29000000000000004, 0.0009999]
    flat = "10,10,10,10"
    rows = [f"{T0 + MINUTE * k},{flat},{text}" for k, text in enumerate(texts)]
    lots = read_candles(csv_file(tmp_path, *rows), BTC, MINUTE).volume.tolist()
    assert lots == [16536, 290, 289, 0, 1, 123456789123]
    columns = {
        "time": [T0 + MINUTE * k for k in range(len(doubles))],
        **dict.fromkeys(("open", "high", "low", "close"), [10.0] * len(doubles)),
        "volume": doubles,
    }
    lots = read_candles(parquet_file(tmp_path, columns), BTC, MINUTE).volume.tolist()
    assert lots == [16536, 290, 289, 290, 0]


def test_a_grid_that_is_no_power_of_ten_is_counted_in_its_own_steps(tmp_path: Path) -> None:
    half = Instrument(
        symbol="X/USDT", kind=MarketKind.SPOT, tick=Decimal("0.5"), lot=Decimal("0.25"),
        price_unit=Decimal("0.5"), min_notional=Decimal(5),
    )  # fmt: skip
    path = csv_file(tmp_path, f"{T0},10,10.5,9.5,10,0.8")
    assert read_candles(path, half, MINUTE).bars() == [Bar(T0, 20, 21, 19, 20, 3)]
    with pytest.raises(
        InputError, match=r"row 2: high was '10\.7', allowed: whole multiples of 0\.5 "
    ):
        read_candles(csv_file(tmp_path, f"{T0},10,10.7,9.5,10,0.8"), half, MINUTE)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("{t},10.005,11,9,10,1", "row 3: open was '10.005', allowed: whole multiples of 0.01"),
        ("{t},10,11,9,abc,1", "row 3: close was 'abc', allowed: a number with at most 18 decimals"),
        ("{t},10,11,9,nan,1", "row 3: close was 'nan', allowed: a number"),
        ("{t},10,inf,9,10,1", "row 3: high was 'inf', allowed: a number"),
        ("{t},10,,9,10,1", "row 3: high was '', allowed: a number"),
        ("{t},10,11,9,10,-0.0001", "row 3: volume was '-0.0001', allowed: 0 or more"),
        ("{t},10,11,0,10,1", "row 3: low was '0', allowed: more than 0"),
        ("{t},-1,11,9,10,1", "row 3: open was '-1', allowed: more than 0"),
        ("{t},10,9.5,9,10,1", "row 3: high was '9.5', allowed: at least open and close"),
        ("{t},9,9.5,9,10,1", "row 3: high was '9.5', allowed: at least open and close"),
        ("{t},10,11,10.5,10,1", "row 3: low was '10.5', allowed: at most open and close"),
        ("{t},11,11,10.5,10,1", "row 3: low was '10.5', allowed: at most open and close"),
        # 2**64 + 1 units of 1e-3: the low 64 bits alone would read as 1
        ("{t},10,11,9,10,18446744073709551.617", "row 3: volume was '18446744073709551.617', allo"),
        ("{t},10,11,9,10,1e30", "row 3: volume was '1e30', allowed: fewer than 2**50 units"),
        ("{t},10,11,9,10,1e15", "row 3: volume was '1e15', allowed: fewer than 2**50 units"),
        (
            "{t}000,10,11,9,10,1",
            "row 3: timestamp was '{t}000', allowed: whole milliseconds, in ms",
        ),
        ("x,10,11,9,10,1", "row 3: timestamp was 'x', allowed: whole s, ms or us since 1970"),
    ],
)
def test_an_unusable_cell_is_named_with_what_is_allowed(
    tmp_path: Path, row: str, expected: str
) -> None:
    at = str(T0 + MINUTE)
    path = csv_file(tmp_path, FIRST, row.format(t=at))
    assert refusal(path).startswith(expected.format(t=at))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (T0 + 30_000, "allowed: open times on the grid of 60000 ms, this is off the grid"),
        (
            T0,
            "allowed: times after 2023-01-01T00:00:00+00:00 of the row above, this is a duplicate",
        ),
        (
            T0 - MINUTE,
            "allowed: times after 2023-01-01T00:00:00+00:00 of the row above, this is not sorted",
        ),
    ],
)
def test_an_impossible_time_is_named(tmp_path: Path, at: int, expected: str) -> None:
    path = csv_file(tmp_path, FIRST, f"{at},10,11,9,10,1")
    assert refusal(path) == f"row 3: timestamp was '{at}', {expected}"


@pytest.mark.parametrize("first", ["5", "20230101", "1672531200000000000"])
def test_a_number_that_is_no_time_of_our_age_is_refused(tmp_path: Path, first: str) -> None:
    path = csv_file(tmp_path, f"{first},10,11,9,10,1")
    expected = (
        f"row 2: timestamp was '{first}', allowed: whole s, ms or us since 1970, from 1973 on"
    )
    assert refusal(path) == expected


def test_microseconds_that_are_no_whole_millisecond_are_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path, f"{T0}001,10,11,9,10,1")
    assert "allowed: whole milliseconds, in us" in refusal(path)


def test_candles_of_a_longer_timeframe_are_told(tmp_path: Path) -> None:
    rows = [f"{T0 + 5 * MINUTE * k},10,10,10,10,1" for k in range(10)]
    told = (
        "timeframe was 60 s, but no two candles are closer than 300 s,"
        " allowed: the timeframe of the file"
    )
    assert refusal(csv_file(tmp_path, *rows)) == told
    columns = {"time": [T0 + 5 * MINUTE * k for k in range(10)],
               **dict.fromkeys(("open", "high", "low", "close", "volume"), [1.0] * 10)}  # fmt: skip
    assert refusal(parquet_file(tmp_path, columns)) == told
    assert len(read_candles(csv_file(tmp_path, *rows), BTC, 5 * MINUTE)) == 10
    assert len(read_candles(csv_file(tmp_path, *rows[:9]), BTC, MINUTE)) == 9  # too few to tell


def sliced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auto_trading.gateways.parquet_slices._SLICE", 3)


@pytest.mark.parametrize(
    "times",
    [
        [T0 + k * MINUTE for k in range(10)],
        [(T0 + k * MINUTE) // 1000 for k in range(10)],
        pa.array([T0 + k * MINUTE for k in range(10)], pa.timestamp("ms", "UTC")),
        [f"2023-01-01 00:0{k}" for k in range(10)],
    ],
    ids=["ms", "s", "timestamp", "text"],
)
def test_slices_of_a_file_are_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: Any
) -> None:
    sliced(monkeypatch)
    prices = [100 + k / 100 for k in range(10)]
    columns = {"time": times, **dict.fromkeys(("open", "high", "low", "close"), prices),
               "volume": [k + 0.0019 for k in range(10)]}  # fmt: skip
    path = tmp_path / "c.parquet"
    pa_parquet.write_table(pa.table(columns), path, row_group_size=4)
    found = read_candles(path, BTC, MINUTE)
    assert found.bars() == [
        Bar(T0 + k * MINUTE, at, at, at, at, 1000 * k + 1) for k in range(10) for at in [10_000 + k]
    ]
    assert all(getattr(found, n).flags.writeable for n in ("open_ms", "open", "volume"))


@pytest.mark.parametrize(
    ("column", "row", "value", "expected"),
    [
        ("open", 7, float("nan"), "row 8: open was nan, allowed: finite numbers"),
        ("close", 9, 10.001, "row 10: close was 10.001, allowed: whole multiples"),
        ("volume", 5, -1.0, "row 6: volume was -1.0, allowed: 0 or more"),
        ("high", 6, 9.0, "row 7: high was 9.0, allowed: at least open and close"),
        ("time", 6, T0 + 5 * MINUTE, f"row 7: time was {T0 + 5 * MINUTE}, allowed: times after"),
        ("time", 6, T0 // 1000 + 360, f"row 7: time was {T0 // 1000 + 360}, allowed: whole milli"),
        # alone in its slice, where it would pass for a time in seconds
        ("time", 9, T0 // 1000 + 540, f"row 10: time was {T0 // 1000 + 540}, allowed: whole milli"),
        ("time", 6, None, "row 7: time was empty, allowed: whole s, ms or us"),
    ],
)
def test_a_fault_in_a_later_slice_is_named_by_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, row: int, value: Any,
    expected: str,
) -> None:  # fmt: skip
    sliced(monkeypatch)
    columns: dict[str, list[Any]] = {"time": [T0 + k * MINUTE for k in range(10)]}
    columns |= {name: [10.0] * 10 for name in ("open", "high", "low", "close", "volume")}
    columns[column][row] = value
    assert refusal(parquet_file(tmp_path, columns)).startswith(expected)


def test_the_first_of_many_bad_cells_is_found(tmp_path: Path) -> None:
    rows = [f"{T0 + MINUTE * k},10,11,9,10,{'?' if k >= 613 else 1}" for k in range(1000)]
    assert refusal(csv_file(tmp_path, *rows)).startswith("row 615: volume was '?'")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (16537.505, "row 1: open was 16537.505, allowed: whole multiples of 0.01 (price unit of"),
        (16537.500000000004, "row 1: open was 16537.500000000004, allowed: whole multiples of"),
        (float("nan"), "row 1: open was nan, allowed: finite numbers"),
        (None, "row 1: open was empty, allowed: a number"),
        (1e14, "row 1: open was 100000000000000.0, allowed: finite numbers of fewer than 2**50"),
    ],
)
def test_a_double_off_the_grid_is_refused(tmp_path: Path, value: float, expected: str) -> None:
    columns = {"time": [T0, T0 + MINUTE], **NUMBERS, "open": [value, 16529.2]}
    assert refusal(parquet_file(tmp_path, columns)).startswith(expected)


def test_single_precision_prices_are_off_the_grid(tmp_path: Path) -> None:
    columns = {"time": [T0], **{k: pa.array([0.1], pa.float32()) for k in NUMBERS}}
    assert "off the grid" in refusal(parquet_file(tmp_path, columns))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (pa.array([None], pa.int64()), "row 1: time was empty, allowed: whole s"),
        (pa.array([None], pa.string()), "row 1: time was empty, allowed: ISO 8601"),
        (pa.array([float(T0)]), "row 1: time was 1672531200000.0, allowed: whole numbers"),
        (pa.array([1], pa.timestamp("us")), "row 1: time was 1970-01-01 00:00:00.000001, allowed"),
    ],
)
def test_a_time_column_of_another_kind_is_refused(
    tmp_path: Path, times: Any, expected: str
) -> None:
    columns = {"time": times, **{name: values[:1] for name, values in NUMBERS.items()}}
    assert refusal(parquet_file(tmp_path, columns)).startswith(expected)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.csv") == "no such file"


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "f.csv"
    folder.mkdir()
    assert refusal(folder) == "cannot be read: Is a directory"


def test_an_unknown_format_is_refused_with_those_known(tmp_path: Path) -> None:
    path = csv_file(tmp_path, FIRST, name="c.xlsx")
    assert refusal(path) == "not a known format, allowed: .csv, .csv.gz, .parquet, .feather"


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(b"")
    assert refusal(path) == "the file is empty, allowed: a header and at least one row"


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    assert refusal(csv_file(tmp_path)) == "the file has no rows, allowed: at least one"


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = csv_file(tmp_path, FIRST, header="timestamp,open,high,low,clsoe,volume")
    assert refusal(path) == (
        "no column close, nearest is 'clsoe', "
        "the file has: timestamp, open, high, low, clsoe, volume"
    )


def test_a_missing_time_column_names_all_its_spellings(tmp_path: Path) -> None:
    path = csv_file(tmp_path, FIRST, header="when,open,high,low,close,volume")
    assert refusal(path).startswith("no column timestamp | open_time | time | date, nearest is")


def test_a_column_given_twice_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path, f"{FIRST},1", header=f"{HEADER},Close")
    assert refusal(path) == "column 'close' occurs 2 times"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("c.csv.gz", b"no gzip at all", "not readable as gzip: Not a gzipped file"),
        ("c.csv.gz", gzip.compress(b"x" * 99, mtime=0)[:-9], "not readable as gzip: "),
        ("c.csv.gz", b"", "the file is empty"),
        ("c.csv.gz", gzip.compress(b"", mtime=0), "no column timestamp"),
        ("c.parquet", b"PAR1 and nothing else", "not readable as .parquet: "),
        ("c.feather", b"ARROW1 and nothing else", "not readable as .feather: "),
        ("c.csv", "Zeit,öffnen".encode("latin-1"), "the header is not readable as .csv: "),
        (
            "c.csv",
            f"{HEADER}\n{T0},1,2,3\n".encode(),
            "not readable as .csv: CSV parse error: Row #2: Expected 6 columns, got 4",
        ),
        ("c.csv", f"{HEADER}\n{T0},\xff".encode("latin-1"), "not readable as .csv: "),
    ],
)
def test_an_unreadable_file_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refusal(path).startswith(expected)


def test_the_fingerprint_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = csv_file(tmp_path, FIRST)
    assert file_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        file_sha256(tmp_path / "none.csv")


def test_reading_files_does_not_load_pandas(tmp_path: Path) -> None:
    csv_file(tmp_path, FIRST)
    header = "timestamp,symbol,funding_rate"
    csv_file(tmp_path, f"{T0},ETHUSDT,0", f"{T0},BTCUSDT,0", header=header, name="f.csv")
    parquet_file(tmp_path, {"time": [T0, T0 + MINUTE], **NUMBERS})
    code = """
import sys
from pathlib import Path
from auto_trading.gateways.candle_files import read_candles
from auto_trading.gateways.funding_files import read_funding
from crypto_trader_pro.simulation.instruments import instrument
btc = instrument("BTC/USDT:USDT")
rows = len(read_candles(Path("c.csv"), btc, 60_000))
rows += len(read_candles(Path("c.parquet"), btc, 60_000))
rows += len(read_funding(Path("f.csv"), btc.symbol)[0])
print(rows, "pandas" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "4 False\n"


@pytest.mark.slow
def test_a_million_candles_need_little_memory(tmp_path: Path) -> None:
    """46 MiB are the result; read whole it was 218 MiB. Peak of the process, in KiB."""
    n = 1_000_000
    times = pa.array(range(T0, T0 + n * MINUTE, MINUTE))
    prices = pa.array([(100_000 + k % 977) / 100 for k in range(n)])
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
    path = parquet_file(tmp_path, {"time": times, **columns})
    code = """
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from auto_trading.gateways.candle_files import read_candles
from crypto_trader_pro.simulation.instruments import instrument
btc = instrument("BTC/USDT:USDT")
before = getrusage(RUSAGE_SELF).ru_maxrss
rows = len(read_candles(Path(sys.argv[1]), btc, 60_000))
print(rows, getrusage(RUSAGE_SELF).ru_maxrss - before, "pyarrow.compute" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, path], env={"PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    rows, kib, computes = done.stdout.split()
    assert (rows, computes) == ("1000000", "False")
    assert int(kib) < 120 * 1024


def test_the_arrays_can_be_written_to_as_a_compiled_kernel_expects(tmp_path: Path) -> None:
    header = "date,open,high,low,close,volume"
    path = csv_file(tmp_path, "2023-01-01,10,10,10,10,1", header=header)
    for series in (
        read_candles(path, BTC, MINUTE),
        read_candles(csv_file(tmp_path, FIRST), BTC, MINUTE),
    ):
        for name in ("open_ms", "open", "high", "low", "close", "volume"):
            assert getattr(series, name).flags.writeable, name
