"""Which candles there are for what a form asks, and what to type where there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import streamlit as st

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.components.backtest_form import Asked
from auto_trading_dashboard.components.control_first import interpreter
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries import backtests
from auto_trading_dashboard.queries.backtests import Series
from auto_trading_dashboard.reading import read
from crypto_trader_pro.backtest.lab_request import LabKind
from crypto_trader_pro.backtest.metrics import MIN_RATIO_RETURNS
from crypto_trader_pro.domain.timeframes import timeframe_ms

_MONTHS: Final = 24  # of history that a suggested download asks for


@dataclass(frozen=True, slots=True)
class Found:
    """Candles of one symbol in the range that is asked for."""

    symbol: str
    count: int
    first: datetime | None
    last: datetime | None
    missing: int


def draw(asked: Asked, series: Sequence[Series], now: datetime) -> bool:
    """Say what is stored for each symbol; True when it is enough for what is asked."""
    if not asked.symbols or not asked.timeframe:
        return False
    with st.container(border=True, key="lab_data"):
        st.markdown(f"**{text('backtest_lab.data')}**")
        found = [_found(symbol, asked, series) for symbol in asked.symbols]
        st.markdown("  \n".join(_line(one, asked) for one in found))
        lacking = [one.symbol for one in found if not one.count]
        rates = {s.symbol for s in series if s.is_funding}
        unfunded = [s for s in asked.symbols if ":" in s and s not in rates]
        if lacking:
            st.caption(text("backtest_lab.get_data"))
            st.code("\n".join(commands(lacking[0], asked.timeframe, now)), language=None)
        elif unfunded:
            told = text("backtest_lab.no_funding", symbols=", ".join(unfunded))
            st.caption(figures.escaped(told))
        short = "" if lacking else _too_short(found, asked)
        if short:
            st.markdown(f":red[:material/error: {figures.escaped(short)}]")
    return not lacking and not short


def _too_short(found: Sequence[Found], asked: Asked) -> str:
    """Say that a fold of a walk-forward or a window of a search does not fit the candles."""
    request = asked.request
    if request is None or request.kind not in (LabKind.WALK_FORWARD, LabKind.OPTIMIZE):
        return ""
    first = min(one.first for one in found if one.first is not None)
    last = max(one.last for one in found if one.last is not None)
    span = (last - first).days
    if request.kind is LabKind.OPTIMIZE:
        need = request.windows * MIN_RATIO_RETURNS
        code = "backtest_lab.too_short_windows"
        return "" if need <= span else text(code, span=span, need=need, windows=request.windows)
    need = request.train_days + request.test_days
    return "" if need <= span else text("backtest_lab.too_short", span=span, need=need)


def commands(symbol: str, timeframe: str, now: datetime) -> list[str]:
    """Return the two ways to candles, as they can be typed here."""
    start = (now - timedelta(days=30 * _MONTHS)).strftime("%Y-%m-%d")
    program = f"{interpreter()} -m crypto_trader_pro"
    return [
        f"{program} data download --symbol {symbol} --timeframe {timeframe} --from {start}",
        f"{program} data import FILE --symbol {symbol} --timeframe {timeframe}",
    ]


def _found(symbol: str, asked: Asked, series: Sequence[Series]) -> Found:
    known = (asked.venue, symbol, asked.timeframe)
    own = next((s for s in series if (s.venue, s.symbol, s.timeframe) == known), None)
    if own is None:
        return Found(symbol, 0, None, None, 0)
    # a count reads the index of the range: only when what is stored or asked for is another
    count, first, last = _counted(*known, asked.start, asked.end, own.last)
    if first is None or last is None:
        return Found(symbol, 0, own.first, own.last, 0)
    whole = (last - first) // timedelta(milliseconds=timeframe_ms(asked.timeframe)) + 1
    return Found(symbol, count, first, last, whole - count)


@st.cache_data(max_entries=64, ttl=60, show_spinner=False)
def _counted(
    venue: str, symbol: str, timeframe: str, start: datetime | None, end: datetime | None,
    newest: datetime,
) -> tuple[int, datetime | None, datetime | None]:  # fmt: skip
    key = ("lab candles", venue, symbol, timeframe, start, end)
    found = read(key, lambda s: backtests.candles_in(s, venue, symbol, timeframe, start, end)).value
    return (0, None, None) if found is None else found


def _line(one: Found, asked: Asked) -> str:
    name = f"**{figures.escaped(one.symbol)}** {figures.escaped(asked.timeframe)}"
    first, last = _day(one.first), _day(one.last)
    if not one.count:
        told = text("backtest_lab.no_candles")
        if one.first is not None:
            told = text("backtest_lab.not_in_range", first=first, last=last)
        return f":red[:material/error:] {name} :red[{figures.escaped(told)}]"
    count = figures.whole(one.count)
    told = text("backtest_lab.candles", count=count, first=first, last=last)
    line = f":green[:material/check_circle:] {name} {figures.escaped(told)}"
    if one.missing:
        missing = text("backtest_lab.missing", count=figures.whole(one.missing))
        line += f" · :orange[{figures.escaped(missing)}]"
    return line


def _day(at: datetime | None) -> str:
    return figures.MISSING if at is None else f"{at:%Y-%m-%d}"
