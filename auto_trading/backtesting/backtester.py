"""Runs backtests: chooses the engine, says why the other one was not taken, states what is assumed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import Engine as Database

from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.request import BacktestRequest, EngineName
from auto_trading.checks import check_playable
from config.settings import Settings
from crypto_trader_pro.backtest.result import BacktestResult


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """A finished backtest.

    Args:
        engine: the one that really ran.
        refused: why the compiled kernel did not, empty if it did or was not asked for.
        seconds: of the run itself, without reading candles and compiling.
        preparing_seconds: of compiling, signals and model training before it.
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
        cls, request: BacktestRequest, database: Database | None, var_dir: Path
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
        interval_ms = market.interval_seconds * 1000
        refused = ""
        began = perf_counter()
        from auto_trading.backtesting.reference import run_reference  # noqa: PLC0415  heavy

        started = perf_counter()
        result, model = run_reference(
            candles, names, interval_ms, settings, self.var_dir,
            keeps_masks=keeps_masks, progress=progress,
        )  # fmt: skip
        return Backtest(
            self.request, settings, result, "reference", refused, perf_counter() - started,
            started - began, candles.sha256, model,
        )  # fmt: skip
