"""The strategies from outside: how each stands, a new key, off and on, what may be changed."""

from typing import Final

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard import outside, services
from auto_trading_dashboard.components import (
    ages,
    confirming,
    figures,
    kept_rows,
    page,
    signals_edit,
    signals_fields,
    signals_test,
)
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.components.tables import Column
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries import signals_in
from auto_trading_dashboard.queries.signals_in import Sender
from auto_trading_dashboard.reading import Reading, read
from database import strategies
from database.webhooks import WebhookStatus

_SECONDS: Final = 3.0
_NAMED: Final = 3  # values of a list that a cell names


def senders() -> Reading[tuple[Sender, ...]]:
    """Return every strategy from outside, read now."""
    now = services.clock().now()
    return read("signals senders", lambda s: signals_in.senders(s, now))


@live(_SECONDS)
def show() -> None:
    """Draw the list, and what can be done with the selected one."""
    reading = senders()
    with page.shown(reading, "signals_strategies"):
        if page.is_silent(reading):
            return
        st.subheader(text("signals_in.strategies"), anchor=False)
        if not reading.value:
            page.nothing("signals_in.no_strategy")
            return
        chosen = kept_rows.kept(
            reading.value, _columns(), lambda s: str(s.strategy.id), key="signals_senders"
        )
        if chosen is None:
            st.caption(text("signals_in.choose_strategy"))
        else:
            _chosen(chosen)


def _columns() -> list[Column[Sender]]:
    on, off = text("signals_in.on"), text("signals_in.off")
    return [
        Column("signals_in.name", lambda s: s.strategy.name, pinned=True),
        Column(
            "signals_in.state", lambda s: on if s.strategy.is_active else off,
            chips={on: "green", off: "gray"},
        ),
        Column("signals_in.last", _last, help="signals_in.last_help"),
        Column("signals_in.day", _counts, help="signals_in.day_help"),
        Column("signals_in.symbols", lambda s: _all_or(s.strategy.symbols, "signals_in.all")),
        Column(
            "signals_in.hmac",
            lambda s: text("signals_in.hmac_on" if s.strategy.hmac_required else "signals_in.no"),
        ),
        Column("signals_in.rate", lambda s: str(s.strategy.per_minute), right=True),
        Column(
            "signals_in.capital",
            lambda s: signals_fields.shown_capital(s.capital),
            right=True,
        ),
        Column("signals_in.ips", _addresses),
        Column("signals_in.key", lambda s: f"…{s.strategy.key_hint}"),
    ]  # fmt: skip


def _last(one: Sender) -> str:
    if one.last_at is None:
        return figures.MISSING
    return text("signals_in.ago", age=ages.since(one.last_at, services.clock().now()))


def _counts(one: Sender) -> str:
    """Return what became of the day's signals: taken, repeated, refused."""
    return " / ".join(
        str(one.counts.get(status, 0))
        for status in (WebhookStatus.ACCEPTED, WebhookStatus.DUPLICATE, WebhookStatus.REFUSED)
    )


def _all_or(values: tuple[str, ...], code: str) -> str:
    if len(values) > _NAMED:
        shown = ", ".join(values[: _NAMED - 1])
        return text("signals_in.and_more", shown=shown, count=len(values) - _NAMED + 1)
    return ", ".join(values) if values else text(code)


def _addresses(one: Sender) -> str:
    """Return where signals may come from; a network of one address is that address."""
    plain = (n.removesuffix("/32").removesuffix("/128") for n in one.strategy.allowed_ips)
    return _all_or(tuple(plain), "signals_in.any")


def _chosen(one: Sender) -> None:
    strategy = one.strategy
    where = f"strategy:{strategy.id}"
    with st.container(border=True, key="signals_chosen"):
        at = figures.local(strategy.key_made_at, zone())
        told = text(
            "signals_in.key_of", hint=strategy.key_hint, at=at,
            zone=figures.zone_name(strategy.key_made_at, zone()),
        )  # fmt: skip
        lines = [f"**{figures.escaped(strategy.name)}**", f":gray[{figures.escaped(told)}]"]
        if strategy.description:
            lines.insert(1, figures.escaped(strategy.description))
        st.markdown("  \n".join(lines))
        _buttons(one, where)
        if why := outside.trouble(where):
            st.error(figures.escaped(text("signals_in.not_done", why=why)), icon=":material/error:")
        _test(one)
        signals_edit.form(one)


def _buttons(one: Sender, where: str) -> None:
    strategy = one.strategy
    number, name, is_on = strategy.id, strategy.name, strategy.is_active
    rotate, switch = f"signals_rotate_{number}", f"signals_{'off' if is_on else 'on'}_{number}"
    with st.container(horizontal=True, key="signals_buttons"):
        confirming.button(text("signals_in.rotate"), key=rotate, icon=":material/key:")
        confirming.button(
            text("signals_in.disable" if is_on else "signals_in.enable"), key=switch,
            icon=":material/block:" if is_on else ":material/play_arrow:",
        )  # fmt: skip
    confirming.question(
        text("signals_in.rotate_ask", name=name), _rotate, number, where, key=rotate
    )  # fmt: skip
    confirming.question(
        text("signals_in.disable_ask" if is_on else "signals_in.enable_ask", name=name),
        _switch, number, not is_on, where, key=switch,
    )  # fmt: skip


def _test(one: Sender) -> None:
    shown = outside.shown_key()
    if shown is not None and shown.strategy_id == one.strategy.id:
        return  # its button stands beside the key
    with st.expander(text("signals_in.test_open"), icon=":material/send:"):
        signals_test.typed(one.strategy.id)


def _rotate(strategy_id: int, where: str) -> None:
    now = services.clock().now()

    def made(session: Session) -> strategies.NewKey:
        return strategies.rotate(session, strategy_id, now)

    outside.show_key(made, where, is_new=False)  # it is drawn above, by a part with a timer


def _switch(strategy_id: int, on: bool, where: str) -> None:
    now = services.clock().now()
    outside.written(where, lambda s: strategies.set_active(s, strategy_id, on, now), str(on))
