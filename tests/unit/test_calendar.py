"""Trading days: where they begin, also when clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfoNotFoundError

import pytest

from crypto_trader_pro.domain.calendar import TradingCalendar, TradingDay
from crypto_trader_pro.domain.timeframes import to_ms

HOUR = 3_600_000


def utc(*parts: int) -> int:
    return to_ms(datetime(*parts, tzinfo=UTC))  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("instant", "name"),
    [
        ((2024, 1, 1, 14, 59, 59), "2024-01-01"),
        ((2024, 1, 1, 15), "2024-01-02"),  # midnight in Seoul is 15:00 UTC
        ((2024, 1, 2, 14, 59, 59), "2024-01-02"),
        ((2024, 2, 28, 15), "2024-02-29"),
        ((2023, 12, 31, 15), "2024-01-01"),
    ],
)
def test_a_day_in_seoul_begins_at_15_utc(instant: tuple[int, ...], name: str) -> None:
    assert TradingCalendar("Asia/Seoul").day_of(utc(*instant)).name == name


def test_a_day_has_its_bounds_in_utc() -> None:
    day = TradingCalendar("Asia/Seoul").day_of(utc(2024, 1, 2, 3))
    assert day == TradingDay("2024-01-02", utc(2024, 1, 1, 15), utc(2024, 1, 2, 15))


@pytest.mark.parametrize(
    ("zone", "instant", "hours"),
    [
        ("Europe/Berlin", (2024, 3, 31, 12), 23),
        ("Europe/Berlin", (2024, 10, 27, 12), 25),
        ("America/Havana", (2024, 3, 10, 12), 23),  # midnight itself does not exist
        ("America/Havana", (2024, 11, 3, 12), 25),  # midnight comes twice
        ("Asia/Seoul", (2024, 3, 31, 12), 24),
    ],
)
def test_a_day_is_as_long_as_its_clocks_say(
    zone: str, instant: tuple[int, ...], hours: int
) -> None:
    day = TradingCalendar(zone).day_of(utc(*instant))
    assert day.end_ms - day.start_ms == hours * HOUR


@pytest.mark.parametrize("zone", ["Asia/Seoul", "Europe/Berlin", "America/Havana", "UTC"])
def test_days_follow_each_other_without_gap_or_overlap(zone: str) -> None:
    calendar = TradingCalendar(zone)
    instant, end = utc(2024, 1, 1), utc(2025, 1, 1)
    before = calendar.day_of(instant)
    while instant < end:
        instant += HOUR // 2
        day = calendar.day_of(instant)
        assert day.start_ms <= instant < day.end_ms
        assert day == before or (day.start_ms == before.end_ms and day.name > before.name)
        before = day


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        TradingCalendar("Asia/Atlantis")
