"""Decisions: why it traded, and why it did not."""

import streamlit as st

from auto_trading_dashboard.components import (
    decisions_counts,
    decisions_filters,
    decisions_list,
    decisions_story,
    page,
    run_choice,
)
from auto_trading_dashboard.components import decisions_state as state

page.head("decisions")
with st.container(horizontal=True, vertical_alignment="center"):
    with st.container(width="stretch"):
        run = run_choice.choose()
    if run is not None:
        decisions_filters.tools(run)
if run is None:
    page.nothing("decisions.no_run")
else:
    decisions_counts.strip(run)
    decisions_list.draw(run, decisions_filters.draw(run))
if opened := state.opened():
    decisions_story.draw(opened)
if run is not None:
    decisions_counts.refusals(run)
