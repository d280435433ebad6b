"""The first steps on an empty system, and the click that starts a missing engine."""

import sys
from pathlib import Path
from typing import Final

import streamlit as st

from auto_trading_dashboard import own_commands, services
from auto_trading_dashboard.components import ages, figures
from auto_trading_dashboard.own_commands import Done, Failed, Running
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries.control import Panel
from auto_trading_dashboard.reading import Reading
from crypto_trader_pro.domain.enums import DesiredState

START: Final = "engine start"
_TIMEOUT: Final = 90.0  # the start itself waits up to 30 s for a heartbeat, and for its turn


def steps(reading: Reading[Panel], *, has_traded: bool) -> None:
    """Draw the way to the first fill with what is reached; gone after it."""
    panel = reading.value
    if panel is None or reading.is_stale:  # what is reached is not known
        return
    if has_traded:
        _missing(panel)
        return
    alive = panel.alive
    wanted = panel.engine is not None and panel.engine.desired is DesiredState.RUNNING
    done = (alive, alive and wanted, False)
    next_one = done.index(False)
    with st.container(border=True, key="control_first"):
        st.markdown(f"**{figures.escaped(text('control.first'))}**")
        st.markdown("  \n".join(_line(n, done[n], is_next=n == next_one) for n in range(3)))
        if next_one == 0:
            _start_engine()
        else:
            st.caption(text(f"control.first_next_{next_one + 1}"))


def _missing(panel: Panel) -> None:
    """Offer to start an engine that is not there; nothing while one lives."""
    if panel.alive:
        return
    with st.container(border=True, key="control_missing"):
        st.markdown(f"**{figures.escaped(text('control.missing'))}**")
        goes_on = panel.engine is not None and panel.engine.desired is DesiredState.RUNNING
        st.caption(text("control.missing_goes_on" if goes_on else "control.missing_stays"))
        _start_engine()


def _start_engine() -> None:
    found = own_commands.result(START)
    runs = isinstance(found, Running)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            text("control.start_engine"), key="control_start_engine",
            icon=":material/power_settings_new:", disabled=runs, on_click=start_engine,
        )  # fmt: skip
        st.caption(text("control.start_engine_or"))
    st.code(f"{interpreter()} -m crypto_trader_pro engine start", language=None)
    if runs:
        st.caption(text("control.start_engine_runs"))
    elif isinstance(found, Failed):
        age = ages.since(found.at, services.clock().now())
        words = text("control.start_engine_failed", age=age, why=found.line)
        st.markdown(f":red[:material/error: {figures.escaped(words)}]")
    elif isinstance(found, Done):  # it came up, and is gone again
        age = ages.since(found.at, services.clock().now())
        words = text("control.start_engine_was", age=age, said=" ".join(found.json))
        st.caption(figures.escaped(words))
    else:
        st.empty()


def start_engine() -> None:
    """Start the engine beside the console: detached, one at a time, and only if none runs."""
    own_commands.run_soon(START, ["engine", "start"], _TIMEOUT, prints_json=False)


def interpreter() -> str:
    """Return our interpreter as it can be typed where the console was started."""
    path, here = Path(sys.executable), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _line(number: int, done: bool, *, is_next: bool) -> str:
    words = figures.escaped(text(f"control.first_{number + 1}"))
    if done:
        return f":green[:material/check_circle:] {words}"
    if is_next:
        return f":blue[:material/arrow_forward:] **{words}**"
    return f":gray[:material/radio_button_unchecked: {words}]"
