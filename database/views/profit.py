"""What a run has earned: by period, by day, by symbol."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, TypeAlias

from sqlalchemy import Table, func
from sqlalchemy import select as pick
from sqlmodel import Session, col, select

from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.instruments import plain
from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from database import daily as books
from database.models import DailyAccountSummaryRow, PositionRow, RunRow
from database.views.balance import Balance, balance
from database.views.json_values import View
from database.views.runs import day_zone

Day: TypeAlias = date  # a field is named `date` too
_positions: Table = PositionRow.__table__  # type: ignore[attr-defined]
_DAYS: Final = {"today": 1, "days7": 7, "days30": 30}
_PERCENT: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Period(View):
    """What a span of trading days brought.

    Args:
        since: when it began; None: with the run.
        profit: equity now minus equity then, open positions at their marks.
        percent: of the equity then; None where there was none.
        trades: positions that were closed in it.
    """

    since: datetime | None
    profit: Decimal
    percent: Decimal | None
    trades: int


@dataclass(frozen=True, slots=True)
class Profit(View):
    """What a run has earned; amounts in `currency`. `at` is the trading time of the newest figure.

    A run that is younger than a period has earned in it what it has earned since it began.
    """

    today: Period
    days7: Period
    days30: Period
    all: Period
    equity: Decimal
    currency: str
    zone: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DayResult(View):
    """One trading day of the daily books.

    Args:
        percent: profit of the equity at its beginning; None where there was none.
        max_drawdown: fraction of the day's highest equity.
    """

    date: Day
    run: str
    starting_equity: Decimal
    ending_equity: Decimal
    profit: Decimal
    percent: Decimal | None
    fees: Decimal
    funding: Decimal
    max_drawdown: Decimal
    trades: int
    wins: int
    losses: int


@dataclass(frozen=True, slots=True)
class SymbolResult(View):
    """Closed positions of one symbol; profit after fees."""

    symbol: str
    trades: int
    wins: int
    net: Decimal


def profit(
    session: Session, run_id: int, now: datetime, zone: str | None = None
) -> Profit | None:  # fmt: skip
    """Return what a run has earned today, in 7 and 30 trading days and in all; None: no figure yet.

    The days are counted back from the run's own newest figure: the time of a replay is not that of
    the clock on the wall.

    Args:
        now: system time, by which the engine's heartbeat still counts or not.
        zone: in which days begin; None: that of the run's own trading days.
    """
    run, found = session.get(RunRow, run_id), balance(session, run_id, now)
    if run is None or found is None or found.at is None:
        return None
    named = zone or day_zone(run)
    calendar = TradingCalendar(named)
    starts = {name: _start(calendar, found.at, days) for name, days in _DAYS.items()}
    periods = {name: _period(session, run_id, found, since) for name, since in starts.items()}
    return Profit(
        **periods, all=_period(session, run_id, found, None), equity=found.equity,
        currency=found.currency, zone=named, at=found.at,
    )  # fmt: skip


def daily(session: Session, mode: str, days: int = 14) -> list[DayResult]:
    """Return the newest trading days of the daily books, newest first.

    Args:
        mode: the tag of the books, as `RunRef.tag`: "paper-demo".
    """
    row = DailyAccountSummaryRow
    query = select(row).where(col(row.mode) == mode, col(row.account) == books.ACCOUNT)
    return [_day(d) for d in session.exec(query.order_by(col(row.date).desc()).limit(days))]


def performance(session: Session, run_id: int) -> list[SymbolResult]:
    """Return the closed positions of a run by symbol, best first."""
    row = PositionRow
    query = select(col(row.symbol), col(row.realized_pnl)).where(
        col(row.run_id) == run_id, col(row.status) == "CLOSED"
    )
    results: dict[str, list[Decimal]] = defaultdict(list)
    for symbol, realized in session.exec(query):
        results[symbol].append(realized or Decimal(0))
    found = [
        SymbolResult(symbol, len(own), sum(r > 0 for r in own), plain(sum(own, Decimal(0))))
        for symbol, own in results.items()
    ]
    return sorted(found, key=lambda s: (-s.net, s.symbol))


def _start(calendar: TradingCalendar, at: datetime, days: int) -> datetime:
    day = calendar.day_of(to_ms(at))
    for _ in range(days - 1):
        day = calendar.day_of(day.start_ms - 1)
    return to_datetime(day.start_ms)


def _period(session: Session, run_id: int, found: Balance, since: datetime | None) -> Period:
    began = _equity_at(session, run_id, since)
    earned = plain(found.equity - (found.equity if began is None else began))
    return Period(since, earned, _percent(earned, began), _closed(session, run_id, since))


def _equity_at(session: Session, run_id: int, at: datetime | None) -> Decimal | None:
    """Return the equity at the beginning of a period; before its first figure, the capital."""
    point = None if at is None else books.last_point(session, run_id, at)
    if point is not None:
        return point.equity
    capital = books.capital(session, run_id)
    if capital is not None:
        return capital
    first = books.first_point_after(session, run_id, None)
    return None if first is None else first.equity


def _closed(session: Session, run_id: int, since: datetime | None) -> int:
    c = _positions.c
    query = pick(func.count()).where(c.run_id == run_id, c.status == "CLOSED")
    if since is not None:
        query = query.where(c.close_time >= since)
    return session.connection().execute(query).scalar_one()


def _percent(earned: Decimal, began: Decimal | None) -> Decimal | None:
    return plain((100 * earned / began).quantize(_PERCENT)) if began else None


def _day(row: DailyAccountSummaryRow) -> DayResult:
    earned = plain(row.ending_equity - row.starting_equity)
    return DayResult(
        row.date, f"r{row.run_id}", row.starting_equity, row.ending_equity, earned,
        _percent(earned, row.starting_equity), row.fees, row.funding, row.max_drawdown,
        row.trade_count, row.win_count, row.loss_count,
    )  # fmt: skip
