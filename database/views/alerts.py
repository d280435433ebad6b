"""Alerts by severity and kind: those that nobody has acknowledged first, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from crypto_trader_pro.domain.enums import CommandKind
from database.commands import CommandStatus
from database.models import AlertRow, CommandRow
from database.views.json_values import View

PAGE: Final = 20  # alerts
SEVERITIES: Final = ("critical", "error", "warning", "info")  # the gravest first
_WAITING: Final = 200  # requests that wait for an engine and are looked at


@dataclass(frozen=True, slots=True)
class Wanted:
    """What alerts a person wants to see; an empty tuple stands for all."""

    only_open: bool = True
    severities: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert(View):
    """An alert: a code with numbers, worded by the catalogue.

    Args:
        run: "r12"; "" where it belongs to none.
        at: trading time of what happened.
        raised_at: when it was stored, system time.
        acknowledged_at: system time; None while it is open.
        is_asked: somebody has asked for its acknowledgement, and no engine has done it yet.
        escalated_at: when it was told again because nobody acknowledged it; None: never.
        escalations: how often that was.
    """

    id: int
    run: str
    kind: str
    severity: str
    code: str
    numbers: Mapping[str, Any]
    at: datetime
    raised_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    is_asked: bool
    escalated_at: datetime | None = None
    escalations: int = 0

    @property
    def is_open(self) -> bool:
        return self.acknowledged_at is None


class Place(NamedTuple):
    """Where a page ends: open alerts come before all others."""

    is_open: bool
    id: int


@dataclass(frozen=True, slots=True)
class Page(View):
    """Alerts in order, and where the next page begins; None: there is none."""

    alerts: tuple[Alert, ...]
    older: Place | None


def page(
    session: Session, wanted: Wanted, after: Place | None = None, limit: int = PAGE
) -> Page:  # fmt: skip
    """Return wanted alerts, or those that come after a place."""
    rows: list[AlertRow] = []
    parts = (True,) if wanted.only_open else (True, False)
    for is_open in parts:
        if after is None or after.is_open >= is_open:  # else that part lies behind us
            before = after.id if after is not None and after.is_open is is_open else None
            rows += _rows(session, wanted, is_open, before, limit + 1 - len(rows))
    asked = _asked(session)
    found = tuple(_view(row, asked) for row in rows[:limit])
    last = found[-1] if len(rows) > limit else None
    return Page(found, None if last is None else Place(last.is_open, last.id))


def is_any(session: Session) -> bool:
    """True when there ever was an alert."""
    return session.exec(select(AlertRow.id).limit(1)).first() is not None


def _rows(
    session: Session, wanted: Wanted, is_open: bool, before: int | None, limit: int
) -> list[AlertRow]:
    if limit <= 0:
        return []
    row = AlertRow
    end = col(row.acknowledged_at)
    query = select(row).where(end.is_(None) if is_open else end.is_not(None), *_conditions(wanted))
    if before is not None:
        query = query.where(col(row.id) < before)
    return list(session.exec(query.order_by(col(row.id).desc()).limit(limit)))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.severities:
        found.append(col(AlertRow.severity).in_(wanted.severities))
    if wanted.kinds:
        found.append(col(AlertRow.kind).in_(wanted.kinds))
    return found


def _asked(session: Session) -> set[int]:
    """Return the alerts whose acknowledgement waits for an engine."""
    row = CommandRow
    open_ones = col(row.status).in_((CommandStatus.ASKED, CommandStatus.TAKEN))
    query = select(row.payload).where(open_ones, row.kind == CommandKind.ACKNOWLEDGE_ALERT.value)
    payloads = session.exec(query.order_by(col(row.id).desc()).limit(_WAITING))
    named = (p.get("alert_ids") for p in payloads if isinstance(p, dict))
    return {
        number for ids in named if isinstance(ids, list) for number in ids if type(number) is int
    }


def _view(row: AlertRow, asked: set[int]) -> Alert:
    number = row.id or 0
    return Alert(
        number, f"r{row.run_id}" if row.run_id else "", row.kind, row.severity, row.code,
        row.numbers, row.at, row.raised_at, row.acknowledged_at, row.acknowledged_by or "",
        row.acknowledged_at is None and number in asked, row.escalated_at, row.escalations,
    )  # fmt: skip
