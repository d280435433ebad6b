"""The window in which a venue wants no requests."""

import pytest

from auto_trading.gateways.rate_gate import RateGate


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "7"}, 7),
        (429, {"retry-after": "0.5"}, 0.5),
        (429, {}, 10),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 10),
        (429, {"Retry-After": "-3"}, 10),
        (418, {"Retry-After": "120"}, 120),
        (418, {}, 120),
        (403, {}, 600),
        (503, {"Retry-After": "7"}, 0),
        (200, {}, 0),
    ],
)
def test_how_long_the_window_is(status: int, headers: dict[str, str], seconds: float) -> None:
    gate = RateGate(Seconds())
    gate.response(status, headers)
    assert gate.wait_seconds == seconds


def test_without_a_word_on_the_time_it_grows_until_an_answer_is_good() -> None:
    clock = Seconds()
    gate = RateGate(clock)
    waits = []
    for _ in range(8):
        gate.response(429, {})
        waits.append(gate.wait_seconds)
        clock.now += waits[-1]
    assert waits == [10, 20, 40, 80, 160, 320, 600, 600]
    gate.response(200, {})
    gate.silence()
    assert gate.wait_seconds == 10


def test_a_shorter_window_does_not_cut_a_longer_one() -> None:
    clock = Seconds()
    gate = RateGate(clock)
    gate.response(418, {"Retry-After": "60"})
    gate.response(429, {"Retry-After": "5"})
    clock.now += 20
    assert gate.wait_seconds == 40
    clock.now += 41
    assert gate.wait_seconds == 0
    assert gate.windows == 2
