"""Candles as charts need them: stored ones, and coarser ones made of those of the run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

import sqlalchemy
from sqlmodel import Session, col, select

from crypto_trader_pro.domain.timeframes import KNOWN, timeframe_ms, to_datetime, to_ms
from database.candles import Origin
from database.models import MarketDataRow

COARSER: Final = ("15m", "1h", "4h", "1d")  # offered although nobody stored them
_READ: Final = 6_000  # rows that one answer reads at most
_PLACES: Final = 8


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle; prices in quote, volume in base currency."""

    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Series:
    """Which candles.

    Args:
        base: timeframe of the run, whose candles are always the newest there are.
    """

    origin: Origin
    symbol: str
    timeframe: str
    base: str

    @property
    def length_ms(self) -> int:
        return timeframe_ms(self.timeframe)

    @property
    def is_made(self) -> bool:
        """True when its candles are made of those of the run."""
        base = timeframe_ms(self.base)
        return self.length_ms > base and self.length_ms % base == 0

    def bucket(self, at: datetime) -> datetime:
        """Return when the candle opened that contains an instant."""
        ms = to_ms(at)
        return to_datetime(ms - ms % self.length_ms)


def timeframes(session: Session, origin: Origin, symbol: str, base: str) -> list[str]:
    """Return what a chart can show of a symbol, finest first."""
    length = timeframe_ms(base)
    made = {t for t in COARSER if timeframe_ms(t) > length and timeframe_ms(t) % length == 0}
    stored = {t for t in KNOWN if _newest(session, origin, symbol, t) is not None}
    return [t for t in KNOWN if t == base or t in made or t in stored]


def newest(session: Session, series: Series) -> datetime | None:
    """Return when the newest candle that a chart is made of opened; None: there is none."""
    timeframe = series.base if series.is_made else series.timeframe
    return _newest(session, series.origin, series.symbol, timeframe)


def before(session: Session, series: Series, until: datetime, count: int) -> list[Candle]:
    """Return up to `count` candles that opened before `until`, oldest first.

    A made series begins with what is stored of it, and goes on with what is made of the run's
    candles. `_READ` of those are read at most, so that a long one may have fewer than `count`.
    """
    found = _stored(session, series, series.timeframe, until, min(count, _READ))
    if not series.is_made:
        return found
    after = to_datetime(to_ms(found[-1].opened_at) + series.length_ms) if found else None
    ratio = series.length_ms // timeframe_ms(series.base)
    rows = _stored(session, series, series.base, until, min(count * ratio, _READ), after)
    made = aggregated(rows, series)
    if rows and rows[0].opened_at != made[0].opened_at:
        del made[0]  # begins in the middle of it
    return [*found, *made][-count:]


def since(session: Session, series: Series, start: datetime) -> list[Candle]:
    """Return the candles that opened at `start` or later, oldest first; the last may go on."""
    timeframe = series.base if series.is_made else series.timeframe
    rows = _stored(session, series, timeframe, None, _READ, start)
    return aggregated(rows, series) if series.is_made else rows


def aggregated(rows: Iterable[Candle], series: Series) -> list[Candle]:
    """Return coarser candles: first open, highest high, lowest low, last close, all volume.

    Args:
        rows: oldest first.
    """
    made = []
    for opened_at, group in groupby(rows, key=lambda row: series.bucket(row.opened_at)):
        parts = list(group)
        made.append(
            Candle(
                opened_at, parts[0].open, max(p.high for p in parts), min(p.low for p in parts),
                parts[-1].close, sum((p.volume for p in parts), Decimal(0)),
            )
        )  # fmt: skip
    return made


def places(candles: Sequence[Candle]) -> int:
    """Return how many decimal places the prices have, for an axis."""
    exponents = [c.close.as_tuple().exponent for c in candles[-50:]]
    return max((min(-e, _PLACES) for e in exponents if isinstance(e, int) and e < 0), default=0)


def _newest(session: Session, origin: Origin, symbol: str, timeframe: str) -> datetime | None:
    row = MarketDataRow
    query = select(col(row.timestamp)).where(
        col(row.venue) == origin.venue, col(row.symbol) == symbol,
        col(row.timeframe) == timeframe, col(row.source) == origin.source,
    )  # fmt: skip
    return session.exec(query.order_by(col(row.timestamp).desc()).limit(1)).first()


def _stored(
    session: Session, series: Series, timeframe: str, until: datetime | None, limit: int,
    start: datetime | None = None,
) -> list[Candle]:  # fmt: skip
    """Return the newest `limit` stored candles in [start, until), oldest first."""
    row = MarketDataRow
    numbers = [col(n) for n in (row.open, row.high, row.low, row.close, row.volume)]
    query = sqlalchemy.select(col(row.timestamp), *numbers).where(
        col(row.venue) == series.origin.venue, col(row.symbol) == series.symbol,
        col(row.timeframe) == timeframe, col(row.source) == series.origin.source,
    )  # fmt: skip
    if until is not None:
        query = query.where(col(row.timestamp) < until)
    if start is not None:
        query = query.where(col(row.timestamp) >= start)
    query = query.order_by(col(row.timestamp).desc()).limit(limit)
    found: Sequence[Any] = session.connection().execute(query).all()
    return [Candle(*values) for values in reversed(found)]
