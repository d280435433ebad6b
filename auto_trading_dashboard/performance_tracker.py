"""Performance of one run: figures with their definitions, curve, heat maps, groups, positions."""

import streamlit as st

from auto_trading_dashboard.components import page, performance_page, run_choice
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries.performance import PERIODS

page.head("performance")
run = run_choice.choose()
if run is None:
    page.nothing("performance.no_run")
else:
    period = st.segmented_control(
        text("performance.period"), PERIODS, default=PERIODS[0], required=True,
        format_func=lambda name: text(f"performance.period_{name}"), key="performance_period",
        label_visibility="collapsed",
    )  # fmt: skip
    performance_page.sections(run, period)
