"""A study at work: what it was asked, and tasks whose finished results are kept."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine as Database

from auto_trading.backtesting.backtester import Backtester
from auto_trading.backtesting.request import BacktestRequest, EngineName
from auto_trading.research.parallel import Answer, Finished, Task, Work, finished
from auto_trading.research.playing import Case, World, play
from auto_trading.research.study_files import Results, StudyFiles
from auto_trading.research.trials import Trial, note, window_of
from auto_trading.research.workplace import Workplace
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError
from database.backtests import Trials

_ALONE_SECONDS: Final = 2.0  # what starting processes takes


class Canceled(Exception):  # noqa: N818  says what happened
    """Somebody did not want to wait; what is finished is kept in the study's folder."""


@dataclass(frozen=True, slots=True)
class StudySpec:
    """What was asked: enough to do it again, whatever the configuration says by then.

    Args:
        options: of the kind, as JSON values.
        sha256: fingerprint of the candles; "" before they were loaded.
    """

    kind: str
    request: BacktestRequest
    settings: Settings
    engine: EngineName
    options: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "request": self.request.as_json(),
            "settings": self.settings.canonical_json(),
            "engine": self.engine,
            "options": dict(self.options),
            "sha256": self.sha256,
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "StudySpec":
        return cls(
            values["kind"],
            BacktestRequest.of(values["request"]),
            Settings.model_validate_json(values["settings"], strict=False),
            values["engine"],
            values["options"],
            values["sha256"],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Tools:
    """What a study needs of its surroundings.

    Args:
        place: where its tasks are computed.
        progress: told how many results there are and how many there will be, as far as is known.
        canceled: asked between results.
    """

    database: Database
    var_dir: Path
    now: Callable[[], datetime]
    place: Workplace
    progress: Callable[[int, int], None] | None = None
    canceled: Callable[[], bool] = lambda: False


class Outcomes(NamedTuple):
    """Results in the order of what was asked, and why others are missing."""

    values: dict[str, Any]
    failed: dict[str, str]


class Bench:
    """Where a study works: its world, its folder, and the parallel machinery between them."""

    def __init__(
        self, files: StudyFiles, spec: StudySpec, backtester: Backtester, tools: Tools,
        results: Results,
    ) -> None:  # fmt: skip
        self.files = files
        self.spec = spec
        self.tools = tools
        self.world = World(backtester, spec.settings, spec.engine)
        self.failed: dict[str, str] = {}
        self._results = results
        self._asked: set[str] = set()
        self._done: set[str] = set()
        self._expected = 0

    @property
    def strategies(self) -> tuple[str, ...]:
        return self.world.strategies

    def expect(self, total: int) -> None:
        """Say how many results there will be in all, for the progress."""
        self._expected = total

    def play(self, cases: Mapping[str, Case]) -> Outcomes:
        """Run the backtests that are not in the folder yet; return all of them."""
        return self.compute(play, self.world, cases)

    def play_many(self, cases: Mapping[str, Case]) -> Outcomes:
        """Run backtests that differ in parameters and windows only, at once where that is possible.

        Raises:
            Canceled: before all was done.
        """
        if self.spec.engine == "compiled" and self.tools.place.is_local:
            # it loads the compiler, which the reference engine does without
            from auto_trading.research.swift import played  # noqa: PLC0415

            missing = {k: c for k, c in cases.items() if k not in self._results and not c.trades}
            self._asked |= cases.keys()
            threads = self.tools.place.processes
            with closing(played(self.world, missing, threads)) as found:
                for key, value in found:
                    self._results.add(key, value)
                    self._done.add(key)
                    self._tell()
                    if self.tools.canceled():
                        break
        return self.play(cases)

    def compute(self, work: Work, world: Any, arguments: Mapping[str, Any]) -> Outcomes:
        """Compute what is not in the folder yet; return everything asked for.

        Args:
            work, world: as `parallel.finished` takes them; the values it gives are JSON values.
            arguments: key -> argument; keys are the study's own.

        Raises:
            Canceled: before all was done.
            ConfigError: the cluster cannot be used.
        """
        self._asked |= arguments.keys()
        missing = [Task(k, a) for k, a in arguments.items() if k not in self._results]
        self._done |= arguments.keys() - {task.key for task in missing}
        failed: dict[str, str] = {}
        self._tell()
        if missing:
            with closing(self._answers(work, world, missing)) as answers:
                for answer in answers:
                    if isinstance(answer, Finished):
                        self._results.add(answer.key, answer.value)
                    else:
                        failed[answer.key] = self.failed[answer.key] = answer.error
                    self._done.add(answer.key)
                    self._tell()
        values = {key: self._results[key] for key in arguments if key in self._results}
        if len(values) + len(failed) < len(arguments):
            raise Canceled(self.files.id)
        return Outcomes(values, {key: failed[key] for key in arguments if key in failed})

    def _answers(self, work: Work, world: Any, tasks: Sequence[Task]) -> Generator[Answer]:
        """Compute the tasks; compiled ones here, as long as processes are not worth their start.

        The first one here also leaves the compiled code on the disk, so that no process compiles.
        """
        place, canceled = self.tools.place, self.tools.canceled
        left = list(tasks)
        if self.spec.engine == "compiled" and place.is_local and place.processes > 1:
            began = None
            with closing(finished(work, world, tasks, Workplace(workers=1), canceled)) as answers:
                for done, answer in enumerate(answers, 1):
                    yield answer
                    left = list(tasks[done:])
                    began = began or monotonic()
                    if monotonic() - began > _ALONE_SECONDS:
                        break
        yield from finished(work, world, left, place, canceled)

    def kept(self, key: str) -> Any:
        """Return a result that is stored."""
        return self._results[key]

    @property
    def done(self) -> int:
        """Results there are of what was asked for so far, failures among them."""
        return len(self._done)

    @property
    def total(self) -> int:
        return max(self._expected, len(self._asked))

    def count(
        self, tried: Sequence[Trial], from_ms: int | None = None, to_ms: int | None = None
    ) -> Trials:
        """Note trials on a part of the loaded range; return all that were ever made there."""
        window = window_of(self.spec.sha256, from_ms, to_ms)
        return note(self.tools.database, window, self.strategies, tried, self.tools.now())

    def only(self, outcomes: Outcomes) -> dict[str, Any]:
        """Return the values where nothing may be missing.

        Raises:
            InputError: something failed; the first is named.
        """
        for key, error in outcomes.failed.items():
            raise InputError(f"{key}: {error}")
        return outcomes.values

    def _tell(self) -> None:
        if self.tools.progress is not None:
            self.tools.progress(self.done, self.total)


def trial_of(value: Mapping[str, Any]) -> Trial:
    """Return what `playing.told` kept as a trial."""
    return Trial(value["params_hash"], value["daily_sharpe"])
