"""Closing every position: asked once more, with how many they are, at once or little by little."""

from typing import Any, Final

import streamlit as st

from auto_trading_dashboard.components import asking, confirming, figures
from auto_trading_dashboard.preferences import text
from crypto_trader_pro.domain.enums import CommandKind

_KEY: Final = "monitoring_close_all"
_HOW: Final = f"{_KEY}_how"
_MINUTES: Final = f"{_KEY}_minutes"
_WAYS: Final = {"at_once": "monitoring.close_at_once", "slowly": "monitoring.close_slowly"}
_USUAL: Final = 10
_MOST: Final = 1440  # a day, the engine's own bound


def button(count: int) -> None:
    """Draw the button that asks."""
    st.button(
        text("monitoring.close_all"), key=_KEY, icon=":material/cancel_presentation:",
        disabled=not count or confirming.is_asking(_KEY), on_click=confirming.ask, args=(_KEY,),
    )  # fmt: skip


def question(count: int) -> None:
    """Draw the question while it is open."""
    if not confirming.is_asking(_KEY):
        st.empty()
        return
    with st.container(border=True, key=f"{_KEY}_asking", gap="small"):
        st.markdown(figures.escaped(text("monitoring.close_all_ask", count=count)))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            how = st.segmented_control(
                text("monitoring.close_how"), list(_WAYS), default="at_once",
                required=True, key=_HOW, format_func=lambda c: text(_WAYS[c]),
            )  # fmt: skip
            if how == "slowly":
                st.number_input(
                    text("monitoring.close_minutes"), min_value=1, max_value=_MOST, step=1,
                    value=_USUAL, key=_MINUTES, width=180,
                )  # fmt: skip
        with st.container(horizontal=True):
            st.button(
                text("monitoring.close_yes", count=count), key=f"{_KEY}_yes", type="primary",
                on_click=_close, args=(count,),
            )  # fmt: skip
            st.button(text("page.no"), key=f"{_KEY}_no", on_click=leave)


def leave() -> None:
    """Take the question away."""
    confirming.leave(_KEY)


def _close(count: int) -> None:
    payload: dict[str, Any] = {}
    if st.session_state.get(_HOW) == "slowly":
        payload["over_seconds"] = 60 * int(st.session_state.get(_MINUTES) or _USUAL)
    leave()
    asking.ask(CommandKind.CLOSE_ALL, payload, f"× {count}")
