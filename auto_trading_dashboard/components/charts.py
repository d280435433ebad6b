"""How still charts behave: nothing in them can leave this machine."""

from typing import Any, Final

# newer Plotly has a button that sends the chart's data to a cloud
_OURS: Final[dict[str, Any]] = {
    "displaylogo": False, "scrollZoom": False, "showSendToCloud": False, "plotlyServerURL": "",
}  # fmt: skip
PLAIN: Final[dict[str, Any]] = {**_OURS, "displayModeBar": False}
WITH_TOOLS: Final[dict[str, Any]] = {
    **_OURS, "modeBarButtonsToRemove": ["sendDataToCloud", "lasso2d", "select2d"],
}  # fmt: skip
