"""The four figures at the top of the monitoring page, each with its definition and its sample."""

from typing import Any

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard import services
from auto_trading_dashboard.components import ages, figures, monitoring_work
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.preferences import palette, text, zone
from auto_trading_dashboard.queries import monitoring
from auto_trading_dashboard.queries.monitoring import Signals, Today, Work

_TIME = "%m-%d %H:%M"


@live()
def draw(run: int) -> None:
    """Draw the figures; draw the page anew when another run than `run` is in work."""
    reading = monitoring_work.with_work("figures", _read)
    work, found = (None, None) if reading.value is None else reading.value
    if work is not None and work.number != run:
        st.rerun()
    now = services.clock().now()
    st.markdown("" if work is None else monitoring_work.memory(work, now))
    with monitoring_work.shown(reading, "figures"), st.grid(4, min_column_width=150, border=True):
        _signals(None if found is None else found[0])
        _trades(None if found is None else found[1], work)
        _profit(None if found is None else found[1], work)
        _uptime(work)


def _read(session: Session, work: Work) -> tuple[Signals, Today]:
    return monitoring.signals(session, work.number), monitoring.today(session, work)


def _metric(name: str, value: str, delta: str, colour: Any = "off", **values: Any) -> None:
    st.metric(
        text(f"monitoring.{name}"), value, delta or None, delta_color=colour, delta_arrow="off",
        help=text(f"monitoring.{name}_help", **values),
    )  # fmt: skip


def _signals(found: Signals | None) -> None:
    if found is None or found.at is None:
        _metric("signals", figures.MISSING, text("monitoring.no_candle_yet"), at="–", spoken=0)
        return
    at = f"{figures.local(found.at, zone(), _TIME)} {figures.zone_name(found.at, zone())}"
    delta = text("monitoring.signals_sides", buys=found.buys, sells=found.sells)
    _metric("signals", str(found.buys + found.sells), delta, at=at, spoken=found.spoken)


def _trades(found: Today | None, work: Work | None) -> None:
    day, where = _day(found), "–" if work is None else work.day_zone
    closed = None if found is None or found.day is None else found.closed
    if closed is None:
        _metric("trades", figures.MISSING, "", day=day, zone=where)
        return
    delta = text("monitoring.trades_won", wins=closed.wins, losses=closed.losses)
    _metric("trades", str(closed.trades), delta, day=day, zone=where)


def _profit(found: Today | None, work: Work | None) -> None:
    day, where = _day(found), "–" if work is None else work.day_zone
    profit = None if found is None else found.profit
    if found is None or work is None or profit is None:
        _metric("profit", figures.MISSING, "", day=day, zone=where)
        return
    delta = f"{figures.arrow(profit)} {figures.signed_percent(found.share)}".strip()
    colour = figures.profit_colour(profit, palette())
    _metric("profit", f"{figures.signed(profit)} {work.asset}", delta, colour, day=day, zone=where)


def _uptime(work: Work | None) -> None:
    if work is None or work.started_at is None:
        _metric("uptime", figures.MISSING, text("monitoring.not_running"))
        return
    at, name = work.started_at, figures.zone_name(work.started_at, zone())
    since = text("monitoring.since", at=f"{figures.local(at, zone(), _TIME)} {name}")
    _metric("uptime", ages.since(at, services.clock().now()), since)


def _day(found: Today | None) -> str:
    return figures.MISSING if found is None or found.day is None else found.day.name
