"""The charts of the report as plain Plotly figures; the page colours them for light and dark.

A colour is a word after a dollar sign, which the page's script replaces. Nothing here imports
Plotly. What is left out of a drawing is counted, and the note under it says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Any, Final

import numpy as np

from auto_trading.backtesting.output import Findings
from auto_trading.backtesting.wording import signed_number
from crypto_trader_pro.backtest.account_metrics import CONFIDENCE_95, falls
from crypto_trader_pro.backtest.closed_trades import RoundTrip
from crypto_trader_pro.backtest.curve_metrics import usable_returns
from crypto_trader_pro.backtest.equity_curve import EquityCurve, curve_of, daily_equity
from crypto_trader_pro.backtest.metrics import DAYS_PER_YEAR
from crypto_trader_pro.backtest.thinning import kept
from crypto_trader_pro.domain.instruments import Instrument, money
from crypto_trader_pro.domain.market import CandleSeries, Floats, Ints
from crypto_trader_pro.domain.timeframes import timeframe_name
from crypto_trader_pro.domain.units import MONEY
from utils.texts import Language, say

Json = dict[str, Any]

CURVE_POINTS: Final = 1_600  # of a curve; four of each piece of it are kept
MOST_CANDLES: Final = 3_000
WINDOW: Final = 600  # candles of the busiest stretch: as many as can be told apart
MOST_MARKED: Final = 400  # trades on joined candles; more could not be told apart
_BINS: Final = 40
_OUTSIDE: Final = 0.01  # of the trades at each end that may lie outside the histogram
_WINDOWS: Final = (90, 30)  # days of the rolling ratio, the longest that fits twice
_MARGIN: Final = {"l": 8, "r": 8, "t": 34, "b": 30}


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, and the sentence under it that says what was drawn; no figure: only the reason."""

    figure: Json | None
    note: str


def equity_chart(found: Findings, language: Language) -> Chart:
    """Equity; its return beside buy and hold; its fall from the highest before."""
    curve, held = curve_of(found.backtest.result), found.benchmark.curve
    equity, other = _whole(curve), _whole(held)
    depth = falls(equity)
    # the same times for both, so that they can be read at one instant
    places = np.union1d(
        np.union1d(kept(equity, CURVE_POINTS), kept(other, CURVE_POINTS)), [int(depth.argmax())]
    )
    x = time_axis(_times(curve)[places])
    asset = found.backtest.result.instruments[0].quote
    own, hold, fall = (
        say(language, f"backtest.report.{word}") for word in ("equity", "hold", "drawdown")
    )
    solid, dashed = {"color": "$line", "width": 1.7}, {"color": "$muted", "width": 1.2}
    money_of = f"%{{y:,.2f}} {asset}<extra>{own}</extra>"
    percent = "%{y:+.2f} %<extra>%{fullData.name}</extra>"
    growth, growth_held = 100 * (equity / equity[0] - 1), 100 * (other / other[0] - 1)
    data = [
        _line(x, equity[places].round(2), own, solid, money_of),
        _line(x, growth_held[places].round(3), hold, dashed | {"dash": "dash"}, percent, "y2"),
        _line(x, growth[places].round(3), own, solid, percent, "y2") | {"showlegend": False},
        _line(x, (-100 * depth[places]).round(3), fall, {"color": "$loss"}, percent, "y3")
        | {"fill": "tozeroy", "fillcolor": "$loss_faint"},
    ]
    names = (asset, say(language, "backtest.metric.return"), fall)
    domains = ([0.64, 1], [0.30, 0.58], [0, 0.24])
    axes = {
        key: _axis(name if key == "yaxis" else f"{name} (%)") | {"domain": domain}
        for key, name, domain in zip(("yaxis", "yaxis2", "yaxis3"), names, domains, strict=True)
    }
    layout = _layout(600) | axes | {"xaxis": _date_axis() | {"anchor": "y3"}, "hovermode": "x"}
    count, drawn = f"{len(equity):,}", f"{len(places):,}"
    note = say(language, "backtest.report.curve_note", count=count, drawn=drawn)
    return Chart({"data": data, "layout": layout}, note)


def rolling_chart(found: Findings, language: Language) -> Chart:
    """The Sharpe ratio of the last days, day by day."""
    daily = daily_equity(curve_of(found.backtest.result))
    returns = usable_returns(daily)
    have = len(daily.day_ms)
    window = next((days for days in _WINDOWS if have >= 2 * days), None)
    if returns is None or window is None:
        needed = _WINDOWS[-1]
        few = say(language, "backtest.report.rolling_few", days=2 * needed - 1, have=have)
        return Chart(None, few)
    ratios = rolling_sharpe(returns, window)
    x = time_axis(daily.day_ms[window - 1 :])
    name = say(language, "backtest.report.rolling")
    hover = "%{y:.2f}<extra></extra>"
    drawn = [None if np.isnan(value) else round(float(value), 3) for value in ratios]
    data = [_line(x, drawn, name, {"color": "$line", "width": 1.6}, hover)]
    layout = _layout(260) | {
        "xaxis": _date_axis(), "yaxis": _axis("") | {"zeroline": True}, "showlegend": False,
    }  # fmt: skip
    error = CONFIDENCE_95 * sqrt(DAYS_PER_YEAR / window)
    note = say(language, "backtest.report.rolling_note", days=window, error=f"{error:.1f}")
    return Chart({"data": data, "layout": layout}, note)


def rolling_sharpe(returns: Floats, window: int) -> Floats:
    """Return the yearly Sharpe ratio of each `window` consecutive returns; NaN without deviation.

    Shape (n - window + 1,).
    """
    pieces = np.lib.stride_tricks.sliding_window_view(returns, window)
    mean, deviation = pieces.mean(axis=1), pieces.std(axis=1, ddof=1)
    moves = deviation > 1e-12  # equal returns deviate by rounding only
    ratio: Floats = np.where(moves, mean / np.where(moves, deviation, 1.0), np.nan)
    return ratio * sqrt(DAYS_PER_YEAR)


def distribution_chart(found: Findings, language: Language) -> Chart:
    """How many trades made how much; no bar holds both gains and losses."""
    profits = np.array([trip.profit for trip in found.trips.closed], np.float64) / MONEY
    if not len(profits):
        return Chart(None, say(language, "backtest.report.no_trades"))
    edges = bin_edges(profits)
    counts = np.histogram(profits, edges)[0]
    middles, width = (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])
    asset = found.backtest.result.instruments[0].quote
    texts = [f"{_signed(low)} … {_signed(high)} {asset}" for low, high in pairwise(edges.tolist())]
    data = []
    for chosen, word, colour, shape in (
        (middles < 0, "losses", "$loss", "/"), (middles > 0, "gains", "$gain", ""),
    ):  # fmt: skip
        places = np.flatnonzero(chosen).tolist()
        data.append({
            "type": "bar", "x": middles[places].round(8).tolist(), "y": counts[places].tolist(),
            "width": width, "name": say(language, f"backtest.report.{word}"),
            "text": [texts[k] for k in places], "textposition": "none",
            "hovertemplate": "%{text}<br>%{y:,}<extra>%{fullData.name}</extra>",
            "marker": {"color": colour, "line": {"width": 0},
                       "pattern": {"shape": shape, "solidity": 0.6, "size": 6}},
        })  # fmt: skip
    layout = _layout(300) | {
        "xaxis": {"title": {"text": asset}, "gridcolor": "$grid", "zeroline": True,
                  "zerolinecolor": "$muted", "tickformat": ",~r", "fixedrange": True},
        "yaxis": _axis(say(language, "backtest.report.trades")), "bargap": 0.04,
        "margin": _MARGIN | {"b": 48},
    }  # fmt: skip
    note = say(
        language, "backtest.report.distribution_note", asset=asset,
        left=int((profits < edges[0]).sum()), right=int((profits > edges[-1]).sum()),
    )  # fmt: skip
    return Chart({"data": data, "layout": layout}, note)


def bin_edges(profits: Floats) -> Floats:
    """Return edges of equal bins, one of them at zero, that span all but the outermost trades."""
    low, high = np.quantile(profits, [_OUTSIDE, 1 - _OUTSIDE])
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    width = (high - low) / _BINS or 1.0
    first, last = int(np.floor(low / width)), int(np.ceil(high / width))
    edges: Floats = np.arange(first, last + 1, dtype=np.float64) * width
    return edges if len(edges) > 1 else np.array([-width, 0.0, width])


@dataclass(frozen=True, slots=True)
class Drawn:
    """The candles of one symbol that are drawn, and the trades on them.

    Args:
        each: candles of which one drawn candle is made.
        trades: places in the symbol's closed trades.
    """

    open_ms: Ints
    prices: tuple[Ints, Ints, Ints, Ints]  # open, high, low, close
    each: int
    trades: tuple[int, ...]
    is_window: bool


def drawn_candles(series: CandleSeries, trips: Sequence[RoundTrip]) -> Drawn:
    """Choose what is drawn of a symbol, by a rule that depends on nothing but its length.

    Up to 3,000 candles: all. More, with up to 400 trades: candles joined to at most 3,000. More
    of both: the 600 consecutive candles in which most trades were closed, the first of equals.
    """
    n = len(series)
    everything = tuple(range(len(trips)))
    columns = (series.open, series.high, series.low, series.close)
    if n <= MOST_CANDLES:
        return Drawn(series.open_ms, columns, 1, everything, is_window=False)
    if len(trips) <= MOST_MARKED:
        each = -(-n // MOST_CANDLES)
        starts = np.arange(0, n, each)
        ends = np.append(starts[1:], n) - 1
        joined = (
            series.open[starts], np.maximum.reduceat(series.high, starts),
            np.minimum.reduceat(series.low, starts), series.close[ends],
        )  # fmt: skip
        return Drawn(series.open_ms[starts], joined, each, everything, is_window=False)
    closed = np.array([trip.closed_ms for trip in trips], np.int64)
    place = np.clip(np.searchsorted(series.open_ms, closed, "right") - 1, 0, n - 1)
    until = np.cumsum(np.bincount(place, minlength=n))
    inside = until[WINDOW - 1 :] - np.append(0, until[: n - WINDOW])
    first = int(inside.argmax())
    rows = slice(first, first + WINDOW)
    seen = np.flatnonzero((place >= first) & (place < first + WINDOW)).tolist()
    cut = (columns[0][rows], columns[1][rows], columns[2][rows], columns[3][rows])
    return Drawn(series.open_ms[rows], cut, 1, tuple(seen), is_window=True)


def candle_chart(found: Findings, symbol: int, language: Language) -> Chart:
    """Candles of one symbol with its entries and exits; shapes and signs tell gain from loss."""
    result = found.backtest.result
    what, series = result.instruments[symbol], found.candles.series[symbol]
    own = [trip for trip in found.trips.closed if trip.symbol == symbol]
    drawn = drawn_candles(series, own)
    unit = float(what.price_unit)
    names = ("open", "high", "low", "close")
    prices = {
        name: np.round(column * unit, 10).tolist()
        for name, column in zip(names, drawn.prices, strict=True)
    }
    candles: Json = {
        "type": "candlestick", "x": time_axis(drawn.open_ms), **prices,
        "name": say(language, "backtest.report.candle"), "showlegend": False,
        "increasing": {"line": {"color": "$candle", "width": 1}, "fillcolor": "$paper"},
        "decreasing": {"line": {"color": "$candle", "width": 1}, "fillcolor": "$candle"},
    }  # fmt: skip
    trades = [own[k] for k in drawn.trades]
    layout = _layout(420) | {
        "xaxis": _date_axis() | {"rangeslider": {"visible": False}, "fixedrange": False},
        "yaxis": _axis(what.quote) | {"fixedrange": False}, "hovermode": "closest",
        "dragmode": "pan",
    }  # fmt: skip
    data = [candles, *_markers(trades, what, language)]
    return Chart({"data": data, "layout": layout}, _candle_note(series, drawn, own, language))


def _candle_note(
    series: CandleSeries, drawn: Drawn, own: Sequence[RoundTrip], language: Language
) -> str:
    timeframe = timeframe_name(series.timeframe_ms)
    count, shown = f"{len(series):,}", f"{len(drawn.open_ms):,}"
    if drawn.is_window:
        ends = (int(drawn.open_ms[0]), int(drawn.open_ms[-1]) + series.timeframe_ms)
        start, end = time_axis(np.array(ends, np.int64))
        return say(
            language, "backtest.report.candles_busiest", symbol=series.symbol, drawn=shown,
            count=count, timeframe=timeframe, trades=len(drawn.trades), all_trades=len(own),
            start=start, end=end,
        )  # fmt: skip
    if drawn.each > 1:
        return say(
            language, "backtest.report.candles_joined", symbol=series.symbol, count=count,
            timeframe=timeframe, drawn=shown, each=drawn.each, trades=len(own),
        )  # fmt: skip
    return say(
        language, "backtest.report.candles_all", symbol=series.symbol, count=count,
        timeframe=timeframe, trades=len(own),
    )  # fmt: skip


def _markers(trades: Sequence[RoundTrip], what: Instrument, language: Language) -> list[Json]:
    kinds = (
        ("enter_long", "triangle-up", "$line", [t for t in trades if t.side > 0], False),
        ("enter_short", "triangle-down", "$line", [t for t in trades if t.side < 0], False),
        ("exit_gain", "circle", "$gain", [t for t in trades if t.profit > 0], True),
        ("exit_loss", "x", "$loss", [t for t in trades if t.profit <= 0], True),
    )
    found = []
    for word, shape, colour, chosen, is_exit in kinds:
        at = np.array([(t.closed_ms if is_exit else t.opened_ms) or 0 for t in chosen], np.int64)
        prices = [t.exit if is_exit else t.entry for t in chosen]
        found.append({
            "type": "scatter", "mode": "markers", "x": time_axis(at),
            "y": [None if price is None else float(price) for price in prices],
            "name": say(language, f"backtest.report.{word}"),
            "text": [_trade_text(t, what, language) for t in chosen],
            "hovertemplate": "%{x}<br>%{y:,}<br>%{text}<extra>%{fullData.name}</extra>",
            "marker": {"symbol": shape, "color": colour, "size": 9,
                       "line": {"color": "$paper", "width": 1}},
        })  # fmt: skip
    return found


def _trade_text(trip: RoundTrip, what: Instrument, language: Language) -> str:
    profit = signed_number(money(trip.profit), "money", what.quote, language)
    return f"{profit}, {say(language, f'backtest.exit.{trip.reason}')}"


def time_axis(at_ms: Ints) -> list[str]:
    """Return instants as Plotly's dates, UTC, to the minute."""
    texts = np.datetime_as_string((at_ms // 60_000).astype("datetime64[m]"))
    return [text.replace("T", " ") for text in texts.tolist()]


def _whole(curve: EquityCurve) -> Floats:
    """The curve with its opening, in the quote asset."""
    result: Floats = np.concatenate(([curve.opening], curve.equity)) / MONEY
    return result


def _times(curve: EquityCurve) -> Ints:
    return np.concatenate(([curve.start_ms], curve.close_ms)).astype(np.int64)


def _line(
    x: Sequence[str], y: Any, name: str, line: Json, hover: str, axis: str = "y"
) -> Json:  # fmt: skip
    values = y.tolist() if isinstance(y, np.ndarray) else y
    return {
        "type": "scatter", "mode": "lines", "x": list(x), "y": values, "name": name, "line": line,
        "hovertemplate": hover, "yaxis": axis,
    }  # fmt: skip


_TICKS: Final = [  # numbers: month names would be English
    {"dtickrange": [None, 86_400_000], "value": "%H:%M<br>%m-%d"},
    {"dtickrange": [86_400_000, "M1"], "value": "%m-%d<br>%Y"},
    {"dtickrange": ["M1", None], "value": "%Y-%m"},
]


def _date_axis() -> Json:
    return {
        "type": "date", "gridcolor": "$grid", "tickformatstops": _TICKS, "fixedrange": True,
        "hoverformat": "%Y-%m-%d %H:%M", "nticks": 5, "tickangle": 0, "automargin": True,
    }  # fmt: skip


def _axis(title: str) -> Json:
    return {
        "title": {"text": title, "standoff": 6}, "gridcolor": "$grid", "zerolinecolor": "$muted",
        "zeroline": False, "automargin": True, "tickformat": ",.6~r", "fixedrange": True,
    }  # fmt: skip


def _layout(height: int) -> Json:
    return {
        "height": height, "margin": _MARGIN, "autosize": True,
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "$text", "size": 12}, "separators": ".,",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "hoverlabel": {"bgcolor": "$paper", "bordercolor": "$muted", "font": {"color": "$text"}},
    }  # fmt: skip


def _signed(value: float) -> str:
    return f"{value:+,.2f}".replace("-", "−")
