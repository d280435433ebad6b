"""Finds look-ahead: values of a candle that change when later candles change.

`first_difference` runs any "candles in, one row per candle out" function on the whole series, then
on series that are the same up to some candle and different after it, and compares what must not
have changed, bit by bit. It serves features, labels of the past and strategies alike.

What a function reads besides its argument (another symbol, funding) is not altered; run it once
more with that as the argument.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries

Rows = NDArray[Any] | Sequence[Any]
ALTERATIONS: Final = ("truncated", "corrupted", "removed")


@dataclass(frozen=True, slots=True)
class Difference:
    """The first value that depends on the future."""

    alteration: str  # what was done to the candles after `cut`
    cut: int  # index of the last candle left as it was
    row: int
    column: int  # 0 where a row is a single value
    full: object  # with the true candles after `cut`
    altered: object

    def __str__(self) -> str:
        return (
            f"look-ahead: row {self.row}, column {self.column} was {self.full!r} and is "
            f"{self.altered!r} with the candles after row {self.cut} {self.alteration}"
        )


def first_difference(
    series: CandleSeries, compute: Callable[[CandleSeries], Rows], cuts: Iterable[int]
) -> Difference | None:
    """Return the first difference found, lowest row of the first cut that shows one, or None.

    Args:
        series: candles; more of them after a cut show look-ahead of a longer reach.
        compute: returns an array of shape (n,) or (n, k), or n values or tuples of k values.
        cuts: indices of candles, each at most len(series) - 2.

    Raises:
        InputError: a cut is outside, or `compute` does not return a row for each candle.
    """
    full = _matrix(compute(series), len(series))
    for cut in cuts:
        if not 0 <= cut <= len(series) - 2:
            raise InputError(f"cut was {cut}, allowed: 0 to {len(series) - 2}")
        for alteration in ALTERATIONS:
            altered = _altered(series, cut, alteration)
            found = _compare(full, _matrix(compute(altered), cut + 1), cut, alteration)
            if found is not None:
                return found
    return None


def _altered(series: CandleSeries, cut: int, alteration: str) -> CandleSeries:
    kept, n = cut + 1, len(series)
    if alteration == "truncated":
        return series.slice(0, kept)
    if alteration == "removed":  # the next candle is missing, the others stay
        rows = np.delete(np.arange(n), kept)
        columns = (series.open, series.high, series.low, series.close, series.volume)
        return CandleSeries(
            series.symbol, series.timeframe_ms, series.open_ms[rows], *(c[rows] for c in columns)
        )
    later = np.arange(n) >= kept
    # still possible candles, at other prices, turned upside down, on other volumes
    swing = 1 + np.arange(n) % 7
    low = np.where(later, series.low * swing, series.low)
    high = np.where(later, series.high * (swing + 1), series.high)
    return CandleSeries(
        series.symbol,
        series.timeframe_ms,
        series.open_ms,
        np.where(later, high, series.open),
        high,
        low,
        np.where(later, low, series.close),
        np.where(later, series.volume * 3 + swing, series.volume),
    )


def _matrix(rows: Rows, at_least: int) -> NDArray[Any]:
    table: NDArray[Any]
    if isinstance(rows, np.ndarray):
        table = rows
    else:  # tuples of mixed kinds stay as they are
        width = len(rows[0]) if len(rows) and isinstance(rows[0], tuple) else 0
        table = np.empty((len(rows), width) if width else len(rows), dtype=object)
        for i, row in enumerate(rows):
            table[i] = row
    table = table.reshape(len(table), -1)
    if len(table) < at_least:
        raise InputError(f"compute returned {len(table)} rows for {at_least} candles")
    return table


def _compare(
    full: NDArray[Any], other: NDArray[Any], cut: int, alteration: str
) -> Difference | None:
    if full.shape[1] != other.shape[1]:
        raise InputError(f"compute returned {full.shape[1]} columns, then {other.shape[1]}")
    for row in _suspects(full[: cut + 1], other[: cut + 1]):
        pairs = zip(full[row].tolist(), other[row].tolist(), strict=True)
        for column, (a, b) in enumerate(pairs):
            if not _identical(a, b):
                return Difference(alteration, cut, row, column, a, b)
    return None


def _suspects(full: NDArray[Any], other: NDArray[Any]) -> list[int]:
    if full.dtype == other.dtype and full.dtype.kind == "f":  # NaN is not equal to itself
        same = (full == other) & (np.signbit(full) == np.signbit(other))
    else:
        same = np.asarray(full == other, dtype=np.bool_)
    rows: list[int] = np.flatnonzero(~same.all(axis=1)).tolist()
    return rows


def _identical(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return a == b and math.copysign(1.0, a) == math.copysign(1.0, b)
    return bool(a == b)
