"""Asking the engine: buttons that store one command, and what has become of what was asked here."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard import actions, emergency, services
from auto_trading_dashboard.components import figures
from auto_trading_dashboard.preferences import language, text
from auto_trading_dashboard.queries import overview
from auto_trading_dashboard.reading import read
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.explain.answers import answer_text
from database.commands import CommandStatus

_REMEMBERED: Final = 8  # requests of one tab
_SHOWN: Final = 3
_SHOWN_SECONDS: Final = 30  # that an ended request stays in sight
_COLOURS: Final = {
    CommandStatus.DONE: "green", CommandStatus.REFUSED: "red", CommandStatus.EXPIRED: "red",
    CommandStatus.TAKEN: "blue",
}  # fmt: skip


def ask(kind: CommandKind, payload: Mapping[str, Any] | None = None, about: str = "") -> None:
    """Ask the engine; a double click is one request. For `on_click` of any button.

    Args:
        about: what it is asked of, shown beside the request: a symbol, an order, a job.
    """
    if kind is CommandKind.EMERGENCY_STOP:
        emergency.WATCH.asked()
    clicks: actions.Clicks = st.session_state.setdefault("clicks", actions.Clicks())
    told = asked_here()
    command_id = clicks.command_id(kind, about)
    if any(t.command_id == command_id for t in told):
        return  # the second half of a double click
    now = services.clock().now()
    try:
        one = actions.ask(
            services.writer, kind, payload, command_id=command_id, by="console", now=now,
            var_dir=services.var_dir(), about=about,
        )  # fmt: skip
    except InputError as e:  # not even the flag file could be written
        one = actions.Told(kind, trouble=str(e), about=about, at=now)
    clicks.answered()
    told.append(one)
    del told[:-_REMEMBERED]


def asked_here() -> list[actions.Told]:
    """Return what was asked in this browser tab, oldest first."""
    told: list[actions.Told] = st.session_state.setdefault("told", [])
    return told


def refuse(kind: CommandKind, why: str, about: str = "") -> None:
    """Show that something was not asked at all, and why."""
    asked_here().append(actions.Told(kind, trouble=why, about=about, at=services.clock().now()))


def requests(*, alive: bool, now: datetime, limit: int = _SHOWN) -> None:
    """Show the newest requests of this tab: "asked" until the engine has said more."""
    told = asked_here()[-limit:]
    ids = [t.command_id for t in told if t.command_id]
    reading = read(("requests", *ids), lambda session: overview.requests(session, ids))
    known = {r.command_id: r for r in reading.value or ()}
    lines = [
        line(one, known.get(one.command_id or ""), alive=alive)
        for one in reversed(told)
        if _in_sight(one, known.get(one.command_id or ""), now)
    ]
    st.markdown("  \n".join(lines))  # two spaces: a line break


def line(told: actions.Told, request: overview.Request | None, *, alive: bool) -> str:
    """Return Markdown of a request: what was asked, how it stands, what the engine says."""
    what = text(f"ask.{told.kind.value}") + (f" {told.about}" if told.about else "")
    what = figures.escaped(what)
    if told.command_id is None:
        code = "page.flagged" if told.flagged else "page.not_taken"
        colour = "orange" if told.flagged else "red"
        return f"{what} :{colour}[{figures.escaped(text(code, why=told.trouble))}]"  # it wraps
    status = CommandStatus.ASKED if request is None else request.status
    shown = f"{what} {figures.badge(text(f'page.{status.value}'), _COLOURS.get(status, 'gray'))}"
    if status is CommandStatus.ASKED and not alive:
        return f"{shown} {figures.escaped(text('page.no_engine'))}"
    return f"{shown} {figures.escaped(answer(request.answer))}" if request else shown


def answer(values: Mapping[str, Any]) -> str:
    """Return the engine's answer in words; "" before there is one."""
    return answer_text(values, language()) if values else ""


def _in_sight(told: actions.Told, request: overview.Request | None, now: datetime) -> bool:
    is_over = told.command_id is None or (request is not None and request.has_ended)
    recent = told.at is not None and now - told.at < timedelta(seconds=_SHOWN_SECONDS)
    return recent or not is_over
