"""Writes candles and funding rates to files that the readers of files take back unchanged.

Parquet holds doubles. Each is the double nearest to the decimal that it stands for, which is how
`table_files` reads a double: the whole units come back to the last one. CSV holds the decimals.
"""

import csv
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from gzip import GzipFile
from io import StringIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from auto_trading.gateways.table_files import LIMIT, file_sha256, step_and_places
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries, Floats, Ints
from crypto_trader_pro.domain.units import RATE

WRITABLE: Final = (".parquet", ".csv", ".csv.gz")
_ROWS: Final = 1 << 17  # written at once


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written, and its SHA-256 in hex."""

    path: Path
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Counts:
    """Whole numbers of `unit`."""

    numbers: Ints
    unit: Decimal

    def doubles(self, name: str) -> Floats:
        """Return the nearest double of each value.

        Raises:
            InputError: a value is so large that it would not come back.
        """
        step, places = step_and_places(self.unit)
        if len(self.numbers) and int(np.abs(self.numbers).max()) >= LIMIT // step:
            raise InputError(f"{name} was beyond 2**50 units of 1e-{places}, allowed: less")
        return np.asarray(self.numbers * step / 10**places, dtype=np.float64)

    def texts(self) -> Iterator[str]:
        """Yield each value as a plain decimal."""
        step, places = step_and_places(self.unit)
        for number in self.numbers.tolist():
            sign, size = ("-", -number * step) if number < 0 else ("", number * step)
            whole, rest = divmod(size, 10**places)
            yield f"{sign}{whole}.{rest:0{places}d}" if places else f"{sign}{whole}"


_Columns = Mapping[str, Any]  # `_Counts`, whole numbers as they are, or one text for all rows


def check_target(path: Path, *, overwrite: bool = False) -> None:
    """Say before the work whether `path` can be written.

    Raises:
        InputError: another format, no such folder, or the file is there already.
    """
    if not path.name.lower().endswith(WRITABLE):
        raise InputError(f"{path}: not a format to write, allowed: {', '.join(WRITABLE)}")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: is there already, allowed: a new name, or --force")


def export_candles(series: CandleSeries, item: Instrument, path: Path) -> Written:
    """Write all candles of `series`; the suffix decides on the format.

    Raises:
        InputError: the series is empty, or the file cannot be written.
    """
    if not len(series):
        raise InputError(f"{series.symbol}: no candles to write, allowed: at least one")
    columns: dict[str, Any] = {"timestamp": series.open_ms}
    for name in ("open", "high", "low", "close"):
        columns[name] = _Counts(getattr(series, name), item.price_unit)
    columns["volume"] = _Counts(series.volume, item.lot)
    return _export(path, columns, len(series))


def export_funding(symbol: str, at_ms: Ints, rates: Ints, path: Path) -> Written:
    """Write funding rates, given in parts of 1e8.

    Raises:
        InputError: there are none, or the file cannot be written.
    """
    if not len(at_ms):
        raise InputError(f"{symbol}: no funding rates to write, allowed: at least one")
    unit = Decimal(1) / RATE
    columns = {"timestamp": at_ms, "symbol": symbol, "funding_rate": _Counts(rates, unit)}
    return _export(path, columns, len(at_ms))


def _export(path: Path, columns: _Columns, rows: int) -> Written:
    write = _write_parquet if path.name.lower().endswith(".parquet") else _write_csv
    with _replacing(path) as part:
        write(part, columns, rows, path)
    return Written(path, rows, file_sha256(path))


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a name to write to; the file takes the place of `path` only when it is whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _write_parquet(part: Path, columns: _Columns, rows: int, path: Path) -> None:
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415  only where a file is written

    schema = pa.schema([(name, _kind(column)) for name, column in columns.items()])
    with ParquetWriter(part, schema) as writer:
        for start in range(0, rows, _ROWS):
            stop = min(start + _ROWS, rows)
            arrays = [_array(c, start, stop, f"{path}: {n}") for n, c in columns.items()]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _kind(column: Any) -> Any:
    if isinstance(column, str):
        return pa.string()
    return pa.float64() if isinstance(column, _Counts) else pa.int64()


def _array(column: Any, start: int, stop: int, name: str) -> Any:
    if isinstance(column, str):
        return pa.repeat(column, stop - start)
    if isinstance(column, _Counts):
        values: Any = _Counts(column.numbers[start:stop], column.unit).doubles(name)
    else:
        values = np.ascontiguousarray(column[start:stop])
    # pyarrow would import pandas to look at a NumPy array, but not for a buffer
    return pa.Array.from_buffers(_kind(column), stop - start, [None, pa.py_buffer(values)])


def _write_csv(part: Path, columns: _Columns, rows: int, path: Path) -> None:
    with ExitStack() as stack:
        file: Any = stack.enter_context(part.open("wb"))
        if path.name.lower().endswith(".gz"):
            # without name and time the same candles make the same bytes
            file = stack.enter_context(GzipFile("", "wb", fileobj=file, mtime=0))
        file.write((",".join(columns) + "\n").encode())
        for start in range(0, rows, _ROWS):
            stop = min(start + _ROWS, rows)
            text = StringIO()
            cells = [_cells(column, start, stop) for column in columns.values()]
            csv.writer(text, lineterminator="\n").writerows(zip(*cells, strict=True))
            file.write(text.getvalue().encode())


def _cells(column: Any, start: int, stop: int) -> Any:
    if isinstance(column, str):
        return [column] * (stop - start)
    if isinstance(column, _Counts):
        return _Counts(column.numbers[start:stop], column.unit).texts()
    return column[start:stop].tolist()
