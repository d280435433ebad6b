"""Control panel: what is wanted, what is so, whether it is safe, and what was asked."""

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import (
    control_config,
    control_first,
    control_progress,
    control_reading,
    control_safety,
    control_state,
    page,
)
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.queries import control, requests
from auto_trading_dashboard.reading import read


@live()
def states() -> None:
    """How things are, the buttons, the first steps."""
    now = services.clock().now()
    reading = control_reading.panel(now)
    with page.shown(reading, "control_state"):
        control_state.sentence(reading.value, now)
        control_state.states(reading.value, now)
    control_state.buttons(reading.value, fresh=not reading.is_stale)
    with st.container(key="control_wanted"):  # what wants a person; mostly nothing
        control_progress.emergency_now(control_reading.emergency().value, reading.value, now)
        control_state.rearm(reading.value)
        control_first.steps(reading, has_traded=control_reading.has_traded())


@live()
def account_and_safety() -> None:
    reading, found = control_reading.panel(services.clock().now()), control_reading.settings()
    if control_reading.is_new(reading.value):
        page.nothing("control.nothing")
        return
    with page.shown(reading, "control_account"):
        most = None if found is None else found.engine.max_concurrent_positions
        if not reading.is_unknown:
            control_state.account(None if reading.value is None else reading.value.books, most)
        control_safety.draw(reading.value, found, fresh=not reading.is_stale)


@live()
def progress() -> None:
    now = services.clock().now()
    asked = read("asked", lambda s: requests.newest(s, control_progress.SHOWN))
    if asked.value:
        with page.shown(asked, "control_progress"):
            stop, panel = control_reading.emergency(), control_reading.panel(now)
            if not stop.is_unknown:
                control_progress.emergency_before(stop.value, panel.value, now)
            control_progress.requests(asked.value, now)
    else:
        st.empty()


@live()
def beside() -> None:
    found = read("in_force", control.in_force)
    with st.grid(2, min_column_width=340):
        with page.shown(found, "control_in_force"):
            if not found.is_unknown:
                control_config.configuration(found.value)
        with st.container():
            control_config.preflight(services.clock().now())


page.head("control")
states()
account_and_safety()
progress()
beside()
