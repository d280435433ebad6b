"""Reads candle files into whole numbers; whatever cannot be a candle is refused by name."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from auto_trading.gateways.parquet_slices import ParquetSlices
from auto_trading.gateways.table_files import (
    Column,
    exact_units,
    file_sha256,
    floored_units,
    read_columns,
    times_ms,
)
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries, Ints
from crypto_trader_pro.domain.timeframes import to_datetime

__all__ = ["file_sha256", "read_candles"]

_TELLING: Final = 10  # so many candles without two neighbours are of another timeframe
PRICES: Final = ("open", "high", "low", "close")
COLUMNS: Final = (
    ("timestamp", "open_time", "time", "date"),
    *((name,) for name in PRICES),
    ("volume",),
)


def read_candles(path: Path, instrument: Instrument, timeframe_ms: int) -> CandleSeries:
    """Read the candles of `instrument` from a .csv, .csv.gz, .parquet or .feather file.

    Columns, in any order and case, others are ignored: `timestamp` (or `open_time`, `time`, `date`:
    the OPEN time, whole s, ms or us since 1970, or ISO text or timestamps in UTC), `open`, `high`,
    `low`, `close` in the quote currency, `volume` in the base currency. Gaps are allowed and stay.
    Prices are exact; volume is rounded down to lots.

    Raises:
        InputError: the file is unusable; names the first row and column at fault, in this order:
            not a number, off the price grid, time off the grid, doubled or backward, candles of a
            longer timeframe, price not positive, high or low that does not span open and close,
            negative volume.
    """
    if path.name.lower().endswith(".parquet"):
        # whatever is at fault is found again below, where the file's first fault can be named
        with suppress(InputError):
            return _read_in_slices(path, instrument, timeframe_ms)
    columns = read_columns(path, COLUMNS)
    open_ms = times_ms(columns["timestamp"])
    open_, high, low, close = (_price_units(columns[name], instrument) for name in PRICES)
    volume = floored_units(columns["volume"], instrument.lot)
    _check_times(columns["timestamp"], open_ms, timeframe_ms)
    _check_prices(columns, open_, high, low, close)
    _refuse(columns["volume"], volume < 0, "0 or more")
    return CandleSeries(instrument.symbol, timeframe_ms, open_ms, open_, high, low, close, volume)


def _read_in_slices(path: Path, instrument: Instrument, timeframe_ms: int) -> CandleSeries:
    """Read a Parquet file in little memory; the same numbers as whole, for a file without fault.

    The columns are those of one table, row by row, which is what the kernel walks along.

    Raises:
        InputError: there is some fault.
    """
    file = ParquetSlices(path, COLUMNS)
    table = np.empty((file.rows, 2 + len(PRICES)), np.int64)
    file.times_ms("timestamp", table[:, 0])
    for k, name in enumerate(PRICES, 1):
        file.units(name, lambda c: _price_units(c, instrument), table[:, k])
    file.units("volume", lambda c: floored_units(c, instrument.lot), table[:, -1])
    if not _is_sound(timeframe_ms, *table.T):
        raise InputError(f"{path}: no series of candles")
    return CandleSeries(instrument.symbol, timeframe_ms, *table.T)


def _price_units(column: Column, instrument: Instrument) -> Ints:
    return exact_units(column, instrument.price_unit, f"price unit of {instrument.symbol}")


def _is_sound(
    timeframe_ms: int, open_ms: Ints, open_: Ints, high: Ints, low: Ints, close: Ints, volume: Ints
) -> bool:
    """Judge as `_check_times`, `_check_prices` and the sign of volume, without naming a row."""
    return bool(
        not (open_ms % timeframe_ms).any()
        and (open_ms[1:] > open_ms[:-1]).all()
        and _step_of(open_ms, timeframe_ms) == timeframe_ms
        and low.min() > 0
        and (low <= np.minimum(open_, close)).all()
        and (high >= np.maximum(open_, close)).all()
        and volume.min() >= 0
    )


def _check_times(column: Column, open_ms: Ints, timeframe_ms: int) -> None:
    grid = f"open times on the grid of {timeframe_ms} ms, this is off the grid"
    _refuse(column, open_ms % timeframe_ms != 0, grid)
    steps = np.diff(open_ms, prepend=open_ms[0] - timeframe_ms)
    if steps.min() > 0:
        _check_step(column.path, _step_of(open_ms, timeframe_ms), timeframe_ms)
        return
    row = int(np.argmax(steps <= 0))
    before = to_datetime(int(open_ms[row - 1])).isoformat()
    word = "a duplicate" if steps[row] == 0 else "not sorted"
    raise column.fault(row, f"times after {before} of the row above, this is {word}")


def _step_of(open_ms: Ints, timeframe_ms: int) -> int:
    """Return the shortest distance of two candles in ms; of a few candles it says nothing."""
    few = len(open_ms) < _TELLING
    return timeframe_ms if few else int((open_ms[1:] - open_ms[:-1]).min())


def _check_step(path: Path, step_ms: int, timeframe_ms: int) -> None:
    """Refuse candles of which no two are neighbours: they are of a longer timeframe."""
    if step_ms == timeframe_ms:
        return
    raise InputError(
        f"{path}: timeframe was {timeframe_ms // 1000} s, but no two candles are closer than"
        f" {step_ms // 1000} s, allowed: the timeframe of the file"
    )


def _check_prices(
    columns: dict[str, Column], open_: Ints, high: Ints, low: Ints, close: Ints
) -> None:
    for name, values in zip(PRICES, (open_, high, low, close), strict=True):
        _refuse(columns[name], values <= 0, "more than 0")
    _refuse(columns["high"], high < np.maximum(open_, close), "at least open and close")
    _refuse(columns["low"], low > np.minimum(open_, close), "at most open and close")


def _refuse(column: Column, faults: NDArray[np.bool_], allowed: str) -> None:
    if faults.any():
        raise column.fault(int(np.argmax(faults)), allowed)
