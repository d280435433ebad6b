"""A check as a light: colour, icon and word together, with the reason in a sentence."""

from dataclasses import dataclass
from typing import Final, Literal

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.preferences import text

Level = Literal["ok", "warn", "fail", "unknown"]

_SHOWN: Final[dict[Level, tuple[str, str]]] = {
    "ok": ("green", "check_circle"), "warn": ("orange", "warning"), "fail": ("red", "cancel"),
    "unknown": ("gray", "help"),
}  # fmt: skip
_WORST_FIRST: Final[tuple[Level, ...]] = ("fail", "warn", "unknown", "ok")


@dataclass(frozen=True, slots=True)
class Light:
    """One check.

    Args:
        name: in words; "" where the sentence says it.
        sentence: why, with numbers and limit.
    """

    level: Level
    name: str
    sentence: str


def badge(level: Level) -> str:
    """Return Markdown of a light alone."""
    colour, icon = _SHOWN[level]
    return figures.badge(text(f"control.level.{level}"), colour, icon)


def line(light: Light) -> str:
    """Return Markdown of a check in one line."""
    name = f"**{figures.escaped(light.name)}** " if light.name else ""
    return f"{badge(light.level)} {name}{figures.escaped(light.sentence)}"


def worst_first(lights: list[Light]) -> list[Light]:
    """Return the lights with what needs a person on top; otherwise in their order."""
    return sorted(lights, key=lambda light: _WORST_FIRST.index(light.level))


def worst(lights: list[Light]) -> Level:
    """Return the level of all of them together; unknown where there are none."""
    return worst_first(lights)[0].level if lights else "unknown"
