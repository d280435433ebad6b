"""Stored studies of what trading costs: how much more of it is borne, and how much capital is."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard.components import backtest_charts, charts, figures
from auto_trading_dashboard.components.backtest_words import plain_value
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import palette, text, zone

Json = Mapping[str, Any]

_WIDTH: Final = 220  # of a figure, pixels at least


def costs(told: Json, drawn: Json) -> None:
    """Draw the return by multiples of fees and slippage, and where nothing is left of it."""
    rows = drawn.get("rows") or []
    found = told["break_even"]
    as_is = next(r for r in rows if (r["fees"], r["slippage"]) == ("1", "1"))
    free = next((r for r in rows if (r["fees"], r["slippage"]) == ("0", "0")), as_is)
    borne = figures.MISSING if found is None else text("backtest.unit.times", value=f"{found:.2f}")
    below = "" if found is not None else _no_crossing(as_is["return"], told["tested_to"])
    with st.grid(3, min_column_width=_WIDTH, border=True, key="lab_costs"):
        st.metric(text("backtest_lab.costs_as_is"), _return(as_is))
        st.metric(text("backtest_lab.costs_free"), _return(free))
        st.metric(
            text("backtest_lab.costs_borne"), borne, delta=below or None, delta_color="off",
            delta_arrow="off", help=text("backtest_lab.costs_borne_help"),
        )  # fmt: skip
    st.subheader(text("backtest_lab.costs_map"), anchor=False,
                 help=text("backtest_lab.costs_map_help"))  # fmt: skip
    cells = {(r["fees"], r["slippage"]): r["return"] * 100 for r in rows}
    names = [text("backtest_lab.costs_fees"), text("backtest_lab.costs_slippage")]
    look = backtest_charts.Look(text, zone(), *figures.up_down_hex(palette()))
    figure = backtest_charts.grid(cells, names, look)
    st.plotly_chart(figure, theme="streamlit", config=charts.PLAIN, key="lab_grid")
    table(rows, _COSTS, key="lab_rows")


def capacity(told: Json, drawn: Json) -> None:
    """Draw how the profit of a trade shrinks as the capital grows."""
    if Decimal(told["expectancy"]) <= 0:
        st.warning(text("backtest_lab.capacity_no_edge"), icon=":material/warning:")
    with st.grid(3, min_column_width=_WIDTH, border=True, key="lab_capacity"):
        for code in ("break_even", "best", "half_capped"):
            st.metric(
                text(f"backtest_lab.capacity_{code}"), _capital(told[f"{code}_capital"]),
                help=text(f"backtest_lab.capacity_{code}_help"),
            )  # fmt: skip
    st.caption(figures.escaped(text(
        "backtest_lab.capacity_told", trades=figures.whole(told["trades"]),
        impact=told["impact_pct"], share=told["volume_share_pct"],
        capital=figures.exact(Decimal(told["capital"])),
    )))  # fmt: skip
    table(drawn.get("rows") or [], _CAPACITY, key="lab_rows")


def _no_crossing(change: float, tested: str) -> str:
    """Say why there is no multiple at which the profit is gone."""
    code = "costs_never" if change > 0 else "costs_lost"
    return text(f"backtest_lab.{code}", times=tested)


def _return(row: Json) -> str:
    sign = Decimal(str(row["return"]))
    marked = f"{figures.arrow(sign)} {plain_value(row['return'], 'fraction', 'return')}".strip()
    return figures.coloured(marked, figures.profit_colour(sign, palette()))


def _capital(value: str | None) -> str:
    return figures.MISSING if value is None else figures.exact(Decimal(value))


_COSTS: list[Column[Json]] = [
    Column("backtest_lab.costs_fees", lambda r: r["fees"], right=True),
    Column("backtest_lab.costs_slippage", lambda r: r["slippage"], right=True),
    Column("backtest.metric.return", lambda r: plain_value(r["return"], "fraction", "return"),
           right=True),
    Column("backtest.metric.sharpe", lambda r: plain_value(r["sharpe"], "ratio"), right=True),
    Column("backtest_lab.costs_paid", lambda r: figures.amount(Decimal(r["paid_fees"])),
           right=True),
    Column("backtest_lab.column_fills", lambda r: r["fills"], form="%d"),
]  # fmt: skip
_CAPACITY: list[Column[Json]] = [
    Column("backtest_lab.capacity_capital", lambda r: _capital(r["capital"]), right=True),
    Column("backtest_lab.capacity_profit",
           lambda r: figures.signed(Decimal(r["profit_per_trade"])), right=True),
]  # fmt: skip
