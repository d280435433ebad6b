"""Every configuration that was in force: who, when, what; one of them can be taken back."""

from typing import Any, Final

import streamlit as st

from auto_trading_dashboard import preferences, services
from auto_trading_dashboard.components import asking, figures, page, settings_changes
from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.components import settings_words as words
from auto_trading_dashboard.components.settings_state import Form
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries import settings as queries
from auto_trading_dashboard.queries.settings import Changed, Version
from auto_trading_dashboard.reading import read
from crypto_trader_pro.domain.enums import CommandKind

SHOWN: Final = 30  # versions
HASH: Final = 8  # digits that tell two versions apart
_NAMED: Final = 3  # changes told in the table


def draw(form: Form) -> None:
    """Draw the history and, of a selected version, what going back to it would change."""
    st.subheader(text("settings.history"), anchor=False)
    reading = read(
        ("settings_versions", form.newest), lambda s: queries.versions(s, limit=SHOWN)
    )  # fmt: skip
    rows = reading.value or ()
    with page.shown(reading, "settings_history"):
        if reading.is_unknown:
            return
        if not rows:
            page.nothing("settings.no_history")
            return
        zone = figures.zone_name(services.clock().now(), preferences.zone())
        st.caption(text("settings.history_help", zone=zone))
        # a selection is kept by its place: another version must not move under it
        key = f"settings_versions_{form.newest}"
        row = table(rows, _columns(), key=key, selectable=True)
    if row is not None:
        chosen(form, row)


def told(version: Version) -> str:
    """Return what a version changed, in one line."""
    if version.is_first:
        return text("settings.first")
    if not version.changes:
        code = "settings.switched_on" if version.is_enabled else "settings.switched_off"
        return text(code) if version.switched else text("settings.unchanged")
    said = [_changed(one) for one in version.changes[:_NAMED]]
    more = len(version.changes) - _NAMED
    return ", ".join(said) + (f" +{more}" if more > 0 else "")


def _columns() -> list[Column[Version]]:
    zone = preferences.zone()
    return [
        Column("settings.column_number", lambda v: v.number, form="%d", width="small"),
        Column("settings.column_in_force", lambda v: "●" if v.in_force else "", width="small"),
        Column("settings.column_at", lambda v: figures.local(v.at, zone)),
        Column("settings.column_by", lambda v: v.by, width="small"),
        Column("settings.column_hash", lambda v: v.config_hash[:HASH], width="small"),
        Column("settings.column_changes", told, width="large"),
    ]


def _changed(one: Changed) -> str:
    path = drafts.path_of(one.key)
    old, new = words.value(path, one.old), words.value(path, one.new)
    return f"{one.key}: {old} {words.ARROW} {new}"


def chosen(form: Form, version: Version) -> None:
    """Draw one version: what it changed, and what going back to it would change."""
    with st.container(border=True, key="settings_version"):
        title = text("settings.version", number=version.number, hash=version.config_hash[:HASH])
        st.markdown(f"**{figures.escaped(title)}**")
        if version.changes:
            lines = [f"- {figures.escaped(_changed(one))}" for one in version.changes]
            st.markdown("\n".join([text("settings.version_changed"), "", *lines]))
        if version.settings is None:
            st.warning(text("settings.unusable"), icon=":material/block:")
        elif form.before is not None:
            _back(form, version, _steps(form, version.settings))


def _steps(form: Form, wanted: Any) -> tuple[drafts.Step, ...]:
    """Return what going back changes; what a variable sets stays as it is."""
    before = form.before
    found = () if before is None else drafts.steps(before, wanted)
    return tuple(step for step in found if step.path not in form.files.outside)


def _back(form: Form, version: Version, steps: tuple[drafts.Step, ...]) -> None:
    if not steps:
        st.caption(text("settings.same"))
        return
    st.markdown(text("settings.back"))
    settings_changes.listed(steps)
    agreed = settings_changes.confirmed(steps, f"settings_back_word_{version.number}")
    st.button(
        text("settings.roll_back", number=version.number), key="settings_roll_back",
        disabled=not agreed or form.files.settings is None, on_click=asking.ask,
        args=(
            CommandKind.ROLLBACK_CONFIG,
            {"config_id": version.number, "base": form.files.base},
            f"#{version.number}",
        ),
    )  # fmt: skip
