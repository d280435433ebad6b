"""One trading day in figures: reads of the books by day, and the rows that keep the result.

What belongs to a day [start, end): trades and ledger entries whose time is in it. Equity is marked
at candle closes, and the candle that closes at the day's end still belongs to it, so the equity of
a day is that in (start, end]. Amounts are summed here and never in SQL, which is not exact on
SQLite.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Any, Final, NamedTuple, TypeAlias

from sqlmodel import Session, SQLModel, col, select
from sqlmodel.sql.expression import Select

from crypto_trader_pro.domain.calendar import TradingDay
from crypto_trader_pro.domain.ledger import CAPITAL, FEES, FUNDING
from crypto_trader_pro.domain.timeframes import to_datetime
from database.models import (
    DailyAccountSummaryRow,
    EquityRow,
    LedgerEntryRow,
    PerformanceMetricRow,
    TradeRow,
)
from database.types import DIGITS, PLACES

Day: TypeAlias = date  # fields and columns are named `date` too
ACCOUNT: Final = "default"
_PAGE: Final = 1_000  # rows in memory at a time


class EquityPoint(NamedTuple):
    """The account at one instant: the columns of the equity curve that a day needs."""

    at: datetime
    equity: Decimal
    unrealized: Decimal
    realized: Decimal  # since the run began, after fees and funding


class Charges(NamedTuple):
    """What a day cost and was paid beside its trades."""

    fees: Decimal  # paid, > 0
    funding: Decimal  # received, > 0
    last_id: int  # no entry up to this id is younger than the day's end


class Closed(NamedTuple):
    """Orders of a day that closed something, by how they ended after fees."""

    trades: int
    wins: int
    losses: int


@dataclass(frozen=True, slots=True)
class DaySummary:
    """One trading day of one run in money: ending - starting = realized + change of unrealized."""

    day: TradingDay
    starting_equity: Decimal
    ending_equity: Decimal
    realized_pnl: Decimal  # after fees and funding
    unrealized_pnl: Decimal  # at the end of the day
    fees: Decimal
    funding: Decimal
    max_drawdown: Decimal  # fraction of the day's highest equity before it
    trade_count: int
    win_count: int
    loss_count: int

    @property
    def date(self) -> Day:
        return Day.fromisoformat(self.day.name)


@dataclass(frozen=True, slots=True)
class Performance:
    """Statistics as of the end of a day; None where there are too few samples for one."""

    daily_return: Decimal | None
    sharpe_ratio: Decimal | None
    sortino_ratio: Decimal | None
    max_drawdown: Decimal | None  # of the run so far, fraction of the peak
    var_daily: Decimal | None  # money that the next day risks at 95 %
    win_rate: Decimal | None  # of the day


# --- reads ----------------------------------------------------------------------------------


def last_point(session: Session, run_id: int, at: datetime) -> EquityPoint | None:
    """Return the newest equity of a run at or before `at`, or None."""
    row = EquityRow
    query = _points(run_id).where(col(row.at) <= at).order_by(col(row.at).desc()).limit(1)
    found = session.exec(query).first()
    return None if found is None else EquityPoint(*found)


def first_point_after(session: Session, run_id: int, at: datetime | None) -> EquityPoint | None:
    """Return the oldest equity of a run after `at` (None: of all), or None."""
    query = _points(run_id).order_by(col(EquityRow.at)).limit(1)
    if at is not None:
        query = query.where(col(EquityRow.at) > at)
    found = session.exec(query).first()
    return None if found is None else EquityPoint(*found)


def points(
    session: Session, run_id: int, after: datetime | None, until: datetime
) -> Iterator[EquityPoint]:
    """Yield the equities of a run in (after, until], oldest first; None: from its beginning."""
    while True:
        query = _points(run_id).where(col(EquityRow.at) <= until)
        if after is not None:
            query = query.where(col(EquityRow.at) > after)
        page = session.exec(query.order_by(col(EquityRow.at)).limit(_PAGE)).all()
        yield from (EquityPoint(*found) for found in page)
        if len(page) < _PAGE:
            return
        after = page[-1][0]


def _points(run_id: int) -> Select[datetime, Decimal, Decimal, Decimal]:
    row = EquityRow
    columns = (col(row.at), col(row.equity), col(row.unrealized_pnl), col(row.realized_pnl))
    return select(*columns).where(col(row.run_id) == run_id)


def capital(session: Session, run_id: int) -> Decimal | None:
    """Return the money a run was opened with, or None where none was paid in."""
    row = LedgerEntryRow
    query = select(col(row.amount)).where(
        col(row.run_id) == run_id, col(row.reference) == CAPITAL, col(row.account) == CAPITAL
    )
    found = session.exec(query).first()
    return None if found is None else -found


def charges(session: Session, run_id: int, day: TradingDay, after_id: int = 0) -> Charges:
    """Sum fees and funding that the ledger booked in the day.

    Args:
        after_id: `last_id` of an earlier day, so that a long ledger is not read from its start.
    """
    row = LedgerEntryRow
    start, end = to_datetime(day.start_ms), to_datetime(day.end_ms)
    query = select(col(row.id), col(row.account), col(row.amount), col(row.at)).where(
        col(row.run_id) == run_id,
        col(row.id) > after_id,
        col(row.account).in_((FEES, FUNDING)),
        col(row.at) < end,
    )
    sums = {FEES: Decimal(0), FUNDING: Decimal(0)}
    last_id = after_id
    with localcontext() as context:
        context.prec = DIGITS + PLACES  # the default keeps only 28 digits
        for number, account, amount, at in session.exec(query):
            last_id = max(last_id, number or 0)
            if at >= start:
                sums[account] += amount
    # an entry of a later day may stand before one of this day: begin at the first that is younger
    younger = (
        select(col(row.id))
        .where(col(row.run_id) == run_id, col(row.id) > after_id, col(row.at) >= end)
        .order_by(col(row.id))
        .limit(1)
    )
    first_younger = session.exec(younger).first()
    if first_younger is not None:
        last_id = min(last_id, first_younger - 1)
    return Charges(sums[FEES], -sums[FUNDING], last_id)


def closed(session: Session, run_id: int, day: TradingDay) -> Closed:
    """Count the orders that closed a position, or part of one, in the day."""
    row = TradeRow
    query = select(col(row.realized_pnl)).where(
        col(row.run_id) == run_id,
        col(row.execution_time) >= to_datetime(day.start_ms),
        col(row.execution_time) < to_datetime(day.end_ms),
        col(row.realized_pnl).is_not(None),
    )
    results = [result for result in session.exec(query) if result is not None]
    wins = sum(result > 0 for result in results)
    return Closed(len(results), wins, sum(result < 0 for result in results))


def last_date(session: Session, run_id: int, mode: str) -> Day | None:
    """Return the newest day of a run that has a summary, or None."""
    row = DailyAccountSummaryRow
    query = select(col(row.date)).where(
        col(row.run_id) == run_id, col(row.mode) == mode, col(row.account) == ACCOUNT
    )
    return session.exec(query.order_by(col(row.date).desc()).limit(1)).first()


def summary_of(session: Session, date: Day, mode: str) -> DailyAccountSummaryRow | None:
    """Return the summary of a day, of whichever run wrote it last, or None."""
    row = DailyAccountSummaryRow
    query = select(row).where(
        col(row.date) == date, col(row.mode) == mode, col(row.account) == ACCOUNT
    )
    return session.exec(query).first()


def returns_before(
    session: Session, run_id: int, mode: str, before: Day, limit: int = 365
) -> list[float]:
    """Return the daily returns of a run's summarized days before a date, oldest first.

    A day that began with nothing has no return and is left out.
    """
    row = DailyAccountSummaryRow
    query = select(col(row.starting_equity), col(row.ending_equity)).where(
        col(row.run_id) == run_id,
        col(row.mode) == mode,
        col(row.account) == ACCOUNT,
        col(row.date) < before,
    )
    found = session.exec(query.order_by(col(row.date).desc()).limit(limit)).all()
    return [float(end / start - 1) for start, end in reversed(found) if start > 0]


# --- writes ---------------------------------------------------------------------------------


def upsert_summary(
    session: Session, run_id: int, mode: str, summary: DaySummary, now: datetime
) -> None:
    """Insert or replace the money figures of a day: the same day twice is one row."""
    values: dict[str, Any] = {
        "run_id": run_id,
        "starting_equity": summary.starting_equity,
        "ending_equity": summary.ending_equity,
        "realized_pnl": summary.realized_pnl,
        "unrealized_pnl": summary.unrealized_pnl,
        "fees": summary.fees,
        "funding": summary.funding,
        "max_drawdown": summary.max_drawdown,
        "trade_count": summary.trade_count,
        "win_count": summary.win_count,
        "loss_count": summary.loss_count,
        "updated_at": now,
    }
    if not _put(session, summary_of(session, summary.date, mode), values):
        session.add(DailyAccountSummaryRow(**_key(summary, mode, now), **values))
    session.flush()


def upsert_performance(
    session: Session, mode: str, summary: DaySummary, performance: Performance, now: datetime
) -> None:
    """Insert or replace the statistics of a day: the same day twice is one row."""
    values: dict[str, Any] = {
        "equity": summary.ending_equity,
        "daily_return": performance.daily_return,
        "sharpe_ratio": performance.sharpe_ratio,
        "sortino_ratio": performance.sortino_ratio,
        "max_drawdown": performance.max_drawdown,
        "var_daily": performance.var_daily,
        "trade_count": summary.trade_count,
        "win_rate": performance.win_rate,
        "total_commission": summary.fees,
        "funding_pnl": summary.funding,
    }
    row = PerformanceMetricRow
    query = select(row).where(
        col(row.date) == summary.date, col(row.mode) == mode, col(row.account) == ACCOUNT
    )
    if not _put(session, session.exec(query).first(), values):
        session.add(PerformanceMetricRow(**_key(summary, mode, now), **values))
    session.flush()


def _key(summary: DaySummary, mode: str, now: datetime) -> dict[str, Any]:
    return {"date": summary.date, "account": ACCOUNT, "mode": mode, "created_at": now}


def _put(session: Session, row: SQLModel | None, values: Mapping[str, Any]) -> bool:
    """Write `values` into a stored row; False where there is none."""
    if row is None:
        return False
    for name, value in values.items():
        setattr(row, name, value)
    session.add(row)
    return True
