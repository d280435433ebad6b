"""Milder messages of a while, put together into one for each channel."""

from datetime import timedelta

from sqlmodel import Session

from auto_trading.reach.tools import ReachTools
from auto_trading.reach.wording import gravest, merged_text, up_to
from config.notifications import Channel
from database import outbox
from database.auto_trading_db import unit_of_work

_MOST = 500  # messages of one digest


def send_digests(tools: ReachTools, asked: bool = False) -> bool:
    """Put together what was collected for long enough; True when there was something.

    Args:
        asked: a person does not wait until it is time.

    Raises:
        JournalUnavailable: the database does not serve.
    """
    settings = tools.settings()
    if not settings.digest.enabled:
        return False
    outside = [c for c in settings.active_channels if c is not Channel.DASHBOARD]
    with unit_of_work(tools.reader, "the digest") as session:
        is_any = bool(outbox.channels_waiting(session, tools.now()))
    if not is_any:
        return False
    with unit_of_work(tools.writer, "the digest") as session:
        return True in [_digest(session, channel, tools, asked) for channel in outside]


def _digest(session: Session, channel: Channel, tools: ReachTools, asked: bool) -> bool:
    settings, now = tools.settings(), tools.now()
    severities = up_to(settings.digest.max_severity)
    rows = outbox.collectable(session, channel.value, now, severities, _MOST)
    age = timedelta(minutes=settings.digest.after_minutes)
    if not rows or not (asked or rows[0].created_at <= now - age):
        return False
    text = merged_text(rows, settings, tools.language())
    outbox.merge(session, rows, text, gravest(row.severity for row in rows), now)
    return True
