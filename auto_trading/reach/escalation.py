"""Alerts that nobody has acknowledged are told again, a few times, through chosen channels."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlmodel import Session, col, func, select

from auto_trading.reach.notices import notice_of
from auto_trading.reach.tools import ReachTools
from auto_trading.reach.wording import RANKS, gravest
from config.notifications import Channel, Severity
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.ports import Notice
from crypto_trader_pro.explain.alerts import sentence
from database import outbox
from database.auto_trading_db import unit_of_work
from database.models import AlertRow
from utils.texts import say

OLDEST: Final = timedelta(days=3)  # what is older has been lived with
_ONE_BY_ONE: Final = 3  # more at a time become one message
_NAMED: Final = 10  # alerts that one message repeats
_MOST: Final = 100


def tell_again(tools: ReachTools) -> bool:
    """Tell of alerts that wait for too long; True when there was one.

    That an alert was told again is stored in one transaction with the message.

    Raises:
        JournalUnavailable: the database does not serve.
    """
    if not tools.settings().escalation.enabled:
        return False
    with unit_of_work(tools.reader, "the escalation") as session:
        if not _due(session, tools):
            return False
    with unit_of_work(tools.writer, "the escalation") as session:
        rows = _due(session, tools)
        for row in rows:
            row.escalated_at, row.escalations = tools.now(), row.escalations + 1
            session.add(row)
        one_by_one = len(rows) <= _ONE_BY_ONE
        groups = [[row] for row in rows] if one_by_one else [rows]
        outbox.add(session, [notice for group in groups for notice in _notice(group, tools)])
        return bool(rows)


def _due(session: Session, tools: ReachTools) -> list[AlertRow]:
    escalation, now, row = tools.settings().escalation, tools.now(), AlertRow
    least = RANKS[escalation.min_severity.value]
    grave = [word for word, rank in RANKS.items() if rank >= least]
    told = func.coalesce(row.escalated_at, row.raised_at)
    query = select(row).where(
        col(row.acknowledged_at).is_(None), col(row.severity).in_(grave),
        told <= now - timedelta(minutes=escalation.after_minutes),
        col(row.raised_at) > now - OLDEST, col(row.escalations) < escalation.max_times,
    )  # fmt: skip
    return list(session.exec(query.order_by(col(row.id)).limit(_MOST)))


def _notice(rows: Sequence[AlertRow], tools: ReachTools) -> list[Notice]:
    settings, now, language = tools.settings(), tools.now(), tools.language()
    zone = settings.engine.trading_day_timezone
    severity = Severity(gravest(row.severity for row in rows))
    wanted = [c for c in settings.escalation.channels if c is not Channel.DASHBOARD]
    kind = NotificationType(rows[0].kind)
    texts = [sentence(row.code, row.numbers, language, zone) for row in rows[:_NAMED]]
    minutes = int((now - min(row.raised_at for row in rows)).total_seconds()) // 60
    if len(rows) == 1:
        text = say(language, "escalation.again", minutes=minutes, text=texts[0])
    else:
        told = " / ".join(texts)
        text = say(language, "escalation.many", minutes=minutes, count=len(rows), text=told)
    numbers = {"alert_ids": [row.id for row in rows]}
    return notice_of(tools, kind, severity, text, numbers, channels=wanted, alert_id=rows[0].id)
