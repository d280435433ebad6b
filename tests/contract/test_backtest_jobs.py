"""The queue of backtests: each job is taken once, ended once, and outlives its worker."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from crypto_trader_pro.domain.errors import InputError
from database import backtest_jobs
from database.auto_trading_db import unit_of_work
from database.backtest_jobs import Worker
from database.models import BacktestJobRow
from tests.contract.test_backtests import a_backtest
from tests.databases import Opener
from tests.rows import T0, after

ME = Worker("here", 7, 1)
OTHER = Worker("there", 8, 2)


def asked(database: Engine, name: str = "", kind: str = "sweep") -> int:
    with unit_of_work(database) as session:
        return backtest_jobs.enqueue(
            session, kind=kind, request={"a": 1}, by="kim", now=T0, name=name
        )


def claimed(database: Engine, worker: Worker = ME) -> int | None:
    with unit_of_work(database) as session:
        row = backtest_jobs.claim_next(session, worker, after(1))
        return None if row is None else row.id


def job(database: Engine, job_id: int) -> BacktestJobRow:
    with unit_of_work(database) as session:
        row = backtest_jobs.find(session, job_id)
    assert row is not None
    return row


def nobody(host: str, pid: int, started: int) -> bool:
    return False


def mine(host: str, pid: int, started: int) -> bool:
    return (host, pid, started) == ("here", 7, 1)


def test_a_job_is_queued_run_and_finished(database: Engine) -> None:
    job_id = asked(database, "night")
    row = job(database, job_id)
    assert (row.kind, row.name, row.request, row.requested_by) == (
        "sweep",
        "night",
        {"a": 1},
        "kim",
    )
    assert (row.status, row.requested_at, row.started_at) == ("queued", T0, None)
    assert claimed(database) == job_id
    with unit_of_work(database) as session:
        backtest_jobs.progress(session, job_id, 3, 10, "fold 3")
    row = job(database, job_id)
    assert (row.status, row.started_at, row.attempts) == ("running", after(1), 1)
    assert (row.worker_host, row.worker_pid, row.worker_started) == ("here", 7, 1)
    assert (row.done, row.total, row.text) == (3, 10, "fold 3")
    backtest_id = a_backtest(database)
    with unit_of_work(database) as session:
        backtest_jobs.finish(session, job_id, backtest_id, after(2))
    row = job(database, job_id)
    assert (row.status, row.finished_at, row.backtest_id) == ("finished", after(2), backtest_id)
    assert row.error is None


def test_jobs_are_taken_in_the_order_they_were_asked(database: Engine) -> None:
    numbers = [asked(database) for _ in range(3)]
    assert [claimed(database) for _ in range(4)] == [*numbers, None]


def test_two_workers_never_take_the_same_job(
    database: Engine, database_url: str, opened: Opener
) -> None:
    numbers = [asked(database) for _ in range(12)]
    taken: list[int] = []
    engines = [opened(database_url) for _ in range(2)]

    def work(engine: Engine) -> None:
        while (found := claimed(engine)) is not None:
            taken.append(found)

    threads = [threading.Thread(target=work, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == numbers


def test_a_waiting_job_is_canceled_at_once(database: Engine) -> None:
    job_id = asked(database)
    with unit_of_work(database) as session:
        assert backtest_jobs.ask_cancel(session, job_id, after(1)) == "canceled"
    row = job(database, job_id)
    assert (row.status, row.finished_at) == ("canceled", after(1))
    assert claimed(database) is None


def test_a_running_job_is_asked_to_end_and_says_when_it_did(database: Engine) -> None:
    job_id = asked(database)
    claimed(database)
    with unit_of_work(database) as session:
        assert not backtest_jobs.is_cancel_asked(session, job_id)
        assert backtest_jobs.ask_cancel(session, job_id, after(1)) == "running"
        assert backtest_jobs.is_cancel_asked(session, job_id)
    assert job(database, job_id).status == "running"
    with unit_of_work(database) as session:
        backtest_jobs.canceled(session, job_id, after(2))
    assert job(database, job_id).status == "canceled"


def test_what_has_ended_cannot_be_canceled_or_ended_again(database: Engine) -> None:
    job_id = asked(database)
    with unit_of_work(database) as session:
        with pytest.raises(InputError, match=rf"^backtest job {job_id} is not running$"):
            backtest_jobs.fail(session, job_id, "no candle", after(1))
        with pytest.raises(InputError, match=r"^there is no backtest job 99$"):
            backtest_jobs.ask_cancel(session, 99, after(1))
    claimed(database)
    with unit_of_work(database) as session:
        backtest_jobs.fail(session, job_id, "no candle", after(2))
    with unit_of_work(database) as session:
        with pytest.raises(InputError, match=rf"^backtest job {job_id} is failed already$"):
            backtest_jobs.ask_cancel(session, job_id, after(3))
        with pytest.raises(InputError, match=r"is not running$"):
            backtest_jobs.canceled(session, job_id, after(3))
        backtest_jobs.progress(session, job_id, 1, 2, "late")
    row = job(database, job_id)
    assert (row.status, row.error, row.finished_at) == ("failed", "no candle", after(2))
    assert (row.done, row.text) == (0, "")


def test_a_job_of_a_dead_worker_is_tried_once_more_and_then_given_up(database: Engine) -> None:
    job_id = asked(database)
    for attempt in (1, 2):
        assert claimed(database) == job_id
        with unit_of_work(database) as session:
            backtest_jobs.progress(session, job_id, 5, 9, "x")
            assert backtest_jobs.requeue_lost(session, after(2), nobody) == 0
        with unit_of_work(database) as session:
            assert backtest_jobs.requeue_lost(session, after(3), mine) == 1
        row = job(database, job_id)
        assert (row.status, row.attempts) == ("queued" if attempt == 1 else "failed", attempt)
        if attempt == 1:
            assert (row.worker_host, row.worker_pid, row.done) == (None, None, 0)
            assert row.started_at is None
    row = job(database, job_id)
    assert row.error == "its worker process ended 2 times while it ran; it is given up"
    assert row.finished_at == after(3)
    assert claimed(database) is None


def test_only_the_dead_workers_jobs_are_lost(database: Engine) -> None:
    first, second = asked(database), asked(database)
    claimed(database, OTHER)
    claimed(database, ME)
    with unit_of_work(database) as session:
        assert backtest_jobs.requeue_lost(session, after(3), mine) == 1
    assert job(database, first).status == "running"
    assert job(database, second).status == "queued"


def test_a_lost_job_that_was_to_be_canceled_is_canceled(database: Engine) -> None:
    job_id = asked(database)
    claimed(database)
    with unit_of_work(database) as session:
        backtest_jobs.ask_cancel(session, job_id, after(1))
    with unit_of_work(database) as session:
        assert backtest_jobs.requeue_lost(session, after(3), mine) == 1
    assert job(database, job_id).status == "canceled"


def test_the_newest_come_first_and_long_words_are_cut(database: Engine) -> None:
    numbers = [asked(database, "n" * 500) for _ in range(3)]
    with unit_of_work(database) as session:
        found = backtest_jobs.newest(session, 2)
    assert [row.id for row in found] == [numbers[2], numbers[1]]
    assert found[0].name == "n" * 120
    claimed(database)
    with unit_of_work(database) as session:
        backtest_jobs.progress(session, numbers[0], 1, 2, "t" * 500)
        assert backtest_jobs.is_any_waiting(session)
    assert job(database, numbers[0]).text == "t" * 200
    assert job(database, numbers[0]).started_at == T0 + timedelta(minutes=1)
