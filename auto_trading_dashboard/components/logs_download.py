"""The log as a file: what is filtered, newest first, made when it is asked for."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import figures
from auto_trading_dashboard.components.downloads import Cell, csv_bytes, json_lines
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries import logs
from auto_trading_dashboard.queries.logs import Wanted, Whole
from database.auto_trading_db import unit_of_work

MOST: Final = 100_000  # lines of one file
_CHUNK: Final = 5_000  # line numbers of one read
_COLUMNS: Final = ("at", "level", "component", "message", "correlation", "run", "data")


def buttons(wanted: Wanted) -> None:
    """Draw the two buttons; nothing is read before one is clicked."""
    # the file is made in a thread that knows no browser tab: what it needs is taken along
    database, headings = services.reader(), [text(f"logs.column_{name}") for name in _COLUMNS]
    stamp = f"{services.clock().now():%Y%m%d-%H%M%S}"

    def lines() -> Iterator[Whole]:
        before: int | None = None
        left = MOST
        while left:
            with unit_of_work(database, "the log") as session:
                found, before = logs.chunk(session, wanted, before, _CHUNK)
            yield from found[:left]
            left -= len(found[:left])
            if before is None:
                return

    _button("csv", "text/csv", stamp, lambda: csv_bytes(headings, map(_cells, lines())))
    _button("jsonl", "application/x-ndjson", stamp, lambda: json_lines(map(_record, lines())))
    st.caption(text("logs.download_help", most=figures.whole(MOST)))


def _button(kind: str, mime: str, stamp: str, made: Callable[[], bytes]) -> None:
    st.download_button(
        text(f"logs.download_{kind}"), made, f"logs-{stamp}.{kind}", mime, on_click="ignore",
        key=f"logs_download_{kind}", icon=":material/download:",
    )  # fmt: skip


def _cells(whole: Whole) -> list[Cell]:
    *cells, data = _record(whole).values()
    return [*cells, "" if data is None else json.dumps(data, ensure_ascii=False)]


def _record(whole: Whole) -> dict[str, Any]:
    line = whole.line
    return {
        "at": line.at, "level": line.level, "component": line.component,
        "message": line.message, "correlation_id": line.correlation_id,
        "run": f"r{whole.run_id}" if whole.run_id else "", "data": whole.data,
    }  # fmt: skip
