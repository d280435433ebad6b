"""Deletes what is older than it has to be kept, in small batches that nobody has to wait for.

Orders, fills, the ledger, trades, positions, equity, daily figures and stored backtests are never
deleted. Decisions are deleted once they are in the sums of `database.rollups`, which stay: what the
console counts of a run does not shrink.

There is no VACUUM: on SQLite it rewrites the whole file under a lock that would stop the journal,
and it is not needed, because pages that became free are used again by the next rows and the file
stays as large as it once had to be. PostgreSQL's autovacuum does the same in the background.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Engine, Select, Table, delete, func, select, tuple_
from sqlmodel import Session, col

from config.engine import Retention
from crypto_trader_pro.domain.timeframes import to_datetime
from database import rollups
from database.auto_trading_db import unit_of_work
from database.backtest_jobs import ENDED as ENDED_JOBS
from database.commands import CommandStatus
from database.models import (
    AiSignalRow,
    AutoTradingLogRow,
    BacktestJobRow,
    CheckpointRow,
    CommandRow,
    DecisionRow,
    MarketDataRow,
    RunRow,
)
from database.models_engine import OutboxRow, SessionEventRow

DEMO: Final = "demo"
COLLECTED: Final = (DEMO, "exchange")  # candles the engine collected; imported ones are a person's
_WHAT: Final = "retention"
_BATCH: Final = 500  # rows of one transaction: a few milliseconds of the writers' queue
_DAY_MS: Final = 86_400_000
_SERIES: Final = (
    col(MarketDataRow.venue), col(MarketDataRow.symbol), col(MarketDataRow.timeframe),
    col(MarketDataRow.source),
)  # fmt: skip
_runs: Table = RunRow.__table__  # type: ignore[attr-defined]
_ENDED: Final = (CommandStatus.DONE, CommandStatus.REFUSED, CommandStatus.EXPIRED)


@dataclass(frozen=True, slots=True)
class Present:
    """What "now" is for the rows of the session that runs.

    Args:
        now: system time.
        run_id: the session that runs; None where none does.
        trading_ms: trading time of that session.
        speed: seconds of its market in one second of system time. A day that is kept is a day of
            the operator, so on a demo market it holds that many days of the market.
    """

    now: datetime
    run_id: int | None = None
    trading_ms: int = 0
    speed: int = 1


class Removed(NamedTuple):
    table: str
    rows: int


def prune(
    database: Engine, keep: Retention, present: Present, pause: Callable[[], bool],
    batch: int = _BATCH,
) -> list[Removed]:  # fmt: skip
    """Delete what is too old and return the number of rows by table.

    Args:
        pause: called after each batch, outside of any transaction, to let others write; True
            ends the work early, the next call goes on.

    Raises:
        JournalUnavailable: the database did not serve; what was deleted stays deleted.
    """
    removed: dict[str, int] = {}
    for table, chosen in _targets(database, keep, present, pause):
        rows = batch
        while rows == batch:
            with unit_of_work(database, _WHAT) as session:
                rows = _delete(session, table, chosen.limit(batch))
            removed[table.name] = removed.get(table.name, 0) + rows
            if pause():
                return _report(removed)
    return _report(removed)


def _report(removed: dict[str, int]) -> list[Removed]:
    return [Removed(table, rows) for table, rows in removed.items() if rows]


def _delete(session: Session, table: Table, chosen: Select[Any]) -> int:
    key = tuple(table.primary_key.columns)
    matches = key[0].in_(chosen) if len(key) == 1 else tuple_(*key).in_(chosen)
    return int(session.connection().execute(delete(table).where(matches)).rowcount)


def _targets(
    database: Engine, keep: Retention, present: Present, pause: Callable[[], bool]
) -> Iterator[tuple[Table, Select[Any]]]:
    """Yield each table with the keys of its rows that go, by a condition that an index answers."""
    for run_id, before_ms in _run_cutoffs(database, keep, present):
        before = to_datetime(before_ms)
        summed_ms = _summed(database, run_id, pause, whole=run_id != present.run_id)
        old = (col(DecisionRow.at_ms) < before_ms, col(DecisionRow.at_ms) <= summed_ms)
        yield _old(DecisionRow, _of(DecisionRow, run_id), *old)
        yield _old(AiSignalRow, _of(AiSignalRow, run_id), col(AiSignalRow.created_at) < before)
        events = col(SessionEventRow.at_ms) < before_ms
        yield _old(SessionEventRow, _of(SessionEventRow, run_id), events)
    log_end = present.now - timedelta(days=keep.logs_days)
    # commands and messages are few; their status alone is indexed
    answered = col(CommandRow.status).in_([status.value for status in _ENDED])
    yield _old(CommandRow, answered, col(CommandRow.finished_at) < log_end)
    done = col(BacktestJobRow.status).in_([status.value for status in ENDED_JOBS])
    yield _old(BacktestJobRow, done, col(BacktestJobRow.finished_at) < log_end)
    over = col(OutboxRow.status).in_(("sent", "failed", "digested"))  # failed: given up for good
    yield _old(OutboxRow, over, col(OutboxRow.created_at) < log_end)
    yield _old_logs(log_end)
    for series in _collected_series(database):
        same = (c == value for c, value in zip(_SERIES, series, strict=True))
        end = _market_end(series[3], keep, present)
        yield _old(MarketDataRow, *same, col(MarketDataRow.timestamp) < end)


def _summed(database: Engine, run_id: int, pause: Callable[[], bool], *, whole: bool) -> int:
    """Return the trading time in ms up to which the decisions of a run are in its sums, now."""
    rollups.catch_up(database, run_id, pause, whole=whole)
    with unit_of_work(database, _WHAT) as session:
        return rollups.rolled_up_to(session, run_id)


def _of(model: Any, run_id: int) -> ColumnElement[bool]:
    return col(model.run_id) == run_id


def _old(model: Any, *conditions: ColumnElement[bool]) -> tuple[Table, Select[Any]]:
    table: Table = model.__table__
    return table, select(*table.primary_key.columns).where(*conditions)


def _old_logs(before: datetime) -> tuple[Table, Select[Any]]:
    """Return the log rows that go, up to the first that stays.

    Their time has no index, and looking for a last old row would read them all under the lock. They
    come in the order of time, but for moments between threads.
    """
    table: Table = AutoTradingLogRow.__table__  # type: ignore[attr-defined]
    stays = select(table.c.id).where(table.c.timestamp >= before).order_by(table.c.id).limit(1)
    newest = select(func.max(table.c.id) + 1)
    first = func.coalesce(stays.scalar_subquery(), newest.scalar_subquery())
    return table, select(table.c.id).where(table.c.id < first)


def _collected_series(database: Engine) -> list[tuple[Any, ...]]:
    """Return (venue, symbol, timeframe, source) of what the engine collected.

    From key to key of the unique index: DISTINCT would read every candle.
    """
    found: list[tuple[Any, ...]] = []
    last: tuple[Any, ...] | None = None
    with unit_of_work(database, _WHAT) as session:
        while True:
            query = select(*_SERIES).order_by(*_SERIES).limit(1)
            if last is not None:
                query = query.where(tuple_(*_SERIES) > last)
            row = session.connection().execute(query).first()
            if row is None:
                return found
            last = tuple(row)
            if last[3] in COLLECTED:
                found.append(last)


def _market_end(source: str, keep: Retention, present: Present) -> datetime:
    """Return the time before which candles go: the demo market's clock is not the system's."""
    kept = timedelta(days=keep.market_data_days)
    if source == DEMO and present.run_id is not None and present.trading_ms:
        return to_datetime(present.trading_ms) - kept
    return present.now - kept


def _run_cutoffs(database: Engine, keep: Retention, present: Present) -> list[tuple[int, int]]:
    """Return (run, trading time in ms before which its rows go); runs that keep all are left out.

    The running session loses its oldest rows. One that has ended is kept whole until it is too old
    as a whole: without its beginning it could not be repeated. The newest of a kind may go on after
    a stop of weeks, so it counts as ended only when it says so.
    """
    cutoffs: list[tuple[int, int]] = []
    r = _runs.c
    newest = select(func.max(r.id)).group_by(r.kind)
    query = select(r.id, r.source, r.started_at, r.finished_at, col(CheckpointRow.at_ms)).outerjoin(
        CheckpointRow, col(CheckpointRow.run_id) == r.id
    )
    with unit_of_work(database, _WHAT) as session:
        resumable = set(session.connection().execute(newest).scalars())
        for run_id, source, started, finished, last_ms in session.connection().execute(query):
            days = keep.demo_days if source == DEMO else keep.decisions_days
            if run_id == present.run_id:
                oldest = present.trading_ms - days * _DAY_MS * present.speed
                cutoffs.append((run_id, max(0, oldest)))
            elif finished is None and run_id in resumable:
                continue
            elif (finished or started) < present.now - timedelta(days=days):
                cutoffs.append((run_id, (last_ms or 0) + 1))
    return cutoffs
