"""The list of log lines: newest first, following, and back page by page."""

from dataclasses import dataclass, field
from typing import Final

import streamlit as st

from auto_trading_dashboard.components import figures, logs_filter, logs_line, page
from auto_trading_dashboard.components.live import guarded, live
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries import logs
from auto_trading_dashboard.queries.logs import Page, Wanted
from auto_trading_dashboard.reading import Reading, read
from config.faults import SettingsError
from config.loading import load

_HEIGHT: Final = 520
_HEIGHT_OPEN: Final = 260  # while a line is open below
_PLACE: Final = "logs_place"


@dataclass(slots=True)
class _Place:
    """Where one browser tab is in the log.

    Args:
        ends: where the pages end that were turned back to; empty: the newest page.
        seen: what was read here last.
        turn: raised with each other page, so that no selection is carried over.
    """

    wanted: Wanted
    ends: list[int] = field(default_factory=list)
    seen: Reading[Page] | None = None
    turn: int = 0

    @property
    def key(self) -> str:
        return f"logs_table_{self.turn}"

    @property
    def is_open(self) -> bool:
        """True while a line is selected: the list must stay as it is."""
        state = st.session_state.get(self.key)
        return bool(state and state["selection"]["rows"])


def show(wanted: Wanted) -> None:
    """Draw the list; it looks for new lines each 2 s while it follows."""
    place: _Place | None = st.session_state.get(_PLACE)
    if place is None or place.wanted != wanted:
        turn = 0 if place is None else place.turn + 1
        st.session_state[_PLACE] = _Place(wanted, turn=turn)
    if _follows():
        live()(_list)()
    else:
        st.fragment(guarded(_list))()


@st.cache_data(ttl=10, show_spinner=False)
def kept_days() -> int | None:
    """Return for how many days lines are kept; None where the configuration cannot be read."""
    try:
        return load().retention.logs_days
    except SettingsError:
        return None


def _follows() -> bool:
    return bool(st.session_state.get(logs_filter.FOLLOW, True))


def _list() -> None:
    place: _Place = st.session_state[_PLACE]
    reading = _read(place)
    found = reading.value
    with page.shown(reading, "logs"):
        if reading.is_unknown:
            return
        if found is None or not found.newest:
            page.nothing("logs.nothing")
            return
        _turning(place, found)
        if not found.lines:
            st.info(text("logs.no_match"), icon=":material/search_off:")
            return
        height = _HEIGHT_OPEN if place.is_open else _HEIGHT
        chosen = logs_line.table(found.lines, key=place.key, selectable=True, height=height)
    if chosen is not None:
        logs_line.detail(chosen.id)
        if st.session_state.get("logs_only_these"):
            st.rerun()  # the page is about one id now


def _read(place: _Place) -> Reading[Page]:
    """Read the page again where something can have changed, and only what can have."""
    seen, wanted = place.seen, place.wanted
    known = None if seen is None else seen.value
    is_newest = not place.ends
    if seen is not None and not seen.is_stale and known is not None:
        is_still = place.is_open or not is_newest or not _follows() or wanted.until is not None
        if is_still:
            return seen
    before = None if is_newest else place.ends[-1]
    place.seen = read(
        ("logs", wanted, before),
        lambda session: (
            logs.page(session, wanted, before)
            if known is None or not is_newest
            else logs.newer(session, wanted, known)
        ),
    )
    return place.seen


def _turning(place: _Place, found: Page) -> None:
    """Draw the buttons that turn pages, and say what is seen."""
    is_searched = found.searched_to is not None
    with st.container(horizontal=True, vertical_alignment="center", key="logs_turning"):
        st.button(
            text("logs.newest"), key="logs_newest", icon=":material/first_page:",
            on_click=_turn, args=("newest",),
        )  # fmt: skip
        st.button(
            text("logs.newer"), key="logs_newer", icon=":material/chevron_left:",
            on_click=_turn, args=("newer",), disabled=not place.ends,
        )  # fmt: skip
        full = len(found.lines) == logs.PAGE
        older = "logs.further" if is_searched and not full else "logs.older"
        st.button(
            text(older), key="logs_older", icon=":material/chevron_right:",
            on_click=_turn, args=("older",), disabled=found.older is None,
        )  # fmt: skip
        st.caption(" ".join(_said(place, found)))


def _said(place: _Place, found: Page) -> list[str]:
    here = zone()
    told = []
    if found.lines:
        newest, oldest = found.lines[0].at, found.lines[-1].at
        told.append(
            text(
                "logs.seen", count=len(found.lines), since=figures.local(oldest, here),
                until=figures.local(newest, here), zone=figures.zone_name(newest, here),
            )
        )  # fmt: skip
    if found.searched_to is not None and found.older is not None:
        window = figures.whole(logs.WINDOW)
        back = figures.local(found.searched_to, here)
        told.append(text("logs.searched", window=window, back=back))
    if _follows() and place.is_open:
        told.append(text("logs.paused_open"))
    elif _follows() and place.ends:
        told.append(text("logs.paused_older"))
    return [figures.escaped(line) for line in told]


def _turn(where: str) -> None:
    place: _Place = st.session_state[_PLACE]
    found = None if place.seen is None else place.seen.value
    if where == "newest":
        place.ends.clear()
    elif where == "newer" and place.ends:
        place.ends.pop()
    elif where == "older" and found is not None and found.older is not None:
        place.ends.append(found.older)
    place.seen = None
    place.turn += 1
