"""A failure once, its recovery once."""

import logging
import threading

import pytest

from utils.failure_log import FailureLog

LOG = logging.getLogger("tests.failures")


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(r.levelname, r.getMessage()) for r in caplog.records]


def test_a_streak_is_said_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    seconds = Seconds()
    failures = FailureLog(LOG, seconds=seconds)
    news = []
    for _ in range(5):
        news.append(failures.failed("feed", "no answer", venue="okx"))
        seconds.now += 2.5
    assert news == [True, False, False, False, False]
    assert failures.count("feed") == 5
    assert failures.recovered("feed") is True
    assert failures.recovered("feed") is False
    assert lines(caplog) == [
        ("ERROR", "no answer"),
        ("WARNING", "feed works again; failed 5 times in 12.5 s"),  # 5 x 2.5
    ]
    first, last = (record.__dict__["data"] for record in caplog.records)
    assert first == {"failing": "feed", "venue": "okx"}
    assert last == {"recovered": "feed", "failures": 5, "seconds": 12.5}


def test_the_next_streak_is_news_again(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog(LOG, level=logging.WARNING)
    for _ in range(2):
        failures.failed("feed", "no answer")
        failures.recovered("feed")
    assert [line[0] for line in lines(caplog)] == ["WARNING"] * 4
    assert "failed once in" in lines(caplog)[1][1]
    assert failures.count("feed") == 0


def test_what_never_failed_does_not_recover(caplog: pytest.LogCaptureFixture) -> None:
    assert FailureLog(LOG).recovered("feed") is False
    assert lines(caplog) == []


def test_streaks_of_different_things_are_apart(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog(LOG)
    assert [failures.failed(key, key) for key in ("a", "b", "a")] == [True, True, False]
    assert failures.recovered("b")
    assert failures.count("a") == 2


def test_memory_is_bounded_and_the_quietest_streak_is_forgotten() -> None:
    failures = FailureLog(LOG, capacity=2)
    for key in ("a", "b", "a", "c"):  # b has been quiet longest when c comes
        failures.failed(key, key)
    assert [failures.count(key) for key in "abc"] == [2, 0, 1]


def test_of_many_threads_one_says_it(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureLog(LOG)
    news: list[bool] = []
    gate = threading.Barrier(8)

    def fail() -> None:
        gate.wait()
        news.extend(failures.failed("feed", "no answer") for _ in range(100))

    threads = [threading.Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (news.count(True), failures.count("feed")) == (1, 800)
    assert lines(caplog) == [("ERROR", "no answer")]
