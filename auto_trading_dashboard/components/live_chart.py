"""A chart that keeps its zoom while its data change: one element, drawn over by `Plotly.react`."""

from pathlib import Path
from typing import Final

import streamlit as st

from auto_trading_dashboard.components import figures, plotly_file
from auto_trading_dashboard.preferences import text

_SCRIPT: Final = Path(__file__).with_name("live_chart.js").read_text(encoding="utf-8")
_HTML: Final = '<div class="ctp-live" tabindex="0" role="img"></div>'
_CSS: Final = """
.ctp-live{width:100%;height:430px;touch-action:pan-y}
.ctp-live:focus-visible{outline:2px solid var(--st-primary-color);outline-offset:2px}
@media(max-width:640px){.ctp-live{height:320px}}
"""
_BUTTONS: Final = {  # what Plotly says by itself, and our words for it
    "Download plot as a PNG": "image", "Zoom": "zoom", "Pan": "pan", "Zoom in": "zoom_in",
    "Zoom out": "zoom_out", "Reset axes": "reset",
    "Sorry, there was a problem downloading your image!": "image_failed",
}  # fmt: skip
_component = st.components.v2.component(
    "ctp_live_chart", html=_HTML, css=_CSS, js=_SCRIPT, isolate_styles=False
)


def draw(figure: str, *, label: str, key: str) -> None:
    """Draw a figure, or one line where Plotly's script cannot be served.

    Args:
        figure: JSON of `data`, `layout` and `words`, see `candles.figure`. Its
            `layout.uirevision` says what a zoom belongs to.
        label: what the chart shows, for those who do not see it.
        key: unique on the page.
    """
    if why := plotly_file.trouble():
        words = text("monitoring.chart_no_script", why=why)
        st.warning(figures.escaped(words), icon=":material/warning:")
        return
    _component(
        data={
            "figure": figure, "label": label, "script": plotly_file.address(),
            "failure": text("monitoring.chart_not_loaded"),
            "buttons": {said: text(f"monitoring.button_{b}") for said, b in _BUTTONS.items()},
        },
        key=key,
    )  # fmt: skip
