"""Still charts of stored backtests: equity with its falls, months, several curves together.

Nothing here draws: what depends on the reader is an argument.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.components.performance_charts import Say
from crypto_trader_pro.domain.timeframes import to_datetime

Json = dict[str, Any]

_LINE: Final = "#4e9ead"  # no colour of profit in either palette
_LINES: Final = ("#4e9ead", "#e08a1e", "#a06cd5", "#2aa876", "#d65f8a", "#8b97a6")
_NO_PROFIT: Final = "#98a1ad"  # opaque: what is written on it is legible on light and dark
_HEIGHT: Final = 380
_ROW: Final = 44
_FEW_DIGITS: Final = 0.01  # return of a month from which on one decimal says enough
_MEDIAN: Final = 0.5
_MOST_WORDS: Final = 14  # columns of a map that have room for their numbers
_TICKS: Final = (  # numbers: month names would be English
    {"dtickrange": [None, 86_400_000], "value": "%H:%M<br>%m-%d"},
    {"dtickrange": [86_400_000, "M1"], "value": "%m-%d<br>%Y"},
    {"dtickrange": ["M1", None], "value": "%Y-%m"},
)


@dataclass(frozen=True, slots=True)
class Look:
    """What a chart takes from its reader."""

    say: Say
    zone: ZoneInfo
    up: str
    down: str


def equity(curve: Mapping[str, Sequence[float]], asset: str, look: Look) -> Json:
    """Return the equity above and its fall from the highest so far below."""
    x = _times(curve["at_ms"], look.zone)
    traces = [
        _line(x, curve["equity"], look.say("backtest_lab.equity"), _LINE, asset),
        _line(x, [-100 * fall for fall in curve["fall"]], look.say("backtest_lab.fall"),
              look.down, "%")
        | {"yaxis": "y2", "fill": "tozeroy", "fillcolor": faded(look.down, 0.25)},
    ]  # fmt: skip
    right: Json = {"side": "right", "automargin": True, "zeroline": False}
    return {
        "data": traces,
        "layout": _layout(_HEIGHT) | {
            "xaxis": _time_axis("y2"),
            "yaxis": right | {"domain": [0.34, 1], "tickformat": ",.6~r"},
            "yaxis2": right | {"domain": [0, 0.28], "tickformat": ".3~g", "ticksuffix": " %"},
        },
    }  # fmt: skip


def together(
    curves: Mapping[str, Mapping[str, Sequence[float]]], look: Look
) -> Json:  # fmt: skip
    """Return several equities in percent of where each began."""
    traces = []
    for place, (name, curve) in enumerate(curves.items()):
        first = curve["equity"][0] or 1.0
        y = [round((value / first - 1) * 100, 4) for value in curve["equity"]]
        colour = _LINES[place % len(_LINES)]
        traces.append(_line(_times(curve["at_ms"], look.zone), y, name, colour, "%"))
    axis = {"side": "right", "automargin": True, "ticksuffix": " %", "tickformat": "+.3~g"}
    return {
        "data": traces, "layout": _layout(320) | {"xaxis": _time_axis("y"), "yaxis": axis},
    }  # fmt: skip


def months(rows: Sequence[Sequence[float]], asset: str, look: Look) -> Json:
    """Return profit by UTC month: a row for each year, percent and money in each cell."""
    years = sorted({int(row[0]) for row in rows})
    columns = [f"{month:02d}" for month in range(1, 13)]
    z: list[list[float | None]] = [[None] * 12 for _ in years]
    words = [[""] * 12 for _ in years]
    told = [[""] * 12 for _ in years]
    most = max((abs(row[3]) for row in rows), default=0.0) or 1.0
    places = 1 if most >= _FEW_DIGITS else 2
    for year, month, profit, share in rows:
        y, x = years.index(int(year)), int(month) - 1
        percent = figures.signed_percent(share, places)
        z[y][x] = share
        words[y][x] = percent.removesuffix(" %")  # said above it: twelve have to fit a phone
        money = f"{profit:+,.2f}".replace("-", figures.MINUS)
        told[y][x] = f"{int(year)}-{int(month):02d}<br>{money} {asset} ({percent})"
    trace = {
        "type": "heatmap", "z": z, "x": columns, "y": [str(year) for year in years], "xgap": 2,
        "ygap": 2, "text": words, "texttemplate": "%{text}", "textfont": {"size": 10},
        "hovertext": told, "hovertemplate": "%{hovertext}<extra></extra>", "hoverongaps": False,
        "zmin": -most, "zmax": most, "showscale": False,
        "colorscale": [[0, look.down], [0.5, _NO_PROFIT], [1, look.up]],
    }  # fmt: skip
    axis: Json = {"type": "category", "showgrid": False, "fixedrange": True, "ticks": ""}
    layout = _layout(_ROW * len(years) + 60) | {
        "xaxis": axis | {"side": "bottom", "dtick": 1}, "yaxis": axis | {"dtick": 1},
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def grid(
    cells: Mapping[tuple[str, str], float | None], names: Sequence[str], look: Look
) -> Json:  # fmt: skip
    """Return a figure for each pair of two parameters: the first down, the second across."""
    rows = sorted({pair[0] for pair in cells}, key=Decimal)
    columns = sorted({pair[1] for pair in cells}, key=Decimal)
    z = [[cells.get((row, column)) for column in columns] for row in rows]
    words = [
        ["" if v is None else f"{v:.2f}".replace("-", figures.MINUS) for v in line] for line in z
    ]
    most = max((abs(v) for line in z for v in line if v is not None), default=0.0) or 1.0
    trace = {
        "type": "heatmap", "z": z, "x": columns, "y": rows, "xgap": 2, "ygap": 2, "text": words,
        "texttemplate": "%{text}" if len(columns) <= _MOST_WORDS else "", "hoverongaps": False,
        "hovertemplate": f"{names[0]} %{{y}}<br>{names[1]} %{{x}}<br>%{{z:.3f}}<extra></extra>",
        "zmin": -most, "zmax": most, "showscale": False,
        "colorscale": [[0, look.down], [0.5, _NO_PROFIT], [1, look.up]],
    }  # fmt: skip
    axis: Json = {"type": "category", "showgrid": False, "fixedrange": True, "ticks": ""}
    layout = _layout(max(160, 30 * len(rows) + 80)) | {
        "xaxis": axis | {"title": {"text": names[1]}},
        "yaxis": axis | {"title": {"text": names[0]}, "automargin": True},
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def fan(bands: Mapping[str, Any], quantiles: Sequence[float], unit: str) -> Json:
    """Return the quantiles of many equities: outer and inner band, and the median."""
    x, lines = bands["steps"], bands["fan"]
    traces: list[Json] = []
    for k, line in enumerate(lines):
        width = 2.0 if quantiles[k] == _MEDIAN else 0.6
        trace: Json = {
            "type": "scatter", "mode": "lines", "x": x, "y": [round(v, 2) for v in line],
            "name": f"{quantiles[k] * 100:g} %", "line": {"color": _LINE, "width": width},
            "hovertemplate": f"%{{x}} {unit}<br>%{{y:,.2f}}<extra>{quantiles[k] * 100:g} %</extra>",
        }  # fmt: skip
        if k:
            trace |= {"fill": "tonexty", "fillcolor": faded(_LINE, 0.14)}
        traces.append(trace)
    axis = {"side": "right", "automargin": True, "tickformat": ",.6~r"}
    layout = _layout(300) | {
        "xaxis": {"title": {"text": unit}, "showgrid": False}, "yaxis": axis,
        "showlegend": False,  # the five lines are named above it
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def faded(colour: str, share: float) -> str:
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"


def _line(x: Sequence[str], y: Sequence[float], name: str, colour: str, unit: str) -> Json:
    return {
        "type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "name": name,
        "line": {"color": colour, "width": 1.4},
        "hovertemplate": f"%{{x}}<br>%{{y:,.2f}} {unit}<extra></extra>",
    }  # fmt: skip


def _times(at_ms: Sequence[float], zone: ZoneInfo) -> list[str]:
    return [
        to_datetime(int(ms)).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") for ms in at_ms
    ]  # fmt: skip


def _time_axis(anchor: str) -> Json:
    return {"type": "date", "anchor": anchor, "tickformatstops": _TICKS, "showgrid": False}


def _layout(height: int) -> Json:
    return {
        "height": height, "margin": {"l": 8, "r": 8, "t": 26, "b": 24},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {"orientation": "h", "y": 1.12, "x": 0}, "hovermode": "closest",
    }  # fmt: skip
