"""The alerts, one card each: what happened, what to do, and the button that says "seen"."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import streamlit as st

from auto_trading_dashboard import frame
from auto_trading_dashboard.components import alerts_words, asking, figures, page
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.preferences import language, text, zone
from auto_trading_dashboard.reading import Reading, read
from crypto_trader_pro.domain.enums import CommandKind, NotificationType
from database.views import alerts
from database.views.alerts import SEVERITIES, Alert, Page, Place, Wanted

_COLOURS: Final = {"critical": "violet", "error": "red", "warning": "orange", "info": "blue"}
_ICONS: Final = {
    "critical": "crisis_alert", "error": "error", "warning": "warning", "info": "info",
}  # fmt: skip
_APART: Final = timedelta(seconds=60)  # of trading time and system time that is worth a word
_PLACE: Final = "alerts_place"
_LOGS: Final = "auto_trading_dashboard/logs_viewer.py"


@dataclass(slots=True)
class _Place:
    """Where one browser tab is in the alerts; `ends` of the pages that were turned."""

    wanted: Wanted
    ends: list[Place] = field(default_factory=list)


def bar() -> Wanted:
    """Draw the choices and return what they ask for."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="alerts_bar"):
        which = st.segmented_control(
            text("alerts.which"), ["open", "all"], default="open", required=True,
            key="alerts_which", format_func=lambda code: text(f"alerts.which_{code}"),
        )  # fmt: skip
        severities = st.pills(
            text("alerts.severity"), SEVERITIES, selection_mode="multi", key="alerts_severities",
            format_func=lambda code: text(f"alerts.severity_{code}"),
        )  # fmt: skip
        with st.popover(text("alerts.kinds"), icon=":material/filter_alt:"):
            kinds = st.pills(
                text("alerts.kinds"), [kind.value for kind in NotificationType],
                selection_mode="multi", key="alerts_kinds", label_visibility="collapsed",
                format_func=lambda code: text(f"notification.{code}"),
            )  # fmt: skip
    return Wanted(which == "open", tuple(severities), tuple(kinds))


def show(wanted: Wanted) -> None:
    """Draw the list, anew each 2 s."""
    place: _Place | None = st.session_state.get(_PLACE)
    if place is None or place.wanted != wanted:
        st.session_state[_PLACE] = _Place(wanted)
    _list()


@live()
def _list() -> None:
    place: _Place = st.session_state[_PLACE]
    reading = _read(place)
    found = reading.value
    with page.shown(reading, "alerts"):
        if reading.is_unknown:
            return
        if found is None or not found.alerts:
            _empty(place)
            return
        _top(place, found)
        for alert in found.alerts:
            _card(alert)


def _read(place: _Place) -> Reading[Page]:
    after, wanted = place.ends[-1] if place.ends else None, place.wanted
    return read(
        ("alerts", wanted, after), lambda session: alerts.page(session, wanted, after)
    )  # fmt: skip


def _empty(place: _Place) -> None:
    """Say why there is no alert: none ever, none open, or none that fits."""
    if place.ends:
        place.ends.clear()  # what was on this page has moved
    any_at_all = read("alerts_any", alerts.is_any)
    if any_at_all.is_unknown:
        st.caption(text("page.waiting"))
    elif not any_at_all.value:
        page.nothing("alerts.nothing")
    elif place.wanted == Wanted():
        st.success(text("alerts.all_seen"), icon=":material/done_all:")
    else:
        st.info(text("alerts.no_match"), icon=":material/search_off:")


def _top(place: _Place, found: Page) -> None:
    """Draw what is done with the page as a whole."""
    here = [alert.id for alert in found.alerts if alert.is_open and not alert.is_asked]
    with st.container(horizontal=True, vertical_alignment="center", key="alerts_top"):
        st.button(
            text("alerts.all_shown", count=len(here)), key="alerts_all", disabled=not here,
            icon=":material/done_all:", on_click=asking.ask,
            args=(CommandKind.ACKNOWLEDGE_ALERT, {"alert_ids": here}, f"× {len(here)}"),
        )  # fmt: skip
        st.button(
            text("logs.newer"), key="alerts_newer", icon=":material/chevron_left:",
            on_click=_newer, disabled=not place.ends,
        )  # fmt: skip
        st.button(
            text("logs.older"), key="alerts_older", icon=":material/chevron_right:",
            on_click=_older, args=(found.older,), disabled=found.older is None,
        )  # fmt: skip
        at = found.alerts[0].raised_at
        st.caption(text("alerts.zone", zone=figures.zone_name(at, zone())))
    head = frame.head().value
    if head is None or not head.alive:
        st.markdown(f":orange[{figures.escaped(text('alerts.no_engine'))}]")


def _newer() -> None:
    place: _Place = st.session_state[_PLACE]
    if place.ends:
        place.ends.pop()


def _older(end: Place | None) -> None:
    place: _Place = st.session_state[_PLACE]
    if end is not None and end not in place.ends:
        place.ends.append(end)


def _card(alert: Alert) -> None:
    with st.container(border=True, key=f"alert_{alert.id}", gap="xsmall"):
        st.markdown("  \n".join(_lines(alert)))
        with st.container(horizontal=True, vertical_alignment="center"):
            if alert.is_open:
                st.button(
                    text("alerts.acknowledge"), key=f"alert_seen_{alert.id}",
                    icon=":material/done:", disabled=alert.is_asked, on_click=asking.ask,
                    args=(
                        CommandKind.ACKNOWLEDGE_ALERT, {"alert_ids": [alert.id]}, f"#{alert.id}",
                    ),
                )  # fmt: skip
            key = alert.numbers.get("correlation_id")
            asked = {"correlation": str(key)} if key else {"at": alert.raised_at.isoformat()}
            st.page_link(
                _LOGS, label=text("alerts.logs_of_it" if key else "alerts.logs_then"),
                icon=":material/article:", query_params=asked,
            )  # fmt: skip


def _lines(alert: Alert) -> list[str]:
    """Return the Markdown of a card, line by line."""
    spoken, here = language(), zone()
    facts = [
        _severity(alert.severity),
        f"**{figures.escaped(_kind(alert.kind))}**",
        figures.local(alert.raised_at, here),
    ]  # fmt: skip
    if abs(alert.at - alert.raised_at) > _APART:
        facts.append(figures.escaped(text("alerts.market", at=figures.local(alert.at, here))))
    if alert.run:
        facts.append(figures.escaped(text("logs.run", run=alert.run)))
    facts.append(f"#{alert.id}")
    lines = [" · ".join(facts)]
    lines.append(
        figures.escaped(alerts_words.sentence(alert.code, alert.numbers, spoken, here.key))
    )
    if told := alerts_words.advice(alert.code, alert.kind, spoken):
        lines.append(f":gray[:material/arrow_forward: {figures.escaped(told)}]")
    if alert.escalated_at is not None:
        again = figures.local(alert.escalated_at, here)
        told = text("alerts.escalated", at=again, count=alert.escalations)
        lines.append(f":orange[:material/campaign: {figures.escaped(told)}]")
    if seen := _seen(alert):
        lines.append(f":gray[{figures.escaped(seen)}]")
    return lines


def _severity(severity: str) -> str:
    if severity not in _COLOURS:
        return figures.badge(severity, "gray")
    word = text(f"alerts.severity_{severity}")
    return figures.badge(word, _COLOURS[severity], _ICONS[severity])


def _kind(kind: str) -> str:
    return text(f"notification.{kind}") if kind in set(NotificationType) else kind


def _seen(alert: Alert) -> str:
    if alert.is_asked:
        return text("alerts.is_asked")
    if alert.acknowledged_at is None:
        return ""
    at = figures.local(alert.acknowledged_at, zone())
    return text("alerts.seen", by=alert.acknowledged_by, at=at)
