"""Writes the finished trading days of a run: the money of each day and the statistics so far.

Driven by trading time: a day is finished when the books have passed its end, whether that took a
day or, on the demo market, five minutes. Days that were missed are written at the next call; a day
that is written again gives the same row.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import Engine
from sqlmodel import Session

from crypto_trader_pro.backtest import metrics
from crypto_trader_pro.domain.calendar import TradingCalendar, TradingDay
from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from database import daily
from database.auto_trading_db import unit_of_work
from database.daily import DaySummary, EquityPoint, Performance

_WHAT: Final = "the daily figures"
_PLACES: Final = {"ratio": Decimal("0.0001"), "fraction": Decimal("0.000001")}  # document 002
_MONEY: Final = Decimal("0.00000001")


class DailyBooks:
    """The days of one run. Not shared between threads.

    Args:
        mode: the tag of its rows, "paper-demo": results of two sources are never in one figure.
    """

    def __init__(self, run_id: int, mode: str, calendar: TradingCalendar) -> None:
        self.run_id = run_id
        self.mode = mode
        self._calendar = calendar
        self._from: datetime | None = None  # start of the oldest day that is not written
        self._is_known = False
        self._ledger_id = 0
        self._drawdown = metrics.Drawdown()  # of the run up to `_drawn_to`
        self._drawn_to: datetime | None = None

    def is_due(self, books_ms: int) -> bool:
        """True when a day has ended that may not be written yet; asks no database."""
        return self._from is None or self._calendar.day_of(to_ms(self._from)).end_ms < books_ms

    def write_finished(
        self, database: Engine, books_ms: int, now: datetime, reader: Engine | None = None
    ) -> list[DaySummary]:
        """Write every day that ended before the books' time and return them, oldest first.

        A day without any equity was not lived through; it gets no row.

        Args:
            books_ms: trading time that the committed books have reached.
            now: system time.
            reader: the same database, opened for reading. Reading a long run takes seconds, which
                the journal would wait for behind a transaction that may write.

        Raises:
            JournalUnavailable: the database did not serve; call again.
        """
        written = []
        while (found := self._next(reader or database, books_ms)) is not None:
            summary, performance, ledger_id = found
            with unit_of_work(database, _WHAT) as session:
                daily.upsert_summary(session, self.run_id, self.mode, summary, now)
                daily.upsert_performance(session, self.mode, summary, performance, now)
            self._ledger_id = ledger_id
            self._from = to_datetime(summary.day.end_ms)
            written.append(summary)
        return written

    def _next(self, reader: Engine, books_ms: int) -> tuple[DaySummary, Performance, int] | None:
        """Return the figures of the oldest day that is missing, and where the ledger stands."""
        with unit_of_work(reader, _WHAT) as session:
            if not self._is_known:
                self._from = self._resume_from(session)
                self._is_known = True
            point = daily.first_point_after(session, self.run_id, self._from)
            if point is None:
                return None
            day = self._calendar.day_of(to_ms(point.at) - 1)  # a close at the end belongs to it
            if day.end_ms >= books_ms:
                self._from = to_datetime(day.start_ms)
                return None
            charged = daily.charges(session, self.run_id, day, self._ledger_id)
            summary = self._summary(session, day, charged, to_datetime(day.end_ms))
            return summary, self._performance(session, summary), charged.last_id

    def _resume_from(self, session: Session) -> datetime | None:
        """Return where to go on: the newest day with a row is done again, it may be unfinished."""
        date = daily.last_date(session, self.run_id, self.mode)
        if date is None:
            return None
        day = self._calendar.day_of(to_ms(datetime(date.year, date.month, date.day, tzinfo=UTC)))
        while day.name < date.isoformat():
            day = self._calendar.day_of(day.end_ms)
        return to_datetime(day.start_ms)

    def until(self, session: Session, at_ms: int) -> DaySummary | None:
        """Return the figures of the day that `at_ms` is in, or ends, up to then.

        None where the run has no equity yet.
        """
        day = self._calendar.day_of(at_ms - 1)._replace(end_ms=at_ms)
        until = to_datetime(at_ms)
        if daily.last_point(session, self.run_id, until) is None:
            return None
        charged = daily.charges(session, self.run_id, day, self._ledger_id)
        return self._summary(session, day, charged, until)

    def _summary(
        self, session: Session, day: TradingDay, charged: daily.Charges, until: datetime
    ) -> DaySummary:
        start = to_datetime(day.start_ms)
        before = daily.last_point(session, self.run_id, start)
        curve = list(daily.points(session, self.run_id, start, until))
        opened = before or self._opening(session, curve, start)
        last = curve[-1] if curve else opened
        done = daily.closed(session, self.run_id, day)
        return DaySummary(
            day=day,
            starting_equity=opened.equity,
            ending_equity=last.equity,
            realized_pnl=last.realized - opened.realized,
            unrealized_pnl=last.unrealized,
            fees=charged.fees,
            funding=charged.funding,
            max_drawdown=_fraction(_drawdown_of((opened, *curve))) or Decimal(0),
            trade_count=done.trades,
            win_count=done.wins,
            loss_count=done.losses,
        )

    def _opening(self, session: Session, curve: list[EquityPoint], start: datetime) -> EquityPoint:
        """Return the account as the run opened it: the first snapshot comes later than that."""
        paid_in = daily.capital(session, self.run_id)
        if paid_in is None:
            return curve[0]
        return EquityPoint(start, paid_in, Decimal(0), Decimal(0))

    def _performance(self, session: Session, summary: DaySummary) -> Performance:
        start, end = summary.starting_equity, summary.ending_equity
        known = daily.returns_before(session, self.run_id, self.mode, summary.date)
        today = float(end / start - 1) if start > 0 else None
        returns = known if today is None else [*known, today]
        risk = metrics.historical_var(returns)
        return Performance(
            daily_return=_fraction(today),
            sharpe_ratio=_ratio(metrics.sharpe_ratio(returns)),
            sortino_ratio=_ratio(metrics.sortino_ratio(returns)),
            max_drawdown=_fraction(self._run_drawdown(session, summary)),
            var_daily=None if risk is None else (Decimal(str(risk)) * end).quantize(_MONEY),
            win_rate=_ratio(metrics.win_rate(summary.win_count, summary.trade_count)),
        )

    def _run_drawdown(self, session: Session, summary: DaySummary) -> float | None:
        """Carry the run's largest fall on to the day's end; read from its beginning only once.

        The first snapshot comes after the first trades: the opening balance counts too.
        """
        until = to_datetime(summary.day.end_ms)
        if self._drawn_to is None:
            self._drawdown.add(float(daily.capital(session, self.run_id) or 0))
        for point in daily.points(session, self.run_id, self._drawn_to, until):
            self._drawdown.add(float(point.equity))
            self._drawn_to = point.at
        return self._drawdown.largest


def _drawdown_of(curve: Iterable[EquityPoint]) -> float | None:
    return metrics.max_drawdown([float(point.equity) for point in curve])


def _ratio(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value)).quantize(_PLACES["ratio"])


def _fraction(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value)).quantize(_PLACES["fraction"])
