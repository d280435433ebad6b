"""Alerts: what a person should know, as a code with numbers that the catalogue words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session, col, func, select, update

from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import InputError
from database.models import AlertRow
from database.types import MAX_ID

COUNTED: Final = 100  # open alerts; more are "100 or more"


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
    if not 0 < alert_id <= MAX_ID:
        raise InputError(f"there is no alert {alert_id}")
    row = AlertRow
    seen = update(row).where(col(row.id) == alert_id, col(row.acknowledged_at).is_(None))
    session.exec(seen.values(acknowledged_at=now, acknowledged_by=by))
    found = session.get(AlertRow, alert_id, populate_existing=True)
    if found is None:
        raise InputError(f"there is no alert {alert_id}")
    return found
