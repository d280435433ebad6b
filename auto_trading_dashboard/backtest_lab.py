"""Backtest lab: ask for a backtest or a study, follow it, read, compare and propose its result."""

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import (
    backtest_data,
    backtest_form,
    backtest_queue,
    backtest_results,
    figures,
    page,
)
from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries import backtests
from auto_trading_dashboard.reading import read


@guarded
def first_step() -> None:
    """Say the one next step where there is no candle at all."""
    now = services.clock().now()
    with st.container(border=True, key="lab_first"):
        st.markdown(f"**{figures.escaped(text('backtest_lab.first'))}**")
        st.caption(text("backtest_lab.first_next"))
        st.code(backtest_data.commands("BTC/USDT:USDT", "1h", now)[0], language=None)


@guarded
def ask() -> None:
    """Draw the form beside what is stored and what is in work."""
    reading = read("lab series", backtests.series)
    with page.shown(reading, "lab_series"):
        if page.is_silent(reading):
            return
        series = reading.value or ()
        if not series:
            first_step()
        left, right = st.columns([5, 4], gap="large")
        with left:
            asked = backtest_form.draw(series)
        with right:
            has_candles = backtest_data.draw(asked, series, services.clock().now())
            for fault in dict.fromkeys(asked.faults):
                st.markdown(f":red[:material/error: {figures.escaped(fault)}]")
            request = asked.request
            st.button(
                text("backtest_lab.run"), key="lab_run", type="primary",
                icon=":material/play_arrow:", disabled=request is None or not has_candles,
                on_click=backtest_queue.ask, args=(request, asked.name),
            )  # fmt: skip
            backtest_queue.queue()


page.head("backtest_lab")
ask()
backtest_results.draw()
