"""Months on the UTC calendar; the weeks in which the proving gate looks at its record."""

import calendar
from functools import lru_cache
from typing import Final

from crypto_trader_pro.domain.timeframes import to_datetime, to_ms

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
WEEK_MS: Final = 7 * DAY_MS
_MONDAY: Final = 4 * DAY_MS  # 1970-01-05, the first Monday


@lru_cache(maxsize=1024)  # asked for the same few instants at every prediction
def months_after(ms: int, months: int) -> int:
    """Return the same day and time `months` later (earlier if negative).

    A day that the month lacks becomes its last: 31 March less a month is 28 or 29 February.

    >>> months_after(1_711_843_200_000, -1)  # 2024-03-31 -> 2024-02-29
    1709164800000
    """
    at = to_datetime(ms)
    whole = at.year * 12 + at.month - 1 + months
    year, month = whole // 12, whole % 12 + 1
    day = min(at.day, calendar.monthrange(year, month)[1])
    return to_ms(at.replace(year=year, month=month, day=day))


def months_before(ms: int, months: int) -> int:
    """Return the same day and time `months` earlier; see `months_after`."""
    return months_after(ms, -months)


def whole_months(from_ms: int, to_ms: int) -> int:
    """Return how many calendar months fit between two instants, 0 if none.

    Raises:
        ValueError: `to_ms` is before `from_ms`.
    """
    if to_ms < from_ms:
        raise ValueError(f"to_ms was {to_ms}, at least from_ms, which is {from_ms}")
    months = 0
    while months_after(from_ms, months + 1) <= to_ms:
        months += 1
    return months


def week_of(ms: int) -> int:
    """Return the number of the UTC week (Monday to Sunday) that contains `ms`."""
    return (ms - _MONDAY) // WEEK_MS


def week_start_ms(ms: int) -> int:
    """Return the Monday 00:00 UTC at or before `ms`."""
    return week_of(ms) * WEEK_MS + _MONDAY
