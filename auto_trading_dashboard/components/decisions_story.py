"""The whole story of one decision, for a reader in a hurry: what was done, then why."""

import streamlit as st

from auto_trading_dashboard.components import (
    decisions_again,
    decisions_orders,
    decisions_parts,
    figures,
    page,
)
from auto_trading_dashboard.components import decisions_state as state
from auto_trading_dashboard.components.decisions_words import Words
from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.preferences import language, text, zone
from auto_trading_dashboard.queries import decision_story
from auto_trading_dashboard.queries.decision_story import Tale
from auto_trading_dashboard.reading import read
from crypto_trader_pro.explain.wording import told


@guarded
def draw(given: str) -> None:
    """Draw the story of the decision that the address names."""
    if not (given.isascii() and given.isdecimal()):
        _unknown(text("decisions.no_number", given=given))
        return
    number = int(given)
    reading = read(("story", number), lambda s: decision_story.tale(s, number))
    if reading.value is None and not reading.is_stale:
        _unknown(text("decisions.unknown", given=given))
        return
    with st.container(border=True, key="decisions_story"), page.shown(reading, "story"):
        if reading.value is not None:
            _story(reading.value)


def _unknown(sentence: str) -> None:
    st.warning(figures.escaped(sentence), icon=":material/search_off:")
    st.button(text("decisions.close"), key="decisions_close", on_click=state.close_decision)


def _story(tale: Tale) -> None:
    words = Words(language(), zone().key)
    parts = told(tale.story, language(), zone().key)
    _head(tale, words.headline(tale.story, parts), parts.head)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        decisions_parts.market(tale)
        decisions_parts.rules(parts)
    with right:
        decisions_parts.seen(parts)
        decisions_parts.signals(tale, parts, words)
        decisions_parts.size(parts)
        decisions_again.again(tale.story.decision.id or 0, has_model=tale.model_id is not None)
    decisions_orders.draw(tale, words)


def _head(tale: Tale, headline: str, which: str) -> None:
    colour = {"ordered": "blue", "refused": "orange", "closed": "violet", "dark": "red"}
    outcome = tale.story.decision.outcome
    with st.container(horizontal=True, vertical_alignment="top"):
        with st.container(width="stretch", gap="xsmall"):
            words = Words(language(), zone().key)
            badge = figures.badge(words.outcome(outcome), colour.get(outcome, "gray"))
            st.markdown(f"#### {badge} {figures.escaped(headline)}")
            st.caption(figures.escaped(which))
        st.button(
            text("decisions.close"), key="decisions_close", icon=":material/close:",
            on_click=state.close_decision,
        )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.page_link(
            "auto_trading_dashboard/logs_viewer.py", label=text("decisions.to_logs"),
            icon=":material/article:", query_params={"correlation": tale.correlation},
            help=tale.correlation,
        )  # fmt: skip
        if tale.model_id is not None:
            st.page_link(
                "auto_trading_dashboard/models_view.py", icon=":material/neurology:",
                label=text("decisions.to_model", model=tale.model_id[:12]),
                query_params={"model": tale.model_id}, help=tale.model_id,
            )  # fmt: skip
        hashed = tale.story.decision.window_hash.hex()
        st.caption(text("decisions.window_hash", hash=hashed), help=text("decisions.hash_help"))
