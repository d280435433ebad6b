"""Which lines of the log a person wants: level and words in sight, the rest one click away."""

from datetime import datetime, timedelta
from typing import Final

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import figures, logs_download
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries.logs import LEVELS, Wanted
from crypto_trader_pro.domain.enums import Component

CORRELATION: Final = "correlation"  # in the address and in the session
MOMENT: Final = "at"  # in the address: ISO 8601
_NAMED: Final = "logs_correlation_named"  # what the address said last
FOLLOW: Final = "logs_follow"
_OWN: Final = "own"
_SPANS: Final = {
    "all": None, "m15": timedelta(minutes=15), "h1": timedelta(hours=1), "h6": timedelta(hours=6),
    "h24": timedelta(hours=24), "d7": timedelta(days=7), _OWN: None,
}  # fmt: skip
_AROUND: Final = timedelta(seconds=60)  # a moment that is shown
_MOST: Final = 200  # characters of the words


def bar() -> Wanted:
    """Draw the choices and return what they ask for."""
    st.session_state.setdefault("logs_level", "INFO")
    st.session_state.setdefault("logs_span", "all")
    _take_moment()
    _take_correlation()
    with st.container(horizontal=True, vertical_alignment="bottom", key="logs_bar"):
        level = st.selectbox(
            text("logs.level"), LEVELS, key="logs_level", width=170,
            format_func=_level_name,
        )  # fmt: skip
        words = st.text_input(
            text("logs.words"), key="logs_words", max_chars=_MOST, icon=":material/search:",
            placeholder=text("logs.words_hint"), width=260,
        )  # fmt: skip
        with st.popover(text("logs.more"), icon=":material/filter_alt:"):
            components, span = _more()
        wanted = _timed(level, tuple(components), words.strip(), span)
        with st.popover(text("logs.download"), icon=":material/download:"):
            logs_download.buttons(wanted)
        st.toggle(text("logs.follow"), value=True, key=FOLLOW, help=text("logs.follow_help"))
    _name_correlation()
    return wanted


def correlation() -> str:
    """Return the correlation id that the page is about, "" where it is about all lines."""
    return str(st.session_state.get(CORRELATION) or "").strip()


def ask_for(correlation_id: str) -> None:
    """Let the page be about one id; about all lines where it is "". For `on_click`."""
    st.session_state[CORRELATION] = correlation_id


def _take_moment() -> None:
    """Take the moment that a link names in the address; from then on the choices say it."""
    named = st.query_params.pop(MOMENT, None)
    if named is None:
        return
    try:
        at = datetime.fromisoformat(named).astimezone(zone()).replace(tzinfo=None)
    except (ValueError, OverflowError):
        st.error(figures.escaped(text("logs.bad_moment", given=named[:40])))
        return
    st.session_state["logs_level"] = LEVELS[0]
    st.session_state["logs_span"] = _OWN
    st.session_state["logs_since"] = (at - _AROUND).replace(microsecond=0)
    st.session_state["logs_until"] = (at + _AROUND).replace(microsecond=0)


def _take_correlation() -> None:
    """Take the id that the address names anew: by a link, or the browser's way back."""
    named = st.query_params.get(CORRELATION, "")
    if named != st.session_state.get(_NAMED, ""):
        st.session_state[CORRELATION] = named
        st.session_state[_NAMED] = named
    st.session_state.setdefault(CORRELATION, named)


def _name_correlation() -> None:
    """Let the address name the chosen id, so that it can be passed on."""
    chosen = correlation()
    st.session_state[_NAMED] = chosen
    if chosen:
        st.query_params[CORRELATION] = chosen
    else:
        st.query_params.pop(CORRELATION, None)


def _level_name(level: str) -> str:
    return text("logs.all_levels") if level == LEVELS[0] else text("logs.and_above", level=level)


def _more() -> tuple[list[str], str]:
    components = st.pills(
        text("logs.components"), [c.value for c in Component], selection_mode="multi",
        key="logs_components", help=text("logs.components_help"),
    )  # fmt: skip
    span = st.segmented_control(
        text("logs.span"), list(_SPANS), key="logs_span", required=True,
        format_func=lambda code: text(f"logs.span_{code}"),
    )  # fmt: skip
    if span == _OWN:
        for name in ("since", "until"):
            st.datetime_input(
                text(f"logs.{name}", zone=zone().key), value=None, key=f"logs_{name}",
                format="YYYY-MM-DD", step=timedelta(minutes=1),
            )  # fmt: skip
    st.text_input(
        text("logs.correlation"), key=CORRELATION,
        placeholder=text("logs.correlation_hint"), max_chars=64,
    )  # fmt: skip
    return list(components), str(span)


def _timed(level: str, components: tuple[str, ...], words: str, span: str) -> Wanted:
    """Return what is wanted; a span that ends now begins at a full minute, so that it can stay."""
    if span != _OWN:
        passed = _SPANS[span]
        now = services.clock().now().replace(second=0, microsecond=0)
        return Wanted(level, components, words, None if passed is None else now - passed)
    since, until = _typed("logs_since"), _typed("logs_until")
    if since is not None and until is not None and since >= until:
        st.error(text("logs.bad_span", since=f"{since:%Y-%m-%d %H:%M}", until=f"{until:%H:%M}"))
        until = None
    return Wanted(level, components, words, since, until)


def _typed(key: str) -> datetime | None:
    typed: datetime | None = st.session_state.get(key)
    return None if typed is None else typed.replace(tzinfo=zone())
