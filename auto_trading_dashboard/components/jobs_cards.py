"""The background jobs, one card each: what it does, how it went, when it runs again."""

from datetime import datetime
from typing import Final

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import ages, asking, figures, page
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.reading import read
from crypto_trader_pro.domain.enums import CommandKind
from database.views import jobs
from database.views.jobs import Job, JobState

_COLOURS: Final = {
    JobState.RUNNING: "blue", JobState.HANGS: "red", JobState.LEFT: "orange",
    JobState.OK: "green", JobState.FAILED: "red",
}  # fmt: skip
_ICONS: Final = {
    JobState.NEVER: "hourglass_empty", JobState.RUNNING: "sync", JobState.HANGS: "error",
    JobState.LEFT: "link_off", JobState.OK: "check_circle", JobState.FAILED: "error",
}  # fmt: skip


@live()
def cards() -> None:
    """Draw every job of the schedule, run or not."""
    now = services.clock().now()
    reading = read("jobs", lambda s: jobs.everything(s, now, services.process_is_gone))
    view = reading.value
    with page.shown(reading, "jobs"):
        if reading.is_unknown:
            return
        if view is None:
            page.nothing("jobs.nothing")
            return
        if not view.alive:
            st.markdown(f":orange[{figures.escaped(text('jobs.no_engine'))}]")
        with st.grid(2, min_column_width=340, gap="small"):
            for job in view.jobs:
                _card(job, now, alive=view.alive)
        st.caption(text("jobs.zone", zone=figures.zone_name(now, zone())))


def _card(job: Job, now: datetime, *, alive: bool) -> None:
    with st.container(border=True, key=f"job_{job.name}", gap="xsmall"):
        st.markdown("  \n".join(_lines(job, now)))
        st.button(
            text("jobs.run_now"), key=f"job_run_{job.name}", icon=":material/play_arrow:",
            disabled=not alive or job.seconds is None or job.asked_at is not None,
            on_click=asking.ask, args=(CommandKind.RUN_JOB, {"job": job.name}, job.name),
        )  # fmt: skip


def _lines(job: Job, now: datetime) -> list[str]:
    """Return the Markdown of a card, line by line."""
    state = figures.badge(
        text(f"jobs.state_{job.state.value}"), _COLOURS.get(job.state, "gray"), _ICONS[job.state]
    )
    if job.seconds is None:  # recorded by another version
        return [f"**{figures.escaped(job.name)}** {state}", *_last(job, now)]
    name, what = text(f"jobs.name_{job.name}"), text(f"jobs.what_{job.name}")
    return [
        f"**{figures.escaped(name)}** {state} :gray[{figures.escaped(job.name)}]",
        figures.escaped(what), *_last(job, now), f":gray[{figures.escaped(_rhythm(job, now))}]",
        *_asked(job), *_trouble(job),
    ]  # fmt: skip


def _asked(job: Job) -> list[str]:
    """Return since when a person waits for a run; the process that runs it looks each second."""
    if job.asked_at is None:
        return []
    told = text("jobs.asked", at=figures.local(job.asked_at, zone(), "%H:%M:%S"))
    return [f":blue[:material/schedule: {figures.escaped(told)}]"]


def _last(job: Job, now: datetime) -> list[str]:
    if job.started_at is None:
        return [f":gray[{figures.escaped(text('jobs.never'))}]"]
    at, age = figures.local(job.started_at, zone()), ages.since(job.started_at, now)
    if job.seconds_taken is None:
        return [figures.escaped(text("jobs.begun", at=at, age=age))]
    taken = f"{job.seconds_taken:,.3f} s"
    return [figures.escaped(text("jobs.ran", at=at, age=age, taken=taken))]


def _rhythm(job: Job, now: datetime) -> str:
    """Return when it runs: quiet jobs look all the time, the next turn of the others is known."""
    every = _period(round(job.seconds or 0))
    if job.is_quiet:
        return text("jobs.quiet", every=every)
    if job.next_by is None:
        return text("jobs.every", every=every)
    if job.next_by <= now:
        return text("jobs.due", every=every)
    return text("jobs.next", every=every, at=figures.local(job.next_by, zone(), "%H:%M:%S"))


def _period(seconds: int) -> str:
    if seconds % 3600 == 0:
        return text("jobs.period_h", count=seconds // 3600)
    if seconds % 60 == 0:
        return text("jobs.period_min", count=seconds // 60)
    return text("jobs.period_s", count=seconds)


def _trouble(job: Job) -> list[str]:
    lines = []
    if job.state is JobState.HANGS:
        lines.append(f":red[{figures.escaped(text('jobs.hangs'))}]")
    if job.state is JobState.LEFT:
        lines.append(f":orange[{figures.escaped(text('jobs.left'))}]")
    if job.failures:
        told = text("jobs.failed", count=job.failures, error=job.error)
        lines.append(f":red[{figures.escaped(told)}]")
    elif job.error:
        lines.append(f":gray[{figures.escaped(text('jobs.failed_once', error=job.error))}]")
    return lines
