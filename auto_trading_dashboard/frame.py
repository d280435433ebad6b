"""What surrounds every page: navigation, the state of the engine, the banner, Emergency stop."""

from typing import Final

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from auto_trading_dashboard import emergency, navigation, preferences, services
from auto_trading_dashboard.components import ages, asking, figures, signals_key, style
from auto_trading_dashboard.components.live import HEAD_SECONDS, guarded, live
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries import overview
from auto_trading_dashboard.reading import Reading, read
from crypto_trader_pro.domain.enums import CommandKind, ObservedState, TradingState
from database import alerts

_CLOCK_SECONDS: Final = 2.0  # that a heartbeat may be ahead of us


def show() -> None:
    """Draw the frame and the page that was asked for."""
    style.put()
    if away := services.address_fault():
        st.error(text("page.address", address=away["address"]), icon=":material/lock:")
        st.stop()
    folder_fault = services.folder_fault()
    page = st.navigation(
        {text(f"nav.{name}"): [_page(e) for e in section] for name, section in _sections()},
        expanded=True,
    )
    _choices()
    preferences.keep(["/", *(f"/{entry.path}" for entry in navigation.entries() if entry.path)])
    with st.container(key="header", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            with st.container(width="stretch", key="states"):
                _states()
            with st.container(width="content", key="emergency"):
                _emergency()
        with st.container(key="notes", gap=None):
            _notes()
    if folder_fault:
        st.error(figures.escaped(text("page.folder", why=folder_fault)), icon=":material/error:")
    if fault := services.configuration_fault():
        st.error(figures.escaped(text("page.configuration", why=fault)), icon=":material/error:")
    if page.url_path != "signals":
        signals_key.leave()
    guarded(page.run)()


def _sections() -> list[tuple[str, tuple[navigation.PageEntry, ...]]]:
    return list(navigation.SECTIONS.items())


def _page(entry: navigation.PageEntry) -> StreamlitPage:
    return st.Page(
        f"auto_trading_dashboard/{entry.file}", title=text(f"{entry.name}.title"),
        url_path=entry.path or None, default=not entry.path,
    )  # fmt: skip


def head() -> Reading[overview.Head]:
    """Return the state of the engine, read now."""
    now = services.clock().now()
    return read("head", lambda s: overview.head(s, now, services.process_is_gone))


@live(HEAD_SECONDS)
def _states() -> None:
    """One line of badges: one element is a third of the traffic of six."""
    reading = head()
    st.markdown(" ".join(_badges(reading)))
    was_silent = st.session_state.get("was_silent", False)
    st.session_state["was_silent"] = reading.is_stale
    if was_silent and not reading.is_stale:
        st.rerun(scope="app")  # what could not be drawn can be now


@live(HEAD_SECONDS)
def _notes() -> None:
    """Say where the prices come from, what is wrong, and what has become of requests."""
    reading = head()
    view = reading.value
    if reading.trouble is not None:
        trouble = reading.trouble
        say = st.info if trouble.code == "trouble.no_database" else st.error
        say(figures.escaped(text(trouble.code, why=trouble.why)), icon=":material/database:")
    elif view is not None and view.engine is not None and view.engine.last_error:
        error = text("page.last_error", error=view.engine.last_error)
        st.error(figures.escaped(error), icon=":material/error:")
    else:
        st.empty()
    banner("" if view is None else view.source)
    asking.requests(alive=view is not None and view.alive, now=services.clock().now())


def banner(source: str) -> None:
    """Say where the prices come from. Nothing before that is known."""
    if source == "demo":
        st.markdown(f":orange[:material/science: {text('banner.demo')}]")
    elif source in ("exchange", "replay"):
        st.markdown(f":gray[:material/info: {text(f'banner.{source}')}]")
    else:
        st.empty()


def _badges(reading: Reading[overview.Head]) -> list[str]:
    view = reading.value
    engine = None if view is None else view.engine
    is_new = reading.trouble is not None and reading.trouble.code == "trouble.no_database"
    if view is None and not is_new:
        return [figures.badge(text("head.unknown"), "gray", "help")]
    if view is None or engine is None or not engine.epoch:
        shown = [figures.badge(text("head.no_engine"), "gray", "power_settings_new")]
    else:
        stale = reading.is_stale  # what we saw last is no state of now
        resting = engine.observed is not ObservedState.RUNNING
        idle = stale or (resting and engine.trading is TradingState.ACTIVE)  # nothing to be green
        shown = [
            figures.badge(
                text("head.engine", state=text(f"observed.{engine.observed.value}")),
                "gray" if stale else figures.observed_colour(engine.observed), "bolt",
            ),
            figures.badge(
                text("head.trading", state=text(f"state.{engine.trading.value}")),
                "gray" if idle else figures.trading_colour(engine.trading), "trending_up",
            ),
            figures.badge(text(f"mode.{engine.mode}"), "blue", "school"),
        ]  # fmt: skip
        if engine.account is not None and engine.account.get("paused"):
            paused = figures.badge(text("head.paused"), "gray" if stale else "orange", "pause")
            shown.insert(2, paused)
    if view is not None and view.source:
        colour = "orange" if view.source == "demo" else "blue"
        shown.append(figures.badge(text(f"source.{view.source}"), colour, "candlestick_chart"))
    if engine is not None and engine.epoch:
        shown.append(_heartbeat(reading))
    unread = 0 if view is None else view.unread
    count = f"{alerts.COUNTED - 1}+" if unread >= alerts.COUNTED else str(unread)
    shown.append(
        figures.badge(
            text("head.alerts", count=count), "orange" if unread else "gray", "notifications"
        )
    )
    return shown


def _heartbeat(reading: Reading[overview.Head]) -> str:
    view = reading.value
    if view is None or view.engine is None:
        return ""
    ahead = (view.engine.heartbeat_at - services.clock().now()).total_seconds()
    if ahead > _CLOCK_SECONDS:
        return figures.badge(text("head.clock", ahead=ages.age(ahead)), "red", "schedule")
    seconds = max(0.0, -ahead)
    colour = figures.heartbeat_colour(seconds, alive=view.alive or reading.is_stale)
    return figures.badge(text("head.heartbeat", age=ages.age(seconds)), colour, "favorite")


@st.fragment
@guarded
def _emergency() -> None:
    """One click, and never redrawn by a timer."""
    st.button(
        text("page.emergency"), key=emergency.BUTTON, icon=":material/dangerous:",
        type="primary", on_click=asking.ask, args=(CommandKind.EMERGENCY_STOP,),
    )  # fmt: skip


def _choices() -> None:
    """Let a person choose language and profit colours; the browser remembers them."""
    with st.sidebar:
        language = st.segmented_control(
            text("nav.language"), ["ko", "en"], default=preferences.language().value,
            format_func=lambda code: text(f"nav.language_{code}"), required=True,
            key=f"language_{preferences.language().value}", on_change="rerun",
        )  # fmt: skip
        if language and language != preferences.language().value:
            preferences.choose("language", language)
            st.rerun()
        colours = st.segmented_control(
            text("nav.palette"), ["kr", "intl"], default=preferences.palette(),
            format_func=lambda code: text(f"nav.palette_{code}"), required=True,
            key=f"palette_{preferences.palette()}",
        )  # fmt: skip
        if colours and colours != preferences.palette():
            preferences.choose("palette", colours)
            st.rerun()
