"""The control panel's upper part: how things are, the buttons, the account."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import streamlit as st

from auto_trading_dashboard import actions
from auto_trading_dashboard.components import ages, asking, confirming, control_words, figures
from auto_trading_dashboard.preferences import palette, text, zone
from auto_trading_dashboard.queries.control import Books, Panel
from crypto_trader_pro.domain.enums import CommandKind, Mode, TradingState
from crypto_trader_pro.domain.errors import InputError
from database.wishes import REARM_WORD

RESUME_WORD: Final = "RESUME"
_RESUME: Final = "control_resuming"
_COLOURS: Final = {"info": "blue", "good": "green", "wait": "orange", "bad": "red"}
_ICONS: Final = {
    "info": "info", "good": "check_circle", "wait": "hourglass_top", "bad": "error",
}  # fmt: skip


def sentence(panel: Panel | None, now: datetime) -> None:
    """Say in one sentence how wish and state stand to each other."""
    if panel is None:
        st.markdown(figures.escaped(text("control.now.unknown")))
        return
    said = control_words.situation(panel, now)
    values = dict(said.values)
    if "trigger" in values:
        values["trigger"] = text(f"trigger.{values['trigger']}")
    words = text(f"control.now.{said.code}", **values)
    if panel.since is not None and said.level == "bad":
        words += " " + text(
            "control.since", at=figures.local(panel.since, zone()),
            zone=figures.zone_name(panel.since, zone()),
        )  # fmt: skip
    icon, colour = _ICONS[said.level], _COLOURS[said.level]
    st.markdown(f":{colour}[:material/{icon}:] **{figures.escaped(words)}**")


def states(panel: Panel | None, now: datetime) -> None:
    """Desired beside observed, trading, mode, heartbeat."""
    engine = None if panel is None else panel.engine
    with st.grid(5, min_column_width=130, border=True):
        if engine is None:
            for name in ("desired", "observed", "trading", "mode", "heartbeat"):
                st.metric(text(f"control.{name}"), figures.MISSING)
            return
        desired, observed = engine.desired, engine.observed
        st.metric(
            text("control.desired"),
            figures.coloured(text(f"desired.{desired.value}"), figures.desired_colour(desired)),
        )
        st.metric(
            text("control.observed"),
            figures.coloured(text(f"observed.{observed.value}"), figures.observed_colour(observed)),
        )
        trading = figures.MISSING
        if panel is not None and panel.is_paused and engine.trading is TradingState.REDUCING:
            trading = figures.coloured(text("control.paused"), "orange")
        elif engine.alive:  # of an engine that is gone it is a memory
            colour = figures.trading_colour(engine.trading)
            trading = figures.coloured(text(f"state.{engine.trading.value}"), colour)
        st.metric(text("control.trading"), trading, help=text("control.trading_help"))
        st.metric(text("control.mode"), text(f"mode.{engine.mode}"))
        st.metric(text("control.heartbeat"), _heartbeat(engine.heartbeat_at, now, engine.epoch))


def buttons(panel: Panel | None, *, fresh: bool) -> None:
    """Start and stop; a start that cannot work is not offered, and says why."""
    why = why_no_start(panel) if fresh else ""
    with st.container(horizontal=True, vertical_alignment="center", key="control_buttons"):
        st.button(
            text("page.start"), key="control_start", icon=":material/play_arrow:",
            disabled=bool(why), on_click=asking.ask, args=(CommandKind.START,),
        )  # fmt: skip
        st.button(
            text("page.stop"), key="control_stop", icon=":material/stop:",
            on_click=asking.ask, args=(CommandKind.STOP,),
        )  # fmt: skip
        if panel is None or not panel.is_paused:
            st.button(
                text("page.pause"), key="control_pause", icon=":material/pause:",
                on_click=asking.ask, args=(CommandKind.PAUSE,),
            )  # fmt: skip
        else:
            st.button(
                text("page.resume"), key="control_resume", icon=":material/resume:",
                on_click=confirming.ask, args=(_RESUME,), disabled=confirming.is_asking(_RESUME),
            )  # fmt: skip
        st.caption(why or text("control.buttons"))
    if panel is None or not panel.is_paused:
        confirming.leave(_RESUME)
    elif confirming.is_asking(_RESUME):
        confirming.typed(
            text("control.resume", word=RESUME_WORD), RESUME_WORD, asking.ask, CommandKind.RESUME,
            key=_RESUME, label=text("page.resume"),
        )  # fmt: skip


def why_no_start(panel: Panel | None) -> str:
    """Return why Start can never work now; "" where it can, an engine up or not."""
    if panel is None or panel.engine is None:
        return ""
    if panel.is_latched:
        return text("control.start_latched", word=REARM_WORD)
    if panel.engine.mode == Mode.LIVE.value:
        return text("preflight.mode.live")
    return ""


def rearm(panel: Panel | None) -> None:
    """Offer to lift what is latched, by typing; nothing where nothing is."""
    if panel is None or not panel.can_rearm:
        return
    latched = panel.is_latched
    with st.form("control_rearm_form", border=True, clear_on_submit=True):
        code = "control.rearm_latched" if latched else "control.rearm_ladder"
        st.markdown(figures.escaped(text(code, word=REARM_WORD)))
        if not panel.alive:
            st.caption(text("control.rearm_no_engine"))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                text("page.rearm"), key="control_rearm_word", placeholder=REARM_WORD,
                label_visibility="collapsed", width=160, autocomplete="off",
            )  # fmt: skip
            st.form_submit_button(
                text("page.rearm"), key="control_rearm", icon=":material/lock_open:",
                on_click=_rearm,
            )  # fmt: skip


def account(books: Books | None, max_positions: int | None) -> None:
    """The account in figures: money of one currency, named above."""
    asset = "" if books is None else books.asset
    title = text("control.account") if not asset else text("control.account_in", asset=asset)
    st.subheader(figures.escaped(title), anchor=False)
    st.caption(figures.escaped(_of_when(books)))
    b = books or Books("", "", None, None, None, 0, 0)
    with st.grid(5, min_column_width=140, border=True):
        st.metric(text("control.equity"), figures.amount(b.equity))
        st.metric(text("control.cash"), figures.amount(b.cash))
        _profit("control.day", b.day, b.day_fraction)
        _profit("control.unrealized", b.unrealized)
        _profit("control.realized", b.realized)
        st.metric(text("control.fees"), figures.amount(b.fees))
        st.metric(
            text("control.exposure"), figures.amount(b.gross),
            delta=None if b.exposure is None else figures.percent(b.exposure),
            delta_color="off", delta_arrow="off",
        )  # fmt: skip
        st.metric(text("control.drawdown"), figures.percent(b.drawdown))
        known = books is not None
        limit = "" if max_positions is None else f" / {max_positions}"
        st.metric(
            text("control.positions"), f"{b.open_positions}{limit}" if known else figures.MISSING
        )
        st.metric(text("control.working"), str(b.working_orders) if known else figures.MISSING)


def _profit(code: str, value: Decimal | None, fraction: Decimal | None = None) -> None:
    shown = f"{figures.arrow(value)} {figures.signed(value)}".strip()
    st.metric(
        text(code), figures.coloured(shown, figures.profit_colour(value, palette())),
        delta=None if fraction is None else figures.signed_percent(fraction),
        delta_color="off", delta_arrow="off",
    )  # fmt: skip


def _of_when(books: Books | None) -> str:
    if books is None:
        return text("control.no_run")
    code = "control.account_live" if books.is_live else "control.account_last"
    at = books.at
    when = figures.MISSING if at is None else figures.local(at, zone())
    name = "" if at is None else figures.zone_name(at, zone())
    return text(code, run=books.run, at=f"{when} {name}".strip())


def _heartbeat(at: datetime, now: datetime, epoch: int) -> str:
    if not epoch:
        return figures.MISSING  # only a wish made the row
    seconds = (now - at).total_seconds()
    if seconds < -control_words.AHEAD_SECONDS:
        return f":red[{text('control.ahead', age=ages.age(-seconds))}]"
    age = text("control.ago", age=ages.age(max(0.0, seconds)))
    return f":red[{age}]" if seconds > figures.STALE_SECONDS else age


def _rearm() -> None:
    word = str(st.session_state.get("control_rearm_word", ""))
    try:
        asking.ask(CommandKind.REARM, actions.rearm_payload(word))
    except InputError:
        given = word.strip()[:32]
        asking.refuse(CommandKind.REARM, text("refused.confirm", given=given, word=REARM_WORD))
