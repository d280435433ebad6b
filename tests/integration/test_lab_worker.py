"""The lab's worker in a process of its own: works the queue off, cancels, survives deaths."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from auto_trading.lab import job as lab_job
from auto_trading.lab import tasks
from auto_trading.lab.launching import is_running, start_lab
from auto_trading.lab.tasks import Desk
from auto_trading_dashboard.queries.backtests import newest_result
from config.environment import Environment
from crypto_trader_pro.backtest.lab_request import LabKind, LabRequest
from database import backtest_jobs, backtests
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.models import BacktestJobRow
from tests.lab_results import FAST, NOW, SLOW, a_request, store_candles
from tests.market_data import ROOT
from utils.processes import ProcessId, is_gone, start_ticks

_SECONDS = 60.0
HERE = backtest_jobs.Worker("here", 0, 0)  # no process that a test might have to end
# a job that never ends by itself: it says that it works, and stays
_STUCK = """
import os, sys, time
from auto_trading.lab.job import end_with
from config.environment import Environment
from database import backtest_jobs
from database.auto_trading_db import open_database, unit_of_work
end_with(int(sys.argv[2]))
(Environment.current().var_dir / "job.pid").write_text(str(os.getpid()))
database = open_database(Environment.current().database_url)
with unit_of_work(database) as session:
    backtest_jobs.progress(session, int(sys.argv[1]), 1, 2, "playing")
time.sleep(600)
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path))
    monkeypatch.setenv("CTP_RESEARCH__WORKERS", "1")
    return Environment.current()


@pytest.fixture
def lab(places: Environment) -> Iterator[Engine]:
    """The queue of an installation; whatever still works on it is ended."""
    engine = open_database(places.database_url)
    prepare(engine)
    yield engine
    with unit_of_work(engine) as session:
        for row in backtest_jobs.newest(session):
            worker = ProcessId(row.worker_host or "", row.worker_pid or 0, row.worker_started or 0)
            if worker.pid and not is_gone(worker):
                os.kill(worker.pid, signal.SIGKILL)
    engine.dispose()


def asked(database: Engine, request: LabRequest) -> int:
    with unit_of_work(database) as session:
        return backtest_jobs.enqueue(
            session, kind=request.kind.value, request=request.as_json(), by="test", now=NOW
        )


def job(database: Engine, job_id: int) -> BacktestJobRow:
    with unit_of_work(database) as session:
        row = backtest_jobs.find(session, job_id)
    assert row is not None
    return row


def until(condition: Callable[[], bool], what: str) -> float:
    """Wait for something; return the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < _SECONDS, what
        time.sleep(0.02)
    return time.monotonic() - began


def stuck(tmp_path: Path) -> Path:
    """Return the folder of a module that takes the place of a job's."""
    (tmp_path / "stuck_job.py").write_text(_STUCK)
    return tmp_path


_WORKER = """
import sys
from auto_trading.lab import worker
worker.JOB_COMMAND = ("-m", "stuck_job")
worker.LabWorker.__init__.__defaults__ = (worker.JOB_COMMAND,)
from config.environment import Environment
worker.run_lab(Environment.current(), 60.0)
"""


def a_stuck_worker(tmp_path: Path) -> "subprocess.Popen[bytes]":
    environ = os.environ | {"PYTHONPATH": f"{stuck(tmp_path)}:{ROOT}"}
    return subprocess.Popen([sys.executable, "-c", _WORKER], cwd=ROOT, env=environ)


def test_the_queue_is_worked_off_and_the_worker_ends(
    lab: Engine, places: Environment, tmp_path: Path
) -> None:
    store_candles(lab, tmp_path, bars=200)
    good = asked(lab, a_request())
    other = replace(a_request(), market={**a_request().market, "symbols": ["ETH/USDT:USDT"]})
    bad = asked(lab, other)
    pid = start_lab(places.var_dir, ("-m", "crypto_trader_pro", "lab", "run", "--idle", "0.5"))
    assert pid is not None
    until(lambda: job(lab, good).status == "running", "the first job never began")
    assert start_lab(places.var_dir) is None  # one for each folder
    assert os.getpriority(os.PRIO_PROCESS, pid) == 10
    until(lambda: not is_running(places.var_dir), "the worker never ended")
    assert [job(lab, n).status for n in (good, bad)] == ["finished", "failed"]
    assert job(lab, bad).error == "ETH/USDT:USDT: no 1h candle is stored from binance"
    with unit_of_work(lab) as session:
        one = backtests.find(session, f"b{job(lab, good).backtest_id}")
    assert (one.kind, one.engine, one.summary["bars"]) == ("backtest", "reference", 200)
    assert one.charts is not None
    assert len(one.charts["curve"]["at_ms"]) <= 1_000
    folder = places.var_dir / one.folder
    assert (folder / "trades.csv").is_file()
    assert '<html lang="en">' in (folder / "report.html").read_text()[:100]


def taken(database: Engine, request: LabRequest) -> int:
    """Queue a job and let this process be its worker."""
    job_id = asked(database, request)
    with unit_of_work(database) as session:
        backtest_jobs.claim_next(session, HERE, NOW)
    return job_id


def test_a_job_that_was_killed_after_its_result_was_stored_does_not_store_another(
    lab: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab_job, "end_with", lambda pid: None)  # this process has other work
    store_candles(lab, tmp_path, bars=100)
    job_id = taken(lab, a_request())

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(tasks, "_report", killed)  # what follows the storing
        with pytest.raises(KeyboardInterrupt):
            lab_job.main(job_id, 0)
    row = job(lab, job_id)
    assert (row.status, row.backtest_id) == ("running", 1)
    with unit_of_work(lab) as session:  # a page does not show it before its job is done
        assert (newest_result(session), len(backtests.newest(session))) == (0, 1)
        backtest_jobs.requeue_lost(session, NOW, lambda *_: True)
    with unit_of_work(lab) as session:
        backtest_jobs.claim_next(session, HERE, NOW)
    assert lab_job.main(job_id, 0) == 0
    row = job(lab, job_id)
    assert (row.status, row.attempts, row.backtest_id) == ("finished", 2, 1)
    with unit_of_work(lab) as session:
        assert (newest_result(session), len(backtests.newest(session))) == (1, 1)


def test_compiling_is_called_by_its_name(
    lab: Engine, places: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_candles(lab, tmp_path, bars=100)
    steps: list[str] = []

    def told(done: int, total: int, step: str) -> None:
        steps.append(step)

    desk = Desk(lab, places, told, lambda _: None, lambda *_: None, lambda: NOW)
    monkeypatch.setattr(tasks, "is_compiled", lambda folder: False)
    tasks.work(a_request(engine="compiled"), "", desk)
    assert steps == ["reading", "compiling", "figures", "storing", "report"]
    del steps[:]
    monkeypatch.setattr(tasks, "is_compiled", lambda folder: True)
    tasks.work(a_request(engine="compiled"), "", desk)
    assert steps == ["reading", "playing", "figures", "storing", "report"]


def test_a_set_of_parameters_counts_once_whoever_tries_it(
    lab: Engine, places: Environment, tmp_path: Path
) -> None:
    store_candles(lab, tmp_path, bars=200)
    desk = Desk(lab, places, lambda *_: None, lambda _: None, lambda *_: None, lambda: NOW)
    tasks.work(a_request(changes={FAST: "4", SLOW: "12"}), "", desk)
    tasks.work(a_request(LabKind.SWEEP, changes={}), "", desk)  # 4 and 6 by 12 and 20
    with unit_of_work(lab) as session:
        assert [r.summary["trials"] for r in backtests.newest(session)] == [4, 1]


def test_cancel_ends_a_job_within_a_second_and_a_worker_that_must_end_gives_its_job_back(
    lab: Engine, tmp_path: Path
) -> None:
    first, second = asked(lab, a_request()), asked(lab, a_request())
    worker = a_stuck_worker(tmp_path)
    try:
        until(lambda: job(lab, first).done == 1, "the job never began")
        with unit_of_work(lab) as session:
            backtest_jobs.ask_cancel(session, first, NOW)
        took = until(lambda: job(lab, first).status == "canceled", "it was never canceled")
        assert took < 1.5  # a look each 0.4 s, and a loaded machine
        until(lambda: job(lab, second).done == 1, "the next job never began")
    finally:
        worker.terminate()
        assert worker.wait(20) == 0
    row = job(lab, second)
    assert (row.status, row.attempts, row.worker_pid) == ("queued", 0, None)


@pytest.mark.slow
def test_a_killed_worker_takes_its_job_along_and_the_next_one_does_it_again(
    lab: Engine, places: Environment, tmp_path: Path
) -> None:
    store_candles(lab, tmp_path)
    job_id = asked(lab, a_request())
    worker = a_stuck_worker(tmp_path)
    until(lambda: job(lab, job_id).done == 1, "the job never began")
    child = int((places.var_dir / "job.pid").read_text())
    worker.kill()
    worker.wait(20)
    until(lambda: start_ticks(child) is None, "the job went on without its worker")
    assert job(lab, job_id).status == "running"  # nobody was left to say otherwise
    start_lab(places.var_dir, ("-m", "crypto_trader_pro", "lab", "run", "--idle", "0.5"))
    until(lambda: job(lab, job_id).status == "finished", "it was not done again")
    assert job(lab, job_id).attempts == 2
