"""Tables of frozen views: one row each, selectable by row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

import pandas as pd
import streamlit as st

from auto_trading_dashboard.preferences import text

R = TypeVar("R")

ROW_HEIGHT: Final = 30
_HEAD_HEIGHT: Final = 38


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """One column.

    Args:
        code: of its heading in the catalogue.
        value: of a row: words, or a number where `form` is given.
        form: printf form of a number ("%+.2f"); such a column sorts as numbers. Exact prices and
            quantities are words instead, aligned right.
        right: words aligned to the right.
        pinned: stays in sight when the table scrolls sideways.
    """

    code: str
    value: Callable[[R], str | float | int | bool | None]
    form: str = ""
    right: bool = False
    pinned: bool = False
    width: Literal["small", "medium", "large"] | int | None = None
    help: str = ""


def table(
    rows: Sequence[R], columns: Sequence[Column[R]], *, key: str, selectable: bool = False,
    height: int | None = None,
) -> R | None:  # fmt: skip
    """Draw rows and return the selected one, None while there is none.

    The order of rows should be stable: a selection is kept by its place. Say in words that there
    are no rows instead of drawing none.

    Args:
        height: pixels; None: as many rows as there are, 12 at most.
    """
    names = [text(c.code) for c in columns]
    frame = pd.DataFrame(
        {name: [c.value(row) for row in rows] for name, c in zip(names, columns, strict=True)}
    )
    shown = min(len(rows), 12)
    given: dict[str, Any] = {"on_select": "rerun", "selection_mode": "single-row"}
    event = st.dataframe(
        frame, hide_index=True, row_height=ROW_HEIGHT, key=key,
        height=_HEAD_HEIGHT + ROW_HEIGHT * shown if height is None else height,
        column_config={n: _config(c) for n, c in zip(names, columns, strict=True)},
        **(given if selectable else {}),
    )  # fmt: skip
    if not selectable:
        return None
    chosen = event["selection"]["rows"]
    return rows[chosen[0]] if chosen and chosen[0] < len(rows) else None


def _config(column: Column[Any]) -> Any:
    common: dict[str, Any] = {"width": column.width, "pinned": column.pinned or None}
    if column.help:
        common["help"] = text(column.help)
    if column.form:
        return st.column_config.NumberColumn(format=column.form, **common)
    return st.column_config.Column(alignment="right" if column.right else None, **common)
