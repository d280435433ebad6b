"""Where the axes of pictures have their marks, and what stands there."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from matplotlib.dates import AutoDateLocator, num2date
from matplotlib.ticker import MaxNLocator

MINUS: Final = "−"  # U+2212: as wide as a plus
_STEPS: Final = (1, 2, 2.5, 5, 10)
_HOURS_UNTIL: Final = timedelta(days=3)  # shown: above, days are marked and no hours
_DAYS_UNTIL: Final = timedelta(days=200)
_MAX_TIMES: Final = 8
_MAX_DIGITS: Final = 8


def of_values(low: float, high: float, count: int = 5) -> tuple[list[float], list[str]]:
    """Return round numbers from `low` to `high`, about `count` of them, and their words."""
    places = [float(v) for v in MaxNLocator(count, steps=_STEPS).tick_values(low, high)]
    places = [v for v in places if low <= v <= high]
    step = places[1] - places[0] if len(places) > 1 else abs(high - low) or 1.0
    return places, [number(v, decimals_of(step)) for v in places]


def decimals_of(step: float) -> int:
    """Return how many decimals tell numbers apart that are `step` from each other.

    >>> decimals_of(250.0), decimals_of(2.5), decimals_of(0.05)
    (0, 1, 2)
    """
    for digits in range(_MAX_DIGITS):
        if abs(step - round(step, digits)) < step * 1e-6:
            return digits
    return _MAX_DIGITS


def number(value: float, digits: int) -> str:
    """Return a number with thousands apart and a true minus sign; zero has none.

    >>> number(-1234.5, 1), number(-0.001, 2)
    ('−1,234.5', '0.00')
    """
    shown = f"{abs(value):,.{digits}f}"
    return f"{MINUS}{shown}" if value < 0 and shown.strip("0.,") else shown


def of_times(first: datetime, last: datetime, zone: ZoneInfo) -> tuple[list[float], list[str]]:
    """Return round local times from `first` to `last` and their words.

    Hours carry the date below where it changes, days the year.
    """
    locator = AutoDateLocator(tz=zone, minticks=3, maxticks=_MAX_TIMES)
    low, high = first.astimezone(zone), last.astimezone(zone)
    places = [float(place) for place in locator.tick_values(low, high)]
    marks = [(place, num2date(place, tz=zone)) for place in places]
    inside = [(place, at) for place, at in marks if low <= at <= high]
    span = last - first
    if span <= _HOURS_UNTIL:
        words = _two_lines([at for _, at in inside], "%H:%M", "%m-%d")
    elif span <= _DAYS_UNTIL:
        words = _two_lines([at for _, at in inside], "%m-%d", "%Y")
    else:
        words = [at.strftime("%Y-%m") for _, at in inside]
    return [place for place, _ in inside], words


def _two_lines(times: Sequence[datetime], upper: str, lower: str) -> list[str]:
    words = []
    shown = ""
    for at in times:
        below = at.strftime(lower)
        words.append(f"{at.strftime(upper)}\n{below}" if below != shown else at.strftime(upper))
        shown = below
    return words
