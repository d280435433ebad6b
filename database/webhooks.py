"""The journal of signals from outside: what came, what became of it, and repeating one by hand.

An entry and the command that it asks of the engine are stored in one transaction.
"""

import hashlib
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, text, tuple_
from sqlalchemy import select as pick
from sqlmodel import Session, col, func, select

from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import plain_text
from database import commands, strategies, wishes
from database.models import StrategyRow, WebhookLogRow
from database.types import MAX_BIG_ID

REASON: Final = 200
BY: Final = "webhook:"  # begins who has asked for the command of a signal


_logs: Table = WebhookLogRow.__table__  # type: ignore[attr-defined]


class WebhookStatus(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request of a known strategy, as it came.

    Args:
        form: json, tradingview, text, or "" for what could not be read.
        alert_id: unique per strategy; "" for what could not be read.
        body: as it came; what is no UTF-8 or no text for the database is written as \\xNN.
    """

    strategy_id: int
    strategy: str
    received_at: datetime
    remote: str
    form: str
    alert_id: str
    body: str


class Filter(NamedTuple):
    """Which entries of the journal to show; None is any."""

    strategy_id: int | None = None
    status: WebhookStatus | None = None
    since: datetime | None = None
    until: datetime | None = None


class Entry(NamedTuple):
    """What is to be stored of one request.

    Args:
        payload: of the command of an accepted signal; None asks nothing of the engine.
        reason: why it was not taken.
        command_id: of the signal that it repeats.
    """

    arrival: Arrival
    status: WebhookStatus
    payload: Mapping[str, Any] | None = None
    reason: str = ""
    command_id: str | None = None


class First(NamedTuple):
    """The accepted entry of an alert."""

    id: int
    command_id: str | None


def store(session: Session, entries: Sequence[Entry]) -> list[int]:
    """Store entries with their commands, each table in one statement; return the entries' numbers.

    Raises:
        IntegrityError: an accepted alert is there already; nothing is stored.
    """
    rows = [_values(entry) for entry in entries]
    if not rows:
        return []
    made = _logs.insert().returning(_logs.c.id, sort_by_parameter_order=True)
    numbers = list(session.connection().execute(made, rows).scalars())
    asked = [
        wishes.Asked(
            command_id(e.arrival), e.payload, BY + e.arrival.strategy, e.arrival.received_at
        )
        for e in entries
        if e.payload is not None
    ]
    wishes.wish_all(session, CommandKind.SIGNAL, asked)
    return numbers


def accept(session: Session, arrival: Arrival, payload: Mapping[str, Any]) -> int:
    """Store one new signal with its command and return the entry's number.

    Raises:
        IntegrityError: its alert was accepted before.
    """
    return store(session, [Entry(arrival, WebhookStatus.ACCEPTED, payload)])[0]


def refuse(session: Session, arrival: Arrival, reason: str) -> int:
    """Store one signal that is not taken, and why; return the entry's number."""
    return store(session, [Entry(arrival, WebhookStatus.REFUSED, None, reason)])[0]


def accepted(session: Session, alerts: Collection[tuple[int, str]]) -> dict[tuple[int, str], First]:
    """Return the accepted entries of these alerts, by (strategy, alert id)."""
    c = _logs.c
    query = pick(c.strategy_id, c.alert_id, c.id, c.command_id).where(
        tuple_(c.strategy_id, c.alert_id).in_(list(alerts)),
        text("status = 'accepted'"),  # as the index has it, to the letter
    )
    found = session.connection().execute(query)
    return {(number, alert): First(entry, command) for number, alert, entry, command in found}


def find(session: Session, entry_id: int) -> WebhookLogRow:
    """Return an entry of the journal.

    Raises:
        InputError: no such entry.
    """
    row = session.get(WebhookLogRow, entry_id) if 0 < entry_id <= MAX_BIG_ID else None
    if row is None:
        raise InputError(f"there is no entry {entry_id} in the journal of webhooks")
    return row


def journal_page(
    session: Session, chosen: Filter | None = None, *, before_id: int | None = None, limit: int = 50
) -> list[WebhookLogRow]:
    """Return entries, newest first; `before_id` continues after the last one shown."""
    row, chosen = WebhookLogRow, chosen or Filter()
    query = select(row)
    if chosen.strategy_id is not None:
        query = query.where(row.strategy_id == chosen.strategy_id)
    if chosen.status is not None:
        query = query.where(row.status == chosen.status.value)
    if chosen.since is not None:
        query = query.where(col(row.received_at) >= chosen.since)
    if chosen.until is not None:
        query = query.where(col(row.received_at) < chosen.until)
    if before_id is not None:
        query = query.where(col(row.id) < before_id)
    return list(session.exec(query.order_by(col(row.id).desc()).limit(limit)))


def count_by_status(session: Session, *, after_id: int, up_to_id: int) -> dict[str, int]:
    """Return how many entries of the ids (after_id, up_to_id] have each status."""
    row = WebhookLogRow
    query = select(col(row.status), func.count()).where(
        col(row.id) > after_id, col(row.id) <= up_to_id
    )
    return dict(session.exec(query.group_by(col(row.status))).all())


def replay(session: Session, entry_id: int, by: str, now: datetime) -> WebhookLogRow:
    """Repeat an accepted signal as a new one with a new alert id, because a person wants it.

    The engine decides about it as about any other; the strategy's capital is that of now.

    Raises:
        InputError: no such entry, one that never became a signal, or a strategy that is off.
    """
    old = find(session, entry_id)
    if old.status == WebhookStatus.REFUSED:
        raise InputError(
            f"entry {entry_id} was refused ({old.reason}), allowed: one that was accepted"
        )
    strategy = strategies.find(session, old.strategy_id)
    if not strategy.is_active:
        raise InputError(f"strategy {strategy.name!r} is off; switch it on first")
    command = commands.find(session, old.command_id or "")
    if command is None:
        raise InputError(f"entry {entry_id} is too old: what it asked for is no longer stored")
    arrival = Arrival(
        old.strategy_id, strategy.name, now, old.remote, old.form,
        f"replay-{uuid.uuid4().hex}", old.body,
    )  # fmt: skip
    row = WebhookLogRow(
        **_values(Entry(arrival, WebhookStatus.ACCEPTED, {})), replay_of=old.id, replayed_by=by
    )
    session.add(row)
    session.flush()
    payload = {
        **command.payload, "alert_id": arrival.alert_id, "strategy": strategy.name,
        "capital": capital_text(session, strategy),
    }  # fmt: skip
    wishes.wish_in(session, CommandKind.SIGNAL, payload, by=by, now=now, command_id=row.command_id)
    return row


def capital_text(session: Session, strategy: StrategyRow) -> str | None:
    """Return the capital of a strategy as its signals carry it; None where it has no bound."""
    amount = strategies.capital(session, strategies.number(strategy))
    return None if amount is None else plain_text(amount)


def latest(session: Session, strategy_ids: Sequence[int]) -> dict[int, datetime]:
    """Return when the newest entry of each of these strategies came."""
    row = WebhookLogRow
    query = select(col(row.strategy_id), func.max(col(row.received_at)))
    query = query.where(col(row.strategy_id).in_(strategy_ids)).group_by(col(row.strategy_id))
    return dict(session.exec(query).all())


def _values(entry: Entry) -> dict[str, Any]:
    arrival = entry.arrival
    asks = entry.payload is not None
    return {
        "strategy_id": arrival.strategy_id, "strategy": arrival.strategy,
        "received_at": arrival.received_at, "remote": arrival.remote, "form": arrival.form,
        "alert_id": arrival.alert_id, "body": arrival.body, "status": entry.status.value,
        "reason": entry.reason[:REASON],
        "command_id": command_id(arrival) if asks else entry.command_id,
    }  # fmt: skip


def command_id(arrival: Arrival) -> str:
    """Return the id of the entry's command, 36 characters.

    Not from the entry's number: SQLite gives the numbers of deleted rows again.
    """
    named = f"{arrival.strategy_id}|{arrival.alert_id}|{arrival.received_at.isoformat()}"
    return "webhook-" + hashlib.sha256(named.encode()).hexdigest()[:28]
