"""Two or more stored backtests side by side: figures with their differences, curves together."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import streamlit as st

from auto_trading_dashboard.components import (
    backtest_charts,
    backtest_result,
    backtest_words,
    charts,
    figures,
)
from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.components import settings_words as words
from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries import backtests
from auto_trading_dashboard.queries.backtests import Stored
from auto_trading_dashboard.reading import read
from config.catalogue import keys

Row = tuple[str, tuple[Mapping[str, Any] | None, ...]]


@guarded
def draw(chosen: Sequence[Stored]) -> None:
    """Draw the comparison; the first is what the others are set against."""
    st.subheader(text("backtest_lab.comparison"), anchor=False)
    st.markdown(f":gray[:material/info: {text('backtest.simulated')}]")
    backtest_words.warn_of_luck(
        [
            f"{one.public_id}: {line}"
            for one in chosen
            for line in backtest_words.trials(one.summary)
        ]
    )
    if len({one.data_sha256 for one in chosen}) > 1:
        st.warning(text("backtest.compare.windows_differ"), icon=":material/warning:")
    _figures(chosen)
    _curves(chosen)
    _parameters(chosen)


def _figures(chosen: Sequence[Stored]) -> None:
    metrics = [one.summary.get("metrics", {}) for one in chosen]
    rows: list[Row] = [
        (code, tuple(own.get(code) for own in metrics)) for code in metrics[0]
    ]  # fmt: skip
    table(
        [[*_cells(row)] for row in rows],
        [_column(k, heading) for k, heading in enumerate(_headings(chosen))],
        key="lab_compare_" + "_".join(one.public_id for one in chosen), height=420,
    )  # fmt: skip


def _headings(chosen: Sequence[Stored]) -> list[str]:
    first, *others = (one.public_id for one in chosen)
    return [
        text("backtest.figure"), first,
        *(h for o in others for h in (o, text("backtest.compare.difference", a=first, b=o))),
    ]  # fmt: skip


def _cells(row: Row) -> list[str]:
    code, (first, *others) = row
    shown = [backtest_words.name_of(code), _shown(first, code)]
    for other in others:
        shown += [_shown(other, code), _difference(first, other)]
    return shown


def _shown(metric: Mapping[str, Any] | None, code: str) -> str:
    return figures.MISSING if metric is None else backtest_words.value_of(metric, code)


def _difference(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> str:
    if a is None or b is None or a["value"] is None or b["value"] is None:
        return figures.MISSING
    gap = Decimal(str(b["value"])) - Decimal(str(a["value"]))
    if a["unit"] == "fraction":
        return f"{figures.arrow(gap)} {figures.signed_percent(gap)}".strip()
    places = 0 if a["unit"] == "count" else 2
    return f"{figures.arrow(gap)} {figures.signed(gap, places)}".strip()


def _column(place: int, heading: str) -> Column[list[str]]:
    value: Callable[[list[str]], str] = lambda row: row[place]  # noqa: E731
    return Column("", value, right=place > 0, pinned=place == 0, heading=heading)


def _curves(chosen: Sequence[Stored]) -> None:
    curves = {}
    for one in chosen:
        number = one.number
        found = read(("lab charts", number), partial(backtests.charts, number=number)).value
        if found and found.get("curve"):
            curves[one.public_id] = found["curve"]
    if curves:
        st.caption(text("backtest_lab.curves_help"))
        figure = backtest_charts.together(curves, backtest_result.look())
        st.plotly_chart(figure, theme="streamlit", config=charts.WITH_TOOLS, key="lab_together")


def _parameters(chosen: Sequence[Stored]) -> None:
    """Draw the parameters that differ."""
    own = [_flat(one) for one in chosen]
    names = sorted({name for found in own for name in found})
    rows = [
        [_name_of(name, names), *(found.get(name, figures.MISSING) for found in own)]
        for name in names
        if len({found.get(name) for found in own}) > 1
    ]
    st.subheader(text("backtest.compare.differing"), anchor=False)
    if not rows:
        st.caption(text("backtest_lab.same_parameters"))
        return
    headings = [text("backtest.compare.key"), *(one.public_id for one in chosen)]
    table(
        rows, [_column(k, heading) for k, heading in enumerate(headings)],
        key="lab_compare_keys_" + "_".join(one.public_id for one in chosen),
    )  # fmt: skip


def _name_of(name: str, names: Sequence[str]) -> str:
    """Return a key as the form names it; as it is where two would be called the same."""
    called = {
        one: words.label(drafts.path_of(one)) for one in names if drafts.path_of(one) in keys()
    }
    label = called.get(name, name)
    return name if list(called.values()).count(label) > 1 else label


def _flat(stored: Stored) -> dict[str, str]:
    """Return what a backtest was made with: parameters, and every other changed setting."""
    found = {
        f"strategies.{name}.{key}": str(value)
        for name, own in stored.summary.get("params", {}).items()
        for key, value in own.items()
    }
    found |= {key: str(value) for key, value in stored.params.items() if key not in found}
    engine = backtest_words.known(f"backtest_lab.engine_{stored.engine}", stored.engine)
    return found | {
        text("backtest_lab.timeframe"): stored.timeframe, text("backtest_lab.engine"): engine,
        text("backtest_lab.symbols"): ", ".join(stored.symbols),
    }  # fmt: skip
