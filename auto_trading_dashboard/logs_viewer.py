"""Logs: what the engine has written down, filtered, followed, and one signal's story in order."""

import streamlit as st

from auto_trading_dashboard.components import logs_filter, logs_line, logs_list, page
from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.preferences import text


@st.fragment
@guarded
def one_story() -> None:
    """Show only what was logged under the chosen id; the other choices wait."""
    logs_line.story(logs_filter.correlation(), "logs_story")


page.head("logs")
wanted = logs_filter.bar()
if logs_filter.correlation():
    st.button(
        text("logs.all_lines"), key="logs_all_lines", icon=":material/arrow_back:",
        on_click=logs_filter.ask_for, args=("",),
    )  # fmt: skip
    one_story()
else:
    logs_list.show(wanted)
if (days := logs_list.kept_days()) is not None:
    st.caption(text("logs.kept", days=days))
