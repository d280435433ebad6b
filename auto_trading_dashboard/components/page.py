"""How every page begins, and what it says where there is nothing to show or nothing fresh."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import ages, figures
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.reading import Reading


def head(name: str) -> None:
    """Write the title of page `name`, its help in one sentence and the way to the walk."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.header(text(f"{name}.title"), anchor=False, help=text(f"{name}.help"), width="content")
        if name != "walk":
            st.page_link(
                "auto_trading_dashboard/walk.py", label=text("walk.link"),
                icon=":material/menu_book:", query_params={"section": name},
            )  # fmt: skip


def nothing(code: str, **values: Any) -> None:
    """Say what will appear here, when, and what to do for it; an empty table says nothing."""
    st.info(figures.escaped(text(code, **values)), icon=":material/hourglass_empty:")


def is_silent(reading: Reading[Any]) -> bool:
    """True while nobody knows whether there is anything: nothing was read, or nothing long ago."""
    was_empty = reading.value is not None and not reading.value
    return reading.is_unknown or (reading.is_stale and was_empty)


@contextmanager
def shown(reading: Reading[Any], key: str) -> Iterator[None]:
    """Draw what was read inside; greyed and with its age while it is not fresh.

    While nothing is known (`Reading.is_unknown`) this says so: what is inside draws nothing then.

    Args:
        key: unique on the page.
    """
    if reading.trouble is None or (reading.value is None and not reading.is_unknown):
        with st.container(key=f"fresh_{key}"):
            yield
        return
    if reading.value is None:
        st.caption(text("page.waiting"))
    else:
        passed = ages.since(reading.at, services.clock().now())
        st.caption(f":orange[{text('page.stale', age=passed)}]")
    with st.container(key=f"stale_{key}"):
        yield
