"""Lines of the log: their table, one of them in full, and all of one correlation id in order."""

from collections.abc import Sequence
from typing import Final

import streamlit as st

from auto_trading_dashboard.components import figures, logs_filter, page, tables
from auto_trading_dashboard.components.tables import Column
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries import logs
from auto_trading_dashboard.queries.logs import Line, Whole
from auto_trading_dashboard.reading import read

COLOURS: Final = {
    "DEBUG": "gray", "INFO": "blue", "WARNING": "orange", "ERROR": "red", "CRITICAL": "violet",
}  # fmt: skip
_EXCEPTION: Final = "exception"  # the name of a traceback in a line's data


def table(
    lines: Sequence[Line], *, key: str, selectable: bool = False, height: int | None = None
) -> Line | None:  # fmt: skip
    """Draw lines in their order and return the selected one."""
    here = zone()
    is_one_day = len({line.at.astimezone(here).date() for line in lines}) == 1
    form = "%H:%M:%S" if is_one_day else "%m-%d %H:%M:%S"  # room is scarce at 390 px
    columns: list[Column[Line]] = [
        Column("logs.column_at", lambda r: figures.local(r.at, here, form),
               width=72 if is_one_day else 116),
        Column("logs.column_level", lambda r: r.level, chips=COLOURS, width=94),
        Column("logs.column_message", lambda r: r.message, width="large"),
        Column("logs.column_component", lambda r: r.component, width=96),
        Column("logs.column_correlation", lambda r: r.correlation_id, width=200),
    ]  # fmt: skip
    return tables.table(lines, columns, key=key, selectable=selectable, height=height)


def detail(number: int) -> None:
    """Draw a line with all it says, and what else was logged under its correlation id."""
    reading = read(("logs_line", number), lambda session: logs.whole(session, number))
    with page.shown(reading, "logs_line"), st.container(border=True):
        if reading.is_unknown:
            return
        if reading.value is None:
            st.caption(text("logs.line_gone"))
            return
        _whole(reading.value)
        if key := reading.value.line.correlation_id:
            story(key, "logs_line_story", height=190)
            st.button(
                text("logs.only_these"), key="logs_only_these", icon=":material/link:",
                on_click=logs_filter.ask_for, args=(key,),
            )  # fmt: skip


def story(correlation_id: str, key: str, height: int | None = None) -> None:
    """Draw everything that was logged under one id, oldest first."""
    reading = read(
        ("logs_story", correlation_id), lambda session: logs.story(session, correlation_id)
    )
    found = reading.value or []
    with page.shown(reading, key):
        if reading.is_unknown:
            return
        if not found:
            page.nothing("logs.no_story", correlation=correlation_id)
            return
        code = "logs.story_cut" if len(found) == logs.STORY else "logs.story"
        st.caption(figures.escaped(text(code, correlation=correlation_id, count=len(found))))
        chosen = table(found, key=f"{key}_table", selectable=height is None, height=height)
    if chosen is not None:
        whole = read(("logs_line", chosen.id), lambda s: logs.whole(s, chosen.id)).value
        if whole is not None:
            with st.container(border=True):
                _whole(whole)


def _whole(whole: Whole) -> None:
    line, here = whole.line, zone()
    at = f"{figures.local(line.at, here, '%Y-%m-%d %H:%M:%S.%f')[:-3]}"
    facts = [
        figures.badge(line.level, COLOURS.get(line.level, "gray")),
        f"**{figures.escaped(line.component)}**",
        f"{at} {figures.zone_name(line.at, here)}",
        figures.escaped(text("logs.run", run=f"r{whole.run_id}") if whole.run_id else ""),
        figures.escaped(text("logs.line_number", number=line.id)),
    ]
    st.markdown(" · ".join(fact for fact in facts if fact))
    st.code(line.message, language=None, wrap_lines=True)
    data = dict(whole.data or {})
    exception = data.pop(_EXCEPTION, None)
    if data:
        st.json(data, expanded=2)
    if exception is not None:
        st.code(
            str(exception), language=None, height=220 if str(exception).count("\n") > 9 else None
        )
