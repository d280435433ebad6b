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
from crypto_trader_pro.backtest.lab_request import VENUE, LabKind, LabRequest, stored_market
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import KNOWN, timeframe_ms

ENGINES: Final = ("compiled", "reference")
_NO_DETAIL: Final = ""
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
    venue: str
    timeframe: str
    start: datetime | None
    end: datetime | None


def draw(series: Sequence[Series]) -> Asked:
    """Draw the form and return what it says."""
    files = drafts.files_now(services.environment().config_dir)
    if files.settings is None:  # the frame says what is wrong with the files
        return Asked(None, (), "", (), VENUE, "", None, None)
    kind, venue = _kind(), _venue(series)
    stored = [s for s in series if s.venue == venue and not s.is_funding]
    symbols, timeframe = _candles(stored, files.settings.symbols)
    detail = _detail(stored, symbols, timeframe)
    start, end = _range()
    strategies = st.multiselect(
        text("backtest_lab.strategies"), fields.strategy_names(), default=["ema_cross"],
        key="lab_strategies", format_func=fields.strategy_name, persist_state="session",
    )  # fmt: skip
    drawn: list[Field] = []
    for name in strategies:
        about = fields.strategy_name(name)
        with fields.section("backtest_lab.parameters", expanded=name != _MODEL, about=about):
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
    faults += _range_faults(symbols, strategies, start, end)
    market = stored_market(
        symbols, timeframe, strategies, start=start, end=end, venue=venue, detail=detail
    )
    more = {"changes": changes, "engine": engine, **study}
    request = None if faults else _request(LabRequest(kind, market, **more), faults)
    return Asked(
        request, tuple(faults), name, tuple(symbols), venue, detail or timeframe, start, end
    )


def _kind() -> LabKind:
    names = [kind.value for kind in LabKind]
    chosen = st.pills(  # seven of them: these wrap on a phone
        text("backtest_lab.kind"), names, default=names[0], required=True, key="lab_kind",
        format_func=lambda name: text(f"backtest_lab.kind_{name}"), wrap=True,
        persist_state="session",
    )  # fmt: skip
    st.caption(text(f"backtest_lab.kind_{chosen}_help"))
    return LabKind(chosen)


def _candles(stored: Sequence[Series], configured: Sequence[str]) -> tuple[list[str], str]:
    """Let a person choose symbols and timeframe; what is stored is offered first."""
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


def _venue(series: Sequence[Series]) -> str:
    """Let a person choose whose candles are played, where there are several venues'."""
    known = list(dict.fromkeys(s.venue for s in series if not s.is_funding))
    if len(known) < 2:
        return known[0] if known else VENUE
    chosen = st.segmented_control(
        text("backtest_lab.venue"), known, default=VENUE if VENUE in known else known[0],
        required=True, key="lab_venue", help=text("backtest_lab.venue_help"),
        persist_state="session",
    )  # fmt: skip
    return str(chosen or known[0])


def _detail(stored: Sequence[Series], symbols: Sequence[str], timeframe: str) -> str | None:
    """Let a person have fills looked up in shorter candles, where every symbol has them."""
    length = timeframe_ms(timeframe)
    found = [
        name
        for name in KNOWN
        if timeframe_ms(name) < length and length % timeframe_ms(name) == 0 and symbols
        and set(symbols) <= {s.symbol for s in stored if s.timeframe == name}
    ]  # fmt: skip
    if not found:
        return None
    chosen = st.segmented_control(
        text("backtest_lab.detail"), [_NO_DETAIL, *found], default=_NO_DETAIL, required=True,
        format_func=lambda name: name or text("backtest_lab.detail_none"),
        key=f"lab_detail_{timeframe}", help=text("backtest_lab.detail_help"),
        persist_state="session",
    )  # fmt: skip
    return str(chosen) if chosen else None


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
        format_func=lambda name: text(f"backtest_lab.engine_{name}"),
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


def _range_faults(
    symbols: Sequence[str], strategies: Sequence[str], start: datetime | None,
    end: datetime | None,
) -> list[str]:  # fmt: skip
    faults = []
    if not symbols:
        faults.append(text("backtest_lab.no_symbol"))
    if not strategies:
        faults.append(text("backtest_lab.no_strategy"))
    if start is not None and end is not None and start >= end:
        faults.append(text("backtest_lab.empty_range"))
    return faults


def _request(request: LabRequest, faults: list[str]) -> LabRequest | None:
    """Return the request; what is wrong with it joins `faults`."""
    try:
        request.check()
    except InputError as e:
        faults.append(str(e))
        return None
    return request
