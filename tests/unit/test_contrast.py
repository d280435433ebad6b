"""Contrast of the colours we choose ourselves, in both themes, as WCAG 2.2 defines it.

What Streamlit derives from them (badges, captions) is measured in Chromium, see
tests/browser/test_reach.py.
"""

import re
import tomllib
from typing import Any, Final

import pytest

from auto_trading_dashboard.components import (
    candles,
    decisions_figures,
    figures,
    models_figures,
    performance_charts,
    style,
)
from tests.market_data import ROOT

TEXT: Final = 4.5  # 1.4.3, level AA
GRAPHICS: Final = 3.0  # 1.4.11
_HEX: Final = re.compile(r"#[0-9a-fA-F]{6}\b")
THEME: Final[dict[str, Any]] = tomllib.loads(
    (ROOT / ".streamlit/config.toml").read_text(encoding="utf-8")
)["theme"]
WORDS: Final = ("textColor", "redColor", "greenColor", "blueColor", "orangeColor", "grayColor")


def luminance(colour: str) -> float:
    """Return the relative luminance: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def grounds(scheme: str) -> list[str]:
    theme = THEME[scheme]
    return [
        theme["backgroundColor"], theme["secondaryBackgroundColor"],
        theme["sidebar"]["backgroundColor"],
    ]  # fmt: skip


def drawn() -> set[str]:
    """Return every colour that a module of charts names."""
    found = set(THEME["chartCategoricalColors"])
    for module in (candles, decisions_figures, models_figures, performance_charts):
        found |= {c for name in vars(module) for c in _named(getattr(module, name))}
    for palette in ("kr", "intl"):
        found |= set(figures.up_down_hex(palette))
    return found


def _named(value: object) -> set[str]:
    if isinstance(value, str) and _HEX.fullmatch(value):
        return {value}
    if isinstance(value, tuple | list):
        return {c for item in value for c in _named(item)}
    return (
        {c for item in value.values() for c in _named(item)} if isinstance(value, dict) else set()
    )


def test_the_formula_gives_the_standards_own_values() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("name", WORDS)
def test_words_can_be_read_on_every_ground(scheme: str, name: str) -> None:
    for ground in grounds(scheme):
        assert contrast(THEME[scheme][name], ground) >= TEXT, ground


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_what_marks_a_choice_stands_out(scheme: str) -> None:
    for ground in grounds(scheme):
        assert contrast(THEME[scheme]["primaryColor"], ground) >= GRAPHICS, ground


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("colour", sorted(drawn()))
def test_marks_of_charts_stand_out_on_both_themes(scheme: str, colour: str) -> None:
    """Charts know no theme: one colour has to do on light and dark."""
    assert contrast(colour, THEME[scheme]["backgroundColor"]) >= GRAPHICS


def test_the_stop_is_white_on_its_red() -> None:
    reds = set(re.findall(r"background:(#[0-9a-f]{6})", style._STYLE))
    assert len(reds) == 2  # at rest, and under a pointer
    for red in reds:
        assert contrast("#ffffff", red) >= TEXT
    (ring,) = re.findall(r"outline:2px solid (#[0-9a-f]{6})", style._STYLE)
    for scheme in ("dark", "light"):
        assert all(contrast(ring, ground) >= GRAPHICS for ground in grounds(scheme))
