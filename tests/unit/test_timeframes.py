"""Timeframes and instants: exact, and naive time is refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import (
    KNOWN,
    check_span,
    timeframe_ms,
    timeframe_name,
    to_datetime,
    to_ms,
)


@pytest.mark.parametrize(
    ("name", "ms"),
    [("1m", 60_000), ("5m", 300_000), ("1h", 3_600_000), ("8h", 28_800_000), ("1d", 86_400_000)],
)
def test_a_timeframe_is_its_milliseconds(name: str, ms: int) -> None:
    assert timeframe_ms(name) == ms


def test_names_and_lengths_are_inverse_and_all_divide_the_day() -> None:
    assert [timeframe_name(timeframe_ms(name)) for name in KNOWN] == list(KNOWN)
    assert all(86_400_000 % timeframe_ms(name) == 0 for name in KNOWN)


@pytest.mark.parametrize("name", ["", "1", "m", "7m", "1M", "01m", "1w", "60m", " 1m"])
def test_an_unknown_timeframe_is_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(ValueError, match=r"timeframe was '.*', allowed: 1m, 3m"):
        timeframe_ms(name)


def test_a_length_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no timeframe is 61000 ms long"):
        timeframe_name(61_000)


@pytest.mark.parametrize("ms", [0, 1, 999, 1_704_067_200_123, -1, 253_402_300_799_999])
def test_an_instant_keeps_every_millisecond(ms: int) -> None:
    instant = to_datetime(ms)
    assert instant.tzinfo is UTC
    assert to_ms(instant) == ms


def test_another_zone_is_the_same_instant_and_fractions_are_floored() -> None:
    seoul = timezone(timedelta(hours=9))
    assert to_ms(datetime(2024, 1, 1, 9, tzinfo=seoul)) == 1_704_067_200_000
    assert to_ms(datetime(1970, 1, 1, 0, 0, 0, 1_999, tzinfo=UTC)) == 1


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    for first, last in ((None, None), (5, None), (None, 5), (4, 5)):
        check_span(first, last)
    for first, last in ((5, 5), (86_400_000, 5)):
        with pytest.raises(InputError, match=r"began 1970-01-0.*, allowed: before its end, 1970-"):
            check_span(first, last)


def test_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive datetime"):
        to_ms(datetime(2024, 1, 1))  # noqa: DTZ001  that is the point
