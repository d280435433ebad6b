"""Puts the weekly report into the outbox, once for each mode and week."""

import logging
import os
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session

from auto_trading.job_tools import mode_tag
from auto_trading.reports.charts import equity_image
from auto_trading.reports.day_figures import day_named
from auto_trading.reports.report import Report
from auto_trading.reports.week_figures import Week, last_of_week, week
from auto_trading.reports.weekly import name_of, report_of
from config.notifications import Channel, Severity
from config.settings import Settings
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.ports import Delivery, Notice
from crypto_trader_pro.domain.timeframes import to_datetime
from database import equity, outbox, reach_state, report_rows
from database.auto_trading_db import unit_of_work
from database.models import RunRow
from database.views.runs import RunRef, ref
from utils.notifications import outside, route_of
from utils.texts import Language, language_of, say

log = logging.getLogger(__name__)

_KIND: Final = NotificationType.WEEKLY_REPORT
_MARK: Final = "weekly_report:{mode}"
_WHAT: Final = "the weekly report"
_EXCHANGE: Final = "exchange"  # its trading time is system time
# then a day that nobody finished, because no engine ran, is reported as it was left
_PATIENCE: Final = timedelta(hours=6)
_TROUBLE: Final = (ValueError, ArithmeticError, OSError, ImportError, RuntimeError)


class _Made(NamedTuple):
    report: Report
    week: Week
    run: RunRef
    last: date


def weekly_report_due(
    reader: Engine, writer: Engine, settings: Settings, now: datetime,
    environ: Mapping[str, str] = os.environ,
) -> bool:  # fmt: skip
    """Put the report of the newest week that has ended into the outbox, unless it is there already.

    Of several weeks that were missed the newest is told. Driven by trading time: a week has ended
    when the books have passed its end and its days are summed up.

    Args:
        now: system time.
        environ: says the language where it is not configured.

    Returns:
        Whether a report was put there.

    Raises:
        JournalUnavailable: the database did not serve; call again.
    """
    channels = route_of(settings, _KIND, Severity.INFO)
    if not channels or settings.weekly_report_day == "never":
        return False
    language = language_of(settings.engine.language, environ)
    with unit_of_work(reader, _WHAT) as session:
        made = _make(session, settings, language, now)
    if made is None:
        return False
    image = week_image(made.week, made.run, language, settings)
    notice = _notice(made, settings, channels, image, now)
    mode = made.week.figures.mode
    with unit_of_work(writer, _WHAT) as session:
        outbox.add(session, [notice])
        mark = {"last": made.last.isoformat()}
        reach_state.put(session, _MARK.format(mode=mode), mark, now)
    return True


def _make(session: Session, settings: Settings, language: Language, now: datetime) -> _Made | None:
    run = report_rows.newest_session(session)
    if run is None:
        return None
    mode = mode_tag(run.kind, run.source)
    last = _ended(session, settings, run, mode, now)
    if last is None:
        return None
    found = week(session, settings, last, mode)
    row = session.get(RunRow, found.run_id) or run
    return _Made(report_of(found.figures, language), found, ref(row), last)


def _ended(
    session: Session, settings: Settings, run: RunRow, mode: str, now: datetime
) -> date | None:
    """Return the last day of the newest week that has ended, None where it was told."""
    span = report_rows.span_of_days(session, mode)
    newest = equity.latest(session, run.id or 0)
    if span is None or newest is None:
        return None
    at = max(newest.at, now) if run.source == _EXCHANGE else newest.at
    last = last_of_week(settings, span[1])
    if to_datetime(day_named(settings, last).end_ms) >= at:
        last -= timedelta(days=7)  # this one goes on
    told = reach_state.get(session, _MARK.format(mode=mode))
    if told is not None and told["last"] >= last.isoformat():
        return None
    rows = report_rows.day_rows(session, mode, last - timedelta(days=6), last)
    end = to_datetime(day_named(settings, last).end_ms)
    is_left = run.source == _EXCHANGE and now >= end + _PATIENCE
    if not rows or not (is_left or report_rows.is_final(session, mode, rows[-1].date)):
        return None
    return last


def week_image(found: Week, run: RunRef, language: Language, settings: Settings) -> bytes | None:
    """Return the PNG of a week's equity, None where there is no curve.

    Never raises: a report without its picture is better than none. Trouble is logged in one line.

    Args:
        run: that the curve is of.
    """
    if not found.curve:
        return None
    title = say(language, "report.chart_week", week=name_of(found.figures))
    try:
        return equity_image(found.curve, run, language, settings, title)
    except _TROUBLE as error:
        line = " ".join(str(error).split())
        log.warning(
            "the weekly report goes without its picture: %s: %s", type(error).__name__, line
        )
        return None


def _notice(
    made: _Made, settings: Settings, channels: tuple[Channel, ...], image: bytes | None,
    now: datetime,
) -> Notice:  # fmt: skip
    figures = made.week.figures
    data: dict[str, Any] = {
        "week": name_of(figures), "last": made.last.isoformat(), "mode": figures.mode,
        "net": str(figures.net), "closed": figures.closed.count,
    }  # fmt: skip
    deliveries = tuple(
        Delivery(channel.value, now, True)
        if channel is Channel.DASHBOARD
        else outside(settings, channel, Severity.INFO, now)
        for channel in channels
    )
    text = f"{made.report.title}\n{made.report.text}"
    key = f"weekly:{figures.mode}:{made.last.isoformat()}"
    return Notice(
        _KIND, Severity.INFO.value, text, data, None, made.run.id, now, deliveries, key, image
    )  # fmt: skip
