"""Still figures of the decisions page as plain dicts of Plotly. Pure: no streamlit here."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.queries.decision_story import Tale
from auto_trading_dashboard.queries.refusals import Bar
from crypto_trader_pro.domain.enums import OrderRole
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.risk.rules import CODES

_GREY: Final = "#8894a4"
_ACCENT: Final = "#3d84f7"
_TIME: Final = "%Y-%m-%d %H:%M"
_ROOM: Final = 12  # candles beside the decision that its levels take at least
_FEW: Final = 6  # refusals in a bar, up to which each is a line of the grid
_MARGIN: Final = {"l": 8, "r": 8, "t": 8, "b": 8}
_RULE_COLOURS: Final = (
    "#3d84f7", "#d0801c", "#2aa876", "#a06cd5", "#d65f8a", "#4e9ead", "#b48e2e", "#7c8ea6",
    "#c2603a", "#5f9e3f", "#6f7bd9", "#b35fb0", "#418f8a", "#a3794f", "#d0798f", "#8a9a3c",
    "#5f87b0", "#939393",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """What depends on who looks: sentences by code, zone, colours of up and down."""

    text: Callable[..., str]
    zone: ZoneInfo
    palette: str


@dataclass(frozen=True, slots=True)
class Level:
    """A price that mattered: `entry`, `stop`, `target`."""

    name: str
    price: Decimal


def levels(tale: Tale) -> list[Level]:
    """Return entry, stop and target: of the orders that were sent, else as the signal wished."""
    wish, story = tale.wish, tale.story
    found = {
        "entry": None if wish is None else wish.entry_price,
        "stop": None if wish is None else wish.stop_loss,
        "target": None if wish is None else wish.take_profit,
    }
    roles = {OrderRole.STOP: "stop", OrderRole.TARGET: "target"}
    for order in story.orders:
        if order.role in roles and order.price is not None:
            found[roles[OrderRole(order.role)]] = order.price
    entries = {o.client_order_id for o in story.orders if o.role == OrderRole.ENTRY}
    filled = next((f for f in story.fills if f.client_order_id in entries), None)
    if filled is not None:
        found["entry"] = filled.price
    return [Level(name, price) for name, price in found.items() if price is not None]


def market(tale: Tale, look: Look) -> dict[str, Any]:
    """Return the candles that were seen, the decision, its levels, and in grey what came after."""
    item = tale.story.instrument
    decided = _local(tale.story.decision.at_ms, look)
    up, down = figures.up_down_hex(look.palette)
    colours = {"entry": _GREY, "stop": down, "target": up}  # as on the live chart
    shown = levels(tale)
    last = _ends(tale, look)
    return {
        "data": [
            _candles(tale.seen, item, look, up, down, look.text("decisions.candles_seen")),
            _candles(tale.later, item, look, _GREY, _GREY, look.text("decisions.candles_later")),
        ],
        "layout": {
            "height": 320, "margin": {**_MARGIN, "r": 60}, "hovermode": "x", "dragmode": False,
            "showlegend": False,
            "xaxis": {"type": "date", "rangeslider": {"visible": False},
                      "tickformat": "%H:%M\n%m-%d", "hoverformat": _TIME},
            "yaxis": {"side": "right", "tickformat": f",.{_places(item)}f"},
            "shapes": [
                {"type": "line", "x0": decided, "x1": decided, "y0": 0, "y1": 1, "yref": "paper",
                 "line": {"color": _ACCENT, "width": 1.5, "dash": "dot"}},
                *({"type": "line", "x0": decided, "x1": last, "y0": str(x.price),
                   "y1": str(x.price),
                   "line": {"color": colours[x.name], "width": 1.5, "dash": "dash"}}
                  for x in shown),
            ],
            "annotations": [
                _note(decided, 1, look.text("decisions.decided_here"), yref="paper",
                      yanchor="top", xanchor="right"),
                *(_note(last, str(x.price),
                        f"{look.text(f'decisions.{x.name}')} {figures.exact(x.price)}",
                        yanchor="bottom", xanchor="right", color=colours[x.name])
                  for x in shown),
            ],
        },
    }  # fmt: skip


def contributions(moved: Sequence[tuple[str, float, float]], look: Look) -> dict[str, Any]:
    """Return what each feature moved the model by, in log-odds; largest on top."""
    rows = list(reversed(moved))
    up, down = figures.up_down_hex(look.palette)
    return {
        "data": [{
            "type": "bar", "orientation": "h", "x": [by for _, _, by in rows],
            "y": [f"{name} = {value:.4g}".replace("-", figures.MINUS) for name, value, _ in rows],
            "text": [f"{by:+.3f}".replace("-", figures.MINUS) for _, _, by in rows],
            "textposition": "outside", "cliponaxis": False, "hoverinfo": "x+y",
            "marker": {"color": [up if by > 0 else down for _, _, by in rows]},
        }],
        "layout": {
            "height": 60 + 28 * len(rows), "margin": {**_MARGIN, "r": 40}, "dragmode": False,
            "showlegend": False, "bargap": 0.35,
            "xaxis": {"title": {"text": look.text("decisions.log_odds")}, "zeroline": True,
                      "tickformat": "+.2f"},
            "yaxis": {"automargin": True},
        },
    }  # fmt: skip


def refusals(bars: Sequence[Bar], look: Look, *, is_hourly: bool) -> dict[str, Any]:
    """Return how often each rule refused first, stacked over hours or days."""
    by_rule: dict[str, list[Bar]] = {}
    for bar in bars:
        by_rule.setdefault(bar.rule, []).append(bar)
    heights = Counter[int]()
    for bar in bars:
        heights[bar.start_ms] += bar.decisions
    whole = {"dtick": 1} if max(heights.values(), default=0) <= _FEW else {"tickformat": ",d"}
    return {
        "data": [_stack(rule, by_rule[rule], look, is_hourly) for rule in _in_turn(by_rule)],
        "layout": {
            "height": 280, "margin": _MARGIN, "barmode": "stack", "bargap": 0.1,
            "hovermode": "closest", "dragmode": False,
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "xaxis": {"type": "date", "tickformat": "%H:%M\n%m-%d" if is_hourly else "%m-%d\n%Y"},
            "yaxis": {"side": "right", "rangemode": "tozero", **whole},
        },
    }  # fmt: skip


def _in_turn(rules: Mapping[str, Any]) -> list[str]:
    known = [code for code in CODES if code in rules]
    return known + sorted(set(rules) - set(known))


def _stack(rule: str, bars: Sequence[Bar], look: Look, is_hourly: bool) -> dict[str, Any]:
    place = CODES.index(rule) if rule in CODES else -1
    form = _TIME if is_hourly else "%Y-%m-%d"
    zone = look.zone if is_hourly else ZoneInfo("UTC")  # days are those of UTC
    name = look.text(f"rule_name.{rule}") if rule in CODES else rule
    return {
        "type": "bar", "name": name, "marker": {"color": _RULE_COLOURS[place]},
        "x": [to_datetime(b.start_ms).astimezone(zone).strftime(form) for b in bars],
        "y": [b.decisions for b in bars], "hovertemplate": f"%{{x|{form}}}<br>{name}: %{{y}}"
        "<extra></extra>", "width": 3_600_000 * 0.9 if is_hourly else 86_400_000 * 0.9,
    }  # fmt: skip


def _candles(
    series: CandleSeries, item: Instrument, look: Look, up: str, down: str, name: str
) -> dict[str, Any]:
    def words(column: Any) -> list[str]:
        return [str(item.price(units)) for units in column.tolist()]

    return {
        "type": "candlestick", "name": name,
        "x": [_local(at, look) for at in series.open_ms.tolist()],
        "open": words(series.open), "high": words(series.high), "low": words(series.low),
        "close": words(series.close),
        "increasing": {"line": {"color": up, "width": 1}, "fillcolor": up},
        "decreasing": {"line": {"color": down, "width": 1}, "fillcolor": down},
        "opacity": 0.45 if up == down else 1,
    }  # fmt: skip


def _note(x: str, y: Any, words: str, *, color: str = _ACCENT, **more: Any) -> dict[str, Any]:
    return {
        "x": x, "y": y, "text": words, "showarrow": False, "font": {"color": color, "size": 11},
        **more,
    }  # fmt: skip


def _ends(tale: Tale, look: Look) -> str:
    """Return where the levels end: with the candles, but far enough on to be seen."""
    series = tale.later if len(tale.later) else tale.seen
    length = series.timeframe_ms
    last = tale.story.decision.at_ms + _ROOM * length
    if len(series):
        last = max(last, int(series.open_ms[-1]) + length)
    return _local(last, look)


def _local(at_ms: int, look: Look) -> str:
    return to_datetime(at_ms).astimezone(look.zone).strftime(_TIME)


def _places(item: Instrument) -> int:
    exponent = item.tick.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
