"""The configurations that were applied: who, when, what changed against the one before."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session

from config.settings import Settings
from database import config_history
from database.models import AutoTradingConfigRow


@dataclass(frozen=True, slots=True)
class Changed:
    """One key of two configurations.

    Args:
        key: dotted.
        old, new: as stored; None also where a version does not have the key.
    """

    key: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Version:
    """One row of the history.

    Args:
        settings: None: of another version of the platform, which cannot be used any more.
        changes: against the row before; nothing for the first.
        switched: trading was switched on or off with it.
        in_force: the engine uses it, or used it last.
    """

    number: int
    at: datetime
    by: str
    config_hash: str
    is_enabled: bool
    settings: Settings | None
    changes: tuple[Changed, ...]
    is_first: bool
    switched: bool
    in_force: bool


def newest(session: Session) -> int:
    """Return the number of the newest row, 0 before the first."""
    row = config_history.latest(session)
    return 0 if row is None else row.id or 0


def in_force(session: Session) -> Settings | None:
    """Return what the engine uses, or used last; None before the first, or of another version."""
    row = config_history.latest(session)
    return None if row is None else _settings(row)


def versions(session: Session, limit: int = 30) -> tuple[Version, ...]:
    """Return applied configurations, newest first."""
    rows = config_history.history(session, limit=limit + 1)  # one more, to compare the last with
    return tuple(
        _version(row, rows[k + 1] if k + 1 < len(rows) else None, in_force=k == 0)
        for k, row in enumerate(rows[:limit])
    )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Changed, ...]:
    """Return the leaves of two stored configurations that differ, by key."""
    was, now = _leaves(old), _leaves(new)
    names = [*now, *(name for name in was if name not in now)]
    return tuple(
        Changed(name, was.get(name), now.get(name))
        for name in names
        if (name in was) != (name in now) or was.get(name) != now.get(name)
    )


def _version(
    row: AutoTradingConfigRow, before: AutoTradingConfigRow | None, *, in_force: bool
) -> Version:  # fmt: skip
    changes: tuple[Changed, ...] = ()
    if before is not None and before.config_hash != row.config_hash:
        changes = differences(json.loads(before.content), json.loads(row.content))
    return Version(
        row.id or 0, row.created_at, row.applied_by, row.config_hash, row.is_enabled,
        _settings(row), changes, before is None,
        before is not None and before.is_enabled != row.is_enabled, in_force,
    )  # fmt: skip


def _settings(row: AutoTradingConfigRow) -> Settings | None:
    try:
        return Settings.model_validate_json(row.content, strict=False)
    except ValidationError:  # of a version that had other keys
        return None


def _leaves(tree: Mapping[str, Any], parent: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        key = f"{parent}.{name}" if parent else name
        found |= _leaves(value, key) if isinstance(value, dict) else {key: value}
    return found
