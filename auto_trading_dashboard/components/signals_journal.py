"""The journal of signals from outside: what came, what became of it, repeating one."""

from dataclasses import dataclass, field
from typing import Final

import streamlit as st

from auto_trading_dashboard import outside, services
from auto_trading_dashboard.components import (
    confirming,
    figures,
    kept_rows,
    page,
    signals_strategies,
    signals_words,
)
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.components.tables import Column
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries import signals_in
from auto_trading_dashboard.queries.signals_in import Entry, Page
from auto_trading_dashboard.reading import Reading, read
from database import webhooks
from database.webhooks import Filter, WebhookStatus

_PLACE: Final = "signals_place"
_DECISIONS: Final = "auto_trading_dashboard/decisions.py"
_BODY: Final = 8192  # characters of a body that are shown: as many as are taken


@dataclass(slots=True)
class _Place:
    """Where one browser tab is in the journal; `ends` of the pages that were turned."""

    wanted: Filter
    ends: list[int] = field(default_factory=list)


def show() -> None:
    """Draw the choices, and the list anew each 2 s."""
    st.subheader(text("signals_in.journal"), anchor=False)
    wanted = _bar()
    place: _Place | None = st.session_state.get(_PLACE)
    if place is None or place.wanted != wanted:
        st.session_state[_PLACE] = _Place(wanted)
    _list()


def _bar() -> Filter:
    names = {s.strategy.id: s.strategy.name for s in signals_strategies.senders().value or ()}
    with st.container(horizontal=True, vertical_alignment="bottom", key="signals_bar"):
        chosen = st.selectbox(
            text("signals_in.strategy"), [None, *names], key="signals_strategy", width=220,
            format_func=lambda n: text("signals_in.all_strategies") if n is None else names[n],
        )  # fmt: skip
        status = st.pills(
            text("signals_in.status"), list(WebhookStatus), key="signals_status",
            format_func=lambda s: text(f"signals_in.status_{s.value}"),
        )  # fmt: skip
    return Filter(chosen, status)


@live()
def _list() -> None:
    place: _Place = st.session_state[_PLACE]
    reading = _read(place)
    found = reading.value
    with page.shown(reading, "signals_journal"):
        if reading.is_unknown:
            return
        if found is None or not found.entries:
            _empty(place)
            return
        _turning(place, found)
        chosen = kept_rows.kept(
            found.entries, _columns(), lambda e: str(e.id), key="signals_entries"
        )
        if chosen is None:
            st.caption(text("signals_in.choose_entry"))
        else:
            _detail(chosen)


def _read(place: _Place) -> Reading[Page]:
    before, wanted = place.ends[-1] if place.ends else None, place.wanted
    return read(
        ("signals", wanted, before), lambda session: signals_in.page(session, wanted, before)
    )


def _empty(place: _Place) -> None:
    """Say why there is nothing: no signal ever, or none that fits."""
    place.ends.clear()
    any_at_all = read("signals_any", signals_in.is_any)
    if any_at_all.is_unknown:
        st.caption(text("page.waiting"))
    elif not any_at_all.value:
        page.nothing("signals_in.nothing")
    else:
        st.info(text("signals_in.no_match"), icon=":material/search_off:")


def _turning(place: _Place, found: Page) -> None:
    newest = found.entries[0].received_at
    with st.container(horizontal=True, vertical_alignment="center", key="signals_turning"):
        st.button(
            text("logs.newer"), key="signals_newer", icon=":material/chevron_left:",
            on_click=_newer, disabled=not place.ends,
        )  # fmt: skip
        st.button(
            text("logs.older"), key="signals_older", icon=":material/chevron_right:",
            on_click=_older, args=(found.older,), disabled=found.older is None,
        )  # fmt: skip
        zone_name = figures.zone_name(newest, zone())
        st.caption(text("signals_in.zone", zone=zone_name, count=len(found.entries)))


def _newer() -> None:
    place: _Place = st.session_state[_PLACE]
    if place.ends:
        place.ends.pop()


def _older(end: int | None) -> None:
    place: _Place = st.session_state[_PLACE]
    if end is not None and end not in place.ends:
        place.ends.append(end)


def _columns() -> list[Column[Entry]]:
    own = zone()
    chips = {text(f"signals_in.status_{s.value}"): c for s, c in signals_words.STATUSES.items()}
    return [
        Column("signals_in.received", lambda e: figures.local(e.received_at, own, "%m-%d %H:%M:%S"),
               pinned=True),
        Column("signals_in.status", signals_words.status, chips=chips),
        Column("signals_in.strategy", lambda e: e.strategy),
        Column("signals_in.action", signals_words.action),
        Column("signals_in.engine", lambda e: e.reason or signals_words.engine(e), width="large"),
        Column("signals_in.form", signals_words.form),
        Column("signals_in.remote", lambda e: e.remote),
        Column("signals_in.number", lambda e: f"#{e.id}", right=True),
        Column("signals_in.replay_of", lambda e: f"#{e.replay_of}" if e.replay_of else ""),
    ]  # fmt: skip


def _detail(entry: Entry) -> None:
    where, replay = f"entry:{entry.id}", f"signals_replay_{entry.id}"
    with st.container(border=True, key="signals_entry"):
        st.markdown("  \n".join(_lines(entry)))
        cut = entry.body[:_BODY]
        is_json = entry.form in ("json", "tradingview")
        st.code(cut or " ", language="json" if is_json else None, wrap_lines=True)
        if len(cut) < len(entry.body):
            st.caption(text("signals_in.cut", count=figures.whole(len(entry.body))))
        with st.container(horizontal=True, vertical_alignment="center"):
            _decision(entry)
            confirming.button(
                text("signals_in.replay"), key=replay, icon=":material/replay:",
                disabled=not entry.can_replay,
            )  # fmt: skip
        confirming.question(
            text("signals_in.replay_ask", entry=entry.id), _replay, entry.id, where, key=replay
        )  # fmt: skip
        if why := outside.trouble(where):
            st.error(figures.escaped(text("signals_in.not_done", why=why)), icon=":material/error:")


def _lines(entry: Entry) -> list[str]:
    at = figures.local(entry.received_at, zone())
    head = [
        f"**#{entry.id}**", figures.escaped(entry.strategy), figures.escaped(at),
        figures.escaped(text("signals_in.from", remote=entry.remote)),
    ]  # fmt: skip
    if entry.replay_of:
        told = text("signals_in.replayed", entry=entry.replay_of, by=entry.replayed_by)
        head.append(figures.escaped(told))
    lines = [" · ".join(head)]
    if entry.reason:
        lines.append(f":orange[{figures.escaped(entry.reason)}]")
    lines.append(f"{figures.escaped(text('signals_in.engine'))}: {signals_words.became(entry)}")
    if entry.alert_id:
        lines.append(f":gray[{figures.escaped(text('signals_in.alert', id=entry.alert_id))}]")
    return lines


def _decision(entry: Entry) -> None:
    if entry.decided_at is None:
        return
    found = read(("signals decision", entry.id), lambda s: signals_in.decision(s, entry)).value
    if found is not None:
        st.page_link(
            _DECISIONS, label=text("signals_in.decision", id=found),
            icon=":material/fact_check:", query_params={"decision": str(found)},
        )  # fmt: skip


def _replay(number: int, where: str) -> None:
    now = services.clock().now()
    outside.written(where, lambda s: webhooks.replay(s, number, outside.BY, now))
