"""The filters of the decisions page: in a row on wide screens, behind a button on narrow ones.

Beside them the way to a time.
"""

from functools import partial
from typing import Final

import streamlit as st

from auto_trading_dashboard.components import decisions_state as state
from auto_trading_dashboard.components import figures
from auto_trading_dashboard.components.decisions_words import Words
from auto_trading_dashboard.preferences import language, text, zone
from auto_trading_dashboard.queries import decisions
from auto_trading_dashboard.queries.runs import Run
from auto_trading_dashboard.reading import read
from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from database.decision_search import Wanted

_NONE: Final = {
    "symbol": "decisions.any_symbol", "strategy": "decisions.any_strategy",
    "outcome": "decisions.but_holds", "rule": "decisions.any_rule",
}  # fmt: skip


def tools(run: Run) -> None:
    """Draw the way to a time and, while something is filtered, the way back."""
    kept = state.filters(run)
    with st.popover(text("decisions.jump"), icon=":material/schedule:"):
        _jump(run, state.wanted(kept))
    if any(kept.values()):
        st.button(
            text("decisions.clear"), key="decisions_clear_filters",
            icon=":material/filter_list_off:", on_click=state.clear,
        )  # fmt: skip


def draw(run: Run) -> dict[str, str]:
    """Draw the filters and return what they are."""
    kept = state.filters(run)
    with (
        st.container(key="decisions_wide"),
        st.grid(4, min_column_width=150, gap="small"),
    ):  # fmt: skip
        _widgets(run, kept, "wide")
    given = sum(bool(value) for value in kept.values())
    with (
        st.container(key="decisions_narrow"),
        st.popover(text("decisions.filters", count=given), icon=":material/filter_list:"),
    ):
        _widgets(run, kept, "narrow")
    return kept


def named(kept: dict[str, str]) -> str:
    """Return the filters that are set, in words."""
    return ", ".join(
        f"{text(f'decisions.{name}')} {_option(name, value)}"
        for name, value in kept.items() if value
    )  # fmt: skip


def _widgets(run: Run, kept: dict[str, str], where: str) -> None:
    for name, offered in state.options(run).items():
        key = f"decisions_{name}_{where}"
        st.session_state[key] = kept[name]
        st.selectbox(
            text(f"decisions.{name}"), offered, key=key, on_change=_changed, args=(name, key),
            format_func=partial(_option, name),
        )  # fmt: skip


def _changed(name: str, key: str) -> None:
    state.choose(name, str(st.session_state[key]))


def _option(name: str, value: str) -> str:
    if not value:
        return text(_NONE[name])
    if name == "outcome":
        words = Words(language(), zone().key)
        return text("decisions.all_outcomes") if value == state.ALL else words.outcome(value)
    return text(f"rule_name.{value}") if name == "rule" else value


def _jump(run: Run, wanted: Wanted) -> None:
    """Let a person go to a time, in the zone of the page."""
    reading = state.newest(run.number)
    here, newest = zone(), reading.value
    if newest is None:
        code = "page.waiting" if reading.is_unknown else "decisions.nothing_to_jump_to"
        st.caption(text(code))
        return
    last = to_datetime(newest)
    key = f"decisions_jump_{run.number}"
    st.session_state.setdefault(key, last.astimezone(here).replace(tzinfo=None, second=0))
    given = st.datetime_input(
        text("decisions.jump_to", zone=figures.zone_name(last, here)), key=key, step=300,
        on_change="ignore",
    )  # fmt: skip
    if not st.button(text("decisions.go"), key="decisions_go") or given is None:
        return
    at_ms = to_ms(given.replace(tzinfo=here))
    found = read(
        ("jump", run.number, at_ms), lambda s: decisions.place_at(s, run.number, at_ms)
    )  # fmt: skip
    if found.value is None and not found.is_stale:
        st.warning(text("decisions.too_early", at=figures.local(to_datetime(at_ms), here)))
    elif found.value is not None:
        state.go_to(run, wanted, found.value)
        st.rerun()
