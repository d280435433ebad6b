"""What the process that talks to the outside remembers between its starts, by name."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from database.models import ReachStateRow


def get(session: Session, name: str) -> dict[str, Any] | None:
    """Return what is remembered under `name`, or None."""
    row = session.get(ReachStateRow, name)
    return None if row is None else row.value


def put(session: Session, name: str, value: Mapping[str, Any] | None, now: datetime) -> None:
    """Remember `value`, as JSON can hold it, instead of what was there; None forgets."""
    row = session.get(ReachStateRow, name)
    if row is None:
        row = ReachStateRow(name=name, updated_at=now)
        session.add(row)
    row.value = None if value is None else dict(value)
    row.updated_at = now
    session.flush()
