"""Quiet hours: on wall clocks, across midnight, over changes of the clocks."""

from datetime import UTC, datetime

import pytest

from config.notifications import QuietHours, Severity
from utils.quiet_hours import not_before

NIGHT = QuietHours(enabled=True, start="23:00", end="07:00", min_severity=Severity.ERROR)
NOON = QuietHours(enabled=True, start="12:00", end="13:30")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "zone", "now", "expected"),
    [
        # Seoul is UTC+9: 23:00 is 14:00 UTC, 07:00 is 22:00 UTC of the day before
        (NIGHT, "Asia/Seoul", "2024-01-01T13:59:59", "2024-01-01T13:59:59"),
        (NIGHT, "Asia/Seoul", "2024-01-01T14:00", "2024-01-01T22:00"),
        (NIGHT, "Asia/Seoul", "2024-01-01T15:30", "2024-01-01T22:00"),  # past midnight in Seoul
        (NIGHT, "Asia/Seoul", "2024-01-01T21:59:59", "2024-01-01T22:00"),
        (NIGHT, "Asia/Seoul", "2024-01-01T22:00", "2024-01-01T22:00"),
        (NIGHT, "UTC", "2023-12-31T23:30", "2024-01-01T07:00"),  # over the end of a year
        (NIGHT, "UTC", "2024-01-01T14:00", "2024-01-01T14:00"),
        (NOON, "UTC", "2024-01-01T11:59", "2024-01-01T11:59"),
        (NOON, "UTC", "2024-01-01T12:00", "2024-01-01T13:30"),
        (NOON, "UTC", "2024-01-01T13:30", "2024-01-01T13:30"),
        # New York, 10 March 2024: 02:00 EST becomes 03:00 EDT, so 07:00 is 11:00 UTC, not 12:00
        (NIGHT, "America/New_York", "2024-03-10T05:00", "2024-03-10T11:00"),
        # 3 November 2024: 02:00 EDT becomes 01:00 EST, so 07:00 is 12:00 UTC, not 11:00
        (NIGHT, "America/New_York", "2024-11-03T04:30", "2024-11-03T12:00"),
    ],
)
def test_a_message_waits_for_the_end(hours: QuietHours, zone: str, now: str, expected: str) -> None:
    assert not_before(hours, zone, Severity.WARNING, utc(now)) == utc(expected)


def test_an_end_that_comes_twice_is_the_next_one() -> None:
    hours = QuietHours(enabled=True, start="00:30", end="01:30")
    zone = "America/New_York"  # 01:30 is at 05:30 UTC (EDT) and again at 06:30 UTC (EST)
    first, second = utc("2024-11-03T05:10"), utc("2024-11-03T06:10")  # 01:10 both times
    assert not_before(hours, zone, Severity.INFO, first) == utc("2024-11-03T05:30")
    assert not_before(hours, zone, Severity.INFO, second) == utc("2024-11-03T06:30")


def test_an_end_that_the_clocks_skip_comes_as_much_later() -> None:
    hours = QuietHours(enabled=True, start="01:00", end="02:30")
    now = utc("2024-03-10T06:10")  # 01:10 EST; 02:30 does not exist that night
    held = not_before(hours, "America/New_York", Severity.INFO, now)
    assert held == utc("2024-03-10T07:30")  # 03:30 EDT, 80 minutes on


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("least", Severity)
def test_what_is_grave_enough_goes_out_at_once(severity: Severity, least: Severity) -> None:
    order = ["info", "warning", "error", "critical"]
    hours = NIGHT.model_copy(update={"min_severity": least})
    now = utc("2024-01-01T02:00")
    goes = order.index(severity.value) >= order.index(least.value)
    expected = now if goes else utc("2024-01-01T07:00")
    assert not_before(hours, "UTC", severity, now) == expected


def test_hours_that_are_off_hold_nothing() -> None:
    off = NIGHT.model_copy(update={"enabled": False})
    now = utc("2024-01-01T02:00")
    assert not_before(off, "UTC", Severity.INFO, now) == now
