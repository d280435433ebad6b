"""Columns of CSV, Parquet and Feather files as exact whole numbers.

A CSV cell is read as text and a decimal is made of the text, so no binary float takes part. A float
column of Parquet or Feather counts as the decimal that the double stands for: `x` is `y / 10**d`
exactly when the double nearest to `y / 10**d` is `x`.

Rows in messages count from 1; in CSV the header is row 1, and empty lines do not count.

The readers of the formats are imported by the first file of a format: each takes longer to load
than a month of candles takes to read.
"""

import csv
import gzip
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Ints

FORMATS: Final = (".csv", ".csv.gz", ".parquet", ".feather")
_PLACES: Final = 18
_EXACT: Final = pa.decimal128(38, _PLACES)
LIMIT: Final = 1 << 50  # units; below it a product of doubles is less than half a unit off
# a plain number is seconds, ms or us: from 1973 to 5138 the three ranges do not meet. By the
# smallest value of its range: the unit, and by what it is multiplied and divided to be ms
_EPOCHS: Final = {10**8: ("s", 1000, 1), 10**11: ("ms", 1, 1), 10**14: ("us", 1, 1000)}

_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Cells of one column of a file: `data` is a pyarrow array of shape (n,)."""

    path: Path
    name: str
    data: Any
    rows: Ints  # the file's row of each cell

    def fault(self, cell: int, allowed: str) -> InputError:
        """Return the error for the cell at index `cell`."""
        shown = self.data[cell].as_py()
        text = "empty" if shown is None else repr(shown) if isinstance(shown, str) else str(shown)
        where = f"{self.path}: row {self.rows[cell]}: {self.name}"
        return InputError(f"{where} was {text}, allowed: {allowed}")

    def take(self, cells: Ints) -> "Column":
        """Return only the cells at the indices `cells`."""
        # pyarrow imports pandas to look at a NumPy array or a list, but not for a buffer
        indices = pa.Array.from_buffers(pa.int64(), len(cells), [None, pa.py_buffer(cells)])
        return Column(self.path, self.name, self.data.take(indices), self.rows[cells])


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, in hex.

    Raises:
        InputError: the file cannot be read.
    """
    return hashlib.sha256(_bytes(path)).hexdigest()


def read_columns(
    path: Path, required: Sequence[tuple[str, ...]], optional: Sequence[str] = ()
) -> dict[str, Column]:
    """Return the named columns of `path`; the suffix decides on the format.

    Args:
        path: a file of one of `FORMATS`.
        required: for each column its accepted names; the first is the key of the result.
        optional: names that may be absent. Names match whatever their case.

    Raises:
        InputError: missing, empty or unreadable file, unknown format, missing or doubled column.
    """
    kind = _format(path)
    content = _bytes(path)
    if not content:
        raise InputError(f"{path}: the file is empty, allowed: a header and at least one row")
    if kind == ".csv.gz":
        content = _unzipped(path, content)
    load = _load_csv if kind.startswith(".csv") else _load_binary
    columns = load(path, kind, content, required, optional)
    if any(len(column.data) == 0 for column in columns.values()):
        raise InputError(f"{path}: the file has no rows, allowed: at least one")
    return columns


def exact_units(column: Column, unit: Decimal, unit_name: str) -> Ints:
    """Return each value as whole units of `unit`, exactly.

    Raises:
        InputError: a cell is not a finite number, or is not a whole multiple of `unit`.
    """
    units, on_grid = units_on_grid(column, unit)
    if not on_grid.all():
        row = int(np.argmin(on_grid))
        raise column.fault(row, f"whole multiples of {unit:f} ({unit_name}), this is off the grid")
    return units


def floored_units(column: Column, unit: Decimal) -> Ints:
    """Return each value in whole units of `unit`, rounded down.

    Raises:
        InputError: a cell is not a finite number.
    """
    return units_on_grid(column, unit)[0]


def times_ms(column: Column) -> Ints:
    """Return each instant as ms since 1970 UTC, from whole s, ms or us, or from ISO 8601 text.

    Text without an offset is UTC. A value finer than a millisecond is refused.

    Raises:
        InputError: a cell is none of these.
    """
    kind = column.data.type
    first = column.data[0].as_py()
    digits = pa.types.is_string(kind) and (first or "").isdigit()
    if digits or pa.types.is_integer(kind):
        whole = _cast(column, pa.int64(), "whole s, ms or us since 1970")
        return _scaled_times(column, _values(whole, np.int64))
    if pa.types.is_string(kind):
        clock = (first or "")[10:].upper()
        zone = "UTC" if clock.endswith("Z") or "+" in clock or "-" in clock else None
        instants = _cast(column, pa.timestamp("ms", zone), "ISO 8601 in UTC, alike in all rows")
    elif pa.types.is_timestamp(kind):
        instants = _cast(column, pa.timestamp("ms", kind.tz), "whole milliseconds")
    elif pa.types.is_date(kind):
        instants = _cast(column, pa.timestamp("ms"), "a date")
    else:
        raise column.fault(0, f"whole numbers, ISO text or timestamps, this is a {kind}")
    return _values(instants.view(pa.int64()), np.int64)


def text_cells(column: Column) -> list[str]:
    """Return each cell as text; an empty cell is the empty text."""
    return [cell or "" for cell in column.data.cast(pa.string()).to_pylist()]


def _format(path: Path) -> str:
    for suffix in FORMATS:
        if path.name.lower().endswith(suffix):
            return suffix
    raise InputError(f"{path}: not a known format, allowed: {', '.join(FORMATS)}")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _unzipped(path: Path, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not readable as gzip: {error}") from None


def _load_csv(
    path: Path,
    kind: str,
    content: bytes,
    required: Sequence[tuple[str, ...]],
    optional: Sequence[str],
) -> dict[str, Column]:
    import pyarrow.csv as pa_csv  # noqa: PLC0415

    head = content[: content.find(b"\n") + 1] or content
    try:
        header = next(csv.reader([head.decode("utf-8-sig").rstrip("\r\n")]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: the header is not readable as {kind}: {error}") from None
    chosen = choose_columns(path, header, required, optional)
    names = list(chosen.values())
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(content),
            read_options=pa_csv.ReadOptions(use_threads=False),
            convert_options=pa_csv.ConvertOptions(
                include_columns=names,
                column_types={name: pa.string() for name in names},
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise InputError(f"{path}: not readable as {kind}: {first_line(error)}") from None
    return _columns(path, table, chosen, first_row=2)


def _load_binary(
    path: Path,
    kind: str,
    content: bytes,
    required: Sequence[tuple[str, ...]],
    optional: Sequence[str],
) -> dict[str, Column]:
    source = pa.BufferReader(content)
    try:
        if kind == ".parquet":
            import pyarrow.parquet as pa_parquet  # noqa: PLC0415

            file = pa_parquet.ParquetFile(source)
            chosen = choose_columns(path, file.schema_arrow.names, required, optional)
            table = file.read(columns=list(chosen.values()), use_threads=False)
        else:
            import pyarrow.feather as pa_feather  # noqa: PLC0415

            table = pa_feather.read_table(source, use_threads=False)
            chosen = choose_columns(path, table.column_names, required, optional)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not readable as {kind}: {first_line(error)}") from None
    return _columns(path, table, chosen, first_row=1)


def choose_columns(
    path: Path, names: Sequence[str], required: Sequence[tuple[str, ...]], optional: Sequence[str]
) -> dict[str, str]:
    """Return the file's own name of each column that is asked for, by the key of the result.

    Raises:
        InputError: a required column is missing, or a column occurs more than once.
    """
    known = [name.strip().lower() for name in names]
    chosen: dict[str, str] = {}
    for aliases in (*required, *((name,) for name in optional)):
        found = next((alias for alias in aliases if alias in known), None)
        if found is not None:
            if known.count(found) > 1:
                raise InputError(f"{path}: column {found!r} occurs {known.count(found)} times")
            chosen[aliases[0]] = names[known.index(found)]
        elif aliases in required:
            raise InputError(f"{path}: {_missing(aliases, known)}")
    return chosen


def _missing(aliases: tuple[str, ...], known: Sequence[str]) -> str:
    nearest = get_close_matches(aliases[0], known, n=1, cutoff=0.0)
    hint = f", nearest is {nearest[0]!r}" if nearest else ""
    return f"no column {' | '.join(aliases)}{hint}, the file has: {', '.join(known)}"


def _columns(path: Path, table: Any, chosen: dict[str, str], first_row: int) -> dict[str, Column]:
    rows = np.arange(first_row, first_row + table.num_rows)
    return {
        k: Column(path, name.strip(), plain_array(table, name), rows) for k, name in chosen.items()
    }


def plain_array(table: Any, name: str) -> Any:
    """Return a column as one array of plain cells: text, numbers or instants."""
    data = table.column(name).combine_chunks()
    if pa.types.is_dictionary(data.type):
        data = data.dictionary_decode()
    return data.cast(pa.string()) if pa.types.is_large_string(data.type) else data


def step_and_places(unit: Decimal) -> tuple[int, int]:
    """Return the whole numbers of which the unit is step / 10**places."""
    exponent = unit.normalize().as_tuple().exponent
    places = max(0, -exponent) if isinstance(exponent, int) else 0
    return int(unit.scaleb(places)), places


def units_on_grid(column: Column, unit: Decimal) -> tuple[Ints, NDArray[np.bool_]]:
    """Return whole units rounded down, and where the value is exactly that many units."""
    step, places = step_and_places(unit)
    read = _from_floats if pa.types.is_floating(column.data.type) else _from_decimals
    counts, exact = read(column, places)
    return (counts, exact) if step == 1 else (counts // step, exact & (counts % step == 0))


def _from_decimals(column: Column, places: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Count units of 10**-places, rounded down, in a column of text, whole numbers or decimals."""
    import pyarrow.compute as pc  # noqa: PLC0415

    values = _cast(column, _EXACT, f"a number with at most {_PLACES} decimals")
    floored = pc.round(values, ndigits=places, round_mode="down")
    exact = _values(pc.equal(floored, values).cast(pa.uint8()), np.bool_)
    return _low_words(column, floored.cast(pa.decimal128(38, places))), exact


def _low_words(column: Column, decimals: Any) -> Ints:
    """Return the whole numbers behind decimals: two little-endian 64-bit words each, low first."""
    buffer = np.frombuffer(decimals.buffers()[1], dtype="<i8").reshape(-1, 2)
    words = buffer[decimals.offset : decimals.offset + len(decimals)]
    low, high = words[:, 0].copy(), words[:, 1]
    fits = (high == low >> 63) & (low < LIMIT) & (low > -LIMIT)
    if not fits.all():
        allowed = f"fewer than 2**50 units of 1e-{decimals.type.scale}"
        raise column.fault(int(np.argmin(fits)), allowed)
    return low


def _from_floats(column: Column, places: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Count units of 10**-places, rounded down, in a column of doubles, without rounding error.

    `rint` finds the nearest unit; the true quotient decides whether that unit lies above the value.
    """
    _refuse_empty(column, "a number")
    # a cast would load pyarrow.compute, even to the same type
    doubles = (
        column.data if pa.types.is_float64(column.data.type) else column.data.cast(pa.float64())
    )
    values = _values(doubles, np.float64)
    usable = np.isfinite(values) & (np.abs(values) < LIMIT / 10**places)
    if not usable.all():
        allowed = f"finite numbers of fewer than 2**50 units of 1e-{places}"
        raise column.fault(int(np.argmin(usable)), allowed)
    counts = np.rint(values * 10**places)
    nearest = counts / 10**places  # the double that stands for this many units
    counts -= nearest > values
    return counts.astype(np.int64), nearest == values


def epoch_of(value: int) -> int:
    """Return the key in `_EPOCHS` of a plain number; 0 where it is none of our age."""
    return next((low for low in _EPOCHS if low <= value < 1000 * low), 0)


def _scaled_times(column: Column, values: Ints) -> Ints:
    low = epoch_of(int(values[0]))
    if not low:
        raise column.fault(0, "whole s, ms or us since 1970, from 1973 on")
    unit, times, per_ms = _EPOCHS[low]
    outside = (values < low) | (values >= 1000 * low) | (values % per_ms != 0)
    if outside.any():
        raise column.fault(
            int(np.argmax(outside)), f"whole milliseconds, in {unit} as the first row"
        )
    return values * times // per_ms


def _cast(column: Column, target: Any, allowed: str) -> Any:
    """Cast a whole column; on failure search the first cell that does it, and name it."""
    _refuse_empty(column, allowed)
    data = column.data
    if data.type == target:
        return data
    try:
        return data.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise column.fault(_first_failure(data, target), allowed) from None


def _first_failure(data: Any, target: Any) -> int:
    low, high = 0, len(data)  # the first cell that cannot be cast is in [low, high)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            data.slice(low, middle - low).cast(target)
            low = middle
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            high = middle
    return low


def _refuse_empty(column: Column, allowed: str) -> None:
    if column.data.null_count:
        nulls = _values(column.data.is_null().cast(pa.uint8()), np.bool_)
        raise column.fault(int(np.argmax(nulls)), allowed)


def _values(data: Any, kind: type[_Number]) -> NDArray[_Number]:
    """Copy the values of an array without nulls; pyarrow's own way would import pandas."""
    values = np.frombuffer(data.buffers()[1], dtype=kind)
    return values[data.offset : data.offset + len(data)].copy()


def first_line(error: Exception) -> str:
    """Return what an error says, without the lines that only pyarrow's makers understand."""
    return str(error).split("\n")[0]
