"""Parquet files column by column and slice by slice, for files that would fill the memory."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from auto_trading.gateways.table_files import (
    Column,
    choose_columns,
    epoch_of,
    first_line,
    plain_array,
    times_ms,
)
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Ints

_SLICE: Final = 1 << 16  # cells of a column that are converted at once


class ParquetSlices:
    """The named columns of one file.

    A million candles read whole take 220 MiB on the way, in slices 90, of which 46 are the result.

    Raises:
        InputError: the file cannot be read, has no rows, or a column is missing or doubled.
    """

    def __init__(self, path: Path, required: Sequence[tuple[str, ...]]) -> None:
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415

        self._path = path
        try:
            self._file = ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path}: not readable as .parquet: {first_line(error)}") from None
        self.rows = int(self._file.metadata.num_rows)
        if not self.rows:
            raise InputError(f"{path}: the file has no rows, allowed: at least one")
        self._names = choose_columns(path, self._file.schema_arrow.names, required, ())

    def units(self, name: str, convert: Callable[[Column], Ints], found: Ints) -> None:
        """Put what `convert` makes of each slice of a column into `found`, shape (rows,).

        Raises:
            InputError: from `convert`; it names the first fault of a slice, not of the file.
        """
        start = 0
        for column in self._slices(name, _SLICE):
            stop = start + len(column.data)
            found[start:stop] = convert(column)
            start = stop
        # Arrow keeps what a column took for the next: of six columns 20 MiB more than the largest
        pa.default_memory_pool().release_unused()

    def times_ms(self, name: str, found: Ints) -> None:
        """Put a column of instants into `found`, as `times_ms` has them.

        Raises:
            InputError: a cell is no instant, or is written in another way than the first.
        """
        kind = self._file.schema_arrow.field(self._names[name]).type
        if not (pa.types.is_integer(kind) or pa.types.is_timestamp(kind)):
            found[:] = times_ms(next(self._slices(name, self.rows)))  # the first text says how
            return
        epochs: set[int] = set()

        def convert(column: Column) -> Ints:
            if pa.types.is_integer(kind) and not column.data.null_count:
                epochs.add(epoch_of(column.data[0].as_py()))
                if len(epochs) > 1:
                    raise column.fault(0, "the unit of the first row")
            return times_ms(column)

        self.units(name, convert, found)

    def _slices(self, name: str, size: int) -> Iterator[Column]:
        own = self._names[name]
        start = 1
        try:
            for batch in self._file.iter_batches(size, columns=[own], use_threads=False):
                table = pa.Table.from_batches([batch])
                rows = np.arange(start, start + table.num_rows)
                yield Column(self._path, own.strip(), plain_array(table, own), rows)
                start += table.num_rows
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{self._path}: not readable as .parquet: {first_line(error)}"
            ) from None
