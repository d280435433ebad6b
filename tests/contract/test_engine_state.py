"""How the engine is, judged from its lease: living, ended, vanished; on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from crypto_trader_pro.domain.enums import DesiredState, ObservedState, TradingState
from database import lease
from database.auto_trading_db import unit_of_work
from database.engine_state import EngineState, engine_state
from database.lease import LEASE_SECONDS, Beat, Holder
from tests.rows import T0

VIEW = {"equity": "99998.75", "asset": "USDT"}


def is_gone(host: str, pid: int, started: int) -> bool:
    return (host, pid, started) == ("h", 666, 1)


def a_beat(observed: ObservedState = ObservedState.RUNNING) -> Beat:
    return Beat(observed, TradingState.ACTIVE, "paper", "demo", 3, "late", VIEW)


def an_engine(database: Engine, pid: int = 7, beat: Beat | None = None) -> int:
    """Take the lease at T0 and beat once; return the epoch."""
    with unit_of_work(database) as session:
        epoch = lease.take(session, Holder("o", "h", pid, 1, "b"), T0, is_gone=lambda _: False)
        assert epoch is not None
        lease.renew(session, epoch, beat or a_beat(), T0)
    return epoch


def state(database: Engine, seconds: float = 1.0) -> EngineState | None:
    with unit_of_work(database) as session:
        return engine_state(session, T0 + timedelta(seconds=seconds), is_gone)


def test_there_is_nothing_before_the_first_engine(database: Engine) -> None:
    assert state(database) is None


def test_a_wish_without_an_engine_is_known(database: Engine) -> None:
    with unit_of_work(database) as session:
        lease.want(session, DesiredState.RUNNING, T0)
    found = state(database)
    assert found is not None
    assert (found.desired, found.observed) == (DesiredState.RUNNING, ObservedState.STOPPED)
    assert (found.alive, found.pid, found.epoch) == (False, None, 0)


def test_a_living_engine_says_how_it_is(database: Engine) -> None:
    epoch = an_engine(database)
    found = state(database, 1.5)
    assert found is not None
    assert (found.alive, found.pid, found.epoch) == (True, 7, epoch)
    assert (found.observed, found.trading) == (ObservedState.RUNNING, TradingState.ACTIVE)
    assert (found.mode, found.source, found.run_id) == ("paper", "demo", 3)
    assert (found.last_error, found.account) == ("late", VIEW)
    assert (found.heartbeat_age_seconds, found.heartbeat_at) == (1.5, T0)


def test_a_clock_that_is_behind_makes_no_negative_age(database: Engine) -> None:
    an_engine(database)
    found = state(database, -30)
    assert found is not None
    assert found.heartbeat_age_seconds == 0.0


def test_an_engine_that_has_ended_is_stopped(database: Engine) -> None:
    epoch = an_engine(database)
    with unit_of_work(database) as session:
        lease.release(session, epoch, T0)
    found = state(database)
    assert found is not None
    assert (found.alive, found.observed) == (False, ObservedState.STOPPED)
    assert (found.pid, found.account) == (None, None)


@pytest.mark.parametrize(
    ("observed", "shown"),
    [
        (ObservedState.STARTING, ObservedState.FAULTED),
        (ObservedState.RUNNING, ObservedState.FAULTED),
        (ObservedState.STOPPING, ObservedState.FAULTED),
        (ObservedState.STOPPED, ObservedState.STOPPED),
        (ObservedState.FAULTED, ObservedState.FAULTED),
    ],
)
@pytest.mark.parametrize("how", ["killed", "silent"])
def test_an_engine_that_vanished_at_work_is_faulted(
    database: Engine, observed: ObservedState, shown: ObservedState, how: str
) -> None:
    an_engine(database, 666 if how == "killed" else 7, a_beat(observed))
    found = state(database, 1.0 if how == "killed" else LEASE_SECONDS)
    assert found is not None
    assert (found.alive, found.observed) == (False, shown)
    assert found.account is None  # a memory is no account


def test_a_lease_holds_to_its_last_moment(database: Engine) -> None:
    an_engine(database)
    alive: list[Any] = [state(database, LEASE_SECONDS + d) for d in (-0.001, 0)]
    assert [s.alive for s in alive] == [True, False]
