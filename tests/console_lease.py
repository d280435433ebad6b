"""The lease of an engine that a console believes to live, and the last runs of its jobs."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine as Database
from sqlmodel import Session

from config.job_schedule import ALL_TURNS
from crypto_trader_pro.domain.enums import DesiredState, ObservedState, TradingState
from database import job_rows, lease
from database.auto_trading_db import unit_of_work
from database.lease import Beat, Holder
from utils.processes import own_process

BUILD: Final = "demo data"
FAILED_JOB: Final = "order_status"
RUNNING_JOB: Final = "retention"


def add_jobs(database: Database, now: datetime) -> None:
    """Store a last run of each job: one has failed, one is running, the others are well."""
    names = [name for turn in ALL_TURNS.values() for name in turn.names]
    with unit_of_work(database) as session:
        for place, name in enumerate(names):
            started = now - timedelta(seconds=10 * place + 5)
            job_rows.begun(session, name, started)
            if name == RUNNING_JOB:
                continue
            over = started + timedelta(milliseconds=12 + 31 * place)
            error = "our books and the venue differ in 1 place" if name == FAILED_JOB else None
            job_rows.ended(session, name, started, over, error)


def take_lease(
    database: Database, run_id: int, view: Mapping[str, Any], now: datetime, *,
    source: str = "demo", last_error: str | None = None,
) -> int:  # fmt: skip
    """Let this process be the engine of the account, trading; return its epoch."""
    me = own_process()
    holder = Holder(f"{me.pid}-{me.started}", me.host, me.pid, me.started, BUILD)
    with unit_of_work(database) as session:
        epoch = lease.take(session, holder, now, is_gone=lambda _: True)
        assert epoch is not None
        lease.want(session, DesiredState.RUNNING, now)
        beat(session, epoch, run_id, view, now, source=source, last_error=last_error)
    return epoch


def beat(
    session: Session, epoch: int, run_id: int, view: Mapping[str, Any], now: datetime, *,
    source: str = "demo", last_error: str | None = None,
) -> DesiredState | None:  # fmt: skip
    """Beat once; return what is wanted, None where another process has the account."""
    trading = TradingState(view["trading_state"])
    told = Beat(ObservedState.RUNNING, trading, "paper", source, run_id, last_error, view)
    return lease.renew(session, epoch, told, now)
