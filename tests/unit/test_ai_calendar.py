"""Months and weeks."""

import pytest

from crypto_trader_pro.ai import calendar as cal
from crypto_trader_pro.domain.timeframes import to_datetime


def ms(text: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(text + "+00:00").timestamp() * 1000)


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        ("2024-03-31T12:00", -1, "2024-02-29T12:00"),
        ("2023-03-31T12:00", -1, "2023-02-28T12:00"),
        ("2024-01-15T00:00", -1, "2023-12-15T00:00"),
        ("2024-06-16T12:00", -24, "2022-06-16T12:00"),
        ("2023-11-30T00:00", 3, "2024-02-29T00:00"),
        ("2020-10-23T08:00", 0, "2020-10-23T08:00"),
    ],
)
def test_a_month_away_is_the_same_day_or_the_last_of_the_month(
    start: str, months: int, expected: str
) -> None:
    assert cal.months_after(ms(start), months) == ms(expected)
    assert cal.months_before(ms(start), -months) == ms(expected)


def test_whole_months_count_only_full_ones() -> None:
    assert cal.whole_months(ms("2023-01-31T00:00"), ms("2023-02-27T23:00")) == 0
    assert cal.whole_months(ms("2023-01-31T00:00"), ms("2023-02-28T00:00")) == 1
    assert cal.whole_months(ms("2020-10-23T08:00"), ms("2024-06-16T12:00")) == 43
    with pytest.raises(ValueError, match="at least from_ms"):
        cal.whole_months(1, 0)


def test_a_week_starts_on_monday_midnight_utc() -> None:
    monday = ms("2024-06-10T00:00")
    assert to_datetime(monday).isoweekday() == 1
    for at in (monday, monday + 1, monday + cal.WEEK_MS - 1):
        assert cal.week_start_ms(at) == monday
    assert cal.week_of(monday) == cal.week_of(monday - 1) + 1
    assert cal.week_start_ms(0) == -3 * cal.DAY_MS  # 1970-01-01 was a Thursday
