"""The data of each picture. One is drawn at a time: matplotlib promises nothing to threads."""

import threading
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import date2num

from crypto_trader_pro.backtest.thinning import kept
from crypto_trader_pro.domain.instruments import plain
from crypto_trader_pro.domain.market import Floats
from utils.chart_images import Candle, Fill, Look, ticks
from utils.chart_images.frame import INK, MUTED, Frame
from utils.chart_images.joining import joined
from utils.texts import say

_MOST_POINTS: Final = 4_000  # four for each pixel of the width
_MOST_CANDLES: Final = 160  # six pixels each
_MOST_AMOUNTS: Final = 12  # bars whose amounts have room above them
_MOST_DAYS: Final = 8  # words below the bars
_ROOM: Final = 0.08  # of the height, above and below
_DAY: Final = 86_400.0
_MARKS: Final = {"BUY": "^", "SELL": "v"}
_lock: Final = threading.Lock()


class Drawing:
    """The pictures that there are."""

    @staticmethod
    def equity(
        times: Sequence[datetime], equity: Sequence[Decimal],
        drawdown: Sequence[Decimal] | None, look: Look,
    ) -> bytes:  # fmt: skip
        if not len(times) == len(equity) == len(times if drawdown is None else drawdown):
            raise ValueError("times, equity and drawdown must be of one length")
        with _lock:
            frame = Frame(look, (1.0,) if drawdown is None else (0.72, 0.28))
            if not times:
                return frame.nothing()
            values = np.array([float(value) for value in equity])
            _curve(frame, times, values)
            if drawdown is not None:
                _falls(frame, times, np.array([-100 * float(value) for value in drawdown]))
            first, last = times[0], times[-1]
            if first == last:
                first, last = first - timedelta(hours=1), last + timedelta(hours=1)
            frame.time_axis(first, last, (last - first).total_seconds() / _DAY * 0.01)
            return frame.png()

    @staticmethod
    def candles(candles: Sequence[Candle], fills: Sequence[Fill], look: Look) -> bytes:
        with _lock:
            frame = Frame(look, (0.82, 0.18))
            if not candles:
                return frame.nothing()
            bars, size = joined(candles, _MOST_CANDLES)
            width = _step(bars)
            _prices(frame, bars, width)
            _volumes(frame, bars, width)
            end = bars[-1].opened_at + timedelta(days=width)
            marked = [fill for fill in fills if bars[0].opened_at <= fill.at <= end]
            _executions(frame, marked)
            _explain(frame, size, has_fills=bool(marked))
            frame.time_axis(bars[0].opened_at, bars[-1].opened_at, width)
            return frame.png()

    @staticmethod
    def bars(days: Sequence[date], net: Sequence[Decimal], look: Look) -> bytes:
        if len(days) != len(net):
            raise ValueError("days and net must be of one length")
        with _lock:
            frame = Frame(look)
            if not days:
                return frame.nothing()
            _amounts(frame, net)
            every = -(-len(days) // _MOST_DAYS)
            shown = list(range(0, len(days), every))
            frame.words_below([float(k) for k in shown], [f"{days[k]:%m-%d}" for k in shown])
            frame.name_zone()
            return frame.png()


# --- equity ---------------------------------------------------------------------------------


def _curve(frame: Frame, times: Sequence[datetime], values: Floats) -> None:
    panel = frame.panels[0]
    low, high = _bounds(values)
    colour = frame.up if values[-1] >= values[0] else frame.down
    x, y = _thinned(times, values)
    panel.axhline(values[0], color=MUTED, linewidth=1.2, linestyle=(0, (2, 3)))
    panel.fill_between(x, y, low, color=colour, alpha=0.10, linewidth=0)
    panel.plot(x, y, color=colour, linewidth=2.4, solid_joinstyle="round")
    panel.plot(x[-1:], y[-1:], "o", color=colour, markersize=8)
    frame.value_axis(panel, low, high, frame.look.unit)
    arrow = "" if values[-1] == values[0] else "▲ " if values[-1] > values[0] else "▼ "
    frame.name(panel, f"{arrow}{ticks.number(float(values[-1]), 2)}", colour)


def _falls(frame: Frame, times: Sequence[datetime], percent: Floats) -> None:
    panel = frame.panels[1]
    x, y = _thinned(times, percent)
    panel.fill_between(x, y, 0, color=frame.down, alpha=0.35, linewidth=0)
    panel.plot(x, y, color=frame.down, linewidth=1.5)
    lowest = min(float(percent.min()), -0.01)
    frame.value_axis(panel, lowest * 1.1, -lowest * 0.02, "%", count=2)
    frame.name(panel, say(frame.look.language, "chart.drawdown"))


def _thinned(times: Sequence[datetime], values: Floats) -> tuple[Floats, Floats]:
    places = kept(values, _MOST_POINTS)
    x = np.asarray(date2num([times[k] for k in places]), dtype=np.float64)
    return x, values[places]


def _bounds(values: Floats) -> tuple[float, float]:
    """Return the height that shows all values with room around; a flat line is in the middle."""
    low, high = float(values.min()), float(values.max())
    room = (high - low) * _ROOM or abs(high) * 0.01 or 1.0
    return low - room, high + room


# --- candles --------------------------------------------------------------------------------


def _step(bars: Sequence[Candle]) -> float:
    """Return the length of one candle in days: the shortest distance between two."""
    steps = [(b.opened_at - a.opened_at).total_seconds() for a, b in pairwise(bars)]
    return min(steps, default=3_600.0) / _DAY


def _prices(frame: Frame, bars: Sequence[Candle], width: float) -> None:
    panel = frame.panels[0]
    x = np.asarray(date2num([bar.opened_at for bar in bars]), dtype=np.float64) + width / 2
    low, high = (np.array([float(getattr(bar, name)) for bar in bars]) for name in ("low", "high"))
    begin, end = (
        np.array([float(getattr(bar, name)) for bar in bars]) for name in ("open", "close")
    )
    colours = _colours(frame, bars)
    panel.vlines(x, low, high, colors=colours, linewidth=1.3)
    bounds = _bounds(np.array([low.min(), high.max()]))
    least = (bounds[1] - bounds[0]) * 0.002  # a candle that ends where it began is a dash
    bodies = np.maximum(np.abs(end - begin), least)
    panel.bar(x, bodies, width * 0.74, np.minimum(begin, end), color=colours, linewidth=0)
    frame.value_axis(panel, *bounds, frame.look.unit)
    panel.axhline(end[-1], color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    frame.name(panel, f"{plain(bars[-1].close):,f}", colours[-1])


def _volumes(frame: Frame, bars: Sequence[Candle], width: float) -> None:
    panel = frame.panels[1]
    x = np.asarray(date2num([bar.opened_at for bar in bars]), dtype=np.float64) + width / 2
    volumes = np.array([float(bar.volume) for bar in bars])
    panel.bar(x, volumes, width * 0.74, color=_colours(frame, bars), alpha=0.45, linewidth=0)
    unit = say(frame.look.language, "chart.volume")
    frame.value_axis(panel, 0, float(volumes.max()) * 1.05 or 1.0, unit, count=1)


def _colours(frame: Frame, bars: Sequence[Candle]) -> list[str]:
    return [frame.up if bar.close >= bar.open else frame.down for bar in bars]


def _executions(frame: Frame, fills: Sequence[Fill]) -> None:
    panel = frame.panels[0]
    for side, marker in _MARKS.items():
        chosen = [fill for fill in fills if fill.side == side]
        panel.plot(
            date2num([fill.at for fill in chosen]), [float(fill.price) for fill in chosen], marker,
            color=_side_colour(frame, side), markersize=15, markeredgecolor=INK,
            markeredgewidth=1.4,
        )  # fmt: skip


def _side_colour(frame: Frame, side: str) -> str:
    return frame.up if side == "BUY" else frame.down


def _explain(frame: Frame, size: int, *, has_fills: bool) -> None:
    language = frame.look.language
    parts = []
    if has_fills:
        parts = [
            (f"▲ {say(language, 'chart.bought')}", frame.up),
            (f"▼ {say(language, 'chart.sold')}", frame.down),
        ]
    if size > 1:
        parts.append((say(language, "chart.joined", count=size), MUTED))
    frame.corner(parts)


# --- days -----------------------------------------------------------------------------------


def _amounts(frame: Frame, net: Sequence[Decimal]) -> None:
    panel = frame.panels[0]
    values = np.array([float(amount) for amount in net])
    colours = [frame.up if value >= 0 else frame.down for value in values]
    panel.bar(np.arange(len(values)), values, 0.68, color=colours, linewidth=0)
    panel.axhline(0, color=MUTED, linewidth=1.2)
    low, high = _bounds(np.array([min(values.min(), 0.0), max(values.max(), 0.0)]))
    room = (high - low) * 0.06  # for the amounts
    frame.value_axis(panel, low - room, high + room, frame.look.unit)
    panel.set_xlim(-0.6, len(values) - 0.4)
    if len(values) <= _MOST_AMOUNTS:
        _write(frame, panel, values)


def _write(frame: Frame, panel: Axes, values: Floats) -> None:
    digits = 2 if float(np.abs(values).max()) < 1_000 else 0
    for k, value in enumerate(values):
        shown = ticks.number(float(value), digits)
        frame.note(
            panel, f"+{shown}" if value > 0 else shown, (float(k), float(value)), ha="center",
            va="bottom" if value >= 0 else "top", xytext=(0, 5 if value >= 0 else -5),
        )  # fmt: skip
