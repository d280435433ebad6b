"""Which run a page is about: the engine's unless a person chose one; kept from page to page."""

import streamlit as st

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries import runs
from auto_trading_dashboard.queries.runs import Run
from auto_trading_dashboard.reading import read

_CHOSEN = "chosen_run"  # its number


def choose() -> Run | None:
    """Draw the selector and return the run; None before the first.

    The page ends here while the database is silent; it is drawn anew when it answers.
    """
    reading = read("run in work", runs.in_work)
    working = reading.value
    if reading.is_unknown:
        st.caption(text("page.waiting"))  # it is not known whether there is one
        st.stop()
    if working is None:
        return None
    found = [working, *(read("runs", runs.newest).value or [])]
    chosen = st.session_state.get(_CHOSEN, 0)
    names = {run.number: run for run in found}
    numbers = list(names)
    picked = st.selectbox(
        text("run.choose"), numbers, index=numbers.index(chosen) if chosen in names else 0,
        format_func=lambda number: title(names[number]), key="run_choice",
        label_visibility="collapsed",
    )  # fmt: skip
    if picked == numbers[0]:
        st.session_state.pop(_CHOSEN, None)  # stays with the engine's when another begins
    else:
        st.session_state[_CHOSEN] = picked
    return names[picked]


def title(run: Run) -> str:
    """Return a run in one line: number, kind, source, candles, since when."""
    return text(
        "run.title", run=run.public_id, kind=text(f"run_kind.{run.kind}"),
        source=text(f"source.{run.source}"), timeframe=run.timeframe,
        at=figures.local(run.started_at, zone(), "%Y-%m-%d %H:%M"),
    )  # fmt: skip
