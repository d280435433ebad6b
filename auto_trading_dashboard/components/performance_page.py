"""The sections of the performance page. Each is drawn alone: what one of them needs moves no other.

Figures of a run in work follow it; charts, groups and the list stand still until the page is drawn
again, so that nothing changes under a pointer.
"""

from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard.components import (
    charts,
    figures,
    page,
    performance_charts,
    performance_data,
    performance_metrics,
    performance_parity,
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
_MAPS: Final = ("by_day", "by_month")


def sections(run: Run, period: Period) -> None:
    """Draw the page of a run that was chosen."""
    is_live = run.status == _RUNNING
    place = st.empty()
    if not performance_data.is_known(run):
        with place, st.spinner(text("performance.reading", run=run.public_id)):
            performance_data.view(run, period)
    (_live_first if is_live else _still_first)(run, period)
    reading = performance_data.view(run, period)
    view = reading.value
    if view is None:
        return
    with page.shown(reading, "performance_curve"):
        _curve(view)
    (_live_others if is_live else _still_others)(run, period)
    with page.shown(reading, "performance"):
        _maps(view)
        _groups(view)
        performance_parity.parity(run)
        _list(view)


def _first(run: Run, period: Period) -> None:
    reading = performance_data.view(run, period)
    view = reading.value
    with page.shown(reading, "performance_first"):
        if reading.is_unknown:
            return
        if view is None:
            page.nothing("performance.no_snapshots")
        else:
            _about(view)
            performance_metrics.first(view)


def _others(run: Run, period: Period) -> None:
    reading = performance_data.view(run, period)
    with page.shown(reading, "performance_others"):
        if reading.value is not None:
            performance_metrics.others(reading.value)


_live_first, _still_first = live(REFRESH_SECONDS)(_first), guarded(_first)
_live_others, _still_others = live(REFRESH_SECONDS)(_others), guarded(_others)


def _about(view: View) -> None:
    """Say where the prices came from, which days are meant, in which zones."""
    days, end = view.window.days, to_datetime(view.window.end_ms)
    source = figures.escaped(text(f"banner.{view.run.source}"))
    colour = "orange" if view.run.source == "demo" else "gray"
    period = text(
        "performance.range", start=days[0].date.isoformat(), end=days[-1].date.isoformat(),
        zone=view.account.zone,
    )  # fmt: skip
    until = text(
        "performance.until", at=figures.local(end, zone()), zone=figures.zone_name(end, zone())
    )
    st.caption(f":{colour}[{source}] {figures.escaped(f'{period} · {until}')}")


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
    st.plotly_chart(figure, theme="streamlit", config=charts.WITH_TOOLS)


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
