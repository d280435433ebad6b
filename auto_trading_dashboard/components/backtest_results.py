"""Stored results: the list, which one is open, which are set against it."""

from datetime import datetime
from functools import partial
from typing import Final

import streamlit as st

from auto_trading_dashboard.components import (
    backtest_choice,
    backtest_compare,
    backtest_propose,
    backtest_result,
    backtest_studies,
    backtest_words,
    figures,
    page,
)
from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries import backtests
from auto_trading_dashboard.queries.backtests import Stored
from auto_trading_dashboard.reading import read
from crypto_trader_pro.backtest.lab_request import LabKind

_MOST_COMPARED: Final = 5
_FIND: Final = "lab_find"


@guarded
def draw() -> None:
    """Draw the list, the open result and a comparison if one is asked for."""
    reading = read("lab results", backtests.results)
    found = reading.value or ()
    backtest_choice.drawn(read("lab newest", backtests.newest_result).value or 0)
    with page.shown(reading, "lab_results"):
        if page.is_silent(reading):
            return
        st.subheader(text("backtest_lab.results"), anchor=backtest_choice.ANCHOR)
        if not found:
            page.nothing("backtest_lab.no_results")
            return
        newest, is_part = found[0].number, len(found) == backtests.LISTED
        found = _searched(found) if is_part else found
        code = "backtest_lab.list_part" if is_part else "backtest_lab.list"
        with st.expander(text(code, count=len(found))):
            table(found, _COLUMNS, key="lab_list")
        one = _open(found, newest)
        others = _against(found, one)
        if others:
            backtest_compare.draw([one, *others])
        elif one.kind == LabKind.BACKTEST:
            backtest_result.draw(one)
        else:
            backtest_studies.draw(one)
        if not others:
            backtest_propose.draw(one)


def _searched(newest: tuple[Stored, ...]) -> tuple[Stored, ...]:
    """Let a person look for one among more results than are listed."""
    given = st.text_input(
        text("backtest_lab.find"), key=_FIND, max_chars=120, autocomplete="off",
        placeholder=text("backtest_lab.find_hint"), persist_state="session",
    )  # fmt: skip
    wanted = (given or "").strip()
    if not wanted:
        return newest
    key = ("lab search", wanted)
    found = read(key, lambda s: backtests.results(s, wanted)).value
    if not found:
        st.caption(figures.escaped(text("backtest_lab.not_found", wanted=wanted)))
    return found or newest


def _open(found: tuple[Stored, ...], newest: int) -> Stored:
    """Let a person choose a result; the newest until then."""
    by_number = {one.number: one for one in found}
    chosen = backtest_choice.chosen()
    is_searched = bool((st.session_state.get(_FIND) or "").strip())  # then the best hit opens
    if chosen is not None and chosen not in by_number and not is_searched:  # older than the list
        kept = read(("lab result", chosen), lambda s: backtests.result(s, chosen)).value
        if kept is not None:
            by_number[chosen] = kept
    numbers = list(by_number)
    picked = st.selectbox(
        text("backtest_lab.result"), numbers,
        index=numbers.index(chosen) if chosen in by_number else 0,
        format_func=lambda number: backtest_words.title(by_number[number]),
        key=f"lab_result_{backtest_choice.turn()}_{numbers[0]}",
    )  # fmt: skip
    backtest_choice.keep(picked, newest)
    return by_number[picked]


def _against(found: tuple[Stored, ...], one: Stored) -> list[Stored]:
    """Let a person choose backtests to compare; a study has no figures of its own."""
    if one.kind != LabKind.BACKTEST:
        return []
    by_number = {
        other.number: other
        for other in found
        if other.kind == LabKind.BACKTEST and other.number != one.number
    }
    if not by_number:
        return []
    chosen = st.multiselect(
        text("backtest_lab.compare_with"), list(by_number), max_selections=_MOST_COMPARED,
        format_func=lambda number: backtest_words.title(by_number[number])
        if number in by_number else f"b{number}",
        key="lab_compare", placeholder=text("backtest_lab.compare_hint"),
    )  # fmt: skip
    return [by_number[number] for number in chosen if number in by_number]


def _at(at: datetime) -> str:
    return figures.local(at, zone(), "%m-%d %H:%M")


_COLUMNS: list[Column[Stored]] = [
    Column("backtest_lab.column_number", lambda r: r.public_id, pinned=True),
    Column("backtest_lab.column_at", lambda r: _at(r.created_at)),
    Column("backtest_lab.kind", lambda r: backtest_words.known(
        f"backtest_lab.kind_{r.kind}", r.kind)),
    Column("backtest_lab.name", lambda r: r.name),
    Column("backtest_lab.strategies", lambda r: " + ".join(r.strategies)),
    Column("backtest_lab.symbols", lambda r: ", ".join(r.symbols)),
    Column("backtest_lab.timeframe", lambda r: r.timeframe),
    *(
        Column(f"backtest_lab.column_{name}", partial(backtest_words.shown, code=code), right=True)
        for name, code in (
            ("return", "return"), ("drawdown", "max_drawdown"), ("sharpe", "sharpe"),
            ("trades", "trades"),
        )
    ),
]  # fmt: skip
