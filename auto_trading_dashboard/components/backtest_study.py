"""What a sweep, a search, a walk-forward and a Monte Carlo study ask for beside the backtest."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import backtest_fields as fields
from auto_trading_dashboard.components import figures
from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.components import settings_words as words
from auto_trading_dashboard.components.settings_draft import Files
from auto_trading_dashboard.preferences import text
from config.catalogue import Path, keys, kind_of
from config.effects import value_at
from config.faults import FaultCode
from crypto_trader_pro.backtest.lab_request import (
    MOST_RUNS,
    MOST_TRIALS,
    MOST_WINDOWS,
    OF_A_GRID,
    LabKind,
    Shaking,
    values_of,
)
from crypto_trader_pro.domain.errors import InputError

_MOST_KEYS: Final = 4
_FIRST: Final = (".fast", ".slow")  # what is varied unless a person says otherwise


def draw(
    kind: LabKind, strategies: Sequence[str], files: Files
) -> tuple[dict[str, Any], list[str]]:  # fmt: skip
    """Draw the controls of a kind; return fields of a `LabRequest`, and what is wrong."""
    found: dict[str, Any] = {}
    faults: list[str] = []
    if kind in OF_A_GRID:
        found["grid"] = _grid(kind, strategies, files, faults)
    if kind is LabKind.OPTIMIZE:
        found |= _search()
    if kind is LabKind.WALK_FORWARD:
        found |= _folds()
    if kind is LabKind.MONTE_CARLO:
        found |= _shaking()
    return found, faults


def _grid(
    kind: LabKind, strategies: Sequence[str], files: Files, faults: list[str]
) -> dict[str, list[str]]:  # fmt: skip
    """Let a person name the values that are tried."""
    paths = [p for s in strategies for p in fields.parameters_of(s) if fields.is_number(p)]
    by_name = {".".join(path): path for path in paths}
    names = list(by_name)
    chosen = st.multiselect(
        text("backtest_lab.vary"), names, default=[n for n in names if n.endswith(_FIRST)][:2],
        format_func=lambda name: words.label(by_name[name]) if name in by_name else name,
        max_selections=_MOST_KEYS, key="lab_vary", help=text("backtest_lab.vary_help"),
        persist_state="session",
    )  # fmt: skip
    grid: dict[str, list[str]] = {}
    for name in (n for n in chosen if n in by_name):
        found = _values(by_name[name], files, faults)
        if found:
            grid[name] = found
    if grid:
        count = 1
        for values in grid.values():
            count *= len(values)
        code = "trials_possible" if kind is LabKind.OPTIMIZE else "trials_asked"
        told = text(f"backtest_lab.{code}", count=figures.whole(count), most=MOST_TRIALS)
        st.caption(figures.escaped(told))
    return grid


def _values(path: Path, files: Files, faults: list[str]) -> list[str]:
    assert files.settings is not None  # noqa: S101  a broken file has no form
    name = ".".join(path)
    given = st.text_input(
        text("backtest_lab.values_of", name=words.label(path)),
        value=_around(path, value_at(files.settings, path)), live=True, autocomplete="off",
        key=f"lab_values_{name}", help=text("backtest_lab.values_help"), persist_state="session",
    )  # fmt: skip
    try:
        found = values_of(given or "")
    except InputError as e:
        st.markdown(f":red[:material/error: {figures.escaped(str(e))}]")
        faults.append(str(e))
        return []
    for value in found:
        wrong = drafts.checked(services.environment().config_dir, {name: value}).of(path)
        own = [fault for fault in wrong if fault.code is FaultCode.VALUE]
        if own:
            line = words.fault(own[0])
            st.markdown(f":red[:material/error: {figures.escaped(line)}]")
            faults.append(line)
            return []
    return found


def _around(path: Path, value: Any) -> str:
    """Return values around the one in force: half, as it is, one and a half times."""
    if kind_of(keys()[path].annotation) is int:
        tried = sorted({max(2, value // 2), value, value * 3 // 2})
        return ", ".join(map(str, tried))
    exact = Decimal(value)
    tried_too = sorted({exact / 2, exact, exact * 3 / 2})
    return ", ".join(drafts.as_text(one) for one in tried_too)


def _search() -> dict[str, Any]:
    with st.grid(2, min_column_width=150, gap="small"):
        tries = st.number_input(
            text("backtest_lab.tries"), 2, MOST_TRIALS, 50, step=10, key="lab_tries",
            help=text("backtest_lab.tries_help"), persist_state="session",
        )  # fmt: skip
        windows = st.number_input(
            text("backtest_lab.windows"), 1, MOST_WINDOWS, 4, key="lab_windows",
            help=text("backtest_lab.windows_help"), persist_state="session",
        )  # fmt: skip
    return {"tries": int(tries), "windows": int(windows)}


def _folds() -> dict[str, Any]:
    with st.grid(3, min_column_width=150, gap="small"):
        scheme = st.segmented_control(
            text("backtest_lab.scheme"), ("rolling", "anchored"), default="rolling",
            required=True, format_func=lambda name: text(f"backtest_lab.scheme_{name}"),
            key="lab_scheme", help=text("backtest_lab.scheme_help"), persist_state="session",
        )  # fmt: skip
        train = st.number_input(
            text("backtest_lab.train_days"), 1, 3650, 180, key="lab_train", persist_state="session"
        )
        test = st.number_input(
            text("backtest_lab.test_days"), 1, 3650, 60, key="lab_test", persist_state="session"
        )
        purge = st.number_input(
            text("backtest_lab.purge"), 0, 10_000, 0, key="lab_purge",
            help=text("backtest_lab.purge_help"), persist_state="session",
        )  # fmt: skip
        embargo = st.number_input(
            text("backtest_lab.embargo"), 0, 10_000, 0, key="lab_embargo",
            help=text("backtest_lab.embargo_help"), persist_state="session",
        )  # fmt: skip
    return {
        "anchored": scheme == "anchored", "train_days": int(train), "test_days": int(test),
        "purge": int(purge), "embargo": int(embargo),
    }  # fmt: skip


def _shaking() -> dict[str, Any]:
    names = [shaking.value for shaking in Shaking]
    chosen = st.segmented_control(
        text("backtest_lab.shaking"), names, default=Shaking.BLOCKS.value, required=True,
        format_func=lambda name: text(f"backtest_lab.shaking_{name}"), key="lab_shaking",
        persist_state="session",
    )  # fmt: skip
    st.caption(text(f"backtest_lab.shaking_{chosen}_help"))
    common = 100 if chosen == Shaking.CANDLES else 1000  # each of these is a whole backtest
    runs = st.number_input(
        text("backtest_lab.runs"), 10, MOST_RUNS, common, step=10, key=f"lab_runs_{common}",
        persist_state="session",
    )  # fmt: skip
    return {"shaking": Shaking(chosen), "runs": int(runs)}
