"""What people and jobs have asked of the engine, and how the newest emergency stop goes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session, col, func, select

from crypto_trader_pro.domain.enums import CommandKind
from database.commands import CommandStatus
from database.models import CommandRow, EmergencyStopRow

_LOOKED_AT: Final = 5_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A command, whoever asked it. Times are system time."""

    command_id: str
    kind: str
    about: str  # what it is asked of: a symbol, an order, a job
    by: str
    status: CommandStatus
    asked_at: datetime
    taken_at: datetime | None
    ended_at: datetime | None
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that an emergency stop has done."""

    name: str
    at: datetime
    positions: int | None


@dataclass(frozen=True, slots=True)
class Emergency:
    """The newest emergency stop. Times are system time."""

    run: str
    trigger: str
    by: str
    status: str  # halting, flattening, flat, kept, rearmed
    started_at: datetime
    finished_at: datetime | None
    positions: int  # open when it began
    remaining: int
    steps: tuple[Step, ...]

    @property
    def is_under_way(self) -> bool:
        return self.finished_at is None and self.status != "rearmed"


def newest(session: Session, limit: int) -> list[Asked]:
    """Return everybody's commands, newest first; signals from outside have their own page.

    There can be many of those: only so many commands are looked at.
    """
    row = CommandRow
    oldest = (session.exec(select(func.max(row.id))).one() or 0) - _LOOKED_AT
    query = select(row).where(col(row.id) > oldest, row.kind != CommandKind.SIGNAL.value)
    return [
        _asked(found) for found in session.exec(query.order_by(col(row.id).desc()).limit(limit))
    ]


def emergency(session: Session) -> Emergency | None:
    """Return the newest emergency stop, of any run."""
    row = EmergencyStopRow
    found = session.exec(select(row).order_by(col(row.id).desc()).limit(1)).first()
    if found is None:
        return None
    return Emergency(
        f"r{found.run_id}", found.trigger, found.requested_by, found.status, found.started_at,
        found.finished_at, found.positions, found.remaining,
        tuple(
            Step(str(s["step"]), datetime.fromisoformat(s["at"]), s.get("positions"))
            for s in found.steps
        ),
    )  # fmt: skip


def _asked(row: CommandRow) -> Asked:
    return Asked(
        row.command_id, row.kind, _about(row.payload), row.requested_by,
        CommandStatus(row.status), row.requested_at, row.claimed_at, row.finished_at,
        row.answer or {},
    )  # fmt: skip


def _about(payload: Mapping[str, Any]) -> str:
    for name in ("symbol", "client_order_id", "job", "alert_id", "config_id"):
        if name in payload:
            return str(payload[name])
    changes = payload.get("changes")
    if isinstance(changes, Mapping):
        return ", ".join(f"{key}={value}" for key, value in changes.items())
    return ""
