"""Reads recorded funding rates of perpetuals."""

from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from auto_trading.gateways.table_files import (
    Column,
    exact_units,
    read_columns,
    text_cells,
    times_ms,
)
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.units import RATE

_RATE_UNIT: Final = Decimal(1) / RATE
_COLUMNS: Final = (
    ("timestamp", "funding_time", "fundingtime", "time", "date"),
    ("funding_rate", "fundingrate", "rate"),
)


def read_funding(path: Path, symbol: str) -> tuple[list[int], list[int]]:
    """Return the funding times of `symbol` in ms UTC, increasing, and the rates in parts of 1e8.

    Formats and time forms are those of candle files. Columns: `timestamp` (or `funding_time`,
    `fundingTime`, `time`, `date`), `funding_rate` (or `fundingRate`, `rate`) as a fraction per
    interval, positive when longs pay, and where the file holds more than one perpetual `symbol`,
    as ccxt or as the venue writes it ("BTC/USDT:USDT", "BTCUSDT").

    Raises:
        InputError: `symbol` is no perpetual, the file is unusable, a rate is finer than 1e-8, times
            do not increase, or no row is of `symbol`.
    """
    if ":" not in symbol:
        raise InputError(f"symbol was {symbol!r}, allowed: a perpetual, BASE/QUOTE:SETTLE")
    columns = read_columns(path, _COLUMNS, optional=("symbol",))
    at = columns["timestamp"]
    rows = np.arange(len(at.data))
    if "symbol" in columns:
        rows = _rows_of(columns["symbol"], symbol)
    at, rate = at.take(rows), columns["funding_rate"].take(rows)
    at_ms = times_ms(at)
    rates = exact_units(rate, _RATE_UNIT, "funding rate")
    steps = np.diff(at_ms, prepend=at_ms[0] - 1)
    if steps.min() <= 0:
        raise at.fault(int(np.argmax(steps <= 0)), "times after the one above, per symbol")
    return at_ms.tolist(), rates.tolist()


def _rows_of(column: Column, symbol: str) -> Ints:
    names = {symbol, symbol.split(":")[0].replace("/", "")}
    cells = text_cells(column)
    rows = [row for row, cell in enumerate(cells) if cell in names]
    if not rows:
        found = ", ".join(sorted(set(cells)))
        raise InputError(f"{column.path}: no funding of {symbol!r}, the file has: {found}")
    return np.array(rows, dtype=np.int64)
