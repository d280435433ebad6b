"""Working orders and the newest trades; canceling an entry, following a trade to its decision."""

from datetime import datetime

import streamlit as st

from auto_trading_dashboard.components import asking, candles, figures, kept_rows, monitoring_work
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.components.monitoring_positions import age
from auto_trading_dashboard.components.tables import Column
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries import decisions
from auto_trading_dashboard.queries.monitoring import Work
from auto_trading_dashboard.reading import read
from crypto_trader_pro.domain.enums import CommandKind
from database.views import executions, orders
from database.views.executions import Execution
from database.views.orders import WorkingOrder

_DECISIONS = "auto_trading_dashboard/decisions.py"
_TRADES = 20


@live()
def working() -> None:
    """Draw the orders that have not ended, and the button that cancels an entry."""
    reading = monitoring_work.with_work(
        "working", lambda s, work: orders.working_orders(s, work.number)
    )
    work, rows = (None, []) if reading.value is None else reading.value
    with monitoring_work.shown(reading, "working"):
        if reading.is_unknown:
            return
        monitoring_work.title("monitoring.orders", len(rows))
        if not rows or work is None:
            st.caption(text("monitoring.no_orders"))
            st.empty()
            return
        chosen = kept_rows.kept(
            rows, _order_columns(work.now), lambda r: r.client_order_id, key="orders"
        )
        with st.container(horizontal=True, vertical_alignment="center", key="monitoring_orders"):
            _cancel(chosen)
            st.button(
                text("monitoring.cancel_entries"), key="monitoring_cancel_entries",
                icon=":material/playlist_remove:", help=text("monitoring.cancel_entries_help"),
                disabled=not any(row.can_be_canceled for row in rows), on_click=asking.ask,
                args=(CommandKind.CANCEL_ENTRIES,),
            )  # fmt: skip


def _cancel(chosen: WorkingOrder | None) -> None:
    if chosen is None:
        st.caption(text("monitoring.choose_order"))
    elif not chosen.can_be_canceled:  # the engine refuses it whatever is asked
        role = text(f"role.{chosen.role}")
        st.caption(figures.escaped(text("monitoring.protects", role=role, symbol=chosen.symbol)))
    else:
        st.button(
            text("monitoring.cancel", symbol=chosen.symbol, order=chosen.client_order_id),
            key="monitoring_cancel", icon=":material/cancel:", on_click=asking.ask,
            args=(
                CommandKind.CANCEL_ORDER, {"client_order_id": chosen.client_order_id},
                f"{chosen.symbol} {chosen.client_order_id}",
            ),
        )  # fmt: skip


def _order_columns(now: datetime | None) -> list[Column[WorkingOrder]]:
    return [
        Column("monitoring.symbol", lambda r: r.symbol, pinned=True),
        Column("monitoring.side", lambda r: text(f"side.{r.side}")),
        Column("monitoring.role", lambda r: text(f"role.{r.role}")),
        Column("monitoring.type", lambda r: text(f"type.{r.type}")),
        Column("monitoring.order_price", lambda r: figures.exact(r.price), right=True),
        Column("monitoring.quantity", lambda r: figures.exact(r.quantity), right=True),
        Column("monitoring.filled", lambda r: figures.exact(r.filled), right=True),
        Column("monitoring.status", lambda r: text(f"status.{r.status}")),
        Column("monitoring.strategy", lambda r: r.strategy),
        Column(
            "monitoring.age", lambda r: age(now, r.created_at), right=True,
            help="monitoring.age_help",
        ),
        Column("monitoring.order", lambda r: r.client_order_id),
    ]  # fmt: skip


@live()
def traded() -> None:
    """Draw the newest trades, and the way to the decision of the selected one."""
    reading = monitoring_work.with_work(
        "traded", lambda s, work: executions.executions(s, work.number, limit=_TRADES)
    )
    work, rows = (None, []) if reading.value is None else reading.value
    with monitoring_work.shown(reading, "traded"):
        if reading.is_unknown:
            return
        monitoring_work.title("monitoring.recent", len(rows))
        if not rows or work is None:
            st.caption(text("monitoring.no_trades"))
            st.empty()
            return
        name = figures.zone_name(rows[0].executed_at, zone())
        chosen = kept_rows.kept(rows, _trade_columns(work), lambda r: r.order_id, key="trades")
        if chosen is None:
            st.caption(text("monitoring.choose_trade", zone=name))
        else:
            _decision(work, chosen)


def _decision(work: Work, chosen: Execution) -> None:
    found = read(
        ("decision of", chosen.order_id),
        lambda s: decisions.decision_of(s, work.number, chosen.symbol, chosen.decided_at),
    )
    if found.value is None:
        st.caption(text("page.waiting" if found.is_unknown else "monitoring.no_decision"))
        return
    st.page_link(
        _DECISIONS, label=text("monitoring.decision", order=chosen.order_id, id=found.value),
        icon=":material/fact_check:", query_params={"decision": str(found.value)},
    )  # fmt: skip


def _trade_columns(work: Work) -> list[Column[Execution]]:
    own = zone()
    return [
        Column("monitoring.time", lambda r: figures.local(r.executed_at, own, "%m-%d %H:%M:%S")),
        Column("monitoring.symbol", lambda r: r.symbol, pinned=True),
        Column("monitoring.side", lambda r: text(f"side.{r.side}")),
        Column("monitoring.role", lambda r: text(f"role.{r.role}")),
        Column("monitoring.quantity", lambda r: figures.exact(r.quantity), right=True),
        Column("monitoring.trade_price", lambda r: figures.exact(r.price), right=True),
        Column("monitoring.realized", lambda r: _realized(r, work), right=True),
        Column("monitoring.fee", lambda r: figures.signed(r.fee, 4).lstrip("+"), right=True),
        Column("monitoring.strategy", lambda r: r.strategy),
        Column("monitoring.reason", _reason),
    ]


def _realized(row: Execution, work: Work) -> str:
    if row.realized_pnl is None:
        return figures.MISSING
    return (
        f"{figures.arrow(row.realized_pnl)} {figures.signed(row.realized_pnl)} {work.asset}".strip()
    )


def _reason(row: Execution) -> str:
    return candles.reason(row.reason, text) if row.reason else text(f"role.{row.role}")
