"""What was sent because of a decision: the order, its children, their fills."""

from collections.abc import Sequence

import streamlit as st

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.components.decisions_words import Words
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries.decision_story import Tale
from crypto_trader_pro.domain.enums import EmergencyTrigger
from crypto_trader_pro.explain.units import word
from database.models import OrderRow


def draw(tale: Tale, words: Words) -> None:
    """Draw orders and fills with ids, prices, fees and times."""
    st.markdown(f"**{figures.escaped(text('decisions.orders'))}**")
    if not tale.story.orders:
        st.caption(text("why.no_order"))
        return
    _orders(families(tale.story.orders), tale, words)
    if tale.story.fills:
        _fills(tale)
    else:
        st.caption(text("decisions.no_fills"))


def families(orders: Sequence[OrderRow]) -> list[OrderRow]:
    """Return each order followed by its children."""
    ids = {o.client_order_id for o in orders}
    parents = [o for o in orders if o.parent_id not in ids]
    return [
        one for parent in parents
        for one in (parent, *(o for o in orders if o.parent_id == parent.client_order_id))
    ]  # fmt: skip


def _orders(found: Sequence[OrderRow], tale: Tale, words: Words) -> None:
    quote, base = tale.story.instrument.quote, tale.story.instrument.base
    table(
        found,
        [
            Column("decisions.order", lambda o: ("└ " if _is_child(o) else "") + o.client_order_id),
            Column("decisions.role", lambda o: words.word("role", o.role)),
            Column("decisions.side", lambda o: words.word("side", o.side)),
            Column("decisions.type", lambda o: words.word("type", o.order_type)),
            Column("decisions.size", lambda o: f"{figures.exact(o.size)} {base}", right=True),
            Column("decisions.order_price", lambda o: figures.exact(o.price), right=True),
            Column("decisions.status", lambda o: words.word("status", o.status)),
            Column("decisions.filled", lambda o: f"{figures.exact(o.filled_size)} {base}",
                   right=True),
            Column("decisions.fee", lambda o: f"{figures.exact(o.fees)} {quote}", right=True),
            Column("decisions.reason", lambda o: _reason(o, words)),
            Column("decisions.updated", lambda o: figures.local(o.updated_at, zone())),
        ],
        key="decisions_orders",
    )  # fmt: skip


def _fills(tale: Tale) -> None:
    base = tale.story.instrument.base
    st.caption(
        text("decisions.fills", zone=figures.zone_name(tale.story.fills[0].filled_at, zone()))
    )
    table(
        tale.story.fills,
        [
            Column("decisions.order", lambda f: f.client_order_id),
            Column("decisions.trade", lambda f: f.trade_id),
            Column("decisions.time", lambda f: figures.local(f.filled_at, zone())),
            Column("decisions.size", lambda f: f"{figures.exact(f.size)} {base}", right=True),
            Column("decisions.price", lambda f: figures.exact(f.price), right=True),
            Column("decisions.fee", lambda f: f"{figures.exact(f.fee)} {f.fee_asset}", right=True),
            Column("decisions.maker",
                   lambda f: text("decisions.is_maker" if f.is_maker else "decisions.is_taker")),
        ],
        key="decisions_fills",
    )  # fmt: skip


def _is_child(order: OrderRow) -> bool:
    return order.parent_id is not None


def _reason(order: OrderRow, words: Words) -> str:
    if not order.reason:
        return ""
    kind = "trigger" if order.reason in set(EmergencyTrigger) else "reason"
    return word(words.language, kind, order.reason)
