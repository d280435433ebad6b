"""A new strategy from outside."""

from typing import Final

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard import outside, services
from auto_trading_dashboard.components import figures, signals_fields
from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.components.signals_fields import Before
from auto_trading_dashboard.preferences import text
from crypto_trader_pro.domain.errors import InputError
from database import strategies

_WHERE: Final = "new strategy"
_TURN: Final = "signals_new_turn"  # each strategy that was made empties the form


@guarded
def form() -> None:
    """Draw the form, folded."""
    key = f"signals_new_{st.session_state.get(_TURN, 0)}"
    why = outside.trouble(_WHERE)
    with st.expander(
        text("signals_in.new"), icon=":material/add:", expanded=bool(why), key=f"{key}_open"
    ):
        with st.form(key, border=False):
            st.text_input(
                text("signals_in.name"), key=f"{key}_name", max_chars=40, autocomplete="off",
                help=text("signals_in.name_help"),
            )  # fmt: skip
            signals_fields.draw(key, Before())
            st.form_submit_button(
                text("signals_in.create"), key=f"{key}_create", icon=":material/add:",
                type="primary", on_click=_create, args=(key,),
            )  # fmt: skip
        if why:
            st.error(figures.escaped(text("signals_in.not_done", why=why)), icon=":material/error:")


def _create(key: str) -> None:
    now, name = services.clock().now(), str(st.session_state.get(f"{key}_name", "")).strip()
    try:
        given = signals_fields.given(key)
    except InputError as e:
        outside.refuse(_WHERE, str(e))
        return

    def made(session: Session) -> strategies.NewKey:
        found = strategies.create(session, name, outside.BY, now, changes=given.changes)
        if given.capital is not None:
            number = strategies.number(found.row)
            strategies.set_capital(session, number, given.capital, outside.BY, now)
        return found

    if outside.show_key(made, _WHERE, is_new=True):
        st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
