"""Reads that reports of a day or a week need, by trading time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Final, TypeAlias

from sqlalchemy import func
from sqlmodel import Session, col, select

from database.daily import ACCOUNT
from database.models import (
    AlertRow,
    DailyAccountSummaryRow,
    EquityRow,
    PerformanceMetricRow,
    PositionRow,
    RunRow,
    TradeRow,
)
from database.types import DIGITS, PLACES
from database.views.json_values import View

Day: TypeAlias = date
_SESSIONS: Final = ("paper", "live")  # kinds of runs that have trading days
_PAGE: Final = 1_000  # rows in memory at a time
_MOST: Final = 20_000  # points of one curve: ten weeks of five minutes


@dataclass(frozen=True, slots=True)
class Held(View):
    """A position that was open at an instant.

    Args:
        side: LONG, SHORT.
        unrealized: at the newest mark; None where it was closed since, or no mark is known.
    """

    symbol: str
    side: str
    opened_at: datetime
    unrealized: Decimal | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a closed position brought, after fees."""

    symbol: str
    net: Decimal


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The account at one instant; `drawdown` is a fraction of the run's peak."""

    at: datetime
    equity: Decimal
    drawdown: Decimal


def newest_session(session: Session, mode: str | None = None) -> RunRow | None:
    """Return the newest session of an engine, or None.

    Args:
        mode: only one with this tag of the daily books: "paper-demo".
    """
    row = RunRow
    query = select(row).where(col(row.kind).in_(_SESSIONS))
    if mode is not None:
        kind, _, source = mode.partition("-")
        query = query.where(col(row.kind) == kind, col(row.source) == source)
    return session.exec(query.order_by(col(row.id).desc()).limit(1)).first()


def day_rows(session: Session, mode: str, first: Day, last: Day) -> list[DailyAccountSummaryRow]:
    """Return the summaries of the days [first, last], oldest first."""
    row = DailyAccountSummaryRow
    query = select(row).where(
        col(row.mode) == mode, col(row.account) == ACCOUNT, col(row.date) >= first,
        col(row.date) <= last,
    )  # fmt: skip
    return list(session.exec(query.order_by(col(row.date))))


def days_before(session: Session, mode: str, day: Day, most: int) -> list[DailyAccountSummaryRow]:
    """Return the newest summaries of days before `day`, newest first."""
    row = DailyAccountSummaryRow
    query = select(row).where(
        col(row.mode) == mode, col(row.account) == ACCOUNT, col(row.date) < day
    )
    return list(session.exec(query.order_by(col(row.date).desc()).limit(most)))


def span_of_days(session: Session, mode: str) -> tuple[Day, Day] | None:
    """Return the first and the last day that has a summary, or None."""
    row = DailyAccountSummaryRow
    query = select(func.min(col(row.date)), func.max(col(row.date))).where(
        col(row.mode) == mode, col(row.account) == ACCOUNT
    )
    first, last = session.exec(query).one()
    return None if first is None else (first, last)


def modes_between(session: Session, first: Day, last: Day) -> list[str]:
    """Return the modes that have summaries of days in [first, last]."""
    row = DailyAccountSummaryRow
    query = select(col(row.mode)).where(
        col(row.account) == ACCOUNT, col(row.date) >= first, col(row.date) <= last
    )
    return sorted(session.exec(query.distinct()))


def is_final(session: Session, mode: str, day: Day) -> bool:
    """True when the day was summed up after it had ended: its statistics are written then."""
    row = PerformanceMetricRow
    query = select(col(row.id)).where(
        col(row.mode) == mode, col(row.account) == ACCOUNT, col(row.date) == day
    )
    return session.exec(query).first() is not None


def held_at(session: Session, run_id: int, at: datetime) -> list[Held]:
    """Return the positions that were open at an instant, by symbol."""
    row = PositionRow
    still_open = col(row.close_time).is_(None) | (col(row.close_time) > at)
    query = select(row).where(col(row.run_id) == run_id, col(row.open_time) <= at, still_open)
    return [
        Held(p.symbol, p.side, p.open_time, None if p.close_time else p.unrealized_pnl)
        for p in session.exec(query.order_by(col(row.symbol)))
    ]


def results(session: Session, run_id: int, start: datetime, end: datetime) -> list[Result]:
    """Return the positions of a run that were closed in [start, end), oldest first."""
    row = PositionRow
    query = select(col(row.symbol), col(row.realized_pnl)).where(
        col(row.run_id) == run_id, col(row.status) == "CLOSED", col(row.close_time) >= start,
        col(row.close_time) < end,
    )  # fmt: skip
    found = session.exec(query.order_by(col(row.close_time), col(row.id)))
    return [Result(symbol, net or Decimal(0)) for symbol, net in found]


def traded_value(session: Session, run_id: int, start: datetime, end: datetime) -> Decimal:
    """Return the value of the orders that were executed in [start, end)."""
    row = TradeRow
    query = select(col(row.notional)).where(
        col(row.run_id) == run_id, col(row.execution_time) >= start, col(row.execution_time) < end
    )
    with localcontext() as context:
        context.prec = DIGITS + PLACES  # the default keeps only 28 digits
        return sum(session.exec(query), Decimal(0))


def states(
    session: Session, run_id: int, start: datetime, end: datetime
) -> Iterator[tuple[datetime, str]]:
    """Yield the snapshots' times and trading states from the last one at `start` until `end`."""
    row = EquityRow
    columns = select(col(row.at), col(row.trading_state)).where(col(row.run_id) == run_id)
    before = columns.where(col(row.at) <= start).order_by(col(row.at).desc()).limit(1)
    yield from session.exec(before)
    query = columns.where(col(row.at) > start, col(row.at) <= end).order_by(col(row.at))
    yield from session.exec(query).yield_per(_PAGE)


def alert_counts(session: Session, run_id: int, start: datetime, end: datetime) -> dict[str, int]:
    """Return how many alerts of a run fell into [start, end), by severity."""
    row = AlertRow
    query = (
        select(col(row.severity), func.count())
        .where(col(row.run_id) == run_id, col(row.at) >= start, col(row.at) < end)
        .group_by(col(row.severity))
    )
    return dict(session.exec(query).all())


def curve(session: Session, run_id: int, after: datetime, until: datetime) -> list[CurvePoint]:
    """Return the account of a run in (after, until], oldest first; the newest `_MOST` at most."""
    row = EquityRow
    query = select(col(row.at), col(row.equity), col(row.drawdown)).where(
        col(row.run_id) == run_id, col(row.at) > after, col(row.at) <= until
    )
    found = session.exec(query.order_by(col(row.at).desc()).limit(_MOST)).all()
    return [CurvePoint(*point) for point in reversed(found)]
