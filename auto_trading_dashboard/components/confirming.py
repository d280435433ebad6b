"""Buttons that ask once more before they do something, in place: no window is laid over the page.

What raises risk is confirmed by typing a word; what takes something away by a second click.
"""

from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.preferences import text

_OPEN: Final = "confirming"  # keys of the buttons that are asking


def button(label: str, *, key: str, icon: str = "", disabled: bool = False) -> None:
    """Draw a button whose click lets `question` be drawn, below the row that it stands in."""
    st.button(
        label, key=key, icon=icon or None, disabled=disabled or is_asking(key),
        on_click=ask, args=(key,),
    )  # fmt: skip


def question(words: str, act: Callable[..., Any], *args: Any, key: str) -> None:
    """Draw what the button `key` asks, once it was clicked; the answer "yes" calls `act`."""
    if not is_asking(key):
        st.empty()
        return
    with st.container(border=True, key=f"{key}_asking", gap="xsmall"):
        st.markdown(figures.escaped(words))
        with st.container(horizontal=True):
            st.button(
                text("page.yes"), key=f"{key}_yes", type="primary", on_click=_yes,
                args=(key, act, args),
            )  # fmt: skip
            st.button(text("page.no"), key=f"{key}_no", on_click=leave, args=(key,))


def typed(
    question: str, word: str, act: Callable[..., Any], *args: Any, key: str, label: str
) -> None:
    """Draw the form in which a person types `word`; only then `act` is called."""
    with st.form(f"{key}_form", border=True, clear_on_submit=True):
        st.markdown(figures.escaped(question))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                label, key=f"{key}_word", placeholder=word, label_visibility="collapsed",
                width=200, autocomplete="off",
            )  # fmt: skip
            st.form_submit_button(
                label, key=f"{key}_typed", type="primary", on_click=_typed,
                args=(key, word, act, args),
            )  # fmt: skip
        if (given := st.session_state.get(f"{key}_wrong")) is not None:
            told = text("refused.confirm", given=given, word=word)
            st.markdown(f":red[{figures.escaped(told)}]")


def ask(key: str) -> None:
    """Let the question of a button be drawn."""
    _asking().add(key)


def is_asking(key: str) -> bool:
    return key in _asking()


def leave(key: str) -> None:
    """Take the question away again."""
    _asking().discard(key)
    st.session_state.pop(f"{key}_wrong", None)


def _asking() -> set[str]:
    found: set[str] = st.session_state.setdefault(_OPEN, set())
    return found


def _yes(key: str, act: Callable[..., Any], args: tuple[Any, ...]) -> None:
    leave(key)
    act(*args)


def _typed(key: str, word: str, act: Callable[..., Any], args: tuple[Any, ...]) -> None:
    given = str(st.session_state.get(f"{key}_word", "")).strip()
    if given != word:
        st.session_state[f"{key}_wrong"] = given[:32]
        return
    leave(key)
    act(*args)
