"""From a result to the configuration: the difference, and one command that asks for it.

The engine decides as it does for the Settings page; where a change raises risk the word is typed.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from auto_trading_dashboard import frame, services
from auto_trading_dashboard.components import asking, figures, settings_changes
from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.components import settings_words as words
from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.components.settings_draft import Files
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries.backtests import Stored
from config.catalogue import keys
from config.effects import Effect, value_at
from crypto_trader_pro.domain.enums import CommandKind


def parameters(stored: Stored) -> dict[str, Any]:
    """Return the strategies' parameters of a result as a command carries them.

    Costs are what the simulation assumed of the market, not what a person wants to be different.
    """
    given: dict[str, Any] = {
        f"strategies.{name}.{key}": value
        for name, own in stored.summary.get("params", {}).items()
        for key, value in own.items()
    }
    best = stored.summary.get("best_params") or {}
    known = {".".join(path) for path in keys()}
    return {key: value for key, value in (given | best).items() if key in known}


@guarded
def draw(stored: Stored) -> None:
    """Draw what the parameters of a result would change, and the button that asks for it."""
    files = drafts.files_now(services.environment().config_dir)
    wanted = parameters(stored)
    if files.settings is None or not wanted:
        return
    with st.expander(text("backtest_lab.propose"), icon=":material/settings:"):
        st.caption(text("backtest_lab.propose_help"))
        changes = _differing(wanted, files)
        if not changes:
            st.markdown(f":green[:material/check_circle:] {text('backtest_lab.in_force')}")
            return
        _ask(stored, changes, files)


def _differing(wanted: Mapping[str, Any], files: Files) -> dict[str, Any]:
    found = {}
    for name, given in wanted.items():
        path = drafts.path_of(name)
        if not drafts.is_same(keys()[path], given, value_at(files.settings, path)):  # type: ignore[arg-type]
            found[name] = given
    return found


def _ask(stored: Stored, changes: Mapping[str, Any], files: Files) -> None:
    checked = drafts.checked(services.environment().config_dir, changes)
    if checked.settings is None or files.settings is None:
        for fault in checked.faults:
            st.markdown(f":red[:material/error: {figures.escaped(words.fault(fault))}]")
        return
    steps = drafts.steps(files.settings, checked.settings)
    settings_changes.listed(steps)
    agreed = settings_changes.confirmed(steps, f"lab_word_{stored.number}")
    head = frame.head().value
    if head is None or not head.alive:
        st.caption(text("settings.no_engine"))
    if any(step.effect is Effect.NEW_SESSION for step in steps):
        st.caption(text("settings.flat_only"))
    st.button(
        text("settings.send", count=len(steps)), key="lab_propose", type="primary",
        disabled=not (steps and agreed), on_click=asking.ask,
        args=(
            CommandKind.APPLY_CONFIG, {"changes": dict(changes), "base": files.base},
            stored.public_id,
        ),
    )  # fmt: skip
