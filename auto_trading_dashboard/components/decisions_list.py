"""The list of decisions: one line each, the newest page alive, older ones standing still."""

from collections.abc import Sequence

import streamlit as st

from auto_trading_dashboard.components import decisions_filters, figures, page
from auto_trading_dashboard.components import decisions_state as state
from auto_trading_dashboard.components.decisions_words import Words
from auto_trading_dashboard.components.kept_rows import kept
from auto_trading_dashboard.components.live import guarded, live
from auto_trading_dashboard.components.tables import Column
from auto_trading_dashboard.preferences import language, text, zone
from auto_trading_dashboard.queries import decisions
from auto_trading_dashboard.queries.decisions import Decision, Page, Place
from auto_trading_dashboard.queries.runs import Run
from auto_trading_dashboard.reading import Reading
from database.decision_search import Wanted

_TALL, _SHORT = 460, 250  # pixels; short while a decision is open below
_WHY = 330  # pixels
_SELECTED = "decisions_selected"


def draw(run: Run, filters: dict[str, str]) -> None:
    """Draw the list, its pages and the way to a time."""
    wanted = state.wanted(filters)
    if _is_alive(run, wanted):
        _alive(run, filters, wanted)
    else:
        _still(run, filters, wanted)


def _is_alive(run: Run, wanted: Wanted) -> bool:
    """True while the list may get new decisions: the newest page of a run in work."""
    return run.status == "running" and state.place(run, wanted) is None


@live()
def _alive(run: Run, filters: dict[str, str], wanted: Wanted) -> None:
    if not _is_alive(run, wanted):
        st.rerun(scope="app")  # a button led to an older page: it has no timer
    _shown(run, filters, wanted)


@st.fragment
@guarded
def _still(run: Run, filters: dict[str, str], wanted: Wanted) -> None:
    if _is_alive(run, wanted):
        st.rerun(scope="app")
    _shown(run, filters, wanted)


def _shown(run: Run, filters: dict[str, str], wanted: Wanted) -> None:
    place = state.place(run, wanted)
    reading = state.read_once(
        ("decisions", run.number, wanted, place), run.number,
        lambda s: decisions.page(s, run.number, wanted, place),
        version="still" if place is not None else None,
    )  # fmt: skip
    found = reading.value
    with page.shown(reading, "decisions"):
        if found is None:
            return
        if not found.decisions:
            _nothing(run, filters)
            return
        _pages(run, wanted, reading, found)
        chosen = _table(found.decisions)
    _follow(chosen)


def _follow(chosen: Decision | None) -> None:
    """Open a decision when a person selects it; that it stays selected opens nothing again."""
    number = None if chosen is None else chosen.found.id
    before = st.session_state.get(_SELECTED)
    st.session_state[_SELECTED] = number
    if number is not None and number != before:
        state.open_decision(number)
        st.rerun(scope="app")


def _nothing(run: Run, filters: dict[str, str]) -> None:
    newest = state.newest(run.number)
    if newest.is_unknown:
        st.caption(text("page.waiting"))
        return
    if newest.value is None:
        page.nothing("decisions.none", timeframe=run.timeframe)
        return
    named = decisions_filters.named(filters) or text("decisions.but_holds")
    page.nothing("decisions.no_match", filters=named)
    with st.container(horizontal=True):
        if any(filters.values()):
            st.button(text("decisions.clear"), key="decisions_clear", on_click=state.clear)
        else:
            st.button(
                text("decisions.show_holds"), key="decisions_holds",
                on_click=state.choose, args=("outcome", state.ALL),
            )  # fmt: skip


def _table(found: Sequence[Decision]) -> Decision | None:
    words, here = Words(language(), zone().key), zone()
    form = "%m-%d %H:%M" if _is_one_year(found) else "%Y-%m-%d %H:%M"  # the caption has the year
    return kept(
        found,
        [
            Column("decisions.time", lambda d: figures.local(d.at, here, form), pinned=True),
            Column("decisions.symbol", lambda d: d.found.symbol, pinned=False),
            Column("decisions.outcome", lambda d: words.outcome(d.found.outcome),
                   chips=words.chips()),
            Column("decisions.why", words.why, width=_WHY, help="decisions.why_help"),
            Column("decisions.strategy", lambda d: d.found.strategy or ""),
            Column("decisions.direction", lambda d: words.direction(d.found.direction)),
            Column("decisions.confidence", _confidence, bar=True, width=110,
                   help="decisions.confidence_help"),
            Column("decisions.chance", lambda d: words.chance(d.own), right=True,
                   help="decisions.chance_help"),
            Column("decisions.size", lambda d: "" if d.quantity is None
                   else f"{figures.exact(d.quantity)} {d.instrument.base}", right=True),
            Column("decisions.price", lambda d: figures.exact(d.price), right=True),
        ],
        lambda d: str(d.found.id),
        key=f"decisions_list_{state.generation()}",
        height=min(_SHORT if state.opened() else _TALL, 38 + 30 * len(found) + 2),
    )  # fmt: skip


def _confidence(d: Decision) -> float | None:
    return d.found.confidence / 1_000_000 or None  # none: the strategy gives none


def _is_one_year(found: Sequence[Decision]) -> bool:
    here = zone()
    return found[0].at.astimezone(here).year == found[-1].at.astimezone(here).year


def _pages(run: Run, wanted: Wanted, reading: Reading[Page], found: Page) -> None:
    """Draw the buttons of the pages, and say which page this is."""
    first, last = found.decisions[0], found.decisions[-1]
    with st.container(horizontal=True, vertical_alignment="center", key="decisions_pages"):
        _button("newest", "first_page", found.has_newer, run, wanted, None)
        _button("newer", "chevron_left", found.has_newer, run, wanted, Place(first.found, True))
        _button("older", "chevron_right", found.has_older, run, wanted, Place(last.found))
        code = "decisions.older_page" if found.has_newer else "decisions.newest_page"
        st.caption(
            text(
                code, zone=figures.zone_name(first.at, zone()), count=len(found.decisions),
                first=figures.local(last.at, zone(), "%Y-%m-%d %H:%M"),
                last=figures.local(first.at, zone(), "%Y-%m-%d %H:%M"),
            )
        )  # fmt: skip


def _button(
    name: str, icon: str, enabled: bool, run: Run, wanted: Wanted, to: Place | None
) -> None:  # fmt: skip
    st.button(
        text(f"decisions.{name}"), key=f"decisions_{name}", icon=f":material/{icon}:",
        disabled=not enabled, on_click=state.go_to, args=(run, wanted, to),
    )  # fmt: skip
