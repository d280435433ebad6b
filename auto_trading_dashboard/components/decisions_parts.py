"""Parts of a decision's story: the market, what was said, the rules, the size."""

import streamlit as st

from auto_trading_dashboard.components import charts, decisions_figures, figures
from auto_trading_dashboard.components.decisions_figures import Look
from auto_trading_dashboard.components.decisions_words import Words
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import palette, text, zone
from auto_trading_dashboard.queries.decision_story import AFTER, Tale
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.explain.rules import ToldRule
from crypto_trader_pro.explain.wording import Told
from database.models import AiSignalRow

_MILLION = 1_000_000


def market(tale: Tale) -> None:
    """Chart the candles around the decision, or say that they are not stored."""
    if not len(tale.seen):
        code = "decisions.file_candles" if tale.story.run.kind == "replay" else (
            "decisions.no_candles")  # fmt: skip
        st.info(text(code, timeframe=tale.story.run.timeframe), icon=":material/candlestick_chart:")
        return
    st.plotly_chart(
        decisions_figures.market(tale, Look(text, zone(), palette())),
        key="decisions_market", theme="streamlit", config=charts.PLAIN,
    )  # fmt: skip
    at = to_datetime(tale.story.decision.at_ms)
    code = "decisions.chart_whole" if len(tale.later) == AFTER else "decisions.chart_so_far"
    st.caption(
        text(
            code, timeframe=tale.story.run.timeframe, zone=figures.zone_name(at, zone()),
            seen=len(tale.seen), later=len(tale.later),
        )
    )  # fmt: skip


def seen(told: Told) -> None:
    """Tell the account and what the data gate said."""
    st.markdown("  \n".join(figures.escaped(sentence) for sentence in told.seen))


def signals(tale: Tale, told: Told, words: Words) -> None:
    """Tell what each strategy said, and its model's numbers."""
    found = tale.story.signals
    st.markdown(f"**{figures.escaped(text('decisions.signals'))}**")
    if not found:
        st.caption(text("decisions.no_signals"))
        return
    st.markdown("\n".join(f"- {figures.escaped(said[0])}" for said in told.signals))
    for one in found:
        if one.entry_price is not None:
            st.caption(
                text(
                    "decisions.levels", strategy=one.strategy,
                    entry=figures.exact(one.entry_price), stop=figures.exact(one.stop_loss),
                    target=figures.exact(one.take_profit),
                )
            )  # fmt: skip
        if one.model_id is not None and one.probability is not None:
            _model(one, words)


def _model(s: AiSignalRow, words: Words) -> None:
    """Show a model's probability against what it must beat."""
    edge = None if s.edge_mbp is None else s.edge_mbp / 1000
    with st.grid(2, min_column_width=110, border=True):
        st.metric(
            text("decisions.probability"),
            _percent(s.probability),
            help=text("decisions.probability_help"),
        )
        st.metric(
            text("decisions.break_even"),
            _percent(s.break_even),
            help=text("decisions.break_even_help"),
        )
        st.metric(
            text("decisions.baseline"),
            _percent(s.baseline_probability),
            help=text("decisions.baseline_help"),
        )
        st.metric(text("decisions.edge"), figures.MISSING if edge is None
                  else f"{edge:+.1f} bp".replace("-", figures.MINUS),
                  help=text("decisions.edge_help"))  # fmt: skip
    gate = words.word("model_gate", s.model_gate or "none")
    st.caption(figures.escaped(text("decisions.gate", strategy=s.strategy, gate=gate)))


def rules(told: Told) -> None:
    """List every rule with its verdict, value and limit; those that refused come first."""
    st.markdown(f"**{figures.escaped(text('decisions.rules'))}**")
    if not told.rules:
        st.caption(text("decisions.no_rules"))
        return
    names = {r.verdict: f"{'✕' if r.refused else '✓'} {r.verdict}" for r in told.rules}
    colours = {names[r.verdict]: "orange" if r.refused else "green" for r in told.rules}
    st.caption(
        text("decisions.rules_asked", rules=len(told.rules), refused=len(told.refused))
    )  # fmt: skip

    def verdict(rule: ToldRule) -> str:
        return names[rule.verdict]

    table(
        [*told.refused, *(rule for rule in told.rules if not rule.refused)],
        [
            Column("decisions.verdict", verdict, chips=colours, width=80),
            Column("decisions.rule", lambda r: r.name, width=110),
            Column("decisions.value", lambda r: r.value, width=210),
            Column("decisions.limit", lambda r: r.limit, width=150),
        ],
        key="decisions_rules", height=38 + 30 * len(told.rules) + 2,
    )  # fmt: skip


def size(told: Told) -> None:
    """Tell how large the entry was, what bound it, and who else wished one."""
    if not told.size:
        return
    st.markdown(f"**{figures.escaped(text('decisions.size_and_others'))}**")
    lines = [told.size, *(told.others or [text("decisions.no_others")])]
    st.markdown("  \n".join(figures.escaped(line) for line in lines))


def _percent(parts: int | None) -> str:
    return figures.percent(None if parts is None else parts / _MILLION, 1)
