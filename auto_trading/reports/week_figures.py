"""The figures of a week of trading days, of the days that were summed up."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import sqrt
from typing import Final, TypeAlias

from sqlmodel import Session

from auto_trading.job_tools import mode_tag
from auto_trading.reports.day_figures import day_named
from config.settings import Settings
from crypto_trader_pro.backtest.account_metrics import expectancy, profit_factor
from crypto_trader_pro.backtest.metric import wilson
from crypto_trader_pro.backtest.metrics import Drawdown
from crypto_trader_pro.domain.calendar import TradingDay
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_datetime
from database import report_rows
from database.models import DailyAccountSummaryRow, RunRow
from database.report_rows import CurvePoint, Result
from database.views.json_values import View
from database.views.runs import asset_of

Day: TypeAlias = date
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FEW: Final = 30  # closed positions below which chance explains as much
_MADE_UP: Final = "demo"  # its market is none that could be compared
_POINTS: Final = Decimal(10_000)  # basis points of one
_FRACTION: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class WeekDay(View):
    """One trading day: the row of the daily books.

    Args:
        fraction: net of the equity at its beginning; None where there was none.
        max_drawdown: fraction of the day's highest equity before it.
        trades: orders that closed something.
    """

    date: Day
    run: str
    starting: Decimal
    ending: Decimal
    net: Decimal
    fraction: Decimal | None
    max_drawdown: Decimal
    trades: int
    wins: int
    losses: int
    fees: Decimal
    funding: Decimal


@dataclass(frozen=True, slots=True)
class SymbolWeek(View):
    """Closed positions of one symbol, after fees."""

    symbol: str
    closed: int
    wins: int
    net: Decimal


@dataclass(frozen=True, slots=True)
class Closed(View):
    """Closed positions of the week, after fees.

    Args:
        hit_low, hit_high: 95 % Wilson interval of the share of winners; None without any.
        profit_factor: gains over losses; None without a loss.
        expectancy: mean net result; None without any.
        error: standard error of that mean; None below two.
    """

    count: int
    wins: int
    losses: int
    net: Decimal
    hit_low: Decimal | None
    hit_high: Decimal | None
    profit_factor: Decimal | None
    expectancy: Decimal | None
    error: Decimal | None
    symbols: tuple[SymbolWeek, ...]

    @property
    def is_few(self) -> bool:
        return self.count < FEW


@dataclass(frozen=True, slots=True)
class ModeWeek(View):
    """The week of one mode: growth of its days one after the other, a fraction."""

    mode: str
    days: int
    net: Decimal
    growth: Decimal | None


@dataclass(frozen=True, slots=True)
class WeekFigures(View):
    """A week of trading days of one mode.

    Args:
        last: its last day; the six before it belong to it.
        net: sum of the days' changes of the equity.
        max_drawdown: fraction of the highest equity within the week, of one session.
        gross: net before fees and funding.
        fee_bp: fees of the traded value, basis points; None where nothing was traded.
        others: the same week of paper and live trading on the exchange's market, where both exist.
    """

    first: Day
    last: Day
    mode: str
    currency: str
    is_simulated: bool
    days: tuple[WeekDay, ...]
    net: Decimal
    growth: Decimal | None
    max_drawdown: Decimal
    fees: Decimal
    funding: Decimal
    gross: Decimal
    fee_bp: Decimal | None
    closed: Closed
    others: tuple[ModeWeek, ...]


@dataclass(frozen=True, slots=True)
class Week:
    """A week's figures, and its curve where no new session began with other money."""

    figures: WeekFigures
    curve: tuple[CurvePoint, ...]
    run_id: int


def last_of_week(settings: Settings, day: Day) -> Day:
    """Return the last day of the week that `day` is in: the next day that the report follows.

    With "sunday", weeks are those of ISO 8601. "never" counts as that.
    """
    chosen = settings.weekly_report_day
    end = WEEKDAYS.index("sunday" if chosen == "never" else chosen)
    return day + timedelta(days=(end - day.weekday()) % 7)


def week(
    session: Session, settings: Settings, day: Day | None = None, mode: str | None = None
) -> Week:
    """Return the week that a day is in.

    Args:
        day: None: the newest day that was summed up.
        mode: tag of the daily books; None: that of the newest session of an engine.

    Raises:
        InputError: no day of it was summed up.
    """
    run = report_rows.newest_session(session, mode)
    if run is None:
        raise InputError("there is no session of an engine yet, so no week to report")
    tag = mode_tag(run.kind, run.source)
    span = report_rows.span_of_days(session, tag)
    if span is None:
        raise InputError(f"no trading day of {tag} has ended yet, so no week to report")
    last = last_of_week(settings, day or span[1])
    first = last - timedelta(days=6)
    rows = report_rows.day_rows(session, tag, first, last)
    if not rows:
        raise InputError(
            f"week was {first} to {last}, days with figures of {tag}: {span[0]} to {span[1]}"
        )
    return _week(session, settings, tag, run, rows, (first, last))


def _week(
    session: Session, settings: Settings, tag: str, run: RunRow,
    rows: Sequence[DailyAccountSummaryRow], span: tuple[Day, Day],
) -> Week:  # fmt: skip
    lived = [(row, day_named(settings, row.date)) for row in rows]
    curves = _curves(session, lived)
    results = [r for row, day in lived for r in _results(session, row, day)]
    fees = sum((row.fees for row in rows), Decimal(0))
    funding = sum((row.funding for row in rows), Decimal(0))
    net = sum((row.ending_equity - row.starting_equity for row in rows), Decimal(0))
    traded = sum((_traded(session, row, day) for row, day in lived), Decimal(0))
    figures = WeekFigures(
        first=span[0], last=span[1], mode=tag, currency=asset_of(run.symbols),
        is_simulated=run.kind != "live", days=tuple(_day(row) for row in rows), net=net,
        growth=_growth(rows), max_drawdown=_drawdown(lived, curves), fees=fees, funding=funding,
        gross=net + fees - funding,
        fee_bp=(fees / traded * _POINTS).quantize(Decimal("0.01")) if traded else None,
        closed=closed_of(results), others=_others(session, tag, span),
    )  # fmt: skip
    run_id = rows[-1].run_id
    return Week(figures, tuple(curves[run_id]), run_id)


def closed_of(results: Iterable[Result]) -> Closed:
    """Return the statistics of closed positions, and of each symbol, best first."""
    nets = [(r.symbol, r.net) for r in results]
    values = [net for _, net in nets]
    n, wins = len(values), sum(net > 0 for net in values)
    gains = sum((net for net in values if net > 0), Decimal(0))
    losses = -sum((net for net in values if net < 0), Decimal(0))
    net = gains - losses
    hit = wilson(wins, n)
    factor, mean = profit_factor(gains, losses), expectancy(net, n)
    return Closed(
        count=n, wins=wins, losses=sum(v < 0 for v in values), net=net,
        hit_low=None if hit is None else _fraction(hit.low),
        hit_high=None if hit is None else _fraction(hit.high),
        profit_factor=None if factor is None else _fraction(factor), expectancy=mean,
        error=_error(values), symbols=_symbols(nets),
    )  # fmt: skip


def _symbols(nets: Iterable[tuple[str, Decimal]]) -> tuple[SymbolWeek, ...]:
    found: dict[str, list[Decimal]] = defaultdict(list)
    for symbol, net in nets:
        found[symbol].append(net)
    weeks = [
        SymbolWeek(symbol, len(own), sum(net > 0 for net in own), sum(own, Decimal(0)))
        for symbol, own in found.items()
    ]
    return tuple(sorted(weeks, key=lambda s: (-s.net, s.symbol)))


def _error(values: Sequence[Decimal]) -> Decimal | None:
    """Return the standard error of the mean: s / sqrt(n), s with n - 1 degrees of freedom."""
    n = len(values)
    if n < 2:
        return None
    mean = sum(values, Decimal(0)) / n
    variance = sum(((v - mean) ** 2 for v in values), Decimal(0)) / (n - 1)
    return _fraction(sqrt(float(variance) / n))


def _day(row: DailyAccountSummaryRow) -> WeekDay:
    net = row.ending_equity - row.starting_equity
    return WeekDay(
        row.date, f"r{row.run_id}", row.starting_equity, row.ending_equity, net,
        (net / row.starting_equity).quantize(_FRACTION) if row.starting_equity else None,
        row.max_drawdown, row.trade_count, row.win_count, row.loss_count, row.fees, row.funding,
    )  # fmt: skip


def _growth(rows: Iterable[DailyAccountSummaryRow]) -> Decimal | None:
    """Return what the days made of one, minus one; None where a day began with nothing."""
    whole = Decimal(1)
    for row in rows:
        if not row.starting_equity:
            return None
        whole *= row.ending_equity / row.starting_equity
    return (whole - 1).quantize(_FRACTION)


def _curves(
    session: Session, lived: Iterable[tuple[DailyAccountSummaryRow, TradingDay]]
) -> dict[int, list[CurvePoint]]:
    """Return the equity by session: a new one may have begun with other money."""
    found: dict[int, list[CurvePoint]] = defaultdict(list)
    for row, day in lived:
        found[row.run_id] += report_rows.curve(session, row.run_id, *_span(day))
    return found


def _drawdown(
    lived: Iterable[tuple[DailyAccountSummaryRow, TradingDay]],
    curves: dict[int, list[CurvePoint]],
) -> Decimal:
    """Return the largest fall within the week; the equity at its beginning counts too."""
    started: dict[int, Decimal] = {}
    for row, _ in lived:
        started.setdefault(row.run_id, row.starting_equity)
    deepest = 0.0
    for run_id, starting in started.items():
        fall = Drawdown()
        for value in (starting, *(point.equity for point in curves[run_id])):
            fall.add(float(value))
        deepest = max(deepest, fall.largest or 0.0)
    return _fraction(deepest)


def _others(session: Session, tag: str, span: tuple[Day, Day]) -> tuple[ModeWeek, ...]:
    modes = [m for m in report_rows.modes_between(session, *span) if not m.endswith(_MADE_UP)]
    if tag not in modes or len(modes) < 2:
        return ()
    found = []
    for mode in modes:
        rows = report_rows.day_rows(session, mode, *span)
        net = sum((row.ending_equity - row.starting_equity for row in rows), Decimal(0))
        found.append(ModeWeek(mode, len(rows), net, _growth(rows)))
    return tuple(found)


def _results(session: Session, row: DailyAccountSummaryRow, day: TradingDay) -> list[Result]:
    return report_rows.results(session, row.run_id, *_span(day))


def _traded(session: Session, row: DailyAccountSummaryRow, day: TradingDay) -> Decimal:
    return report_rows.traded_value(session, row.run_id, *_span(day))


def _span(day: TradingDay) -> tuple[datetime, datetime]:
    return to_datetime(day.start_ms), to_datetime(day.end_ms)


def _fraction(value: float) -> Decimal:
    return Decimal(str(value)).quantize(_FRACTION)
