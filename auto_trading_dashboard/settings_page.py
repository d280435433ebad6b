"""Settings: the three files as forms, what a change does, every version that was in force."""

import streamlit as st

from auto_trading_dashboard import frame, services
from auto_trading_dashboard.components import (
    channel_test,
    figures,
    page,
    settings_changes,
    settings_fields,
    settings_history,
    settings_words,
)
from auto_trading_dashboard.components import settings_state as state
from auto_trading_dashboard.components.live import PART_SECONDS, guarded, live
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries import settings
from auto_trading_dashboard.reading import read
from config.versions import fingerprint


@live(PART_SECONDS)
def watch(drawn: tuple[str, int, str]) -> None:
    """Draw the page anew when the files, the history or the answer are others than those drawn."""
    if drawn != _now():
        st.rerun(scope="app")
    st.empty()


def _now() -> tuple[str, int, str]:
    request = state.sent()
    return (
        fingerprint(services.environment().config_dir),
        read("settings_newest", settings.newest).value or 0,
        "" if request is None else request.status.value,
    )


@guarded
def editor(form: state.Form) -> None:
    left, right = st.columns([5, 3], gap="large")
    with left:
        paths, searched = settings_fields.choose()
        if searched and not paths:
            page.nothing("settings.not_found", searched=searched)
        settings_fields.draw(form, paths)
        if any(path[0] == "channels" for path in paths):
            channel_test.buttons()
    with right:
        head = frame.head().value
        settings_changes.draw(form, alive=head is not None and head.alive)


@guarded
def faults(form: state.Form) -> None:
    lines = [f"- {figures.escaped(settings_words.fault(fault))}" for fault in form.files.faults]
    st.error("\n".join([text("settings.broken"), "", *lines]), icon=":material/error:")


page.head("settings")
state.settle()
now = state.form()
watch((now.files.base, now.newest, _now()[2]))
if now.files.settings is None:
    faults(now)
else:
    editor(now)
guarded(settings_history.draw)(now)
