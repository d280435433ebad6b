"""Closed positions of a period by strategy, by symbol, by hour of the day."""

from typing import Final

import streamlit as st

from auto_trading_dashboard.components import figures, page
from auto_trading_dashboard.components.performance_data import View
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries import performance_groups
from auto_trading_dashboard.queries.performance_groups import Group
from crypto_trader_pro.backtest.account_metrics import MIN_CLOSED_TRADES
from crypto_trader_pro.domain.timeframes import to_datetime

_KINDS: Final = ("strategy", "symbol", "hour")


def breakdown(view: View) -> None:
    """Let a person choose what the positions are taken together by, and draw the groups."""
    st.subheader(text("performance.by"), anchor=False)
    kind = st.segmented_control(
        text("performance.by"), _KINDS, default=_KINDS[0], required=True,
        format_func=lambda name: text(f"performance.by_{name}"), key="performance_by",
        label_visibility="collapsed",
    )  # fmt: skip
    groups = _groups(view, str(kind))
    if not groups:
        page.nothing("performance.no_trades")
        return
    table(
        groups, _columns(view, str(kind)), key=f"performance_groups_{kind}", height=_height(groups)
    )
    st.caption(text("performance.groups_note", need=MIN_CLOSED_TRADES, asset=view.run.asset))


def _groups(view: View, kind: str) -> list[Group]:
    if kind == "hour":
        return performance_groups.by_hour(view.account, view.window, zone())
    return performance_groups.by_kind(view.account, view.window, kind)


def _columns(view: View, kind: str) -> list[Column[Group]]:
    local = figures.zone_name(to_datetime(view.window.end_ms), zone())

    def name(group: Group) -> str:
        return f"{group.name}:00 {local}" if kind == "hour" else group.name

    return [
        Column(f"performance.by_{kind}", name, pinned=True),
        Column("performance.trades", lambda g: g.trades, form="localized"),
        Column("performance.net_profit", lambda g: _signed(g), right=True),
        Column("performance.win_rate", lambda g: figures.percent(g.win_rate, 1), right=True),
        Column("performance.profit_factor", lambda g: _factor(g), right=True),
        Column("performance.expectancy", lambda g: figures.signed(g.expectancy), right=True),
        Column("performance.fees", lambda g: figures.amount(g.fees), right=True),
        Column("performance.slippage", lambda g: figures.amount(g.slippage), right=True),
    ]


def _signed(group: Group) -> str:
    return f"{figures.arrow(group.net)} {figures.signed(group.net)}".strip()


def _factor(group: Group) -> str:
    factor = group.profit_factor
    return figures.MISSING if factor is None else f"{factor:,.2f}"


def _height(groups: list[Group]) -> int:
    """All 24 hours are seen at once."""
    return 38 + 30 * min(len(groups), 24)
