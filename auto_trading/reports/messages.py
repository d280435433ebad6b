"""The full text of messages that are stored with a short one, made by the process that sends."""

import logging
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine

from auto_trading.reports.chart_data import CHART
from auto_trading.reports.daily import report_of
from auto_trading.reports.day_figures import day_figures
from config.settings import Settings
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import TradingError
from database.auto_trading_db import unit_of_work
from utils.texts import Language

log = logging.getLogger(__name__)


def text_of(
    reader: Engine, kind: NotificationType | str, data: Mapping[str, Any] | None,
    language: Language, settings: Settings,
) -> str | None:  # fmt: skip
    """Return the text of a daily summary with everything that the day's report says.

    None: the message is of another kind, or the report cannot be made, which is logged in one line:
    then its own text is sent.
    """
    if kind != NotificationType.DAILY_SUMMARY or data is None:
        return None
    try:
        day, mode = date.fromisoformat(data["date"]), str(data["mode"])
        with unit_of_work(reader, "the report of a day") as session:
            figures = day_figures(session, settings, day, mode, _until(data))
    except (TradingError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        line = " ".join(str(error).split())
        log.warning("a daily summary goes in short: %s: %s", type(error).__name__, line)
        return None
    report = report_of(figures, settings, language)
    return f"{report.title}\n{report.text}"


def _until(data: Mapping[str, Any]) -> datetime | None:
    """Return up to when the stored message tells: sent late, it says the same."""
    chart = data.get(CHART)
    return None if chart is None else datetime.fromisoformat(chart["to"])
