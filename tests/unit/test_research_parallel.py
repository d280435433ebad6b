"""Tasks in parallel: failures are named, deaths take nothing along, what is unwanted is dropped."""

import os
from pathlib import Path

import pytest

from auto_trading.research.parallel import TRIES, Failed, Finished, Task, finished
from auto_trading.research.workplace import Workplace
from config.loading import load
from tests import research_works as works

ALONE = Workplace(workers=1)
PAIR = Workplace(workers=2)


def tasks(count: int) -> list[Task]:
    return [Task(str(i), i) for i in range(count)]


@pytest.mark.parametrize("place", [ALONE, PAIR])
def test_each_task_has_one_answer_and_a_bug_is_one_line(place: Workplace) -> None:
    found = {answer.key: answer for answer in finished(works.square, 10, tasks(5), place)}
    assert found.pop("3") == Failed("3", r"internal error: ValueError('three\nis bad')")
    assert found == {str(i): Finished(str(i), 10 * i * i) for i in (0, 1, 2, 4)}


def test_a_task_that_kills_its_worker_is_named_and_stops_no_other() -> None:
    found = {answer.key: answer for answer in finished(works.killer, 4, tasks(9), PAIR)}
    assert found.pop("4") == Failed("4", f"its worker died {TRIES} times")
    assert found == {str(i): Finished(str(i), i) for i in range(9) if i != 4}


def test_a_worker_that_dies_once_is_forgiven(tmp_path: Path) -> None:
    found = sorted(finished(works.dies_once, str(tmp_path), tasks(5), PAIR))
    assert found == [Finished(str(i), i) for i in range(5)]
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize("place", [ALONE, PAIR])
def test_what_is_no_longer_wanted_is_dropped(place: Workplace, tmp_path: Path) -> None:
    seen: list[object] = []
    answers = finished(works.slow, str(tmp_path), tasks(40), place, lambda: len(seen) >= 2)
    for answer in answers:
        seen.append(answer)  # noqa: PERF402  the question is asked between
    assert len(seen) == 2


def test_nothing_is_computed_for_somebody_who_has_left(tmp_path: Path) -> None:
    assert list(finished(works.slow, str(tmp_path), tasks(2), ALONE, lambda: True)) == []
    assert list(tmp_path.iterdir()) == []


def test_one_setting_says_where() -> None:
    assert Workplace.of(load(environ={})) == Workplace("local", 0)
    environ = {"CTP_RESEARCH__CLUSTER": "tcp://host:8786", "CTP_RESEARCH__WORKERS": "3"}
    place = Workplace.of(load(environ=environ))
    assert place == Workplace("tcp://host:8786", 3)
    assert not place.is_local
    assert PAIR.processes == 2
    assert Workplace().processes >= 1


def test_with_one_worker_all_stays_here() -> None:
    (found,) = finished(os_pid, None, tasks(1), ALONE)
    assert found == Finished("0", os.getpid())


def os_pid(world: None, x: int) -> int:
    return os.getpid()
