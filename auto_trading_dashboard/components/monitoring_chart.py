"""The candle chart of the monitoring page, with the choice of what it shows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard.components import candles, figures, live_chart, monitoring_work, page
from auto_trading_dashboard.components.candles import Look
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.preferences import Palette, language, palette, text, zone
from auto_trading_dashboard.queries import market
from auto_trading_dashboard.queries.market import Candle, Series
from auto_trading_dashboard.queries.marks import Marks, marks
from auto_trading_dashboard.queries.monitoring import Work
from auto_trading_dashboard.reading import read
from utils.texts import Language, say

SHORT: Final = 300  # candles
LONG: Final = 1_000
_SEGMENTS: Final = 6  # more symbols than these are a list to choose from
_LATE_SECONDS: Final = 60  # after which a candle that came late is seen


@dataclass(frozen=True, slots=True)
class Shown:
    """What a chart shows: its candles, oldest first, and the marks on them."""

    candles: tuple[Candle, ...]
    marks: Marks


def choose(work: Work) -> tuple[Series, int]:
    """Draw the choice of symbol, timeframe and length; the address of the page holds it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        symbol = _symbol(work)
        found = read(
            ("timeframes", work.origin, symbol),
            lambda s: market.timeframes(s, work.origin, symbol, work.timeframe),
        )
        known = found.value or [work.timeframe]
        timeframe = st.segmented_control(
            text("monitoring.timeframe"), known, default=work.timeframe, required=True,
            key="timeframe", bind="query-params", label_visibility="collapsed",
        )  # fmt: skip
        is_long = st.toggle(text("monitoring.more", count=LONG), key="monitoring_more")
    return Series(work.origin, symbol, timeframe or work.timeframe, work.timeframe), (
        LONG if is_long else SHORT
    )


@live()
def draw(run: int, series: Series, count: int) -> None:
    """Draw the candles with everything on them; the zoom stays while they change."""
    name = f"chart {series} {count}"
    reading = monitoring_work.with_work(name, lambda s, _: _read(s, run, series, count))
    found = None if reading.value is None else reading.value[1]
    with monitoring_work.shown(reading, "chart"):
        if reading.is_unknown:
            return
        if found is None:
            page.nothing("monitoring.no_candles", symbol=series.symbol)
            st.empty()
            return
        version = hash((found.candles[-1], found.candles[0], len(found.candles), found.marks))
        figure = _figure(found, series, version, language(), zone().key, palette())
        live_chart.draw(figure, label=_label(series, found), key="monitoring_candles")
        st.caption(figures.escaped(_label(series, found)))


def _symbol(work: Work) -> str:
    options, label = list(work.symbols), text("monitoring.symbol")
    if len(options) > _SEGMENTS:
        chosen = st.selectbox(
            label, options, key="market", bind="query-params", label_visibility="collapsed",
            width=220,
        )  # fmt: skip
        return chosen or options[0]
    picked = st.segmented_control(
        label, options, default=options[0], required=True, key="market", bind="query-params",
        format_func=lambda s: monitoring_work.named(s, work.symbols), label_visibility="collapsed",
    )  # fmt: skip
    return picked or options[0]


def _read(session: Session, run: int, series: Series, count: int) -> Shown | None:
    newest = market.newest(session, series)
    if newest is None:
        return None
    bucket = series.bucket(newest)
    history = _history(session, series, bucket, count)
    shown = (*history, *market.since(session, series, bucket))[-count:]
    first = shown[0].opened_at
    return Shown(shown, marks(session, run, series.symbol, series.origin, first))


# what is over does not change, except by candles that come late
@st.cache_data(ttl=_LATE_SECONDS, max_entries=64, show_spinner=False)
def _history(_session: Session, series: Series, until: datetime, count: int) -> list[Candle]:
    return market.before(_session, series, until, count)


@st.cache_data(max_entries=64, show_spinner=False)
def _figure(
    _shown: Shown, series: Series, version: int, words: Language, zone_key: str, colours: Palette
) -> str:
    del version  # of what is shown; with the rest it is the key of this cache
    revision = f"{series.symbol} {series.timeframe}"
    look = Look(lambda code, **values: say(words, code, **values), zone(), colours, revision)
    return candles.figure(_shown.candles, _shown.marks, look)


def _label(series: Series, found: Shown) -> str:
    newest = found.candles[-1]
    return text(
        "monitoring.chart_label", symbol=series.symbol, timeframe=series.timeframe,
        count=len(found.candles), close=figures.exact(newest.close),
        at=figures.local(newest.opened_at, zone(), "%Y-%m-%d %H:%M"),
        zone=figures.zone_name(newest.opened_at, zone()),
    )  # fmt: skip
