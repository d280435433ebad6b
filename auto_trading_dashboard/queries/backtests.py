"""The backtest lab as frozen views: stored candles, the queue, results with and without charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select, tuple_
from sqlmodel import Session, col

from crypto_trader_pro.domain.timeframes import KNOWN
from database import backtest_jobs
from database.backtest_jobs import ENDED, BacktestJobStatus
from database.candles import FUNDING
from database.models import BacktestJobRow, BacktestRow, MarketDataRow

LISTED: Final = 50  # results that a list shows
_DIGITS: Final = 10  # of a number that a database can hold
IMPORTED: Final = "replay"  # the source of candles that were imported or downloaded
_market = MarketDataRow
_SERIES: Final = (col(_market.venue), col(_market.symbol), col(_market.timeframe))


@dataclass(frozen=True, slots=True)
class Series:
    """Candles of one symbol, or its funding rates. Times are open times."""

    venue: str
    symbol: str
    timeframe: str
    first: datetime
    last: datetime

    @property
    def is_funding(self) -> bool:
        return self.timeframe == FUNDING


@dataclass(frozen=True, slots=True)
class Job:
    """One job of the queue."""

    number: int
    kind: str
    name: str
    status: BacktestJobStatus
    symbols: tuple[str, ...]
    timeframe: str
    strategies: tuple[str, ...]
    done: int
    total: int  # 0: not known
    step: str
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_asked: bool
    error: str
    result: int | None  # number of the stored result
    is_lost: bool  # marked as running, and its worker is no more

    @property
    def is_open(self) -> bool:
        return self.status not in ENDED


@dataclass(frozen=True, slots=True)
class Stored:
    """A result as a list shows it."""

    number: int
    kind: str
    name: str
    symbols: tuple[str, ...]
    timeframe: str
    strategies: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    params: Mapping[str, Any]
    engine: str
    data_sha256: str
    created_at: datetime
    summary: Mapping[str, Any]
    folder: str

    @property
    def public_id(self) -> str:
        return f"b{self.number}"


def series(session: Session) -> tuple[Series, ...]:
    """Return what can be played, by venue, symbol and timeframe.

    From key to key of the unique index: grouping would read every candle.
    """
    found: list[Series] = []
    last: tuple[str, ...] | None = None
    connection = session.connection()
    while True:
        query = select(*_SERIES).order_by(*_SERIES).limit(1)
        if last is not None:
            query = query.where(tuple_(*_SERIES) > last)
        row = connection.execute(query).first()
        if row is None:
            return tuple(found)
        last = tuple(row)
        if row[2] in KNOWN or row[2] == FUNDING:
            found += _ends(session, *last)


def _ends(session: Session, venue: str, symbol: str, timeframe: str) -> list[Series]:
    """Return the series if there is any row of it that was imported; two looks into the index."""
    at = col(_market.timestamp)
    of = _of(venue, symbol, timeframe)
    first = session.connection().execute(select(at).where(*of).order_by(at).limit(1)).scalar()
    if first is None:
        return []
    newest = select(at).where(*of).order_by(at.desc()).limit(1)
    return [
        Series(venue, symbol, timeframe, first, session.connection().execute(newest).scalar_one())
    ]


def candles_in(
    session: Session, venue: str, symbol: str, timeframe: str, start: datetime | None,
    end: datetime | None,
) -> tuple[int, datetime | None, datetime | None]:  # fmt: skip
    """Return how many candles open in [start, end), the first and the last of them."""
    at = col(_market.timestamp)
    query = select(func.count(), func.min(at), func.max(at)).where(*_of(venue, symbol, timeframe))
    if start is not None:
        query = query.where(at >= start)
    if end is not None:
        query = query.where(at < end)
    count, first, last = session.connection().execute(query).one()
    return count, first, last


def _of(venue: str, symbol: str, timeframe: str) -> tuple[Any, ...]:
    m = _market
    return (
        col(m.venue) == venue, col(m.symbol) == symbol, col(m.timeframe) == timeframe,
        col(m.source) == IMPORTED,
    )  # fmt: skip


def queue(session: Session, is_gone: Any, limit: int = 8) -> tuple[Job, ...]:
    """Return the newest jobs, newest first; those that wait or run are always among them."""
    lost = {row.id for row in backtest_jobs.lost(session, is_gone)}
    rows = {row.id: row for row in backtest_jobs.newest(session, limit)}
    rows |= {row.id: row for row in backtest_jobs.open_ones(session)}
    return tuple(
        _job(row, is_lost=row.id in lost)
        for row in sorted(rows.values(), key=lambda row: -(row.id or 0))
    )


def newest_result(session: Session) -> int:
    """Return the number of the newest stored result, 0 before the first.

    One whose job still writes its report is not counted yet.
    """
    job = BacktestJobRow
    unfinished = select(col(job.backtest_id)).where(
        col(job.status) == BacktestJobStatus.RUNNING, col(job.backtest_id).is_not(None)
    )
    number = col(BacktestRow.id)
    query = select(number).where(number.not_in(unfinished)).order_by(number.desc()).limit(1)
    return session.connection().execute(query).scalar() or 0


_LISTED: Final = tuple(
    col(column)
    for column in (
        BacktestRow.id, BacktestRow.kind, BacktestRow.name, BacktestRow.symbols,
        BacktestRow.timeframe, BacktestRow.strategies, BacktestRow.from_at, BacktestRow.to_at,
        BacktestRow.params, BacktestRow.engine, BacktestRow.data_sha256, BacktestRow.created_at,
        BacktestRow.summary, BacktestRow.folder,
    )
)  # fmt: skip


def results(session: Session, wanted: str = "", limit: int = LISTED) -> tuple[Stored, ...]:
    """Return stored results, newest first, without what only a chart needs.

    Args:
        wanted: a number ("b12", "12") or a part of a name; "" is every one.
    """
    query = select(*_LISTED).order_by(col(BacktestRow.id).desc()).limit(limit)
    number = wanted.removeprefix("b")
    if wanted and number.isdecimal() and len(number) < _DIGITS:
        query = query.where(col(BacktestRow.id) == int(number))
    elif wanted:
        query = query.where(col(BacktestRow.name).icontains(wanted, autoescape=True))
    return tuple(_stored(row) for row in session.connection().execute(query))


def result(session: Session, number: int) -> Stored | None:
    """Return one result, None where it is not stored."""
    row = (
        session.connection().execute(select(*_LISTED).where(col(BacktestRow.id) == number)).first()
    )
    return None if row is None else _stored(row)


def charts(session: Session, number: int) -> Mapping[str, Any]:
    """Return what a page draws of a result; nothing for one stored without it."""
    query = select(col(BacktestRow.charts)).where(col(BacktestRow.id) == number)
    return session.connection().execute(query).scalar() or {}


def _job(row: Any, *, is_lost: bool) -> Job:
    market: Mapping[str, Any] = row.request.get("market", {})
    return Job(
        backtest_jobs.number(row), row.kind, row.name, BacktestJobStatus(row.status),
        tuple(market.get("symbols", ())), str(market.get("timeframe", "")),
        tuple(market.get("strategies", ())), row.done, row.total, row.text, row.requested_by,
        row.requested_at, row.started_at, row.finished_at, row.cancel_asked, row.error or "",
        row.backtest_id, is_lost,
    )  # fmt: skip


def _stored(row: Sequence[Any]) -> Stored:
    number, kind, name, symbols, timeframe, strategies, *rest = row
    return Stored(number, kind, name, tuple(symbols), timeframe, tuple(strategies), *rest)
