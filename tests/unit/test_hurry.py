"""A call that may hang."""

import threading
import time

import pytest

from utils.hurry import within


def test_the_answer_of_a_call_in_time() -> None:
    assert within(5.0, lambda: 42) == 42
    assert within(5.0, lambda: None) is None


def test_the_error_of_a_call_in_time() -> None:
    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        within(5.0, fail)


def test_a_call_that_hangs_is_given_up_and_goes_on_alone() -> None:
    release, ended = threading.Event(), threading.Event()

    def hang() -> None:
        release.wait(10)
        ended.set()

    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        within(0.05, hang)
    assert time.monotonic() - begun < 1.0
    release.set()
    assert ended.wait(5)
