"""The figures of one trading day: those of the daily books, and what happened beside them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from sqlmodel import Session

from auto_trading.daily_books import DailyBooks
from auto_trading.job_tools import mode_tag
from config.settings import Settings
from crypto_trader_pro.domain.calendar import TradingCalendar, TradingDay
from crypto_trader_pro.domain.enums import TradingState
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from database import daily, equity, report_rows
from database.models import DailyAccountSummaryRow, RunRow
from database.report_rows import Held
from database.rollups import HOUR_MS, refusals_by_hour
from database.views.json_values import View
from database.views.runs import asset_of
from database.views.trades import ClosedTrade, closed_trades

Day: TypeAlias = date
BEFORE: Final = 7  # days that a day is compared with
_TOP: Final = 3  # rules that refused most
_MOST: Final = 2_000  # closed positions of a day that the best and the worst are looked for in


@dataclass(frozen=True, slots=True)
class Money(View):
    """A day in money: ending - starting = realized + change of unrealized.

    Args:
        realized: after fees and funding.
        funding: received, > 0.
        max_drawdown: fraction of the day's highest equity before it.
        trades: orders that closed something.
    """

    starting: Decimal
    ending: Decimal
    realized: Decimal
    unrealized: Decimal
    fees: Decimal
    funding: Decimal
    max_drawdown: Decimal
    trades: int
    wins: int
    losses: int

    @property
    def change(self) -> Decimal:
        return self.ending - self.starting

    @property
    def change_fraction(self) -> Decimal | None:
        return self.change / self.starting if self.starting else None


@dataclass(frozen=True, slots=True)
class Refused(View):
    """How often a rule was the first to refuse an entry."""

    rule: str
    decisions: int


@dataclass(frozen=True, slots=True)
class Before(View):
    """The days before, as far as there are any: changes of the equity, fractions."""

    days: int
    mean: Decimal
    best: Decimal
    worst: Decimal


@dataclass(frozen=True, slots=True)
class DayFigures(View):
    """One trading day of one run.

    Args:
        mode: tag of the daily books, "paper-demo".
        since, until: trading time; the day goes on where `is_over` is False.
        is_simulated: no order reached a venue outside.
        best, worst: by net profit; None: no position was closed.
        seconds: of trading time by trading state.
        alerts: by severity, those that only inform left out.
    """

    date: Day
    mode: str
    run: str
    currency: str
    is_simulated: bool
    since: datetime
    until: datetime
    is_over: bool
    money: Money
    best: ClosedTrade | None
    worst: ClosedTrade | None
    open_positions: tuple[Held, ...]
    refused: tuple[Refused, ...]
    seconds: dict[str, int]
    alerts: dict[str, int]
    before: Before | None

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, and the change of the equity."""
        found = View.as_json(self)
        change = self.money.change_fraction
        percent = None if change is None else str((change * 100).quantize(Decimal("0.0001")))
        return {**found, "change": str(self.money.change), "change_percent": percent}


def day_figures(
    session: Session, settings: Settings, day: Day | None = None, mode: str | None = None,
    until: datetime | None = None,
) -> DayFigures:  # fmt: skip
    """Return the figures of a trading day.

    Args:
        day: None: the day of the newest figure.
        mode: tag of the daily books; None: that of the newest session of an engine.
        until: only what was before, trading time.

    Raises:
        InputError: there are none of that day.
    """
    run = report_rows.newest_session(session, mode)
    if run is None:
        raise InputError("there is no session of an engine yet, so no day to report")
    tag = mode_tag(run.kind, run.source)
    calendar = TradingCalendar(settings.engine.trading_day_timezone)
    newest = equity.latest(session, run.id or 0)
    if day is None:
        if newest is None:
            raise InputError(f"session r{run.id} has no figures yet")
        trading_day = calendar.day_of(to_ms(newest.at) - 1)
    else:
        trading_day = day_named(settings, day)
    end = to_datetime(trading_day.end_ms)
    limit = end if until is None else min(until, end)
    return _figures(session, tag, run, calendar, trading_day, limit)


def day_named(settings: Settings, day: Day) -> TradingDay:
    """Return the trading day of a date."""
    zone = settings.engine.trading_day_timezone
    noon = datetime.combine(day, time(12), ZoneInfo(zone))
    return TradingCalendar(zone).day_of(to_ms(noon))


def _figures(
    session: Session, tag: str, newest_run: RunRow, calendar: TradingCalendar, day: TradingDay,
    limit: datetime,
) -> DayFigures:  # fmt: skip
    named = date.fromisoformat(day.name)
    row = daily.summary_of(session, named, tag)
    run = (session.get(RunRow, row.run_id) if row else None) or newest_run
    run_id = run.id or 0
    start, end = to_datetime(day.start_ms), to_datetime(day.end_ms)
    if row is not None and limit == end and report_rows.is_final(session, tag, named):
        money, until = _of_row(row), end
    else:
        money, until = _so_far(session, run_id, tag, calendar, day, limit)
    closed = closed_trades(session, run_id, start, until, limit=_MOST)
    ranked = sorted(closed, key=lambda trade: (trade.realized_pnl, trade.id))
    return DayFigures(
        date=named, mode=tag, run=f"r{run_id}", currency=asset_of(run.symbols),
        is_simulated=run.kind != "live", since=start, until=until, is_over=until >= end,
        money=money, best=ranked[-1] if ranked else None, worst=ranked[0] if ranked else None,
        open_positions=tuple(report_rows.held_at(session, run_id, until)),
        refused=_refused(session, run_id, day.start_ms, to_ms(limit)),
        seconds=_seconds(report_rows.states(session, run_id, start, until), start, until),
        alerts=_alerts(report_rows.alert_counts(session, run_id, start, limit)),
        before=_before(report_rows.days_before(session, tag, named, BEFORE)),
    )  # fmt: skip


def _of_row(row: DailyAccountSummaryRow) -> Money:
    return Money(
        row.starting_equity, row.ending_equity, row.realized_pnl, row.unrealized_pnl, row.fees,
        row.funding, row.max_drawdown, row.trade_count, row.win_count, row.loss_count,
    )  # fmt: skip


def _so_far(
    session: Session, run_id: int, tag: str, calendar: TradingCalendar, day: TradingDay,
    limit: datetime,
) -> tuple[Money, datetime]:  # fmt: skip
    """Sum up a day that goes on, or that was left before it ended."""
    point = daily.last_point(session, run_id, limit)
    if point is None or to_ms(point.at) <= day.start_ms:
        raise InputError(_no_figures(session, tag, day))
    found = DailyBooks(run_id, tag, calendar).until(session, to_ms(point.at))
    if found is None:
        raise InputError(_no_figures(session, tag, day))
    money = Money(
        found.starting_equity, found.ending_equity, found.realized_pnl, found.unrealized_pnl,
        found.fees, found.funding, found.max_drawdown, found.trade_count, found.win_count,
        found.loss_count,
    )  # fmt: skip
    return money, point.at


def _no_figures(session: Session, tag: str, day: TradingDay) -> str:
    span = report_rows.span_of_days(session, tag)
    allowed = "none has ended yet" if span is None else f"{span[0]} to {span[1]}"
    return f"day was {day.name}, days with figures of {tag}: {allowed}"


def _refused(session: Session, run_id: int, start_ms: int, end_ms: int) -> tuple[Refused, ...]:
    """Return the rules that refused most; hours are UTC's, which a zone may cut in two."""
    counts: Counter[str] = Counter()
    for found in refusals_by_hour(session, run_id, start_ms, width_ms=HOUR_MS):
        if found.start_ms < end_ms:
            counts[found.rule] += found.decisions
    ranked = sorted(counts.items(), key=lambda x: (-x[1], x[0]))
    return tuple(Refused(rule, n) for rule, n in ranked[:_TOP])


def _seconds(
    states: Iterable[tuple[datetime, str]], start: datetime, until: datetime
) -> dict[str, int]:
    """Return how long trading was in which state; the time between two goes to the earlier."""
    spent = dict.fromkeys(TradingState, timedelta(0))
    before: tuple[datetime, TradingState] | None = None
    for at, state in states:
        if before is not None:
            spent[before[1]] += at - before[0]
        before = (max(at, start), TradingState(state))
    if before is not None:
        spent[before[1]] += until - before[0]
    return {state.value: round(t.total_seconds()) for state, t in spent.items()}


def _alerts(counts: dict[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in ("critical", "error", "warning") if counts.get(name)}


def _before(rows: Sequence[DailyAccountSummaryRow]) -> Before | None:
    changes = [
        (row.ending_equity - row.starting_equity) / row.starting_equity
        for row in rows
        if row.starting_equity
    ]
    if not changes:
        return None
    return Before(len(changes), sum(changes, Decimal(0)) / len(changes), max(changes), min(changes))
