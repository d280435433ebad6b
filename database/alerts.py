"""Alerts: what a person should know, as a code with numbers that the catalogue words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session, col, func, select, update

from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import InputError
from database.models import AlertRow
from database.types import MAX_ID

COUNTED: Final = 100  # open alerts; more are "100 or more"
AT_ONCE: Final = 1000  # alerts of one request


def raise_alert(
    session: Session, kind: NotificationType, severity: str, code: str,
    numbers: Mapping[str, Any], *, at: datetime, now: datetime, run_id: int | None = None,
) -> AlertRow:  # fmt: skip
    """Insert an alert.

    Args:
        at: trading time of what happened.
        now: system time.
    """
    row = AlertRow(
        run_id=run_id, kind=kind.value, severity=severity, code=code, numbers=dict(numbers),
        at=at, raised_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def open_alerts(
    session: Session, *, limit: int = 50, before_id: int | None = None
) -> list[AlertRow]:
    """Return alerts that nobody has acknowledged, newest first; `before_id` continues."""
    row = AlertRow
    query = select(row).where(col(row.acknowledged_at).is_(None))
    if before_id is not None:
        query = query.where(col(row.id) < before_id)
    return list(session.exec(query.order_by(col(row.id).desc()).limit(limit)))


def count_open(session: Session) -> int:
    """Return how many alerts nobody has acknowledged, `COUNTED` at most: asked each second."""
    row = AlertRow
    some = select(col(row.id)).where(col(row.acknowledged_at).is_(None)).limit(COUNTED)
    return session.exec(select(func.count()).select_from(some.subquery())).one()


def acknowledge(session: Session, alert_id: int, by: str, now: datetime) -> AlertRow:
    """Note who has seen an alert. The first to do so stays; doing it again changes nothing.

    Raises:
        InputError: no such alert.
    """
    acknowledge_all(session, [alert_id], by, now)
    return session.get_one(AlertRow, alert_id, populate_existing=True)


def acknowledge_all(session: Session, alert_ids: Sequence[int], by: str, now: datetime) -> int:
    """Note who has seen these alerts, all or none; return how many nobody had seen before.

    Raises:
        InputError: one of them is not there, or they are more than `AT_ONCE`.
    """
    wanted = set(alert_ids)
    if not 0 < len(wanted) <= AT_ONCE:
        raise InputError(f"{len(wanted)} alerts were named, allowed: 1 to {AT_ONCE}")
    row = AlertRow
    possible = [number for number in wanted if 0 < number <= MAX_ID]
    known = set(session.exec(select(row.id).where(col(row.id).in_(possible))))
    if missing := sorted(wanted - known):
        raise InputError(f"there is no alert {missing[0]}")
    seen = update(row).where(col(row.id).in_(possible), col(row.acknowledged_at).is_(None))
    return session.exec(seen.values(acknowledged_at=now, acknowledged_by=by)).rowcount
