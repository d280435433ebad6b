"""Strategies from outside, what they have sent, and what the engine made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlmodel import Session, col, func, select

from crypto_trader_pro.domain.timeframes import to_ms
from database import decisions, lease, webhooks, wishes
from database.commands import CommandStatus
from database.models import CommandRow, RunRow, WebhookLogRow
from database.views.strategies import OutsideStrategy, outside_strategies
from database.webhooks import Filter, WebhookStatus

PAGE: Final = 50  # entries
COUNTED: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Sender:
    """A strategy from outside and how it has been sending.

    Args:
        capital: the most of the account's money that it may hold; None: not bounded.
        last_at: when its newest signal came, whatever became of it; None: none is stored.
        counts: signals of the last 24 hours by status.
    """

    strategy: OutsideStrategy
    capital: Decimal | None
    last_at: datetime | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the journal, with how its command stands.

    Args:
        action: what was asked for, as the command has it; "" where none was stored.
        asked: status of the command; None: it asked for nothing, or that is no longer stored.
        decided_at: trading time of the decision that came of it; None: none did.
    """

    id: int
    strategy_id: int
    strategy: str
    received_at: datetime
    remote: str
    form: str
    alert_id: str
    body: str
    status: str
    reason: str
    replay_of: int | None
    replayed_by: str
    action: str
    symbol: str
    asked: CommandStatus | None
    answer: Mapping[str, Any]
    taken_at: datetime | None
    decided_at: datetime | None

    @property
    def can_replay(self) -> bool:
        """True for what became a signal whose command is still stored."""
        return self.status != WebhookStatus.REFUSED and self.asked is not None


class Page(NamedTuple):
    """Entries, newest first; `older` continues, None: there are no more."""

    entries: tuple[Entry, ...]
    older: int | None


def senders(session: Session, now: datetime) -> tuple[Sender, ...]:
    """Return every strategy from outside, by name."""
    found = outside_strategies(session)
    latest = webhooks.latest(session, [one.id for one in found])
    row = WebhookLogRow
    key = col(row.strategy_id), col(row.status)
    query = select(*key, func.count()).where(col(row.received_at) >= now - COUNTED).group_by(*key)
    counts: dict[int, dict[str, int]] = {}
    for strategy_id, status, count in session.exec(query):
        counts.setdefault(strategy_id, {})[status] = count
    return tuple(
        Sender(one, _capital(one), latest.get(one.id), counts.get(one.id, {})) for one in found
    )


def page(session: Session, chosen: Filter, before_id: int | None) -> Page:
    """Return a page of the journal."""
    rows = webhooks.journal_page(session, chosen, before_id=before_id, limit=PAGE + 1)
    shown = rows[:PAGE]
    asked = {
        command.command_id: command
        for command in wishes.found(session, [r.command_id for r in shown if r.command_id])
    }
    entries = tuple(_entry(row, asked.get(row.command_id or "")) for row in shown)
    return Page(entries, entries[-1].id if len(rows) > PAGE else None)


def is_any(session: Session) -> bool:
    """True once a signal was ever stored."""
    return session.exec(select(col(WebhookLogRow.id)).limit(1)).first() is not None


def entry(session: Session, number: int) -> Entry | None:
    """Return one entry; None: it is no longer stored."""
    row = session.get(WebhookLogRow, number)
    if row is None:
        return None
    command = wishes.found(session, [row.command_id]) if row.command_id else []
    return _entry(row, command[0] if command else None)


def decision(session: Session, found: Entry) -> int | None:
    """Return the number of the decision that came of a signal; None: none did, or it is gone."""
    if found.decided_at is None or found.taken_at is None:
        return None
    row = RunRow
    began = select(col(row.id)).where(
        col(row.kind) != "replay", col(row.started_at) <= found.taken_at
    ).order_by(col(row.id).desc())  # fmt: skip
    run = session.exec(began.limit(1)).first()
    if run is None:
        return None
    stored = decisions.at(session, run, found.symbol, to_ms(found.decided_at))
    return None if stored is None else stored.id


def _capital(one: OutsideStrategy) -> Decimal | None:
    return next((s.capital for s in one.accounts if s.account == lease.ACCOUNT), None)


def _entry(row: WebhookLogRow, command: CommandRow | None) -> Entry:
    payload = {} if command is None else command.payload
    answer = {} if command is None or command.answer is None else command.answer
    at = answer.get("at")
    return Entry(
        row.id or 0, row.strategy_id, row.strategy, row.received_at, row.remote, row.form,
        row.alert_id, row.body, row.status, row.reason, row.replay_of, row.replayed_by or "",
        str(payload.get("action", "")), str(payload.get("symbol", "") or answer.get("symbol", "")),
        None if command is None else CommandStatus(command.status), answer,
        None if command is None else command.claimed_at,
        datetime.fromisoformat(at) if isinstance(at, str) else None,
    )  # fmt: skip
