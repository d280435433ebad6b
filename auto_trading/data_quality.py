"""What is wrong, or only remarkable, in a series of candles. Nothing is repaired."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from auto_trading.data_faults import Fault
from auto_trading.data_gate import SymbolGate
from crypto_trader_pro.domain.enums import GateReason
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.simulation.candle_gate import FLAT_RUN

_MOST_MISSING: Final = 2  # more than one in so many candles, and it is no series


@dataclass(frozen=True, slots=True)
class Span:
    """Candle times in a row: from the open of the first to the close of the last, ms UTC."""

    from_ms: int
    to_ms: int
    bars: int


@dataclass(frozen=True, slots=True)
class Outlier:
    """A candle that reached unusually far; judged by the same rule as the engine's data gate."""

    open_ms: int
    move: int  # largest move from the previous close, parts of 1e8
    limit: int  # parts of 1e8


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Times in ms UTC, prices in price units of the instrument."""

    symbol: str
    timeframe_ms: int
    rows: int
    first_ms: int  # open of the first candle
    last_ms: int  # open of the last candle
    expected_rows: int  # without gaps, from first to last
    missing_bars: int
    gaps: tuple[Span, ...]  # the missing candles
    zero_volume_ms: tuple[int, ...]  # candles in which less than one lot traded
    flat_runs: tuple[Span, ...]  # three or more candles in a row without volume and range
    outliers: tuple[Outlier, ...]
    lowest: int
    highest: int
    faults: Mapping[str, Fault] = field(default_factory=dict)  # rows of a file, by what is wrong

    @property
    def stale_tail(self) -> Span | None:
        """The flat run that the series ends with: the market had stopped, or the recording."""
        last = self.flat_runs[-1] if self.flat_runs else None
        return last if last and last.to_ms == self.last_ms + self.timeframe_ms else None

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the series cannot be used as it is; empty when it can.

        The faults of a file, which every reader of it refuses; stale_tail; mostly_missing: more
        than half of the candles. Gaps, flat runs and outliers alone are no reason: the engine
        does not trade on them.
        """
        found = list(self.faults)
        if self.stale_tail:
            found.append("stale_tail")
        if self.missing_bars * _MOST_MISSING > self.expected_rows:
            found.append("mostly_missing")
        return tuple(found)


def report(series: CandleSeries, faults: Mapping[str, Fault] | None = None) -> QualityReport:
    """Look through all candles of `series`.

    Args:
        faults: of the file that it was read from.

    Raises:
        InputError: the series is empty.
    """
    if not len(series):
        raise InputError(f"{series.symbol}: no candles, allowed: at least one")
    first_ms, last_ms = int(series.open_ms[0]), int(series.open_ms[-1])
    expected = (last_ms - first_ms) // series.timeframe_ms + 1
    return QualityReport(
        symbol=series.symbol,
        timeframe_ms=series.timeframe_ms,
        rows=len(series),
        first_ms=first_ms,
        last_ms=last_ms,
        expected_rows=expected,
        missing_bars=expected - len(series),
        gaps=tuple(_gaps(series)),
        zero_volume_ms=tuple(series.open_ms[series.volume == 0].tolist()),
        flat_runs=tuple(_flat_runs(series)),
        outliers=tuple(_outliers(series)),
        lowest=int(series.low.min()),
        highest=int(series.high.max()),
        faults=faults or {},
    )


def _gaps(series: CandleSeries) -> Iterator[Span]:
    step = series.timeframe_ms
    for row in np.flatnonzero(np.diff(series.open_ms) > step).tolist():
        from_ms, to_ms = int(series.open_ms[row]) + step, int(series.open_ms[row + 1])
        yield Span(from_ms, to_ms, (to_ms - from_ms) // step)


def _flat_runs(series: CandleSeries) -> Iterator[Span]:
    flat = (series.volume == 0) & (series.high == series.low)
    follows = np.diff(series.open_ms, prepend=series.open_ms[0]) == series.timeframe_ms
    starts = np.flatnonzero(flat & ~(np.roll(flat, 1) & follows))
    for start in starts.tolist():
        stop = start + 1
        while stop < len(series) and flat[stop] and follows[stop]:
            stop += 1
        if stop - start >= FLAT_RUN:
            last_ms = int(series.open_ms[stop - 1])
            yield Span(int(series.open_ms[start]), last_ms + series.timeframe_ms, stop - start)


def _outliers(series: CandleSeries) -> Iterator[Outlier]:
    gate = SymbolGate(series.timeframe_ms, warm_bars=1)
    for bar in series.bars():
        gate.check(bar, bar.open_ms + series.timeframe_ms)
        if gate.reason is GateReason.OUTLIER:
            yield Outlier(bar.open_ms, gate.numbers[0], gate.numbers[1])
