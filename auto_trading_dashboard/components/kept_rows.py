"""Tables whose rows come and go while one is selected: the selection follows its row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import streamlit as st

from auto_trading_dashboard.components.tables import Column, table

R = TypeVar("R")


@dataclass(slots=True)
class _Kept:
    """What one table showed last."""

    ids: list[str] = field(default_factory=list)
    chosen: str | None = None
    generation: int = 0


def kept(
    rows: Sequence[R], columns: Sequence[Column[R]], identity: Callable[[R], str], *, key: str,
    height: int | None = None,
) -> R | None:  # fmt: skip
    """Draw rows and return the selected one; None while there is none, or once it has gone.

    A table knows a selection by its place. When the rows are others than before it is a new table,
    with the same row selected wherever that is now: what a button does never changes its subject.

    Args:
        identity: of a row, unique in the table.
    """
    state: _Kept = st.session_state.setdefault(f"kept_{key}", _Kept())
    ids = [identity(row) for row in rows]
    if ids != state.ids:
        state.ids = ids
        state.generation += 1
    selected = ids.index(state.chosen) if state.chosen in ids else None
    with st.container(key=f"rows_{key}"):  # of the old table and the new one the style shows one
        chosen = table(
            rows, columns, key=f"{key}_{state.generation}", selectable=True, height=height,
            selected=selected,
        )  # fmt: skip
    state.chosen = None if chosen is None else identity(chosen)
    return chosen
