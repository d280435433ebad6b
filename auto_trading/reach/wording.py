"""What waits in the outbox, in words: one message as a channel takes it, or several in one."""

from collections.abc import Iterable, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from auto_trading.reach.tools import ReachTools
from auto_trading.reports.chart_data import CHART
from auto_trading.reports.charts import image_of
from auto_trading.reports.messages import text_of
from config.notifications import Severity
from config.settings import Settings
from crypto_trader_pro.domain.enums import NotificationType
from database.models import OutboxRow
from utils.channels import Image, Message
from utils.notifications import title_of
from utils.texts import Language, say

SHOWN: Final = 40  # messages that are told one by one; the console has them all
_PICTURE: Final = "chart.png"
_LONGEST: Final = 200  # characters of one of them
RANKS: Final = {severity.value: rank for rank, severity in enumerate(Severity)}  # mild to grave


def message_of(row: OutboxRow, language: Language) -> Message:
    """Return a stored message as a channel sends it."""
    text = row.message
    if row.kind == NotificationType.TEST_MESSAGE and not text:
        text = say(language, "channels.test_text")
    images = () if row.image is None else (Image(_PICTURE, row.image),)
    return Message(
        row.kind, row.severity, _title(row.kind, language), text, row.data, language,
        row.created_at, row.id or 0, images,
    )  # fmt: skip


def whole_message(row: OutboxRow, tools: ReachTools) -> Message:
    """Return a message with what is made only when it is sent: a report's text, a picture.

    May take a second; not for the loop.
    """
    language = tools.language()
    message = message_of(row, language)
    if row.data is None or not (CHART in row.data or row.kind == NotificationType.DAILY_SUMMARY):
        return message
    settings = tools.settings()
    text = text_of(tools.reader, row.kind, row.data, language, settings)
    if text is not None:
        message = message._replace(text=tools.redactor.text(text))
    png = None if message.images else image_of(tools.reader, row.data, language, settings)
    return message if png is None else message._replace(images=(Image(_PICTURE, png),))


def merged_text(rows: Sequence[OutboxRow], settings: Settings, language: Language) -> str:
    """Return what several messages say, one line each, with the time of each."""
    zone = ZoneInfo(settings.engine.trading_day_timezone)
    lines = [say(language, "digest.head", count=len(rows))]
    for row in rows[:SHOWN]:
        at = row.created_at.astimezone(zone).strftime("%H:%M:%S")
        told = " ".join(row.message.split())
        told = told if len(told) <= _LONGEST else f"{told[: _LONGEST - 3]}..."
        lines.append(f"{at} {_title(row.kind, language)}: {told}")
    if len(rows) > SHOWN:
        lines.append(say(language, "digest.more", count=len(rows) - SHOWN))
    return "\n".join(lines)


def gravest(severities: Iterable[str]) -> str:
    """Return the gravest of these severities."""
    return max(severities, key=lambda severity: RANKS.get(severity, 0))


def up_to(severity: Severity) -> tuple[str, ...]:
    """Return the severities from the mildest to this one."""
    return tuple(word for word, rank in RANKS.items() if rank <= RANKS[severity.value])


def _title(kind: str, language: Language) -> str:
    known = NotificationType(kind) if kind in set(NotificationType) else None
    return kind if known is None else title_of(known, language)
