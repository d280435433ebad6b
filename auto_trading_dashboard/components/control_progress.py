"""What was asked, by whom, and what the engine did; an emergency stop step by step."""

from datetime import datetime
from typing import Final

import streamlit as st

from auto_trading_dashboard.components import ages, asking, figures
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries.control import Panel
from auto_trading_dashboard.queries.requests import Asked, Emergency, Step
from crypto_trader_pro.domain.enums import CommandKind
from database.commands import CommandStatus

SHOWN: Final = 10
_COLOURS: Final = {
    CommandStatus.DONE: "green", CommandStatus.REFUSED: "red", CommandStatus.EXPIRED: "red",
    CommandStatus.TAKEN: "blue",
}  # fmt: skip
_ICONS: Final = {
    CommandStatus.DONE: "check", CommandStatus.REFUSED: "block", CommandStatus.EXPIRED: "timer_off",
    CommandStatus.TAKEN: "sync",
}  # fmt: skip
_STEPS: Final = (
    "halted", "entries_canceled", "flattening", "positions_kept", "venue_differs", "flat",
    "orders_canceled",
)  # fmt: skip


def requests(found: list[Asked] | None, now: datetime) -> None:
    """Draw the newest requests of everybody."""
    st.subheader(text("control.requests"), anchor=False)
    if not found:
        st.caption(text("control.no_requests"))
        return
    st.caption(text("control.requests_zone", zone=figures.zone_name(now, zone()), count=SHOWN))
    st.markdown("\n".join(f"- {request(one, now)}" for one in found))


def request(one: Asked, now: datetime) -> str:
    """Return Markdown of one request: what, by whom, when it was taken and done, the answer."""
    what = text(f"ask.{one.kind}") if one.kind in set(CommandKind) else one.kind
    icon = _ICONS.get(one.status, "schedule")
    status = figures.badge(text(f"page.{one.status.value}"), _COLOURS.get(one.status, "gray"), icon)
    about = f" {one.about}" if one.about else ""
    who = text("control.by", by=one.by)
    head = f"{figures.local(one.asked_at, zone(), '%m-%d %H:%M:%S')} **{figures.escaped(what)}**"
    parts = [f"{head}{figures.escaped(about)} {status} {figures.escaped(who)}"]
    times = " · ".join(figures.escaped(t) for t in _times(one, now))
    said = figures.escaped(asking.answer(one.answer))
    rest = " · ".join(part for part in (times, said) if part)
    return "  \n  ".join([*parts, rest] if rest else parts)


def emergency_now(found: Emergency | None, panel: Panel | None, now: datetime) -> None:
    """Draw the emergency stop beside the buttons while it is under way or stands."""
    if found is not None and _matters(found, panel):
        _box(found, now)


def emergency_before(found: Emergency | None, panel: Panel | None, now: datetime) -> None:
    """Draw the last emergency stop once it is over."""
    st.subheader(text("control.emergency"), anchor=False)
    if found is None:
        st.caption(text("control.no_emergency"))
    elif _matters(found, panel):
        st.caption(text("control.emergency_above"))
    else:
        _box(found, now)


def _matters(found: Emergency, panel: Panel | None) -> bool:
    return found.is_under_way or (
        found.status != "rearmed" and panel is not None and panel.is_latched
    )


def _box(found: Emergency, now: datetime) -> None:
    """Draw the steps as they happened, and how long until flat."""
    with st.container(border=True, key="control_emergency_steps"):
        st.markdown("  \n".join([_summary(found, now), *(_step(found, s) for s in found.steps)]))


def _summary(found: Emergency, now: datetime) -> str:
    ended = found.finished_at
    seconds = ((ended or now) - found.started_at).total_seconds()
    code = "rearmed" if found.status == "rearmed" else found.status
    colour = {"flat": "green", "kept": "orange", "rearmed": "gray"}.get(found.status, "red")
    words = text(
        f"control.emergency.{code}", positions=found.positions, remaining=found.remaining,
        seconds=_seconds(seconds),
    )  # fmt: skip
    head = text(
        "control.emergency_head", run=found.run, by=found.by,
        trigger=text(f"trigger.{found.trigger}"), at=figures.local(found.started_at, zone()),
        zone=figures.zone_name(found.started_at, zone()),
    )  # fmt: skip
    icon = "check_circle" if found.status in ("flat", "rearmed") else "sync"
    if found.status == "kept":
        icon = "shield"
    return f"{figures.badge(words, colour, icon)} {figures.escaped(head)}"


def _step(found: Emergency, step: Step) -> str:
    after = (step.at - found.started_at).total_seconds()
    what = text(f"control.step.{step.name}") if step.name in _STEPS else step.name
    count = "" if step.positions is None else text("control.step_positions", count=step.positions)
    return figures.escaped(f"+{_seconds(after)}  {what} {count}".rstrip())


def _times(one: Asked, now: datetime) -> list[str]:
    """Return when it was taken and ended, counted from the request."""
    told = []
    if one.taken_at is not None:
        told.append(text("control.taken_after", seconds=_after(one, one.taken_at)))
    if one.ended_at is not None:
        told.append(text("control.ended_after", seconds=_after(one, one.ended_at)))
    elif one.taken_at is None:
        told.append(text("control.waiting_for", age=ages.since(one.asked_at, now)))
    return told


def _after(one: Asked, at: datetime) -> str:
    return _seconds((at - one.asked_at).total_seconds())


def _seconds(seconds: float) -> str:
    """Return a short time with the digits that matter: 0.42 s, 3.1 s, 2 min."""
    if seconds < 1:
        return f"{max(0.0, seconds):.2f} s"
    return f"{seconds:.1f} s" if seconds < 60 else ages.age(seconds)
