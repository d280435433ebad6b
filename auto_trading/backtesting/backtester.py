"""Runs backtests: chooses the engine, and says why the other one was not taken."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.compiled import machine_code, prepare, rules_of
from auto_trading.backtesting.request import BacktestRequest, EngineName
from auto_trading.backtesting.signals import ModelSource, signal_table
from auto_trading.backtesting.warmup import check_warm
from auto_trading.checks import check_playable
from auto_trading.translation import MODEL_STRATEGY
from config.settings import Settings
from crypto_trader_pro.backtest.kernel_run import (
    KernelRefused,
    load_code,
    play,
    result_of,
    workspace,
)
from crypto_trader_pro.backtest.result import BacktestResult

if TYPE_CHECKING:
    from sqlalchemy import Engine as Database


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """A finished backtest.

    Args:
        engine: the one that really ran.
        refused: why the compiled kernel did not, empty if it did or was not asked for.
        seconds: of the run itself, without reading candles, compiling and training.
        preparing_seconds: of the arrays, compiling and signals before it.
        training_seconds: that models took.
        sha256: fingerprint of the candles and funding that were played.
        model: what the model strategy says about itself; None without one.
    """

    request: BacktestRequest
    settings: Settings
    result: BacktestResult
    engine: EngineName
    refused: str
    seconds: float
    preparing_seconds: float
    training_seconds: float
    sha256: str
    model: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Backtester:
    """Candles loaded once; any settings are run over them.

    Args:
        var_dir: where models and compiled code are kept.
    """

    request: BacktestRequest
    candles: Candles
    var_dir: Path

    @classmethod
    def load(
        cls, request: BacktestRequest, database: "Database | None", var_dir: Path
    ) -> "Backtester":
        """Read the candles.

        Raises:
            InputError: unusable candles, symbols or range.
        """
        return cls(request, Candles.load(request, database), var_dir)

    def run(
        self, settings: Settings, *, engine: EngineName = "compiled",
        strategies: Sequence[str] | None = None, from_ms: int | None = None,
        to_ms: int | None = None, keeps_masks: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Backtest:  # fmt: skip
        """Run one backtest.

        Args:
            engine: "compiled" falls back to "reference" where it must, and the answer says why.
            strategies: other than the request's.
            from_ms, to_ms: a part of the loaded range.
            keeps_masks: keep every rule's verdict of each decision.
            progress: told the number of instants played, by the reference engine.

        Raises:
            InputError, ConfigError: nothing that can be run.
        """
        market = self.request.market
        names = tuple(market.strategies if strategies is None else strategies)
        check_playable(self.candles.instruments, names, market.timeframe, settings)
        candles = self.candles.between(from_ms, to_ms)
        check_warm(candles, names, settings)
        asked = _Asked(candles, names, market.interval_seconds * 1000, settings, self.var_dir)
        began = perf_counter()
        refused, answer = "", None
        if engine == "compiled":
            try:
                answer = _run_compiled(asked, keeps_masks=keeps_masks)
            except KernelRefused as why:
                refused = str(why)
        ran: EngineName = "compiled" if answer is not None else "reference"
        if answer is None:
            answer = _run_reference(asked, keeps_masks=keeps_masks, progress=progress)
        preparing = perf_counter() - began - answer.seconds - answer.training_seconds
        return Backtest(
            self.request, settings, answer.result, ran, refused, answer.seconds, preparing,
            answer.training_seconds, candles.sha256, answer.model,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Asked:
    candles: Candles
    strategies: tuple[str, ...]
    interval_ms: int
    settings: Settings
    var_dir: Path


class _Answer(NamedTuple):
    result: BacktestResult
    model: Mapping[str, Any] | None
    seconds: float
    training_seconds: float


def _run_compiled(asked: _Asked, *, keeps_masks: bool) -> _Answer:
    """Run the kernel; the seconds are its own alone."""
    candles, names, settings = asked.candles, asked.strategies, asked.settings
    code = machine_code(asked.var_dir)
    rules = rules_of(candles, len(names), asked.interval_ms, settings, keeps_masks=keeps_masks)
    prepared, tape = prepare(candles, names, asked.interval_ms, settings, code)
    model = _model(asked)
    table = signal_table(tape, names, settings, code, model)
    del tape  # arrays as long as the candles, which nobody looks at again
    room = workspace(prepared, table.events)
    load_code(code, rules)
    started = perf_counter()
    room = play(code, prepared, table.events, rules, room)
    seconds = perf_counter() - started
    result = result_of(prepared, rules, room, table.reasons)
    if model is None:
        return _Answer(result, None, seconds, 0.0)
    return _Answer(result, model.report(), seconds, model.training_seconds)


def _model(asked: _Asked) -> ModelSource | None:
    """Return the model strategy if it is asked for; training it takes seconds to minutes."""
    if MODEL_STRATEGY not in asked.strategies:
        return None
    from auto_trading.backtesting.reference import model_of  # noqa: PLC0415  heavy

    candles = asked.candles
    return model_of(candles, asked.strategies, asked.interval_ms, asked.settings, asked.var_dir)


def _run_reference(
    asked: _Asked, *, keeps_masks: bool, progress: Callable[[int], None] | None
) -> _Answer:
    from auto_trading.backtesting.reference import run_reference  # noqa: PLC0415  heavy

    started = perf_counter()
    played = run_reference(
        asked.candles, asked.strategies, asked.interval_ms, asked.settings, asked.var_dir,
        keeps_masks=keeps_masks, progress=progress,
    )  # fmt: skip
    training = played.training_seconds
    seconds = perf_counter() - started - training
    return _Answer(played.result, played.model, seconds, training)
