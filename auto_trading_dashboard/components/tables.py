"""Tables of frozen views: one row each, selectable by row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

import pandas as pd
import streamlit as st

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.preferences import text

R = TypeVar("R")

ROW_HEIGHT: Final = 30
_HEAD_HEIGHT: Final = 34


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
        bar: a share of 0 to 1, drawn as a bar.
        heading: instead of the catalogue's, where a column is named by data.
        chips: word -> Streamlit's colour name; such words are shown on their colour.
    """

    code: str
    value: Callable[[R], str | float | int | bool | None]
    form: str = ""
    right: bool = False
    pinned: bool = False
    width: Literal["small", "medium", "large"] | int | None = None
    help: str = ""
    chips: Mapping[str, str] | None = None
    bar: bool = False
    heading: str = ""


def table(
    rows: Sequence[R], columns: Sequence[Column[R]], *, key: str, selectable: bool = False,
    height: int | None = None, selected: int | None = None,
) -> R | None:  # fmt: skip
    """Draw rows and return the selected one, None while there is none.

    The order of rows should be stable: a selection is kept by its place. Say in words that there
    are no rows instead of drawing none.

    Args:
        height: pixels; None: as many rows as there are, 12 at most.
        selected: place of the row that is selected at first; see `kept_rows` for rows that move.
    """
    names = [c.heading or text(c.code) for c in columns]
    frame = pd.DataFrame(
        {name: [_value(c, row) for row in rows] for name, c in zip(names, columns, strict=True)}
    )
    shown = min(len(rows), 12)
    given: dict[str, Any] = {"on_select": "rerun", "selection_mode": "single-row"}
    if selected is not None:
        given["selection_default"] = {"selection": {"rows": [selected]}}
    event = st.dataframe(
        frame, hide_index=True, row_height=ROW_HEIGHT, key=key,
        height=_HEAD_HEIGHT + ROW_HEIGHT * shown if height is None else height,
        column_config={n: _config(c) for n, c in zip(names, columns, strict=True)},
        placeholder=figures.MISSING,  # what is not known is no word of Python's
        **(given if selectable else {}),
    )  # fmt: skip
    if not selectable:
        return None
    chosen = event["selection"]["rows"]
    return rows[chosen[0]] if chosen and chosen[0] < len(rows) else None


def _value(column: Column[R], row: R) -> Any:
    value = column.value(row)
    if column.bar and isinstance(value, float):
        return value * 100  # shown as percent
    return value if column.chips is None else [value]  # chips are lists, here of one


def _config(column: Column[Any]) -> Any:
    common: dict[str, Any] = {"width": column.width, "pinned": column.pinned or None}
    if column.help:
        common["help"] = text(column.help)
    if column.chips is not None:
        return st.column_config.MultiselectColumn(
            options=list(column.chips), color=list(column.chips.values()), **common
        )
    if column.bar:
        return st.column_config.ProgressColumn(
            min_value=0.0, max_value=100.0, format="%.1f %%", **common
        )
    if column.form:
        return st.column_config.NumberColumn(format=column.form, **common)
    return st.column_config.Column(alignment="right" if column.right else None, **common)
