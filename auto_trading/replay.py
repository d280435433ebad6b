"""`replay`: recorded candles through the engine, as a run of its own that survives any crash."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import Engine as Database

from auto_trading.bootstrap import RunSpec, build_replay
from auto_trading.engine import AutoTradingEngine
from auto_trading.gateways.candle_files import read_candles
from auto_trading.gateways.funding_files import read_funding
from auto_trading.gateways.simulated_venue import FundingEvent
from auto_trading.gateways.table_files import file_sha256
from auto_trading.run_report import report
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.timeframes import timeframe_ms, timeframe_name
from crypto_trader_pro.simulation.instruments import instrument
from database import runs
from database.auto_trading_db import unit_of_work
from utils.locks import exclusive

Progress = Callable[[int, int], None]  # instants played, instants in all


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What to play. `paths[i]` holds the candles of `symbols[i]`."""

    symbols: tuple[str, ...]
    paths: tuple[Path, ...]
    timeframe: str
    interval_seconds: int
    strategies: tuple[str, ...]
    from_ms: int | None = None
    to_ms: int | None = None
    funding: Path | None = None

    def as_inputs(self) -> dict[str, Any]:
        """Return what a resumed run needs to play the same, as JSON values."""
        return {
            "paths": [str(p) for p in self.paths],
            "sha256": [file_sha256(p) for p in self.paths],
            "interval_seconds": self.interval_seconds,
            "from_ms": self.from_ms,
            "to_ms": self.to_ms,
            "funding": str(self.funding) if self.funding else None,
            "funding_sha256": file_sha256(self.funding) if self.funding else None,
        }


@dataclass(frozen=True, slots=True)
class ReplayTools:
    """What a replay needs from its surroundings."""

    database: Database
    var_dir: Path
    now: Callable[[], datetime]  # system time
    progress: Progress | None = None
    pause_seconds: float = 0.0  # between two instants


class Replay:
    """Starts runs over recorded candles, and goes on with those that were cut off."""

    def __init__(self, tools: ReplayTools) -> None:
        self._tools = tools

    def start(self, request: ReplayRequest, settings: Settings) -> dict[str, Any]:
        """Play under a fresh run id; return the result.

        Raises:
            InputError: unusable candles, symbols or range; no run is created.
            JournalUnavailable: the database stopped taking rows; the run can be resumed.
        """
        market = _Market.load(request)
        with unit_of_work(self._tools.database) as session:
            run_id = runs.create(
                session, kind="replay", source="replay", timeframe=request.timeframe,
                symbols=request.symbols, strategies=request.strategies,
                inputs=request.as_inputs(), config_hash=settings.hash(),
                config=settings.canonical_json(), now=self._tools.now(),
            )  # fmt: skip
        return self._play(run_id, request, settings, market, None)

    def resume(self, reference: str) -> dict[str, Any]:
        """Go on with a run by its id or "last"; a finished run's result is returned again.

        Raises:
            InputError: no such run, or its candles are gone or have changed.
        """
        with unit_of_work(self._tools.database) as session:
            run = runs.find(session, reference, kind="replay")
            if run.result is not None:
                return run.result
            checkpoint = runs.checkpoint(session, run.id or 0)
        request = _request_of(run.symbols, run.strategies, run.timeframe, run.inputs)
        _same_files(request, run.inputs)
        settings = Settings.model_validate_json(run.config, strict=False)
        state = json.loads(checkpoint) if checkpoint else None
        return self._play(run.id or 0, request, settings, _Market.load(request), state)

    def _play(
        self, run_id: int, request: ReplayRequest, settings: Settings, market: "_Market",
        state: Mapping[str, Any] | None,
    ) -> dict[str, Any]:  # fmt: skip
        tools = self._tools
        with exclusive(tools.var_dir / "locks" / f"run-{run_id}.lock", f"run r{run_id}"):
            spec = RunSpec(
                run_id, market.instruments, request.strategies, timeframe_ms(request.timeframe),
                request.interval_seconds * 1000, settings, tools.var_dir,
            )  # fmt: skip
            engine = build_replay(
                spec, market.series, market.funding, tools.database, tools.now,
                after_ms=state["engine"]["last_close_ms"] if state else 0,
                pause_seconds=tools.pause_seconds, progress=self._progress(market.instants),
            )  # fmt: skip
            started = perf_counter()
            before = asyncio.run(_run(engine, state, market.start_ms))
            seconds = perf_counter() - started
            result = report(
                tools.database, run_id, engine, request.symbols, request.timeframe,
                seconds=seconds, bars_now=engine.bars - before,
            )  # fmt: skip
            with unit_of_work(tools.database) as session:
                runs.finish(session, run_id, "finished", result, tools.now())
        return result

    def _progress(self, instants: int) -> Callable[[int], None] | None:
        told = self._tools.progress
        return None if told is None else lambda played: told(played, instants)


async def _run(engine: AutoTradingEngine, state: Mapping[str, Any] | None, start_ms: int) -> int:
    """Play to the end; return how many bars an earlier process had played."""
    if state is None:
        engine.open_account(start_ms)
    else:
        await engine.restore(state)
    before = engine.bars
    await engine.run()
    return before


@dataclass(frozen=True, slots=True)
class _Market:
    """The candles of a request, checked and cut to its range."""

    instruments: tuple[Instrument, ...]
    series: tuple[CandleSeries, ...]
    funding: Mapping[str, Sequence[FundingEvent]]

    @classmethod
    def load(cls, request: ReplayRequest) -> "_Market":
        if len(set(request.symbols)) != len(request.symbols):
            raise InputError(f"symbols were {', '.join(request.symbols)}; each may come once")
        length = timeframe_ms(request.timeframe)
        if request.interval_seconds * 1000 % length:
            raise InputError(
                f"interval was {request.interval_seconds} s,"
                f" allowed: a multiple of {timeframe_name(length)}"
            )
        instruments = tuple(instrument(s) for s in request.symbols)
        series = []
        for path, item in zip(request.paths, instruments, strict=True):
            whole = read_candles(path, item, length)
            cut = whole.between(request.from_ms, request.to_ms)
            if not len(cut):
                raise InputError(f"{path.name}: no candle of {item.symbol} in the asked range")
            series.append(cut)
        return cls(instruments, tuple(series), _funding_of(request))

    @property
    def start_ms(self) -> int:
        return min(int(s.open_ms[0]) for s in self.series)

    @property
    def instants(self) -> int:
        """Number of distinct instants, for the progress bar."""
        if len(self.series) == 1:
            return len(self.series[0])
        first, last = self.start_ms, max(int(s.open_ms[-1]) for s in self.series)
        return (last - first) // self.series[0].timeframe_ms + 1


def _funding_of(request: ReplayRequest) -> Mapping[str, Sequence[FundingEvent]]:
    if request.funding is None:
        return {}
    rates = {s: read_funding(request.funding, s) for s in request.symbols if ":" in s}
    return {
        symbol: [FundingEvent(*pair) for pair in zip(*columns, strict=True)]
        for symbol, columns in rates.items()
    }


def _request_of(
    symbols: Sequence[str], strategies: Sequence[str], timeframe: str, inputs: Mapping[str, Any]
) -> ReplayRequest:
    return ReplayRequest(
        tuple(symbols), tuple(Path(p) for p in inputs["paths"]), timeframe,
        inputs["interval_seconds"], tuple(strategies), inputs["from_ms"], inputs["to_ms"],
        Path(inputs["funding"]) if inputs["funding"] else None,
    )  # fmt: skip


def _same_files(request: ReplayRequest, inputs: Mapping[str, Any]) -> None:
    now = request.as_inputs()
    for path, old, new in zip(inputs["paths"], inputs["sha256"], now["sha256"], strict=True):
        if old != new:
            raise InputError(
                f"{path} has changed since the run began; a run plays the same candles"
            )
    if inputs["funding_sha256"] != now["funding_sha256"]:
        raise InputError(f"{inputs['funding']} has changed since the run began")
