"""The queue of the lab: asking for a job, how far each is, canceling, starting the worker."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import streamlit as st
from sqlalchemy import Engine
from sqlmodel import Session

from auto_trading_dashboard import actions, own_commands, services
from auto_trading_dashboard.components import ages, backtest_choice, figures, page
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.own_commands import Failed
from auto_trading_dashboard.preferences import language, text, zone
from auto_trading_dashboard.queries import backtests
from auto_trading_dashboard.queries.backtests import Job
from auto_trading_dashboard.reading import read
from crypto_trader_pro.backtest.lab_request import LabRequest
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError, RetryableError
from database import backtest_jobs
from database.auto_trading_db import unit_of_work
from database.backtest_jobs import BacktestJobStatus
from database.types import json_text
from utils.hurry import within
from utils.texts import catalogue

START: Final = "lab start"
_SECONDS: Final = 2.0
_SHOWN: Final = 5  # jobs; those that wait or run are shown all
_PATIENCE: Final = 8.0  # that a click waits for the database
_AGAIN_SECONDS: Final = 20.0  # after which a worker that should be there is started once more
_TROUBLE: Final = "lab_trouble"
_LAST: Final = "lab_last_click"
_WOKEN: Final = "lab_woken"
_COLOURS: Final = {
    BacktestJobStatus.QUEUED: "gray", BacktestJobStatus.RUNNING: "blue",
    BacktestJobStatus.FINISHED: "green", BacktestJobStatus.FAILED: "red",
    BacktestJobStatus.CANCELED: "orange",
}  # fmt: skip
_ICONS: Final = {
    BacktestJobStatus.QUEUED: "hourglass_top", BacktestJobStatus.RUNNING: "sync",
    BacktestJobStatus.FINISHED: "check_circle", BacktestJobStatus.FAILED: "error",
    BacktestJobStatus.CANCELED: "cancel",
}  # fmt: skip


@live(_SECONDS)
def queue() -> None:
    """Draw the jobs that wait, run, or have ended lately."""
    reading = read("lab queue", lambda s: backtests.queue(s, services.process_is_gone, _SHOWN))
    newest = read("lab newest", backtests.newest_result).value or 0
    with st.container(border=True, key="lab_queue"):
        st.markdown(f"**{text('backtest_lab.queue')}**")
        if newest:  # they are below the form, out of sight on most screens
            st.markdown(f"[{text('backtest_lab.to_results')}](#{backtest_choice.ANCHOR})")
        with page.shown(reading, "lab_queue"):
            if page.is_silent(reading):
                return
            jobs = reading.value or ()
            _trouble(jobs)
            if not jobs:
                st.caption(text("backtest_lab.queue_empty"))
            for job in jobs:
                _job(job)
    if not reading.is_stale:
        wake(jobs)
        backtest_choice.follow(newest)


def wake(jobs: tuple[Job, ...]) -> None:
    """Start a worker where one should be and none is: after a restart of the machine, say."""
    waits = any(j.status is BacktestJobStatus.QUEUED or j.is_lost for j in jobs)
    works = any(j.status is BacktestJobStatus.RUNNING and not j.is_lost for j in jobs)
    now = time.monotonic()
    if waits and not works and now - _woken().get("at", -_AGAIN_SECONDS) >= _AGAIN_SECONDS:
        start_worker()


def start_worker() -> None:
    """Start the worker beside the console: detached, and only if none works."""
    _woken()["at"] = time.monotonic()
    own_commands.run_soon(START, ["lab", "start"], prints_json=False)


@st.cache_resource
def _woken() -> dict[str, float]:
    return {}


def ask(request: LabRequest, name: str) -> None:
    """Put a job into the queue; a double click is one. For `on_click`."""
    clicks: actions.Clicks = st.session_state.setdefault("lab_clicks", actions.Clicks())
    click = clicks.command_id(CommandKind.RUN_JOB, json_text(request.as_json()))
    if st.session_state.get(_LAST) == click:
        return
    st.session_state[_LAST] = click
    now = services.clock().now()
    done = _written(
        lambda session: backtest_jobs.enqueue(
            session, kind=request.kind.value, request=request.as_json(), by="console", now=now,
            name=name,
        )
    )  # fmt: skip
    clicks.answered()
    if done:
        start_worker()


def cancel(number: int) -> None:
    """Ask for the end of a job. For `on_click`."""
    now = services.clock().now()
    _written(lambda session: backtest_jobs.ask_cancel(session, number, now))


def _written(write: Callable[[Session], Any]) -> bool:
    """Write in a transaction; what goes wrong is shown above the queue."""
    database: Callable[[], Engine] = lambda: services.writer(CommandKind.RUN_JOB)  # noqa: E731

    def store() -> None:
        with unit_of_work(database(), "the queue") as session:
            write(session)

    st.session_state.pop(_TROUBLE, None)
    try:
        within(_PATIENCE, store)
    except (InputError, TimeoutError, RetryableError) as e:
        st.session_state[_TROUBLE] = str(e)
        return False
    return True


def _trouble(jobs: tuple[Job, ...]) -> None:
    """Say what was not taken, and why no worker begins."""
    if why := st.session_state.get(_TROUBLE):
        st.error(figures.escaped(text("backtest_lab.not_taken", why=why)), icon=":material/error:")
    started = own_commands.result(START)
    if isinstance(started, Failed) and any(j.is_open for j in jobs):
        told = text("backtest_lab.no_worker", why=started.line)
        st.error(figures.escaped(told), icon=":material/error:")


def _job(job: Job) -> None:
    now = services.clock().now()
    with st.container(key=f"lab_job_{job.number}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
            st.markdown(_head(job), width="stretch")
            if job.is_open:
                st.button(
                    text("backtest_lab.cancel"), key=f"lab_cancel_{job.number}",
                    disabled=job.cancel_asked, on_click=cancel, args=(job.number,),
                )  # fmt: skip
            elif job.result is not None:
                st.button(
                    text("backtest_lab.open"), key=f"lab_open_{job.number}",
                    on_click=backtest_choice.choose, args=(job.result,),
                )  # fmt: skip
        if job.status is BacktestJobStatus.RUNNING:
            share = min(1.0, job.done / job.total) if job.total else 0.0
            st.progress(share, text=figures.escaped(_progress(job, now)))
        else:
            if job.error:
                st.markdown(f":red[{figures.escaped(job.error)}]")
            st.caption(figures.escaped(_when(job, now)))


def _head(job: Job) -> str:
    state = "lost" if job.is_lost else job.status.value
    if job.cancel_asked and job.status is BacktestJobStatus.RUNNING:
        state = "canceling"
    badge = figures.badge(
        text(f"backtest_lab.state_{state}"),
        "orange" if job.is_lost else _COLOURS[job.status], _ICONS[job.status],
    )  # fmt: skip
    kind = f"backtest_lab.kind_{job.kind}"
    known = text(kind) if kind in catalogue(language()) else job.kind  # of another version
    what = [job.name, known, *job.strategies, *job.symbols, job.timeframe]
    return f"{badge} {figures.escaped(' · '.join(part for part in what if part))}"


def _progress(job: Job, now: datetime) -> str:
    code = f"backtest_lab.step_{job.step or 'starting'}"
    step = text(code) if code in catalogue(language()) else job.step
    parts = [step]
    if job.total:
        parts.append(f"{figures.whole(job.done)} / {figures.whole(job.total)}")
    if job.started_at is not None:
        parts.append(ages.since(job.started_at, now))
    return " · ".join(parts)


def _when(job: Job, now: datetime) -> str:
    at = job.finished_at or job.requested_at
    return text(
        "backtest_lab.ended" if job.finished_at else "backtest_lab.asked",
        at=figures.local(at, zone(), "%m-%d %H:%M:%S"), age=ages.since(at, now),
        by=job.requested_by,
    )  # fmt: skip
