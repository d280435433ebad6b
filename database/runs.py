"""Runs: one call of `replay`, or one session of the engine."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from sqlmodel import Session, col, select

from crypto_trader_pro.domain.errors import InputError
from database.models import CheckpointRow, RunRow

PROJECT: Final = "crypto-trader-pro"
_REFERENCE: Final = re.compile(r"r?([1-9][0-9]{0,8})")  # what an INTEGER holds


def create(
    session: Session, *, kind: str, source: str, timeframe: str, symbols: Sequence[str],
    strategies: Sequence[str], inputs: Mapping[str, Any], config_hash: str, config: str,
    now: datetime, code_version: str | None = None,
) -> int:  # fmt: skip
    """Insert a run that has begun and return its number.

    Args:
        inputs: what the run plays, as JSON values.
        config: canonical JSON of the configuration.
        code_version: by default that of the installed project.
    """
    row = RunRow(
        kind=kind, source=source, status="running", started_at=now, timeframe=timeframe,
        symbols=list(symbols), strategies=list(strategies), inputs=dict(inputs),
        config_hash=config_hash, config=config, code_version=code_version or installed_version(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return number(row)


def number(row: RunRow) -> int:
    """Return the number of a stored run.

    Raises:
        ValueError: the run was never stored.
    """
    if row.id is None:
        raise ValueError("the run has no number before it is stored")
    return row.id


def public_id(row: RunRow) -> str:
    """Return the id that people use: "r12"."""
    return f"r{number(row)}"


def find(session: Session, reference: str, *, kind: str | None = None) -> RunRow:
    """Return a run by "r12", "12" or "last".

    Args:
        kind: only a run of this kind will do.

    Raises:
        InputError: no such run, or one of another kind.
    """
    wanted = f"{kind} run" if kind else "run"
    if reference == "last":
        row = last(session, kind=kind)
        if row is None:
            raise InputError(f"there is no {wanted} yet")
        return row
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InputError(f"run was {reference!r}, allowed: r and its number, or last")
    row = session.get(RunRow, int(match[1]))
    if row is None:
        raise InputError(f"there is no run r{match[1]}")
    if kind is not None and row.kind != kind:
        raise InputError(f"run r{match[1]} is a {row.kind} run, expected a {wanted}")
    return row


def last(session: Session, *, kind: str | None = None) -> RunRow | None:
    """Return the newest run, or None before the first."""
    query = select(RunRow).order_by(col(RunRow.id).desc()).limit(1)
    if kind is not None:
        query = query.where(col(RunRow.kind) == kind)
    return session.exec(query).first()


def last_session(session: Session) -> RunRow | None:
    """Return the newest run of an engine; a replay is none. None before the first."""
    query = select(RunRow).where(col(RunRow.kind) != "replay")
    return session.exec(query.order_by(col(RunRow.id).desc()).limit(1)).first()


def newest(
    session: Session, *, limit: int = 50, before_id: int | None = None, kind: str | None = None
) -> list[RunRow]:
    """Return runs, newest first; `before_id` continues after the last one shown."""
    query = select(RunRow).order_by(col(RunRow.id).desc()).limit(limit)
    if before_id is not None:
        query = query.where(col(RunRow.id) < before_id)
    if kind is not None:
        query = query.where(col(RunRow.kind) == kind)
    return list(session.exec(query))


def checkpoint(session: Session, run_id: int) -> str | None:
    """Return the engine's state as of the last commit of a run, or None before the first."""
    row = session.get(CheckpointRow, run_id)
    return None if row is None else row.state


def finish(
    session: Session, run_id: int, status: str, result: Mapping[str, Any] | None, now: datetime
) -> None:
    """Store how a run ended. A run ends once; its result is never replaced.

    Raises:
        InputError: no such run, or it has ended already.
    """
    row = session.get(RunRow, run_id)
    if row is None:
        raise InputError(f"there is no run r{run_id}")
    if row.finished_at is not None:
        raise InputError(f"run r{run_id} has ended already, as {row.status}")
    row.status = status
    row.result = None if result is None else dict(result)
    row.finished_at = now
    session.flush()


def installed_version() -> str:
    """Return the version of the installed project; "source" where it runs from its folder."""
    try:
        return version(PROJECT)
    except PackageNotFoundError:
        return "source"
