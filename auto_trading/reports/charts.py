"""The pictures that go along with messages; drawn by the process that sends them."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from auto_trading.reports.chart_data import CHART, EQUITY
from config.settings import Settings
from crypto_trader_pro.domain.errors import TradingError
from database import report_rows
from database.auto_trading_db import unit_of_work
from database.models import RunRow
from database.report_rows import CurvePoint
from database.views.runs import RunRef, ref
from utils.chart_images import equity_chart
from utils.texts import Language, say

log = logging.getLogger(__name__)

# what a picture can fail by: data that names none, the database, fonts and drawing
_TROUBLE: Final = (
    TradingError, KeyError, TypeError, ValueError, ArithmeticError, OSError, ImportError,
    RuntimeError,
)  # fmt: skip


def image_of(
    reader: Engine, data: Mapping[str, Any], language: Language, settings: Settings
) -> bytes | None:
    """Return the PNG that a message's data asks for; None: it asks for none, or there is none.

    Never raises: a message without its picture is better than none. Trouble is logged in one line.
    """
    asked = data.get(CHART)
    if asked is None:
        return None
    try:
        return _image(reader, asked, language, settings)
    except _TROUBLE as error:
        line = " ".join(str(error).split())
        log.warning("a message goes without its picture: %s: %s", type(error).__name__, line)
        return None


def _image(
    reader: Engine, asked: Mapping[str, Any], language: Language, settings: Settings
) -> bytes | None:
    if asked["kind"] != EQUITY:
        raise ValueError(f"chart kind was {asked['kind']!r}, allowed: {EQUITY}")
    since, until = (datetime.fromisoformat(asked[name]) for name in ("from", "to"))
    with unit_of_work(reader, "the equity of a picture") as session:
        row = session.get(RunRow, int(asked["run_id"]))
        if row is None:
            return None
        run = ref(row)
        points = report_rows.curve(session, run.id, since, until)
    if not points:
        return None
    return equity_image(points, run, language, settings, say(language, "report.chart_day"))


def equity_image(
    points: Sequence[CurvePoint], run: RunRef, language: Language, settings: Settings, title: str
) -> bytes:
    """Return the PNG of a run's equity with its drawdown below."""
    zone = ZoneInfo(settings.engine.trading_day_timezone)
    ends = dict.fromkeys(
        f"{point.at.astimezone(zone):%Y-%m-%d}" for point in (points[0], points[-1])
    )
    return equity_chart(
        [point.at for point in points], [point.equity for point in points],
        drawdown=[point.drawdown for point in points], title=title,
        subtitle=f"{' – '.join(ends)} · {run.tag} · {run.public_id}", unit=run.asset,
        language=language, zone=zone, simulated=run.is_simulated,
    )  # fmt: skip
