"""The candles of a training run: those that are stored, and what is missing from the source.

What is stored wins, because a living session has decided on it. Rows are written a few at a time
with pauses: an engine that commits meanwhile waits for milliseconds, never for the whole history.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Engine as Database

from auto_trading.history_sources import CHEAP, HistorySource
from crypto_trader_pro.domain.errors import RetryableError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from database import candles
from database.auto_trading_db import unit_of_work
from database.candles import Origin

_ROWS: Final = 250  # in a transaction
_TRIES: Final = 4
_PAUSE_SECONDS: Final = 2.0  # before the second try, doubled before each later one


@dataclass(frozen=True, slots=True)
class Wanted:
    """Candles that open in [from_ms, to_ms), of which those from `window_ms` on are stored."""

    timeframe_ms: int
    from_ms: int
    window_ms: int
    to_ms: int


class TrainingHistory:
    """Reads and completes the stored history of one source."""

    def __init__(
        self, database: Database, source: HistorySource,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._database = database
        self._source = source
        self._sleep = sleep
        self._origin = Origin(source.venue, source.name)
        self._keeps_all = source.name not in CHEAP

    def load(self, item: Instrument, wanted: Wanted) -> CandleSeries:
        """Return the candles of a symbol; those the source had to give are stored.

        Raises:
            RetryableError: the source or the database did not answer, several times.
            InputError: the source or the store holds something that cannot be used.
        """
        stored_from = wanted.from_ms if self._keeps_all else wanted.window_ms
        with unit_of_work(self._database, "the stored candles") as session:
            stored = candles.load(
                session, item, wanted.timeframe_ms, self._origin,
                from_ms=stored_from, to_ms=wanted.to_ms,
            )  # fmt: skip
        fetched = [
            self._fetched(item, wanted.timeframe_ms, first, last)
            for first, last in self._missing(stored, wanted)
        ]
        whole, new = _merged(stored, fetched)
        self._store(item, _rows(whole, new & (whole.open_ms >= stored_from)))
        return whole

    def _missing(self, stored: CandleSeries, wanted: Wanted) -> list[tuple[int, int]]:
        """Return the ranges to ask the source for."""
        if not self._keeps_all or not len(stored):
            return [(wanted.from_ms, wanted.to_ms)]
        # holes inside have been asked for before: the venue has no candle there, or a session that
        # was not running has left one, which is asked for again
        ends = np.flatnonzero(np.diff(stored.open_ms) != wanted.timeframe_ms)
        length = wanted.timeframe_ms
        inner = [(int(stored.open_ms[k]) + length, int(stored.open_ms[k + 1])) for k in ends]
        first, last = int(stored.open_ms[0]), int(stored.open_ms[-1]) + length
        ranges = [(wanted.from_ms, first), *inner, (last, wanted.to_ms)]
        return [(a, b) for a, b in ranges if a < b]

    def _fetched(self, item: Instrument, length: int, first: int, last: int) -> CandleSeries:
        pause = _PAUSE_SECONDS
        for _ in range(_TRIES - 1):
            try:
                return self._source.history(item.symbol, length, first, last)
            except RetryableError:
                self._sleep(pause)
                pause *= 2
        return self._source.history(item.symbol, length, first, last)

    def _store(self, item: Instrument, new: CandleSeries) -> None:
        for first in range(0, len(new), _ROWS):
            part = new.slice(first, min(first + _ROWS, len(new)))
            began = time.monotonic()
            with unit_of_work(self._database, "the candles") as session:
                candles.store(session, part, item, self._origin)
            self._sleep(time.monotonic() - began)  # the database is the engine's half of the time


def _merged(
    stored: CandleSeries, fetched: Sequence[CandleSeries]
) -> tuple[CandleSeries, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return all candles, stored ones first where both have one, and which are not stored."""
    parts = [stored, *fetched]
    columns = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("open_ms", "open", "high", "low", "close", "volume")
    ]
    is_new = np.arange(len(columns[0])) >= len(stored)
    # stable, and the first of equals is taken: a stored one
    _, at = np.unique(columns[0], return_index=True)
    series = CandleSeries(stored.symbol, stored.timeframe_ms, *(c[at] for c in columns))
    return series, is_new[at]


def _rows(series: CandleSeries, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> CandleSeries:
    columns = (series.open_ms, series.open, series.high, series.low, series.close, series.volume)
    return CandleSeries(series.symbol, series.timeframe_ms, *(c[rows] for c in columns))
