"""What a replay plays: its candles and funding, and the proof that they are the same.

Files need no database, so that none is loaded for them: its models take longer than the reading.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_trading.gateways.candle_files import read_candles
from auto_trading.gateways.funding_files import read_funding
from auto_trading.gateways.venue_book import FundingEvent
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.timeframes import check_span, timeframe_ms
from crypto_trader_pro.simulation.instruments import instrument

if TYPE_CHECKING:
    from sqlalchemy import Engine as Database


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What to play. `paths[i]` holds the candles of `symbols[i]`; no path means the database."""

    symbols: tuple[str, ...]
    paths: tuple[Path, ...]
    timeframe: str
    interval_seconds: int
    strategies: tuple[str, ...]
    from_ms: int | None = None
    to_ms: int | None = None
    funding: Path | None = None
    venue: str = "binance"  # of candles from the database

    def as_inputs(self, market: "Market") -> dict[str, Any]:
        """Return what a resumed run needs to play the same, as JSON values."""
        return {
            "paths": [str(path.resolve()) for path in self.paths],
            "sha256": market.sha256(),
            "interval_seconds": self.interval_seconds,
            "from_ms": self.from_ms,
            "to_ms": self.to_ms,
            "funding": str(self.funding.resolve()) if self.funding else None,
            "venue": self.venue,
        }


@dataclass(frozen=True, slots=True)
class Market:
    """The candles of a request, checked and cut to its range."""

    instruments: tuple[Instrument, ...]
    series: tuple[CandleSeries, ...]
    funding: Mapping[str, Sequence[FundingEvent]]

    @classmethod
    def load(cls, request: ReplayRequest, database: "Database | None") -> "Market":
        """Read and check everything that is to be played.

        Args:
            database: where candles are that no file is named for; None: there is none.

        Raises:
            InputError: an unknown or repeated symbol, an unusable file, an empty range.
        """
        if not request.symbols:
            raise InputError("no symbol was given, at least one is needed")
        if len(set(request.symbols)) != len(request.symbols):
            raise InputError(f"symbols were {', '.join(request.symbols)}; each may come once")
        if len(set(request.strategies)) != len(request.strategies):
            raise InputError(f"strategies were {', '.join(request.strategies)}; each may come once")
        length = timeframe_ms(request.timeframe)
        if request.interval_seconds <= 0 or request.interval_seconds * 1000 % length:
            raise InputError(
                f"interval was {request.interval_seconds} s, allowed: a multiple of"
                f" {request.timeframe} ({length // 1000} s)"
            )
        check_span(request.from_ms, request.to_ms)
        instruments = tuple(instrument(s) for s in request.symbols)
        if request.paths:
            series = _from_files(request, instruments)
        elif database is None:
            raise InputError("no candle file was given and there is no database to read from")
        else:
            from auto_trading.imported_candles import stored_series  # noqa: PLC0415  the database

            span = request.from_ms, request.to_ms
            series = stored_series(database, request.venue, instruments, length, *span)
        for item in series:
            if not len(item):
                raise InputError(f"{item.symbol}: no {request.timeframe} candle {_where(request)}")
        return cls(instruments, series, _funding(request, database))

    @property
    def start_ms(self) -> int:
        return min(int(s.open_ms[0]) for s in self.series)

    @property
    def instants(self) -> int:
        """Number of instants from the first to the last candle, for the progress bar."""
        first, last = self.start_ms, max(int(s.open_ms[-1]) for s in self.series)
        return (last - first) // self.series[0].timeframe_ms + 1

    def sha256(self) -> str:
        """Return a fingerprint of every number that is played."""
        digest = hashlib.sha256()
        for s in self.series:
            digest.update(f"{s.symbol} {s.timeframe_ms} {len(s)}\n".encode())
            for column in (s.open_ms, s.open, s.high, s.low, s.close, s.volume):
                digest.update(np.ascontiguousarray(column).data)
        for symbol, events in sorted(self.funding.items()):
            digest.update(f"{symbol} {[tuple(e) for e in events]}\n".encode())
        return digest.hexdigest()


def _where(request: ReplayRequest) -> str:
    """Say where candles were looked for in vain; a file has at least one row."""
    if request.from_ms is None and request.to_ms is None:
        return f"is stored from {request.venue}"
    return "in the asked range"


def _from_files(
    request: ReplayRequest, instruments: Sequence[Instrument]
) -> tuple[CandleSeries, ...]:
    length = timeframe_ms(request.timeframe)
    return tuple(
        read_candles(path, item, length).between(request.from_ms, request.to_ms)
        for path, item in zip(request.paths, instruments, strict=True)
    )


def _funding(
    request: ReplayRequest, database: "Database | None"
) -> Mapping[str, Sequence[FundingEvent]]:
    perpetuals = [symbol for symbol in request.symbols if ":" in symbol]
    if request.funding is not None:
        columns = {symbol: read_funding(request.funding, symbol) for symbol in perpetuals}
    elif request.paths or database is None:
        return {}
    else:
        from auto_trading.imported_candles import stored_funding  # noqa: PLC0415  the database

        columns = stored_funding(database, request.venue, perpetuals)
    return {
        symbol: [FundingEvent(*pair) for pair in zip(*pairs, strict=True)]
        for symbol, pairs in columns.items()
    }
