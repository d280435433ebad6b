"""Control panel: what is wanted, what is so, and the four things an operator may ask."""

import streamlit as st

from auto_trading_dashboard import actions, frame, services
from auto_trading_dashboard.components import asking, figures, page
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries import overview
from auto_trading_dashboard.reading import read
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from database.wishes import REARM_WORD


@live(1.0)
def states() -> None:
    """Show the engine and the account as they are."""
    now = services.clock().now()
    reading = read("account", lambda s: overview.account(s, now, services.process_is_gone))
    view, head = reading.value, frame.head().value
    engine = None if head is None else head.engine
    with page.shown(reading, "states"), st.grid(4, min_column_width=150, border=True):
        st.metric(
            text("page.desired"),
            figures.MISSING if engine is None else text(f"desired.{engine.desired.value}"),
        )
        st.metric(
            text("page.observed"),
            figures.MISSING if engine is None else text(f"observed.{engine.observed.value}"),
        )
        asset = figures.MISSING if view is None else view.asset
        st.metric(
            text("page.equity", asset=asset), figures.amount(None if view is None else view.equity)
        )
        st.metric(
            text("page.cash", asset=asset), figures.amount(None if view is None else view.cash)
        )


def buttons() -> None:
    with st.container(horizontal=True, key="buttons"):
        st.button(
            text("page.start"), key="control_start", icon=":material/play_arrow:",
            on_click=asking.ask, args=(CommandKind.START,),
        )  # fmt: skip
        st.button(
            text("page.stop"), key="control_stop", icon=":material/stop:",
            on_click=asking.ask, args=(CommandKind.STOP,),
        )  # fmt: skip


def rearm() -> None:
    word = str(st.session_state.get("control_rearm_word", ""))
    try:
        asking.ask(CommandKind.REARM, actions.rearm_payload(word))
    except InputError as e:
        asking.refuse(CommandKind.REARM, str(e))


page.head("control")
buttons()
states()
with st.form("control_rearm_form", border=True, clear_on_submit=True):
    st.caption(text("page.rearm_help", word=REARM_WORD))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            text("page.rearm"), key="control_rearm_word", placeholder=REARM_WORD,
            label_visibility="collapsed", width=160, autocomplete="off",
        )  # fmt: skip
        st.form_submit_button(text("page.rearm"), key="control_rearm", on_click=rearm)
