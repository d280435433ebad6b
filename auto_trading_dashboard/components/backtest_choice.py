"""Which result is open: the newest until a person chose one; kept from page to page."""

from typing import Final

import streamlit as st

_CHOSEN: Final = "lab_chosen"  # number of a result
_SEEN: Final = "lab_seen"  # the newest result and the turn when the page was drawn
ANCHOR: Final = "results"  # of the heading, for a link beside the queue
TURN: Final = "lab_turn"  # controls of an earlier turn are forgotten


def choose(number: int) -> None:
    """Open a result. For `on_click`."""
    st.session_state[_CHOSEN] = number
    st.session_state[TURN] = turn() + 1


def chosen() -> int | None:
    found: int | None = st.session_state.get(_CHOSEN)
    return found


def keep(number: int, newest: int) -> None:
    """Remember what a person looks at; who looks at the newest goes on with the next one."""
    st.session_state[_CHOSEN] = None if number == newest else number


def turn() -> int:
    return int(st.session_state.get(TURN, 0))


def drawn(newest: int) -> None:
    """Note the newest result that the page shows."""
    st.session_state[_SEEN] = (newest, turn())


def follow(newest: int) -> None:
    """Draw the page anew when a result has come, or was opened, that it does not show.

    For the part that redraws itself: a click in it draws nothing else.
    """
    now = (newest, turn())
    if now != st.session_state.get(_SEEN, now):
        drawn(newest)  # the queue is drawn before the results: once is enough
        st.rerun(scope="app")
