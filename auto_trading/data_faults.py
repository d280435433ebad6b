"""Every row of a candle file that cannot be used, counted by what is wrong; the rest as a series.

`read_candles` refuses a file at its first fault. Here all are looked for, so that a report can say
whether a file has one bad row or a thousand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auto_trading.gateways.candle_files import COLUMNS, PRICES
from auto_trading.gateways.table_files import (
    LIMIT,
    Column,
    read_columns,
    step_and_places,
    times_ms,
    units_on_grid,
)
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries, Ints

_Mask = NDArray[np.bool_]
_NUMBER: Final = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"


@dataclass(frozen=True, slots=True)
class Fault:
    """Rows with the same fault: how many, and the first of them in words."""

    rows: int
    first: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What a file holds.

    `faults` by name: not_a_number, off_grid_price, off_grid_time, not_positive, impossible,
    negative_volume, duplicate, backward. A row counts under the first that applies.
    """

    series: CandleSeries  # of the rows without fault, in the order of time
    faults: Mapping[str, Fault]
    rows: int


def examine(path: Path, instrument: Instrument, timeframe_ms: int) -> Examined:
    """Look at every row of a candle file.

    Raises:
        InputError: the file cannot be read at all, or its times cannot.
    """
    columns = read_columns(path, COLUMNS)
    open_ms = times_ms(columns["timestamp"])
    numbers = {name: _tolerant(columns[name], instrument.price_unit) for name in PRICES}
    numbers["volume"] = _tolerant(columns["volume"], instrument.lot)
    judge = _Judge(columns, len(open_ms))
    for name, (_, is_number, _on_grid) in numbers.items():
        judge.rule("not_a_number", ~is_number, name, "a number")
    for name in PRICES:
        allowed = f"whole multiples of {instrument.price_unit:f}"
        judge.rule("off_grid_price", ~numbers[name][2], name, allowed)
    judge.rule("off_grid_time", open_ms % timeframe_ms != 0, "timestamp", "times on the grid")
    open_, high, low, close = (numbers[name][0] for name in PRICES)
    for name in PRICES:
        judge.rule("not_positive", numbers[name][0] <= 0, name, "more than 0")
    judge.rule("impossible", high < np.maximum(open_, close), "high", "at least open and close")
    judge.rule("impossible", low > np.minimum(open_, close), "low", "at most open and close")
    volume = numbers["volume"][0]
    judge.rule("negative_volume", volume < 0, "volume", "0 or more")
    _judge_order(judge, open_ms)
    rows = np.flatnonzero(judge.is_sound)
    rows = rows[np.argsort(open_ms[rows], kind="stable")]
    series = CandleSeries(
        instrument.symbol, timeframe_ms, open_ms[rows], open_[rows], high[rows], low[rows],
        close[rows], volume[rows],
    )  # fmt: skip
    return Examined(series, judge.faults, len(open_ms))


class _Judge:
    """Collects the faults; a row that has one is not looked at again."""

    def __init__(self, columns: Mapping[str, Column], rows: int) -> None:
        self._columns = columns
        self.is_sound: _Mask = np.ones(rows, dtype=np.bool_)
        self.faults: dict[str, Fault] = {}

    def rule(self, name: str, is_wrong: _Mask, column: str, allowed: str) -> None:
        """Count the sound rows where `is_wrong`, and take them out."""
        wrong = is_wrong & self.is_sound
        count = int(wrong.sum())
        if not count:
            return
        self.is_sound &= ~wrong
        known = self.faults.get(name)
        first = str(self._columns[column].fault(int(np.argmax(wrong)), allowed))
        self.faults[name] = Fault(
            count + (known.rows if known else 0), known.first if known else first
        )


def _judge_order(judge: _Judge, open_ms: Ints) -> None:
    """Find times that came before, and times that run backward, among the sound rows."""
    rows = np.flatnonzero(judge.is_sound)
    if not len(rows):
        return
    at = open_ms[rows]
    _, firsts = np.unique(at, return_index=True)
    again = np.ones(len(rows), dtype=np.bool_)
    again[firsts] = False
    newest = np.maximum.accumulate(at)
    back = at < newest
    for name, mask, allowed in (
        ("duplicate", again, "each time once"),
        ("backward", back & ~again, "times after those above"),
    ):
        wrong = np.zeros(len(open_ms), dtype=np.bool_)
        wrong[rows[mask]] = True
        # a row out of order still is a candle: it is reported and sorted in
        was = judge.is_sound.copy()
        judge.rule(name, wrong, "timestamp", allowed)
        if name == "backward":
            judge.is_sound = was


def _tolerant(column: Column, unit: Decimal) -> tuple[Ints, _Mask, _Mask]:
    """Return units rounded down, where the cell is a number, and where it is on the grid.

    A cell that is no number counts as one unit, on the grid.
    """
    is_number = _numbers(column, unit)
    units = np.ones(len(column.data), dtype=np.int64)
    on_grid = np.ones(len(column.data), dtype=np.bool_)
    rows = np.flatnonzero(is_number)
    if len(rows):
        units[rows], on_grid[rows] = units_on_grid(column.take(rows), unit)
    return units, is_number, on_grid


def _numbers(column: Column, unit: Decimal) -> _Mask:
    """Return where a cell is a finite number that can be counted in units."""
    import pyarrow.compute as pc  # noqa: PLC0415  only a report needs it

    data: Any = column.data
    if pa.types.is_floating(data.type):
        most = LIMIT / 10 ** step_and_places(unit)[1]
        found = pc.and_(pc.is_finite(data), pc.less(pc.abs(data), most))
    elif pa.types.is_string(data.type):
        found = pc.match_substring_regex(data, _NUMBER)
    elif pa.types.is_integer(data.type) or pa.types.is_decimal(data.type):
        found = pc.is_valid(data)
    else:
        raise InputError(
            f"{column.path}: column {column.name} is {data.type}, allowed: numbers or text"
        )
    bits = pc.fill_null(found, False).cast(pa.uint8())
    return np.frombuffer(bits.buffers()[1], dtype=np.uint8)[: len(data)].astype(np.bool_)
