"""The candles of a backtest, loaded once and run over as often as is wanted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from auto_trading.aggregation import aggregate
from auto_trading.backtesting.request import BacktestRequest
from auto_trading.candle_market import Market
from auto_trading.gateways.venue_book import FundingEvent
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries, series_of
from crypto_trader_pro.domain.timeframes import timeframe_ms, to_datetime

if TYPE_CHECKING:
    from sqlalchemy import Engine as Database


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Decision candles, the finer ones inside them if there are any, and funding.

    Args:
        series: one per symbol, all of one timeframe.
        detail: one per symbol, finer; each candle of `series` is made of candles of these.
        sha256: fingerprint of all that is played.
    """

    instruments: tuple[Instrument, ...]
    series: tuple[CandleSeries, ...]
    detail: tuple[CandleSeries, ...] | None
    funding: Mapping[str, Sequence[FundingEvent]]
    sha256: str

    @classmethod
    def load(cls, request: BacktestRequest, database: "Database | None") -> "Candles":
        """Read and check everything that is to be played.

        Raises:
            InputError: an unknown or repeated symbol, an unusable file, an empty range.
        """
        market = Market.load(request.loaded, database)
        sha256 = market.sha256()
        if request.detail_timeframe is None:
            return cls(market.instruments, market.series, None, market.funding, sha256)
        coarse_ms = timeframe_ms(request.market.timeframe)
        series = tuple(aggregate(fine, coarse_ms) for fine in market.series)
        for item in series:
            if not len(item):
                raise InputError(
                    f"{item.symbol}: no whole {request.market.timeframe} candle in its"
                    f" {request.detail_timeframe} candles"
                )
        detail = tuple(inside(f, s) for f, s in zip(market.series, series, strict=True))
        return cls(market.instruments, series, detail, market.funding, sha256)

    @property
    def timeframe_ms(self) -> int:
        return self.series[0].timeframe_ms

    @property
    def start_ms(self) -> int:
        return min(int(s.open_ms[0]) for s in self.series)

    @property
    def end_ms(self) -> int:
        """Close of the last candle."""
        return max(int(s.open_ms[-1]) for s in self.series) + self.timeframe_ms

    def between(self, from_ms: int | None, to_ms: int | None) -> "Candles":
        """Return the candles that open at or after `from_ms` and close at or before `to_ms`.

        Raises:
            InputError: a symbol has none there.
        """
        if from_ms is None and to_ms is None:
            return self
        series = tuple(s.between(from_ms, to_ms) for s in self.series)
        for item in series:
            if not len(item):
                raise InputError(f"{item.symbol}: no candle {_range(from_ms, to_ms)}")
        detail = self.detail
        if detail is not None:
            detail = tuple(inside(f, s) for f, s in zip(detail, series, strict=True))
        return replace(self, series=series, detail=detail)

    def emptied(self) -> "Candles":
        """Return the same symbols without a candle, for whoever has computed all that he wants."""
        series = tuple(series_of(s.symbol, s.timeframe_ms, ()) for s in self.series)
        return replace(self, series=series, detail=None)


def inside(fine: CandleSeries, coarse: CandleSeries) -> CandleSeries:
    """Return the finer candles that lie in a candle of `coarse`."""
    starts = fine.open_ms - fine.open_ms % coarse.timeframe_ms
    kept = np.isin(starts, coarse.open_ms)
    return CandleSeries(
        fine.symbol, fine.timeframe_ms,
        *(c[kept] for c in (fine.open_ms, fine.open, fine.high, fine.low, fine.close, fine.volume)),
    )  # fmt: skip


def _range(from_ms: int | None, to_ms: int | None) -> str:
    parts = []
    if from_ms is not None:
        parts.append(f"from {to_datetime(from_ms).isoformat()}")
    if to_ms is not None:
        parts.append(f"to {to_datetime(to_ms).isoformat()}")
    return " ".join(parts)
