"""Charts of a model: reliability, what it looks at, promises against outcomes. Plain dicts."""

from collections.abc import Sequence
from typing import Any, Final

from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries.models import Shadow

_LONG: Final = "#3d84f7"
_SHORT: Final = "#d0801c"
_MARGIN: Final = {"l": 48, "r": 12, "t": 32, "b": 40}  # on top: the legend
_LEGEND: Final = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0}
_SHOWN_FEATURES: Final = 12


def reliability(model: dict[str, Any]) -> dict[str, Any]:
    """Return predicted against seen share of profits in tenths, both sides and the diagonal."""
    data: list[dict[str, Any]] = []
    lowest, highest = 1.0, 0.0
    for side, colour in (("long", _LONG), ("short", _SHORT)):
        tenths = model[side]["reliability"]
        predicted, seen = [t[1] for t in tenths], [t[2] for t in tenths]
        lowest = min([lowest, *predicted, *seen])
        highest = max([highest, *predicted, *seen])
        data.append({
            "type": "scatter", "mode": "lines+markers", "name": text(f"models.{side}"),
            "x": predicted, "y": seen, "customdata": [t[0] for t in tenths],
            "line": {"color": colour}, "marker": {"color": colour, "size": 7},
            "hovertemplate": text("models.reliability_hover"),
        })  # fmt: skip
    ends = [max(0.0, lowest - 0.02), min(1.0, highest + 0.02)]
    data.append({
        "type": "scatter", "mode": "lines", "name": text("models.perfect"), "x": ends, "y": ends,
        "line": {"color": "#8894a4", "dash": "dot", "width": 1}, "hoverinfo": "skip",
    })  # fmt: skip
    axis = {"tickformat": ".0%", "range": ends}
    return {"data": data, "layout": {
        "height": 300, "margin": _MARGIN, "legend": _LEGEND,
        "xaxis": {**axis, "title": {"text": text("models.predicted")}},
        "yaxis": {**axis, "title": {"text": text("models.seen")}},
    }}  # fmt: skip


def importance(rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Return the features a model looks at most, as bars of both sides."""
    shown = list(reversed(rows[:_SHOWN_FEATURES]))
    data = [
        {
            "type": "bar", "orientation": "h", "name": text(f"models.{side}"),
            "y": [row[0] for row in shown], "x": [row[k] for row in shown],
            "marker": {"color": colour},
        }
        for k, (side, colour) in enumerate((("long", _LONG), ("short", _SHORT)), 1)
    ]  # fmt: skip
    return {"data": data, "layout": {
        "height": 84 + 26 * max(4, len(shown)), "barmode": "stack",
        "legend": {**_LEGEND, "traceorder": "normal"},
        "margin": {**_MARGIN, "l": 150}, "bargap": 0.35,
        "xaxis": {"title": {"text": text("models.log_odds")}},
        "yaxis": {"automargin": True},
    }}  # fmt: skip


def outcomes(ended: Sequence[Shadow], up: str, down: str) -> dict[str, Any]:
    """Return what each shadow trade promised against what it brought, in basis points."""
    whole = [one for one in ended if one.realized_bp is not None]
    won = [(one.realized_bp or 0.0) > 0 for one in whole]
    data = []
    for wins, colour, symbol in ((True, up, "triangle-up"), (False, down, "triangle-down")):
        part = [one for one, is_won in zip(whole, won, strict=True) if is_won is wins]
        data.append({
            "type": "scattergl", "mode": "markers",
            "name": text("models.won" if wins else "models.lost", count=len(part)),
            "x": [one.expected_bp for one in part], "y": [one.realized_bp for one in part],
            "text": [one.symbol for one in part],
            "marker": {"color": colour, "size": 7, "opacity": 0.6, "symbol": symbol},
            "hovertemplate": text("models.outcome_hover"),
        })  # fmt: skip
    return {"data": data, "layout": {
        "height": 300, "margin": _MARGIN, "legend": _LEGEND,
        "xaxis": {"title": {"text": text("models.expected_bp")}, "zeroline": True},
        "yaxis": {"title": {"text": text("models.realized_bp")}, "zeroline": True},
    }}  # fmt: skip
