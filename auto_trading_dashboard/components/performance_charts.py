"""Still charts of a period: equity with its drawdown, daily and monthly heat maps. Plain figures.

Nothing here draws: what depends on the reader is an argument.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.queries import performance
from auto_trading_dashboard.queries.performance import DARK, Day, Stretch, Window
from crypto_trader_pro.backtest import account_metrics
from crypto_trader_pro.backtest.thinning import kept
from crypto_trader_pro.domain.market import Floats
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.domain.units import MONEY

Json = dict[str, Any]
Say = Callable[..., str]  # `preferences.text`

_POINTS: Final = 1_600  # of a curve; four of each piece of it are kept
_SHADES: Final = {
    "reducing": "rgba(224,138,30,0.25)", "halted": "rgba(200,32,43,0.20)",
    DARK: "rgba(128,139,154,0.30)",
}  # fmt: skip
_LINE: Final = "#4e9ead"  # no colour of profit in either palette
_CURVE_HEIGHT: Final = 380
_ROW_HEIGHT: Final = 24
_SCALE_ROWS: Final = 4  # a scale has no room beside fewer
_NO_PROFIT: Final = "rgba(128,139,154,0.14)"  # on light and dark


@dataclass(frozen=True, slots=True)
class Look:
    """What a chart takes from its reader."""

    say: Say
    zone: ZoneInfo
    asset: str
    up: str
    down: str


def equity(window: Window, look: Look) -> Json:
    """Return the equity above, its drawdown below, and the silent times shaded behind both."""
    curve = window.equity / MONEY
    depth = account_metrics.falls(curve)
    places = np.union1d(kept(curve, _POINTS), [int(depth.argmax())])
    x = [_local(int(ms), look.zone) for ms in window.at_ms[places]]
    hover = f"%{{x}}<br>%{{y:,.2f}} {look.asset}<extra></extra>"
    traces: list[Json] = [
        *_shades(window, look),
        _line(x, curve[places].round(2), look.say("performance.equity"), "y2", hover, _LINE),
        _line(
            x, (depth[places] * -100).round(3), look.say("performance.under_peak"), "y3",
            "%{x}<br>%{y:.2f} %<extra></extra>", look.down,
        )
        | {"fill": "tozeroy", "fillcolor": _faded(look.down, 0.25)},
    ]  # fmt: skip
    right: Json = {"side": "right", "tickformat": ",.0f", "automargin": True, "zeroline": False}
    layout = _layout(_CURVE_HEIGHT) | {
        "xaxis": {
            "type": "date", "anchor": "y3", "tickformatstops": _TICKS, "showgrid": False,
            "range": [x[0], x[-1]],
        },
        "yaxis": {"domain": [0, 1], "range": [0, 1], "visible": False, "fixedrange": True},
        "yaxis2": right | {"domain": [0.34, 1], "tickformat": ",.6~r"},
        "yaxis3": right | {"domain": [0, 0.28], "tickformat": ".3~g", "ticksuffix": " %"},
        "legend": {"orientation": "h", "y": 1.12, "x": 0},
        "hovermode": "closest",
    }  # fmt: skip
    return {"data": traces, "layout": layout}


_TICKS: Final = (  # numbers: month names would be English
    {"dtickrange": [None, 60_000], "value": "%H:%M:%S"},
    {"dtickrange": [60_000, 86_400_000], "value": "%H:%M<br>%m-%d"},
    {"dtickrange": [86_400_000, "M1"], "value": "%m-%d<br>%Y"},
    {"dtickrange": ["M1", None], "value": "%Y-%m"},
)


def _line(x: Sequence[str], y: Floats, name: str, axis: str, hover: str, colour: str) -> Json:
    return {
        "type": "scatter", "mode": "lines", "x": list(x), "y": y.tolist(), "name": name,
        "yaxis": axis, "hovertemplate": hover, "line": {"color": colour, "width": 1.4},
    }  # fmt: skip


def _shades(window: Window, look: Look) -> Iterable[Json]:
    finest = max(1, (window.end_ms - int(window.at_ms[0])) // _POINTS)
    for state in performance.silent_states():
        spans = _merged((s for s in window.stretches if s.state == state), finest)
        if not spans:
            continue
        x: list[str | None] = []
        for start, end in spans:
            a, b = _local(start, look.zone), _local(end, look.zone)
            x += [a, a, b, b, None]
        yield {
            "type": "scatter", "mode": "lines", "x": x, "y": [0, 1, 1, 0, None] * len(spans),
            "fill": "toself", "fillcolor": _SHADES[state], "line": {"width": 0}, "yaxis": "y",
            "name": look.say(f"performance.shade_{state}"), "hoverinfo": "skip",
        }  # fmt: skip


def _merged(stretches: Iterable[Stretch], finest: int) -> list[tuple[int, int]]:
    """Return the spans of stretches, those one that are nearer than can be seen."""
    found: list[tuple[int, int]] = []
    for s in stretches:
        if found and s.start_ms - found[-1][1] < finest:
            found[-1] = (found[-1][0], s.end_ms)
        else:
            found.append((s.start_ms, s.end_ms))
    return found


def by_day(days: Sequence[Day], look: Look) -> Json:
    """Return profit by day: a row for each month, newest on top, a column for each day of it."""
    rows = sorted({(d.date.year, d.date.month) for d in days})
    places = {key: n for n, key in enumerate(rows)}
    cells = {(places[d.date.year, d.date.month], d.date.day - 1): d for d in days}
    names = [f"{year}-{month:02d}" for year, month in rows]
    columns = [f"{day:02d}" for day in range(1, 32)]
    return _heat_map(cells, names, columns, look, "%Y-%m-%d", worded=False)


def by_month(days: Sequence[Day], look: Look) -> Json:
    """Return profit by month: a row for each year, newest on top, percent and money in each."""
    months = performance.months(days)
    years = sorted({year for year, _ in months})
    cells = {(years.index(year), month - 1): day for (year, month), day in months.items()}
    columns = [f"{month:02d}" for month in range(1, 13)]
    return _heat_map(cells, [str(y) for y in years], columns, look, "%Y-%m", worded=True)


def _heat_map(
    cells: Mapping[tuple[int, int], Day], rows: Sequence[str], columns: Sequence[str], look: Look,
    form: str, *, worded: bool,
) -> Json:  # fmt: skip
    height = 44 if worded else _ROW_HEIGHT
    z: list[list[float | None]] = [[None] * len(columns) for _ in rows]
    told = [[""] * len(columns) for _ in rows]
    words = [[""] * len(columns) for _ in rows]
    for (row, column), day in cells.items():
        profit, fraction = figures.signed(day.profit), figures.signed_percent(day.fraction)
        z[row][column] = float(day.profit)
        so_far = "" if day.is_over else f" {look.say('performance.so_far')}"
        told[row][column] = (
            f"{day.date:{form}}{so_far}<br>{profit} {look.asset} ({fraction})<br>"
            f"{look.say('performance.of_trades', n=day.trades)}"
        )
        words[row][column] = f"{fraction}<br>{figures.signed(day.profit, 0)}"
    most = max((abs(value) for line in z for value in line if value is not None), default=0.0)
    trace: Json = {
        "type": "heatmap", "z": z, "x": list(columns), "y": list(rows), "xgap": 2, "ygap": 2,
        "hovertext": told, "hovertemplate": "%{hovertext}<extra></extra>", "hoverongaps": False,
        "zmin": -(most or 1), "zmax": most or 1,
        "colorscale": [[0, look.down], [0.5, _NO_PROFIT], [1, look.up]],
        "showscale": len(rows) >= _SCALE_ROWS,
        "colorbar": {"thickness": 10, "title": {"text": look.asset}, "tickformat": ",~r"},
    }  # fmt: skip
    if worded:
        trace |= {"text": words, "texttemplate": "%{text}", "textfont": {"size": 11}}
    axis: Json = {"type": "category", "showgrid": False, "fixedrange": True, "ticks": ""}
    layout = _layout(height * len(rows) + 60) | {
        "xaxis": axis | {"side": "bottom", "dtick": 1}, "yaxis": axis | {"dtick": 1},
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def _layout(height: int) -> Json:
    return {
        "height": height, "margin": {"l": 8, "r": 8, "t": 26, "b": 24},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
    }  # fmt: skip


def _local(ms: int, zone: ZoneInfo) -> str:
    at: datetime = to_datetime(ms).astimezone(zone)
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _faded(colour: str, share: float) -> str:
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"
