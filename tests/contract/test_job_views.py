"""What the page of the jobs reads, on both databases."""

from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from config.job_schedule import ALL_TURNS
from crypto_trader_pro.domain.enums import ObservedState, TradingState
from database import job_rows, lease
from database.auto_trading_db import unit_of_work
from database.lease import Beat, Holder
from database.views import jobs
from database.views.jobs import Job, JobState
from tests.rows import T0, after
from utils.processes import own_process


def an_engine(database: Engine, now: datetime) -> None:
    me = own_process()
    with unit_of_work(database) as session:
        holder = Holder("o", me.host, me.pid, me.started, "b")
        epoch = lease.take(session, holder, now, is_gone=lambda _: True)
        assert epoch is not None
        beat = Beat(
            ObservedState.RUNNING, TradingState.ACTIVE, "paper", "demo", None, None, None
        )  # fmt: skip
        lease.renew(session, epoch, beat, now)


def ran(
    database: Engine, name: str, at: datetime, seconds: float | None, error: str | None = None
) -> None:
    """Record a run; it goes on where `seconds` is None."""
    with unit_of_work(database) as session:
        job_rows.begun(session, name, at)
        if seconds is not None:
            job_rows.ended(session, name, at, at + timedelta(seconds=seconds), error)


def read(database: Engine, now: datetime) -> dict[str, Job]:
    with Session(database) as session:
        return {job.name: job for job in jobs.everything(session, now, lambda *_: False).jobs}


def test_every_job_is_there_before_the_first_run(database: Engine) -> None:
    found = read(database, T0)
    assert list(found) == [name for turn in ALL_TURNS.values() for name in turn.names]
    assert {job.state for job in found.values()} == {JobState.NEVER}
    assert {job.next_by for job in found.values()} == {None}
    train, orders = found["train"], found["order_status"]
    assert (train.seconds, train.is_quiet) == (5, True)
    assert (orders.seconds, orders.is_quiet) == (30, False)


def test_how_the_last_run_went(database: Engine) -> None:
    ran(database, "order_status", T0, 0.25, "the books differ")
    ran(database, "order_status", after(1), 0.5, "they still differ")
    ran(database, "retention", T0, 3, "locked")
    ran(database, "retention", after(2), 4)
    found = read(database, after(3))
    orders, kept = found["order_status"], found["retention"]
    assert (orders.state, orders.failures, orders.error) == (
        JobState.FAILED, 2, "they still differ",
    )  # fmt: skip
    assert (orders.started_at, orders.seconds_taken) == (after(1), 0.5)
    assert (kept.state, kept.failures, kept.error) == (JobState.OK, 0, "locked")


def test_a_running_job_hangs_after_ten_minutes_and_was_left_by_an_engine_that_is_gone(
    database: Engine,
) -> None:
    ran(database, "retention", T0, None)
    assert read(database, after(1))["retention"].state is JobState.LEFT
    an_engine(database, after(9))
    assert read(database, after(9))["retention"].state is JobState.RUNNING
    an_engine(database, after(10))
    found = read(database, after(10))["retention"]
    assert (found.state, found.seconds_taken, found.started_at) == (JobState.HANGS, None, T0)


def test_the_next_turn_comes_at_the_latest_a_turn_after_the_last_one_or_the_engines_start(
    database: Engine,
) -> None:
    ran(database, "order_status", T0, 1)
    assert read(database, after(1))["order_status"].next_by is None  # no engine, no turn
    an_engine(database, after(5))
    assert read(database, after(5))["order_status"].next_by == after(5) + timedelta(seconds=30)
    ran(database, "order_status", after(6), 1)
    found = read(database, after(5))
    assert found["order_status"].next_by == after(6) + timedelta(seconds=30)
    assert found["precision_cache"].next_by == after(65)
    assert found["train"].next_by is None  # it looks all the time


def test_a_job_of_another_version_is_not_hidden(database: Engine) -> None:
    ran(database, "sweep", T0, 1)
    found = read(database, T0)
    assert list(found)[-1] == "sweep"
    assert (found["sweep"].seconds, found["sweep"].state) == (None, JobState.OK)
