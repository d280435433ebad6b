"""How decisions ended, and which rules refused over time."""

from typing import Final

import streamlit as st

from auto_trading_dashboard.components import charts, decisions_figures, figures, page
from auto_trading_dashboard.components import decisions_state as state
from auto_trading_dashboard.components.decisions_figures import Look
from auto_trading_dashboard.components.kept_rows import kept
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.components.tables import Column
from auto_trading_dashboard.preferences import palette, text, zone
from auto_trading_dashboard.queries import refusals as query
from auto_trading_dashboard.queries.refusals import Refusals, Total
from auto_trading_dashboard.queries.runs import Run
from crypto_trader_pro.domain.enums import Outcome
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.risk.rules import CODES

_SPANS: Final = {"day": 1, "week": 7, "month": 30, "all": 0}  # days; 0: everything
_SLOW_SECONDS: Final = 10.0
_CHOSEN = "decisions_rule_chosen"


@live()
def strip(run: Run) -> None:
    """Count outcomes, with the total and the span they are of."""
    reading = state.read_once(
        ("outcomes", run.number), run.number, lambda s: query.run_outcomes(s, run.number)
    )
    found = reading.value
    with page.shown(reading, "outcomes"):
        if found is None:
            st.empty()
            return
        with st.grid(6, min_column_width=110, border=True):
            for outcome in Outcome:
                st.metric(
                    text(f"decisions.outcome_{outcome}"),
                    figures.whole(found.counts.get(outcome, 0)),
                    help=text(f"outcome.{outcome}"),
                )
        first, last = to_datetime(found.first_ms), to_datetime(found.last_ms)
        st.caption(
            text(
                "decisions.counted", total=figures.whole(found.total),
                first=figures.local(first, zone(), "%Y-%m-%d %H:%M"),
                last=figures.local(last, zone(), "%Y-%m-%d %H:%M"),
                zone=figures.zone_name(last, zone()),
            )
        )  # fmt: skip


@live(_SLOW_SECONDS)
def refusals(run: Run) -> None:
    """Chart refusals by rule over time, and tell their totals; a rule clicked is a filter."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.subheader(
            text("decisions.refusals"), anchor=False, help=text("decisions.refusals_help"),
            width="content",
        )  # fmt: skip
        span = st.segmented_control(
            text("decisions.span"), list(_SPANS), default="week", key="decisions_span",
            format_func=lambda name: text(f"decisions.span_{name}"), required=True,
            label_visibility="collapsed",
        )  # fmt: skip
    days = _SPANS[span or "week"]
    reading = state.read_once(
        ("refusals", run.number, days), run.number, lambda s: query.refusals(s, run.number, days)
    )
    found = reading.value
    with page.shown(reading, "refusals"):
        if reading.is_unknown:
            return
        if found is None or not found.bars:
            page.nothing("decisions.no_refusals")
            return
        _chart(found)
        chosen = _totals(found)
    before = st.session_state.get(_CHOSEN)
    st.session_state[_CHOSEN] = None if chosen is None else chosen.rule
    if chosen is not None and chosen.rule != before:
        state.choose("outcome", "")
        state.choose("rule", chosen.rule)
        st.rerun(scope="app")


def _chart(found: Refusals) -> None:
    here = zone()
    first, last = to_datetime(found.since_ms), to_datetime(found.until_ms)
    code = "decisions.refusals_hourly" if found.is_hourly else "decisions.refusals_daily"
    st.caption(
        text(
            code, signals=figures.whole(found.signals),
            refused=figures.whole(sum(t.decisions for t in found.totals)),
            first=figures.local(first, here, "%Y-%m-%d %H:%M"),
            last=figures.local(last, here, "%Y-%m-%d %H:%M"),
            zone=figures.zone_name(last, here),
        )
    )  # fmt: skip
    look = Look(text, here, palette())
    st.plotly_chart(
        decisions_figures.refusals(found.bars, look, is_hourly=found.is_hourly),
        key="decisions_refusals", theme="streamlit", config=charts.PLAIN,
    )  # fmt: skip


def _totals(found: Refusals) -> Total | None:
    return kept(
        found.totals,
        [
            Column("decisions.rule", lambda t: text(f"rule_name.{t.rule}")
                   if t.rule in CODES else t.rule),
            Column("decisions.refused_count", lambda t: t.decisions, form="%d"),
            Column("decisions.share", lambda t: t.share, bar=True, help="decisions.share_help"),
        ],
        lambda t: t.rule, key="decisions_totals",
    )  # fmt: skip
