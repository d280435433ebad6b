"""Open positions: what they are worth, whether they are protected; closing one."""

from datetime import datetime
from decimal import Decimal

import streamlit as st

from auto_trading_dashboard.components import (
    ages,
    asking,
    figures,
    kept_rows,
    monitoring_closing,
    monitoring_work,
)
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.components.tables import Column
from auto_trading_dashboard.preferences import palette, text
from auto_trading_dashboard.queries.monitoring import Work
from crypto_trader_pro.domain.enums import CommandKind
from database.views import positions
from database.views.positions import OpenPosition, Protection


@live()
def draw() -> None:
    """Draw the positions, loudly those without protection, and the button that closes one."""
    reading = monitoring_work.with_work(
        "held", lambda s, work: positions.open_positions(s, work.number)
    )
    work, rows = (None, []) if reading.value is None else reading.value
    with monitoring_work.shown(reading, "held"):
        if reading.is_unknown:
            return
        monitoring_work.title("monitoring.positions", len(rows), _total(rows, work))
        bare = [row for row in rows if not row.protection.is_whole]
        if bare:
            st.error("  \n".join(_alarm(row) for row in bare), icon=":material/shield_question:")
        else:
            st.empty()
        if not rows or work is None:
            st.caption(text("monitoring.no_positions"))
            monitoring_closing.leave()
            st.empty()
            return
        chosen = kept_rows.kept(rows, _columns(work.now), lambda r: r.symbol, key="positions")
        with st.container(horizontal=True, vertical_alignment="center", key="monitoring_held"):
            _close(chosen)
            monitoring_closing.button(len(rows))
        monitoring_closing.question(len(rows))


def _close(chosen: OpenPosition | None) -> None:
    """One click: it reduces risk."""
    if chosen is None:
        st.caption(text("monitoring.choose_position"))
        return
    st.button(
        figures.escaped(text("monitoring.close", symbol=chosen.symbol)), key="monitoring_close",
        icon=":material/close:", on_click=asking.ask,
        args=(CommandKind.CLOSE_POSITION, {"symbol": chosen.symbol}, chosen.symbol),
    )  # fmt: skip


def _columns(now: datetime | None) -> list[Column[OpenPosition]]:
    return [
        Column("monitoring.symbol", lambda r: r.symbol, pinned=True),
        Column("monitoring.side", lambda r: text(f"monitoring.side_{r.side}")),
        Column("monitoring.profit_open", _profit, right=True, help="monitoring.profit_open_help"),
        Column(
            "monitoring.protected", lambda r: protected(r.protection),
            help="monitoring.protected_help",
        ),
        Column("monitoring.quantity", lambda r: figures.exact(r.quantity), right=True),
        Column("monitoring.entry", lambda r: figures.exact(r.entry_price), right=True),
        Column("monitoring.price", lambda r: figures.exact(r.mark_price), right=True),
        Column("monitoring.stop", lambda r: figures.exact(r.stop_price), right=True),
        Column("monitoring.target", lambda r: figures.exact(r.target_price), right=True),
        Column("monitoring.strategy", lambda r: r.strategy),
        Column(
            "monitoring.age", lambda r: age(now, r.opened_at), right=True,
            help="monitoring.age_help",
        ),
    ]  # fmt: skip


def age(now: datetime | None, since: datetime) -> str:
    """Return how long ago something was in market time."""
    return figures.MISSING if now is None else ages.since(since, max(now, since))


def protected(found: Protection) -> str:
    """Return whether a position is protected, and why not."""
    if found.is_whole:
        return text("monitoring.protected_yes")
    if found.code == "waiting":
        return text("monitoring.protected_waiting", status=text(f"status.{found.status}"))
    if found.code == "part":
        return text("monitoring.protected_part", covered=figures.exact(found.covered))
    return text("monitoring.protected_none")


def _profit(row: OpenPosition) -> str:
    if row.unrealized_pnl is None:
        return figures.MISSING
    share = figures.signed_percent(row.share)
    return f"{figures.arrow(row.unrealized_pnl)} {figures.signed(row.unrealized_pnl)} ({share})"


def _alarm(row: OpenPosition) -> str:
    said = text(
        "monitoring.unprotected", symbol=row.symbol, quantity=figures.exact(row.quantity),
        why=protected(row.protection),
    )  # fmt: skip
    return figures.escaped(said)


def _total(rows: list[OpenPosition], work: Work | None) -> str:
    known = [r.unrealized_pnl for r in rows if r.unrealized_pnl is not None]
    if not known or work is None:
        return ""
    total = sum(known, Decimal(0))
    shown = f"{figures.arrow(total)} {figures.signed(total)} {work.asset}".strip()
    return figures.coloured(shown, figures.profit_colour(total, palette()))
