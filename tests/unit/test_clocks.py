"""Where time comes from."""

from datetime import UTC, timedelta

import pytest

from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from utils.clocks import SimulatedClock, SystemClock


def test_the_system_clock_gives_one_aware_utc_time_in_both_forms() -> None:
    clock = SystemClock()
    before, now, after = clock.now_ms(), clock.now(), clock.now_ms()
    assert now.tzinfo is UTC
    assert before <= to_ms(now) <= after
    assert now > to_datetime(1_700_000_000_000)


def test_simulated_time_is_the_last_events_time() -> None:
    clock = SimulatedClock(1_704_067_200_000)
    start = clock.now()
    clock.advance_to(1_704_067_260_000)
    assert clock.now_ms() == 1_704_067_260_000
    assert clock.now() - start == timedelta(minutes=1)
    clock.advance_to(1_704_067_260_000)  # standing still is allowed


def test_simulated_time_never_runs_backwards() -> None:
    clock = SimulatedClock(5)
    with pytest.raises(ValueError, match="time ran backwards: 4 < 5"):
        clock.advance_to(4)
    assert clock.now_ms() == 5
