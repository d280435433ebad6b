"""What all commands of `research` take, and how each becomes a study that can be gone on with."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer

from auto_trading.backtesting.request import ENGINES, BacktestRequest, EngineName
from auto_trading.replay_market import ReplayRequest
from auto_trading.translation import enabled_strategies
from config.settings import Settings
from crypto_trader_pro.cli.candle_options import (
    CandleFiles,
    From,
    FundingFile,
    Interval,
    SetKeys,
    Symbols,
    Timeframe,
    To,
    paired,
    progress_bar,
    seconds_of,
)
from crypto_trader_pro.cli.context import database, environment, settings
from crypto_trader_pro.cli.exits import Interrupted
from crypto_trader_pro.cli.output import instant
from crypto_trader_pro.cli.setup_commands import AsJson
from crypto_trader_pro.cli.strategy_params import check_strategies
from crypto_trader_pro.domain.errors import InputError
from utils.clocks import SystemClock

_WITH_RESUME: Final = {"resume", "workers", "cluster", "as_json", "top"}  # what goes with it
Options = Callable[[tuple[str, ...]], Mapping[str, Any]]  # names of the strategies -> options


@dataclass(frozen=True, slots=True)
class Asked:
    """What all commands of `research` take."""

    candles: list[Path]
    symbols: list[str]
    timeframe: str
    strategies: list[str]
    from_: str | None
    to: str | None
    interval: int | None
    funding: Path | None
    engine: str
    assignments: list[str]
    resume: str | None
    workers: int | None
    cluster: str | None
    as_json: bool

    def names(self, loaded: Settings) -> tuple[str, ...]:
        """Return the strategies to run.

        Raises:
            InputError: none, or an unknown one.
        """
        found = tuple(self.strategies or enabled_strategies(loaded))
        if not found:
            raise InputError("no strategy was given and none is enabled")
        check_strategies(found)
        return found

    def request(self, loaded: Settings) -> BacktestRequest:
        """Return what is to be played.

        Raises:
            InputError: unusable arguments.
        """
        length = seconds_of(self.timeframe)
        return BacktestRequest(ReplayRequest(
            symbols=tuple(self.symbols or loaded.symbols),
            paths=paired(self.candles, self.symbols),
            timeframe=self.timeframe,
            interval_seconds=length if self.interval is None else self.interval,
            strategies=self.names(loaded),
            from_ms=instant(self.from_, "--from"),
            to_ms=instant(self.to, "--to"),
            funding=self.funding,
        ))  # fmt: skip


def _asked(
    candles: CandleFiles = None,
    symbol: Symbols = None,
    timeframe: Timeframe = "5m",
    strategy: Annotated[
        list[str] | None, typer.Option(help="Repeat for several. Default: the enabled.")
    ] = None,
    from_: From = None,
    to: To = None,
    interval: Interval = None,
    funding: FundingFile = None,
    engine: Annotated[
        str, typer.Option(help="compiled, or reference: the engine of the main job. Same result.")
    ] = "compiled",
    set_: SetKeys = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with a study that was cut off: sweep-3.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes of this machine; 0: all its cores.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="local, or a Dask scheduler: tcp://host:8786.")
    ] = None,
    as_json: AsJson = False,
) -> Asked:
    if engine not in ENGINES:
        raise InputError(f"--engine was {engine!r}, allowed: {', '.join(ENGINES)}")
    return Asked(
        candles or [], symbol or [], timeframe, strategy or [], from_, to, interval, funding,
        engine, set_ or [], resume, workers, cluster, as_json,
    )  # fmt: skip


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Asked`, which it takes as its first argument."""
    shared = inspect.signature(_asked).parameters
    own = list(inspect.signature(command).parameters.values())[1:]
    every = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own, *shared.values())]

    @wraps(command)
    def taken(**given: Any) -> None:
        if given["resume"] is not None:
            for parameter in every:
                if parameter.name not in _WITH_RESUME and (
                    given[parameter.name] != parameter.default
                ):
                    raise InputError(
                        "--resume goes on with what the study began with;"
                        " only --workers, --cluster and --json go with it"
                    )
        asked = _asked(**{name: given.pop(name) for name in shared})
        command(asked, **given)

    signature = inspect.Signature(every, return_annotation=None)
    taken.__signature__ = signature  # type: ignore[attr-defined]  # read by Typer
    taken.__annotations__ = {p.name: p.annotation for p in every}
    return taken


def study(kind: str, asked: Asked, options: Options) -> dict[str, Any]:
    """Begin a study of a kind, or go on with the asked one; return its summary.

    Raises:
        Interrupted: by Ctrl-C; the line says how to go on.
        InputError: nothing that can be done.
    """
    from auto_trading.research import studies
    from auto_trading.research.parameters import with_params
    from auto_trading.research.study import StudySpec, Tools
    from auto_trading.research.study_files import StudyFiles
    from auto_trading.research.workplace import Workplace

    loaded = settings(asked.assignments)
    place = {
        f"research.{name}": str(value)
        for name, value in (("cluster", asked.cluster), ("workers", asked.workers))
        if value is not None
    }
    loaded = with_params(loaded, place)
    var_dir = environment().var_dir
    with database() as engine, progress_bar(kind) as told:
        tools = Tools(engine, var_dir, SystemClock().now, Workplace.of(loaded), told)
        if asked.resume is not None:
            files = StudyFiles.find(var_dir, asked.resume)
            if files.spec["kind"] != kind:
                raise InputError(f"{files.id} is of kind {files.spec['kind']}, not {kind}")
        else:
            names = asked.names(loaded)
            engine_name = cast(EngineName, asked.engine)
            spec = StudySpec(kind, asked.request(loaded), loaded, engine_name, options(names))
            files = studies.begin(spec, tools)
        try:
            return studies.carry_on(files, tools)
        except KeyboardInterrupt as e:
            raise Interrupted(
                f"interrupted; what is finished is kept, go on with: research {kind}"
                f" --resume {files.id}"
            ) from e
