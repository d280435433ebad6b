"""How the engine is, read from its lease: judged by the lease and the process, never by hope."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session

from crypto_trader_pro.domain.enums import DesiredState, ObservedState, TradingState
from database import lease
from database.models import EngineLeaseRow

# what an engine that has ended in good order never leaves behind
_AT_WORK: Final = frozenset({ObservedState.STARTING, ObservedState.RUNNING, ObservedState.STOPPING})

IsGone = Callable[[str, int, int], bool]  # host, pid, start: has that process provably ended?


@dataclass(frozen=True, slots=True)
class EngineState:
    """What is wanted of the engine and what it does, for screens and commands."""

    desired: DesiredState
    observed: ObservedState  # `faulted` for an engine that vanished in the middle of its work
    alive: bool  # its lease runs and its process has not provably ended
    trading: TradingState
    pid: int | None  # None while nobody holds the lease
    epoch: int
    heartbeat_at: datetime
    heartbeat_age_seconds: float
    mode: str
    source: str  # "demo", "exchange", "" before it is known
    run_id: int | None
    last_error: str | None
    started_at: datetime | None
    account: Mapping[str, Any] | None  # of a living engine, as `account_report` tells it


def engine_state(
    session: Session, now: datetime, is_gone: IsGone, *, account: str = lease.ACCOUNT
) -> EngineState | None:
    """Return how the engine is; None where no engine was ever started or asked for.

    Args:
        now: system time.
        is_gone: says whether the holder's process has provably ended.
    """
    row = lease.read(session, account=account)
    return None if row is None else judge(row, now, is_gone)


def judge(row: EngineLeaseRow, now: datetime, is_gone: IsGone) -> EngineState:
    """Return what a lease says at `now`. The row alone is a memory: it outlives its engine."""
    held = bool(row.owner)
    alive = held and row.expires_at > now and not is_gone(row.host, row.pid, row.pid_started)
    observed = ObservedState(row.observed_state)
    if not alive and observed in _AT_WORK:
        observed = ObservedState.FAULTED if held else ObservedState.STOPPED
    return EngineState(
        desired=DesiredState(row.desired_state),
        observed=observed,
        alive=alive,
        trading=TradingState(row.trading_state),
        pid=row.pid if held else None,
        epoch=row.epoch,
        heartbeat_at=row.heartbeat_at,
        heartbeat_age_seconds=max(0.0, (now - row.heartbeat_at).total_seconds()),
        mode=row.mode,
        source=row.source,
        run_id=row.run_id,
        last_error=row.last_error,
        started_at=row.started_at,
        account=row.view if alive else None,
    )
