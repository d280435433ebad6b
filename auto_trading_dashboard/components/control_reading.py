"""What the control panel's parts read, each once, under one key."""

from datetime import datetime
from typing import Final

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import control_config
from auto_trading_dashboard.queries import control, requests
from auto_trading_dashboard.queries.control import Panel
from auto_trading_dashboard.queries.requests import Emergency
from auto_trading_dashboard.reading import Reading, read
from config.settings import Settings

NOTHING: Final = Panel(None, None, None, None, None)


def panel(now: datetime) -> Reading[Panel]:
    """Return how things are. A database that is not there yet says for sure: nothing has run."""
    found = read("panel", lambda s: control.panel(s, now, services.process_is_gone))
    trouble = found.trouble
    if found.value is None and trouble is not None and trouble.code == "trouble.no_database":
        return Reading(NOTHING, now)
    return found


def is_new(found: Panel | None) -> bool:
    """True before the first session: there are no figures to show, not even old ones."""
    return found is not None and found.books is None


def settings() -> Settings | None:
    """Return the configuration in force, before the first one what the files say."""
    found = read("in_force", control.in_force).value
    return control_config.on_disk() if found is None else found.settings


def has_traded() -> bool:
    """Return whether there ever was a fill; asked until there was one."""
    if not st.session_state.get("has_traded"):
        st.session_state["has_traded"] = bool(read("has_traded", control.has_traded).value)
    return bool(st.session_state["has_traded"])


def emergency() -> Reading[Emergency | None]:
    """Return the newest emergency stop, None where there was none."""
    return read("emergency", requests.emergency)
