"""The right to trade an account: one engine at a time, told apart by a rising number, the epoch.

An engine that was paused and wakes finds a higher epoch in the row: its writes match nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from crypto_trader_pro.domain.enums import DesiredState, ObservedState, TradingState
from database.models import EngineLeaseRow

ACCOUNT: Final = "default"
LEASE_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that asks for the lease, and what it runs."""

    owner: str  # unique for each start of a process
    host: str
    pid: int
    pid_started: int
    build: str  # code, schema and configuration


@dataclass(frozen=True, slots=True)
class Beat:
    """What the engine says of itself with each heartbeat."""

    observed: ObservedState
    trading: TradingState
    mode: str
    source: str
    run_id: int | None
    last_error: str | None
    view: Mapping[str, Any] | None  # the account, for screens


def take(
    session: Session, holder: Holder, now: datetime, *, is_gone: Callable[[EngineLeaseRow], bool],
    account: str = ACCOUNT,
) -> int | None:  # fmt: skip
    """Take the lease and return the new epoch; None while another process may still trade.

    Args:
        is_gone: says whether the holder in the row has provably ended. Otherwise its time must
            be over.
    """
    row = _locked(session, account, now)
    is_held = bool(row.owner) and row.owner != holder.owner and row.expires_at > now
    if is_held and not is_gone(row):
        return None
    row.owner, row.host, row.pid, row.pid_started = (
        holder.owner, holder.host, holder.pid, holder.pid_started,
    )  # fmt: skip
    row.epoch += 1
    row.build = holder.build
    row.started_at = row.heartbeat_at = now
    row.expires_at = now + timedelta(seconds=LEASE_SECONDS)
    row.observed_state = ObservedState.STARTING
    row.last_error = None
    session.flush()
    return row.epoch


def renew(
    session: Session, epoch: int, beat: Beat, now: datetime, *, account: str = ACCOUNT
) -> DesiredState | None:
    """Prolong the lease and tell how things are; return what is wanted, None if it is lost."""
    row = EngineLeaseRow
    mine = (col(row.account) == account, col(row.epoch) == epoch)
    beaten = update(row).where(*mine).values(
        heartbeat_at=now, expires_at=now + timedelta(seconds=LEASE_SECONDS),
        observed_state=beat.observed.value, trading_state=beat.trading.value, mode=beat.mode,
        source=beat.source, run_id=beat.run_id, last_error=beat.last_error,
        view=None if beat.view is None else dict(beat.view),
    )  # fmt: skip
    if session.exec(beaten.execution_options(synchronize_session=False)).rowcount != 1:
        return None
    found = session.exec(select(col(row.desired_state)).where(*mine)).one()
    return DesiredState(found)


def release(
    session: Session, epoch: int, now: datetime, *, error: str | None = None,
    account: str = ACCOUNT,
) -> None:  # fmt: skip
    """Give the lease back; one that another has taken since is left alone.

    Args:
        error: why the engine ends, if it was not asked to.
    """
    row = EngineLeaseRow
    mine = update(row).where(col(row.account) == account, col(row.epoch) == epoch)
    session.exec(
        mine.values(
            owner="",
            expires_at=now,
            view=None,
            last_error=error,
            observed_state=(ObservedState.FAULTED if error else ObservedState.STOPPED).value,
        )
    )


def want(
    session: Session, desired: DesiredState, now: datetime, *, account: str = ACCOUNT
) -> DesiredState:
    """Store what people want and return what is wanted now.

    An emergency is latched: `running` and `stopped` do not lift it, `unlatch` does.
    """
    row = _locked(session, account, now)
    if row.desired_state != DesiredState.EMERGENCY:
        row.desired_state = desired.value
        session.flush()
    return DesiredState(row.desired_state)


def unlatch(session: Session, now: datetime, *, account: str = ACCOUNT) -> None:
    """Lift an emergency: a person has re-armed. Trading stays stopped until it is started."""
    _locked(session, account, now).desired_state = DesiredState.STOPPED.value
    session.flush()


def is_held(session: Session, epoch: int, *, account: str = ACCOUNT) -> bool:
    """True while `epoch` has the account: nobody has taken it since."""
    row = EngineLeaseRow
    mine = select(col(row.epoch)).where(col(row.account) == account, col(row.epoch) == epoch)
    return session.exec(mine).first() is not None


def read(session: Session, *, account: str = ACCOUNT) -> EngineLeaseRow | None:
    """Return the lease as it stands; None before the first engine."""
    return session.get(EngineLeaseRow, account, populate_existing=True)


def _locked(session: Session, account: str, now: datetime) -> EngineLeaseRow:
    """Return the row, made if it is missing, with nobody else between reading and writing."""
    query = select(EngineLeaseRow).where(EngineLeaseRow.account == account).with_for_update()
    query = query.execution_options(populate_existing=True)
    found = session.exec(query).first()
    if found is not None:
        return found
    row = EngineLeaseRow(
        account=account, owner="", pid=0, pid_started=0, host="", epoch=0, expires_at=now,
        heartbeat_at=now,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:  # another process has made it in this moment, and has committed
        return session.exec(query).one()
    return row
