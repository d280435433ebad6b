"""One job of the lab in a process of its own: `python -m auto_trading.lab.job JOB WORKER_PID`.

It leaves its result, or why there is none, in the row of the job. The worker ends it when somebody
cancels; when the worker itself is gone it ends at once, because the job is given to another then.
"""

import os
import signal
import sys
import threading
import time
from typing import Final

from sqlalchemy import Engine as Database
from sqlmodel import Session

from config.environment import Environment
from crypto_trader_pro.backtest.lab_request import LabRequest
from crypto_trader_pro.domain.errors import InputError, RetryableError, TradingError
from database import backtest_jobs
from database.auto_trading_db import open_database, unit_of_work
from database.models import BacktestJobRow
from utils.clocks import SystemClock

_PROGRESS_SECONDS: Final = 0.5  # between two writes of how far it is
_PARENT_SECONDS: Final = 0.2  # between two looks at the worker


class Told:
    """Writes how far a job is, at most twice a second, each time in a transaction of its own."""

    def __init__(self, database: Database, job_id: int) -> None:
        self._database = database
        self._job_id = job_id
        self._last = 0.0
        self._step = ""

    def __call__(self, done: int, total: int, step: str = "") -> None:
        """Note `done` of `total`; a new step is written at once.

        Args:
            step: what is being done: a code of `backtest_lab.step_<step>`.
        """
        now = time.monotonic()
        if now - self._last < _PROGRESS_SECONDS and step == self._step:
            return
        self._last, self._step = now, step
        try:
            with unit_of_work(self._database, "the progress") as session:
                backtest_jobs.progress(session, self._job_id, done, total, step)
        except RetryableError:
            return  # the next one tells more


def main(job_id: int, worker_pid: int) -> int:
    """Run a job; return 0, or 1 when its row says why there is no result."""
    end_with(worker_pid)
    environment = Environment.current()
    database = open_database(environment.database_url, durable=False)
    now = SystemClock().now
    try:
        with unit_of_work(database, "the job") as session:
            row = backtest_jobs.find(session, job_id)
        if row is None:
            raise InputError(f"there is no backtest job {job_id}")
        try:
            number = row.backtest_id or _worked(row, database, environment)
        except TradingError as e:
            with unit_of_work(database, "the job") as session:
                backtest_jobs.fail(session, job_id, " ".join(str(e).split()), now())
            return 1
        with unit_of_work(database, "the job") as session:
            backtest_jobs.finish(session, job_id, number, now())
        return 0
    finally:
        database.dispose()


def _worked(row: BacktestJobRow, database: Database, environment: Environment) -> int:
    """Do the job of a row; return the number of what is stored.

    The row names it as soon as it is there, so that a job whose worker is killed after that is not
    computed and stored again.
    """
    from auto_trading.lab.tasks import Desk, work  # noqa: PLC0415  heavy, and told before

    job_id = backtest_jobs.number(row)

    def begun(request: LabRequest) -> None:
        with unit_of_work(database, "the job") as session:
            backtest_jobs.change_request(session, job_id, request.as_json())

    def kept(session: Session, number: int) -> None:
        backtest_jobs.stored(session, job_id, number)

    desk = Desk(database, environment, Told(database, job_id), begun, kept, SystemClock().now)
    return work(LabRequest.of(row.request), row.name, desk)


def end_with(worker_pid: int) -> None:
    """End this process and what it started as soon as the worker is gone."""

    def watch() -> None:
        while os.getppid() == worker_pid:
            time.sleep(_PARENT_SECONDS)
        os.killpg(0, signal.SIGKILL)  # the worker made it a group of its own

    threading.Thread(target=watch, name="worker's end", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
