"""The form of the backtest lab: what to play, at what cost; checked while it is typed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import backtest_fields as fields
from auto_trading_dashboard.components import backtest_study
from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.components import settings_words as words
from auto_trading_dashboard.components.backtest_fields import Field
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries.backtests import Series
from crypto_trader_pro.backtest.lab_request import LabKind, LabRequest, stored_market
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import KNOWN, timeframe_ms

ENGINES: Final = ("compiled", "reference")
_MODEL: Final = "ai_signal"
_EARLIEST: Final = date(2009, 1, 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form says now.

    Args:
        request: None: it cannot be asked for, `faults` says why.
        name: that the person gave it.
    """

    request: LabRequest | None
    faults: tuple[str, ...]
    name: str
    symbols: tuple[str, ...]
    timeframe: str
    start: datetime | None
    end: datetime | None


def draw(series: Sequence[Series], venue: str) -> Asked:
    """Draw the form and return what it says."""
    files = drafts.files_now(services.environment().config_dir)
    if files.settings is None:  # the frame says what is wrong with the files
        return Asked(None, (), "", (), "", None, None)
    kind = _kind()
    symbols, timeframe = _candles([s for s in series if s.venue == venue], files.settings.symbols)
    start, end = _range()
    strategies = st.multiselect(
        text("backtest_lab.strategies"), fields.strategy_names(), default=["ema_cross"],
        key="lab_strategies", persist_state="session",
    )  # fmt: skip
    drawn: list[Field] = []
    for name in strategies:
        with fields.section("backtest_lab.parameters", expanded=name != _MODEL, about=name):
            drawn += fields.draw(fields.parameters_of(name), files)
    study, faults = backtest_study.draw(kind, strategies, files)
    with fields.section("backtest_lab.costs", expanded=False):
        st.caption(text("backtest_lab.costs_help"))
        drawn += fields.draw(fields.cost_keys(), files)
    engine, name = _engine(), _name()
    changes = fields.changes_of(drawn)
    checked = drafts.checked(services.environment().config_dir, changes)
    fields.tell(drawn, checked)
    faults += [words.fault(fault) for fault in checked.faults]
    if checked.settings is not None:
        faults += _model_fault(strategies, timeframe, checked.settings)
    request = _request(kind, symbols, timeframe, strategies, start, end, venue, {
        "changes": changes, "engine": engine, **study,
    }, faults)  # fmt: skip
    return Asked(request, tuple(faults), name, tuple(symbols), timeframe, start, end)


def _kind() -> LabKind:
    names = [kind.value for kind in LabKind]
    chosen = st.segmented_control(
        text("backtest_lab.kind"), names, default=names[0], required=True, key="lab_kind",
        format_func=lambda name: text(f"backtest_lab.kind_{name}"), persist_state="session",
    )  # fmt: skip
    st.caption(text(f"backtest_lab.kind_{chosen}_help"))
    return LabKind(chosen)


def _candles(series: Sequence[Series], configured: Sequence[str]) -> tuple[list[str], str]:
    """Let a person choose symbols and timeframe; what is stored is offered first."""
    stored = [s for s in series if not s.is_funding]
    symbols = list(dict.fromkeys([*(s.symbol for s in stored), *configured]))
    known = [t for t in KNOWN if any(s.timeframe == t for s in stored)] or list(KNOWN)
    default = "1h" if "1h" in known else known[0]
    timeframe = st.segmented_control(
        text("backtest_lab.timeframe"), known, default=default, required=True,
        key="lab_timeframe", persist_state="session",
    )  # fmt: skip
    first = [s.symbol for s in stored if s.timeframe == default][:1] or symbols[:1]
    chosen = st.multiselect(
        text("backtest_lab.symbols"), symbols, default=first, accept_new_options=True,
        key="lab_symbols", help=text("backtest_lab.symbols_help"), persist_state="session",
    )  # fmt: skip
    return [symbol.strip() for symbol in chosen], str(timeframe or default)


def _range() -> tuple[datetime | None, datetime | None]:
    with st.grid(2, min_column_width=150, gap="small"):
        first = st.date_input(
            text("backtest_lab.from"), value=None, key="lab_from", format="YYYY-MM-DD",
            help=text("backtest_lab.from_help"), min_value=_EARLIEST, persist_state="session",
        )  # fmt: skip
        last = st.date_input(
            text("backtest_lab.to"), value=None, key="lab_to", format="YYYY-MM-DD",
            help=text("backtest_lab.to_help"), min_value=_EARLIEST, persist_state="session",
        )  # fmt: skip
    end = _midnight(last)
    return _midnight(first), None if end is None else end + timedelta(days=1)


def _midnight(day: Any) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _engine() -> str:
    chosen = st.segmented_control(
        text("backtest_lab.engine"), ENGINES, default=ENGINES[0], required=True, key="lab_engine",
        format_func=lambda name: text(f"backtest.engine_{name}"),
        help=text("backtest_lab.engine_help"), persist_state="session",
    )  # fmt: skip
    return str(chosen or ENGINES[0])


def _name() -> str:
    given = st.text_input(
        text("backtest_lab.name"), key="lab_name", max_chars=120, autocomplete="off",
        placeholder=text("backtest_lab.name_hint"), persist_state="session",
    )  # fmt: skip
    return (given or "").strip()


def _model_fault(strategies: Sequence[str], timeframe: str, settings: Any) -> list[str]:
    needed = settings.strategies.ai_signal.timeframe
    if _MODEL not in strategies or not timeframe_ms(needed) % timeframe_ms(timeframe):
        return []
    return [text("backtest_lab.model_timeframe", needed=needed, timeframe=timeframe)]


def _request(
    kind: LabKind, symbols: Sequence[str], timeframe: str, strategies: Sequence[str],
    start: datetime | None, end: datetime | None, venue: str, more: dict[str, Any],
    faults: list[str],
) -> LabRequest | None:  # fmt: skip
    """Return the request; what is wrong with it joins `faults`."""
    if not symbols:
        faults.append(text("backtest_lab.no_symbol"))
    if not strategies:
        faults.append(text("backtest_lab.no_strategy"))
    if start is not None and end is not None and start >= end:
        faults.append(text("backtest_lab.empty_range"))
    if faults:
        return None
    market = stored_market(symbols, timeframe, strategies, start=start, end=end, venue=venue)
    request = LabRequest(kind, market, **more)
    try:
        request.check()
    except InputError as e:
        faults.append(str(e))
        return None
    return request
