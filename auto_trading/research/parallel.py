"""Independent tasks, many at a time, through joblib; results as they finish, in any order.

A task that raises is a result like the others: it says why. A worker that dies takes nothing along
but what it was computing: its tasks are tried again, and a task that was in work each time workers
died is at last tried alone, so that one that kills its worker is named and stops no other.
"""

import asyncio
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import closing
from typing import Any, Final, NamedTuple

from joblib import Parallel, delayed

from auto_trading.research.workplace import Workplace
from crypto_trader_pro.domain.errors import ConfigError, TradingError

TRIES: Final = 3  # of a task that was in work when a worker died, the last one alone


class Task(NamedTuple):
    """Something to compute. The key is its own among all tasks of a study."""

    key: str
    argument: Any


class Finished(NamedTuple):
    key: str
    value: Any


class Failed(NamedTuple):
    """A task that raised, or whose worker died each time; `error` is one line."""

    key: str
    error: str


class WorkersLost(Exception):  # noqa: N818  says what happened
    """A worker died, with all that was in work there."""


Work = Callable[[Any, Any], Any]  # (world, argument) -> value; importable, so that it can be sent
Answer = Finished | Failed


def finished(
    work: Work, world: Any, tasks: Sequence[Task], place: Workplace,
    canceled: Callable[[], bool] = lambda: False,
) -> Generator[Answer]:  # fmt: skip
    """Compute every task and yield each result when it is there.

    Args:
        world: what all tasks have in common, sent to each worker.
        canceled: asked before the first task and between results; true drops what is not finished
            and ends the iteration.

    Raises:
        ConfigError: the cluster cannot be used, or no longer.
    """
    losses: Counter[str] = Counter()
    waiting = list(tasks)
    while waiting and not canceled():
        alone = losses[waiting[0].key] >= TRIES - 1
        chosen = waiting[:1] if alone else [t for t in waiting if losses[t.key] < TRIES - 1]
        begun: dict[str, Task] = {}
        done: set[str] = set()
        try:
            with closing(_round(work, world, _noted(chosen, begun), place)) as answers:
                for answer in answers:
                    done.add(answer.key)
                    yield answer
                    if canceled():
                        return
        except WorkersLost as e:
            lost = begun.keys() - done
            if not lost:  # nothing was in work: it is not the tasks, and trying again is no help
                raise ConfigError(f"research: {place.name} lost its workers: {e}") from e
            losses.update(lost)
        given_up = {key for key, times in losses.items() if times >= TRIES} - done
        yield from (
            Failed(t.key, f"its worker died {TRIES} times") for t in waiting if t.key in given_up
        )
        left = [t for t in waiting if t.key not in done | given_up]
        waiting = sorted(left, key=lambda task: losses[task.key])  # stable; suspects last


def _noted(tasks: Iterable[Task], begun: dict[str, Task]) -> Iterator[Task]:
    """Yield the tasks and note which were handed out: those are in work, or will be next."""
    for task in tasks:
        begun[task.key] = task
        yield task


def _round(work: Work, world: Any, tasks: Iterable[Task], place: Workplace) -> Generator[Answer]:
    """Compute tasks until all are done.

    Raises:
        WorkersLost: not all could be.
    """
    with place.opened(world) as jobs:
        parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs")
        results = parallel(delayed(_answer)(work, world, task) for task in tasks)
        try:
            for answer in results:
                if not isinstance(answer, Finished | Failed):  # a cluster may give its error so
                    raise WorkersLost(repr(answer))
                yield answer
        except _losses(place) as e:
            raise WorkersLost(repr(e)) from e
        finally:
            with warnings.catch_warnings():  # joblib warns of what is dropped: it is meant to be
                warnings.simplefilter("ignore")
                results.close()


def _answer(work: Work, world: Any, task: Task) -> Answer:
    """Compute one task, in a worker."""
    try:
        return Finished(task.key, work(world, task.argument))
    except TradingError as e:
        return Failed(task.key, " ".join(str(e).split()))
    except Exception as e:  # noqa: BLE001  the boundary: one task's bug is not the others' end
        return Failed(task.key, " ".join(f"internal error: {e!r}".split()))


def _losses(place: Workplace) -> tuple[type[BaseException], ...]:
    """Return what joblib raises where a worker, or the way to it, is gone."""
    if place.is_local:
        return (BrokenExecutor,)
    from distributed import KilledWorker  # noqa: PLC0415  an optional requirement

    return (KilledWorker, CancelledError, asyncio.CancelledError, OSError)
