"""The figure of a candle chart as plain JSON: candles, volume, trades, signals and price lines.

Prices are the exact words of the database; the browser draws them. Pure: no streamlit here.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.queries import market
from auto_trading_dashboard.queries.market import Candle
from auto_trading_dashboard.queries.marks import Line, Marks, SignalMark, TradeMark

_GREY: Final = "#8894a4"
_AMBER: Final = "#c9851d"
_ACCENT: Final = "#7c8ea6"
_ROOM: Final = 0.07  # of the height
_TIME: Final = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Look:
    """What depends on who looks.

    Args:
        text: a sentence of the catalogue by its code.
        palette: "kr" or "intl", see `figures.up_down_hex`.
        revision: what a zoom belongs to.
    """

    text: Callable[..., str]
    zone: ZoneInfo
    palette: str
    revision: str

    @property
    def up(self) -> str:
        return figures.up_down_hex(self.palette)[0]

    @property
    def down(self) -> str:
        return figures.up_down_hex(self.palette)[1]

    def local(self, at: datetime) -> str:
        return at.astimezone(self.zone).strftime(_TIME)


def figure(candles: Sequence[Candle], marks: Marks, look: Look) -> str:
    """Return the JSON of a chart of `candles`, of which there is one at least."""
    at = [look.local(c.opened_at) for c in candles]
    placed = _Placed(candles, at, look)
    names = ("open", "high", "low", "close", "volume")
    return json.dumps(
        {
            "data": [
                _bars(candles, at, look),
                _volume(candles, at, look),
                *placed.trades(marks.trades),
                *placed.signals(marks.signals),
            ],
            "layout": _layout(candles, marks.lines, look),
            "words": {
                **{name: look.text(f"monitoring.candle_{name}") for name in names},
                "zone": figures.zone_name(candles[-1].opened_at, look.zone),
            },
        },
        separators=(",", ":"), ensure_ascii=False,
    )  # fmt: skip


def _bars(candles: Sequence[Candle], at: list[str], look: Look) -> dict[str, Any]:
    sides = {
        name: {"line": {"color": colour, "width": 1}, "fillcolor": colour}
        for name, colour in (("increasing", look.up), ("decreasing", look.down))
    }
    return {
        "type": "candlestick", "x": at, "open": _words(c.open for c in candles),
        "high": _words(c.high for c in candles), "low": _words(c.low for c in candles),
        "close": _words(c.close for c in candles), "volume": _words(c.volume for c in candles),
        "hoverinfo": "text", "showlegend": False, "name": "", **sides,
    }  # fmt: skip


def _volume(candles: Sequence[Candle], at: list[str], look: Look) -> dict[str, Any]:
    return {
        "type": "bar", "x": at, "y": _words(c.volume for c in candles), "yaxis": "y2",
        "hoverinfo": "skip", "showlegend": False, "name": "",
        "marker": {
            "color": [int(c.close >= c.open) for c in candles], "cmin": 0, "cmax": 1,
            "colorscale": [[0, look.down], [1, look.up]], "showscale": False, "opacity": 0.45,
            "line": {"width": 0},
        },
    }  # fmt: skip


class _Placed:
    """Marks, each on the candle that it belongs to."""

    def __init__(self, candles: Sequence[Candle], at: list[str], look: Look) -> None:
        self._candles = candles
        self._opened = [c.opened_at for c in candles]
        self._at = at
        self._look = look

    def trades(self, marks: Sequence[TradeMark]) -> list[dict[str, Any]]:
        """Return a trace of each kind: bought in, sold short, closed."""
        known = [(k, m) for m in marks if (k := self._place(m.at)) is not None]
        kinds = (
            ("long", "triangle-up", self._look.up, lambda m: m.opens and m.side == "BUY"),
            ("short", "triangle-down", self._look.down, lambda m: m.opens and m.side == "SELL"),
            ("exit", "x", _GREY, lambda m: not m.opens),
        )
        return [
            self._trace(
                f"monitoring.mark_{code}",
                [(k, m.price, self._trade(m)) for k, m in known if chosen(m)],
                {"symbol": symbol, "color": colour, "size": 9,
                 "line": {"width": 1, "color": "#ffffff"}},
            )
            for code, symbol, colour, chosen in kinds
        ]  # fmt: skip

    def signals(self, marks: Sequence[SignalMark]) -> list[dict[str, Any]]:
        """Return the wishes: small, those that led to no order in grey."""
        found: dict[bool, list[tuple[int, Decimal, str]]] = {True: [], False: []}
        for mark in marks:
            k = self._place(mark.at, closes=True)
            if k is not None:
                y = self._candles[k].low if mark.direction > 0 else self._candles[k].high
                found[mark.was_acted_on].append((k, y, self._signal(mark)))
        circle = {"symbol": "circle-open", "size": 5}
        return [
            self._trace("monitoring.mark_acted", found[True], {**circle, "color": _AMBER}),
            self._trace("monitoring.mark_not_acted", found[False], {**circle, "color": _GREY}),
        ]

    def _place(self, at: datetime, *, closes: bool = False) -> int | None:
        """Return the place of the candle that contains an instant; a close belongs to its own."""
        k = bisect_right(self._opened, at) - 1
        if closes and k >= 0 and self._opened[k] == at:
            k -= 1
        return k if k >= 0 else None

    def _trace(
        self, code: str, points: list[tuple[int, Decimal, str]], marker: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "type": "scatter", "mode": "markers", "name": self._look.text(code),
            "x": [self._at[k] for k, _, _ in points], "y": _words(y for _, y, _ in points),
            "text": [told for _, _, told in points], "hoverinfo": "text", "marker": marker,
        }  # fmt: skip

    def _trade(self, mark: TradeMark) -> str:
        say = self._look.text
        told = say(
            "monitoring.mark_trade", role=say(f"role.{mark.role}"), side=say(f"side.{mark.side}"),
            quantity=figures.exact(mark.quantity), price=figures.exact(mark.price),
            at=self._look.local(mark.at),
        )  # fmt: skip
        return f"{told} · {reason(mark.reason, say)}" if mark.reason else told

    def _signal(self, mark: SignalMark) -> str:
        say = self._look.text
        side = "BUY" if mark.direction > 0 else "SELL"
        told = say(
            "monitoring.mark_signal", strategy=mark.strategy, side=say(f"signal.{side}"),
            outcome=say(f"monitoring.outcome_{mark.outcome}"),
        )  # fmt: skip
        return f"{told} ({say(f'rule_name.{mark.refusal}')})" if mark.refusal else told


def reason(code: str, say: Callable[..., str]) -> str:
    """Return why an order was sent or ended; a code of another version as it stands."""
    for area in ("reason", "trigger"):
        try:
            return say(f"{area}.{code}")
        except KeyError:
            continue
    return code


def _layout(candles: Sequence[Candle], lines: Sequence[Line], look: Look) -> dict[str, Any]:
    form = f",.{market.places(candles)}f"
    return {
        "uirevision": look.revision, "hovermode": "x unified", "bargap": 0.15,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
        "xaxis": {
            "type": "date", "rangeslider": {"visible": False}, "tickformat": "%H:%M\n%m-%d",
            "hoverformat": _TIME, "anchor": "y2",
        },
        "yaxis": {
            "side": "right", "tickformat": form, "domain": [0.2, 1],
            "autorangeoptions": {"include": _room(candles, lines)},
        },
        "yaxis2": {
            "side": "right", "domain": [0, 0.16], "showgrid": False, "fixedrange": True,
            "nticks": 3, "tickformat": ".2~s",
        },
        "shapes": [_shape(line, look) for line in lines],
    }  # fmt: skip


def _room(candles: Sequence[Candle], lines: Sequence[Line]) -> list[float]:
    """Return the bounds of what is drawn with room for the words on the outermost lines."""
    known = [line.price for line in lines]
    low = float(min([c.low for c in candles] + known))
    high = float(max([c.high for c in candles] + known))
    return [low - (high - low) * _ROOM, high + (high - low) * _ROOM]


def _shape(line: Line, look: Look) -> dict[str, Any]:
    colour, dash = {
        "entry_price": (_GREY, "dot"), "stop": (look.down, "dash"), "target": (look.up, "dash"),
        "order": (_AMBER, "dashdot"), "price": (_ACCENT, "solid"),
    }[line.kind]  # fmt: skip
    words = look.text(f"monitoring.line_{line.kind}")
    return {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": f"{line.price:f}",
        "y1": f"{line.price:f}", "line": {"color": colour, "width": 1, "dash": dash},
        "label": {
            "text": f"{words} {figures.exact(line.price)}", "yanchor": "bottom",
            "textposition": "end" if line.kind == "price" else "start",
        },
    }  # fmt: skip


def _words(numbers: Any) -> list[str]:
    return [f"{number:f}" for number in numbers]
