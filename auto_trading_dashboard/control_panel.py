"""Control panel: what is wanted, what is so, and the four things an operator may ask."""

from contextlib import suppress
from typing import Final

import streamlit as st

from auto_trading_dashboard import actions, queries, services
from auto_trading_dashboard.components import figures, shell
from auto_trading_dashboard.services import text
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from database.commands import CommandStatus
from database.wishes import REARM_WORD
from utils.texts import catalogue

_SHOWN: Final = 4  # requests
_COLOURS: Final = {
    CommandStatus.DONE: "green", CommandStatus.REFUSED: "red", CommandStatus.EXPIRED: "red",
    CommandStatus.TAKEN: "blue",
}  # fmt: skip


def page() -> None:
    """Draw the page. What changes each second is in fragments of its own."""
    shell.style()
    with st.container(key="header", horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width="stretch"):
            st.header(text("page.title"), anchor=False)
        with st.container(width="content", key="emergency"):
            _emergency()
    if fault := services.configuration_fault():
        st.error(text("page.configuration", why=fault))
    _buttons()
    state()
    _requests_made_here()
    _rearming()


@st.fragment(run_every="1s")
def state() -> None:
    """Show the engine and the account as they are."""
    now = services.clock().now()
    view = queries.overview(services.reader(), now, services.process_is_gone)
    shell.banner(view.source)
    _trouble(view)
    with st.container(key="states"), st.grid(4, min_column_width=150, border=True):
        _states(view)
    with st.container(key="account"), st.grid(6, min_column_width=140, border=True):
        _account(view)
    st.caption(_of_what(view))


@st.fragment(run_every="1s")
def _requests_made_here() -> None:
    """Show what was asked on this page: "asked" until the engine has said more."""
    told: list[actions.Told] = st.session_state.get("control_told", [])
    if not told:
        return  # nothing was ever here, so nothing is erased
    ids = [t.command_id for t in told if t.command_id]
    known = {r.command_id: r for r in queries.requests(services.reader(), ids)}
    now = services.clock().now()
    alive = queries.overview(services.reader(), now, services.process_is_gone).alive
    st.subheader(text("page.requests"), anchor=False)
    with st.container(key="requests"):
        for one in reversed(told[-_SHOWN:]):
            st.markdown(_line(one, known.get(one.command_id or ""), alive=alive))


@st.fragment
def _emergency() -> None:
    """One click, and never redrawn by a timer."""
    st.button(
        text("page.emergency"), key="control_emergency", icon=":material/dangerous:",
        type="primary", on_click=_ask, args=(CommandKind.EMERGENCY_STOP,),
    )  # fmt: skip


def _buttons() -> None:
    with st.container(horizontal=True, key="buttons"):
        st.button(
            text("page.start"), key="control_start", icon=":material/play_arrow:",
            on_click=_ask, args=(CommandKind.START,),
        )  # fmt: skip
        st.button(
            text("page.stop"), key="control_stop", icon=":material/stop:",
            on_click=_ask, args=(CommandKind.STOP,),
        )  # fmt: skip


def _rearming() -> None:
    with st.form("control_rearm_form", border=True, clear_on_submit=True):
        st.caption(text("page.rearm_help", word=REARM_WORD))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                text("page.rearm"), key="control_rearm_word", placeholder=REARM_WORD,
                label_visibility="collapsed", width=160, autocomplete="off",
            )  # fmt: skip
            st.form_submit_button(
                text("page.rearm"), key="control_rearm", icon=":material/lock_open:",
                on_click=_rearm,
            )  # fmt: skip


def _ask(kind: CommandKind, payload: dict[str, str] | None = None) -> None:
    clicks: actions.Clicks = st.session_state.setdefault("control_clicks", actions.Clicks())
    told: list[actions.Told] = st.session_state.setdefault("control_told", [])
    command_id = clicks.command_id(kind)
    if any(t.command_id == command_id for t in told):
        return  # the second half of a double click
    try:
        told.append(
            actions.ask(
                services.writer, kind, payload, command_id=command_id, by="console",
                now=services.clock().now(), var_dir=services.var_dir(),
            )
        )  # fmt: skip
    except InputError as e:  # not even the flag file could be written
        told.append(actions.Told(kind, trouble=str(e)))
    del told[:-_SHOWN]


def _rearm() -> None:
    word = str(st.session_state.get("control_rearm_word", ""))
    told: list[actions.Told] = st.session_state.setdefault("control_told", [])
    try:
        payload = actions.rearm_payload(word)
    except InputError as e:
        told.append(actions.Told(CommandKind.REARM, trouble=str(e)))
        return
    _ask(CommandKind.REARM, payload)


def _trouble(view: queries.Overview) -> None:
    if view.trouble:
        st.error(text("page.database", why=view.trouble))
    elif view.schema == "missing":
        st.info(text("page.no_database"))
    elif view.schema != "current":
        st.error(text("page.other_schema"))
    if view.engine is not None and view.engine.last_error:
        st.error(text("page.last_error", error=view.engine.last_error))


def _states(view: queries.Overview) -> None:
    shown = dict.fromkeys(("desired", "observed", "trading", "heartbeat"), figures.MISSING)
    engine = view.engine
    if engine is not None:
        shown["desired"] = figures.coloured(
            text(f"desired.{engine.desired.value}"), figures.desired_colour(engine.desired)
        )
        shown["observed"] = figures.coloured(
            text(f"observed.{engine.observed.value}"), figures.observed_colour(engine.observed)
        )
    if engine is not None and engine.epoch:  # an engine has been there
        age = engine.heartbeat_age_seconds
        shown["trading"] = figures.coloured(
            text(f"state.{engine.trading.value}"), figures.trading_colour(engine.trading)
        )
        shown["heartbeat"] = figures.coloured(
            text("page.heartbeat_age", seconds=f"{age:,.0f}"),
            figures.heartbeat_colour(age, alive=engine.alive),
        )
    for name, value in shown.items():
        st.metric(text(f"page.{name}"), value)


def _account(view: queries.Overview) -> None:
    asset = view.asset or figures.MISSING
    st.metric(text("page.equity", asset=asset), figures.amount(view.equity))
    st.metric(text("page.cash", asset=asset), figures.amount(view.cash))
    st.metric(text("page.positions"), figures.whole(view.counts.open_positions))
    st.metric(text("page.working"), figures.whole(view.counts.working_orders))
    st.metric(text("page.orders"), figures.whole(view.counts.orders))
    st.metric(text("page.fills"), figures.whole(view.counts.fills))


def _of_what(view: queries.Overview) -> str:
    if view.alive and view.engine is not None:
        return text(
            "page.run", run=view.run or figures.MISSING, pid=view.engine.pid,
            epoch=view.engine.epoch,
        )  # fmt: skip
    return text("page.no_run") if view.run is None else text("page.last_run", run=view.run)


def _line(told: actions.Told, request: queries.Request | None, *, alive: bool) -> str:
    what = text(f"ask.{told.kind.value}")
    if told.command_id is None:
        code = "page.flagged" if told.flagged else "page.not_taken"
        colour = "orange" if told.flagged else "red"
        return f"{what} {figures.badge(text(code, why=told.trouble), colour)}"
    status = CommandStatus.ASKED if request is None else request.status
    colour = _COLOURS.get(status, "gray")
    line = f"{what} {figures.badge(text(f'page.{status.value}'), colour)}"
    if status is CommandStatus.ASKED and not alive:
        return f"{line} {figures.plain(text('page.no_engine'))}"
    return f"{line} {figures.plain(_answer(request))}" if request is not None else line


def _answer(request: queries.Request) -> str:
    values = dict(request.answer)
    code = str(values.pop("code", ""))
    if code in catalogue(services.language()):
        with suppress(KeyError):  # an engine of another version; what it did is done
            return text(code, **values)
    numbers = ", ".join(f"{name}: {value}" for name, value in values.items())
    return f"{code} {numbers}".strip()


page()
