"""The sections of the performance page. Each is drawn alone: what one of them needs moves no other.

Figures of a run in work follow it; charts, groups and the list stand still until the page is drawn
again, so that nothing changes under a pointer.
"""

from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard.components import (
    figures,
    page,
    performance_charts,
    performance_data,
    performance_metrics,
    performance_tables,
    performance_trades,
)
from auto_trading_dashboard.components.live import guarded, live
from auto_trading_dashboard.components.performance_charts import Look
from auto_trading_dashboard.components.performance_data import View
from auto_trading_dashboard.preferences import language, palette, text, zone
from auto_trading_dashboard.queries.performance import Period
from auto_trading_dashboard.queries.runs import Run
from crypto_trader_pro.domain.timeframes import to_datetime

REFRESH_SECONDS: Final = 5.0
_RUNNING: Final = "running"  # status of a run
_CONFIG: Final[dict[str, Any]] = {"displaylogo": False, "scrollZoom": False}
_MAPS: Final = ("by_day", "by_month")


def sections(run: Run, period: Period) -> None:
    """Draw the page of a run that was chosen."""
    draw = _live_figures if run.status == _RUNNING else _still_figures
    draw(run, period)
    reading = performance_data.view(run, period)
    view = reading.value
    if view is None:
        return
    with page.shown(reading, "performance"):
        _curve(view)
        _maps(view)
        _groups(view)
        _list(view)


def _figures(run: Run, period: Period) -> None:
    reading = performance_data.view(run, period)
    view = reading.value
    if view is None:
        with page.shown(reading, "performance_none"):
            page.nothing("performance.no_snapshots")
        return
    with page.shown(reading, "performance_figures"):
        st.caption(_about(view))
        performance_metrics.grid(view)


_live_figures = live(REFRESH_SECONDS)(_figures)
_still_figures = guarded(_figures)


def _about(view: View) -> str:
    """Say where the prices came from, which days are meant, in which zones."""
    days, end = view.window.days, to_datetime(view.window.end_ms)
    return " · ".join(
        (
            text(f"banner.{view.run.source}"),
            text(
                "performance.range", start=days[0].date.isoformat(), end=days[-1].date.isoformat(),
                zone=view.account.zone,
            ),
            text(
                "performance.until", at=figures.local(end, zone()),
                zone=figures.zone_name(end, zone()),
            ),
        )
    )  # fmt: skip


@guarded
def _curve(view: View) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(text("performance.curve"), anchor=False, help=text("performance.curve_help"))
        if view.run.status == _RUNNING:
            st.button(
                text("performance.redraw"), key="performance_redraw", icon=":material/refresh:",
                help=text("performance.redraw_help"),
            )  # fmt: skip
    if len(view.window.at_ms) < 3:
        page.nothing("performance.no_curve")
        return
    _chart(_cached(view, "equity", lambda look: performance_charts.equity(view.window, look)))


@st.fragment
@guarded
def _maps(view: View) -> None:
    st.subheader(text("performance.maps"), anchor=False, help=text("performance.maps_help"))
    kind = st.segmented_control(
        text("performance.maps"), _MAPS, default=_MAPS[0], required=True, key="performance_map",
        format_func=lambda name: text(f"performance.map_{name}"), label_visibility="collapsed",
    )  # fmt: skip
    make = performance_charts.by_month if kind == "by_month" else performance_charts.by_day
    _chart(_cached(view, str(kind), lambda look: make(view.window.days, look)))


@st.fragment
@guarded
def _groups(view: View) -> None:
    performance_tables.breakdown(view)


@st.fragment
@guarded
def _list(view: View) -> None:
    performance_trades.trades(view)


def _chart(figure: dict[str, Any]) -> None:
    st.plotly_chart(figure, theme="streamlit", config=_CONFIG)


def _cached(
    view: View, name: str, make: Callable[[Look], dict[str, Any]]
) -> dict[str, Any]:  # fmt: skip
    up, down = figures.up_down_hex(palette())
    look = Look(text, zone(), view.run.asset, up, down)
    return _made(name, view.version, str(zone()), language().value, palette(), lambda: make(look))


@st.cache_data(max_entries=48, show_spinner=False)
def _made(
    name: str, version: tuple[int | str, ...], zone_key: str, language_name: str, colours: str,
    _make: Callable[[], dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    """Return a chart that was made before from the same; everything it shows is an argument."""
    return _make()
