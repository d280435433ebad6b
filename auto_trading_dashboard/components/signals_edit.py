"""Changing a strategy from outside; what lets it do more is confirmed by typing its name."""

from decimal import Decimal

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard import outside, services
from auto_trading_dashboard.components import confirming, figures, signals_fields
from auto_trading_dashboard.components.signals_fields import Before, Given
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries.signals_in import Sender
from crypto_trader_pro.domain.errors import InputError
from database import strategies
from database.views.strategies import OutsideStrategy


def form(one: Sender) -> None:
    """Draw the form of a strategy, and the confirmation that its last change needs."""
    strategy = one.strategy
    # a stored change makes another form: its fields show what is stored
    key = f"signals_edit_{strategy.id}_{strategy.name}_{hash((strategy, one.capital))}"
    where = f"edit:{strategy.id}"
    with st.expander(text("signals_in.edit"), icon=":material/edit:", key=f"{key}_open"):
        with st.form(key, border=False):
            signals_fields.draw(key, _before(one))
            st.form_submit_button(
                text("signals_in.save"), key=f"{key}_save", icon=":material/check:",
                on_click=_save, args=(one, key, where),
            )  # fmt: skip
        if why := outside.trouble(where):
            st.error(figures.escaped(text("signals_in.not_done", why=why)), icon=":material/error:")
        waiting: Given | None = st.session_state.get(f"{key}_waiting")
        if waiting is not None:
            more = " ".join(loosened(one, waiting))
            confirming.typed(
                text("signals_in.raise_ask", what=more, name=strategy.name), strategy.name,
                _store, strategy.id, waiting, key, where, key=f"{key}_raise",
                label=text("signals_in.raise"),
            )  # fmt: skip


def loosened(one: Sender, given: Given) -> list[str]:
    """Return sentences about what lets the strategy do more than now."""
    strategy, changes = one.strategy, given.changes
    found = []
    if _is_more(one.capital, given.capital):
        old, new = (signals_fields.shown_capital(v) for v in (one.capital, given.capital))
        found.append(text("signals_in.more_capital", old=old, new=new))
    if _is_wider(strategy.symbols, tuple(changes.symbols or ())):
        found.append(text("signals_in.more_symbols"))
    if _is_wider(strategy.allowed_ips, tuple(changes.allowed_ips or ())):
        found.append(text("signals_in.more_ips"))
    if strategy.hmac_required and not changes.hmac_required:
        found.append(text("signals_in.less_hmac"))
    return found


def _is_more(old: Decimal | None, new: Decimal | None) -> bool:
    return old is not None and (new is None or new > old)


def _is_wider(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """True when something is allowed that was not; an empty list allows everything."""
    return bool(old) and (not new or not set(new) <= set(old))


def _before(one: Sender) -> Before:
    s: OutsideStrategy = one.strategy
    return Before(
        s.description, s.symbols, s.allowed_ips, s.per_minute, s.hmac_required, one.capital
    )  # fmt: skip


def _save(one: Sender, key: str, where: str) -> None:
    st.session_state.pop(f"{key}_waiting", None)
    try:
        given = signals_fields.given(key)
    except InputError as e:
        outside.refuse(where, str(e))
        return
    if loosened(one, given):
        st.session_state[f"{key}_waiting"] = given
        return
    _store(one.strategy.id, given, key, where)


def _store(strategy_id: int, given: Given, key: str, where: str) -> None:
    now = services.clock().now()

    def write(session: Session) -> None:
        strategies.edit(session, strategy_id, given.changes, now)
        strategies.set_capital(session, strategy_id, given.capital, outside.BY, now)

    st.session_state.pop(f"{key}_waiting", None)
    outside.written(where, write, str(hash(str(given))))
