"""`replay`: recorded candles through the engine, as a run of its own that survives any crash."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading.bootstrap import RunSpec, build_replay
from auto_trading.checks import check_playable
from auto_trading.engine import AutoTradingEngine
from auto_trading.replay_market import Market, ReplayRequest, played
from auto_trading.run_report import report
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError, JournalUnavailable
from crypto_trader_pro.domain.timeframes import timeframe_ms
from database import lease, runs
from database.auto_trading_db import unit_of_work
from database.lease import Holder
from database.models import EngineLeaseRow
from database.rollups import catch_up
from utils.locks import exclusive
from utils.processes import ProcessId, is_gone, own_process

_ROLL_UP: Final = 5_000  # decisions of one transaction; a session may trade beside it
Progress = Callable[[int, int], None]  # instants played, instants in all


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
        market = Market.load(request, self._tools.database)
        check_playable(market.instruments, request.strategies, request.timeframe, settings)
        with unit_of_work(self._tools.database) as session:
            run_id = runs.create(
                session, kind="replay", source="replay", timeframe=request.timeframe,
                symbols=request.symbols, strategies=request.strategies,
                inputs=request.as_inputs(market), config_hash=settings.hash(),
                config=settings.canonical_json(), now=self._tools.now(),
            )  # fmt: skip
        with self._alone(run_id) as held:
            return self._play(run_id, request, settings, market, None, held)

    def resume(self, reference: str) -> dict[str, Any]:
        """Go on with a run by its id or "last"; a finished run's result is returned again.

        Raises:
            InputError: no such run, or its candles are gone or have changed.
        """
        with unit_of_work(self._tools.database) as session:
            run_id = runs.number(runs.find(session, reference, kind="replay"))
        with self._alone(run_id) as held:  # nobody else moves the checkpoint from here on
            with unit_of_work(self._tools.database) as session:
                run = runs.find(session, f"r{run_id}", kind="replay")
                if run.result is not None:
                    return run.result
                checkpoint = runs.checkpoint(session, run_id)
            request, market = played(run, self._tools.database)
            settings = Settings.model_validate_json(run.config, strict=False)
            state = json.loads(checkpoint) if checkpoint else None
            return self._play(run_id, request, settings, market, state, held)

    @contextmanager
    def _alone(self, run_id: int) -> Iterator[tuple[str, int]]:
        """Hold the run; yield the lease that its commits need.

        The lock ends with the process. The lease also keeps processes of other folders and hosts
        from the same run, where they share a database: at most one of them can commit.

        Raises:
            InputError: another process plays this run.
        """
        tools, account, what = self._tools, f"run-r{run_id}", f"run r{run_id}"
        me = own_process()
        holder = Holder(
            f"{me.host}-{me.pid}-{me.started}"[-36:],
            me.host,
            me.pid,
            me.started,
            runs.installed_version(),
        )
        with exclusive(tools.var_dir / "locks" / f"run-{run_id}.lock", what):
            with unit_of_work(tools.database) as session:
                epoch = lease.take(
                    session, holder, tools.now(), is_gone=_has_ended, account=account
                )
                row = lease.read(session, account=account)
            if epoch is None:
                other = "another process" if row is None else f"process {row.pid}"
                raise InputError(f"{what} is being played by {other}; wait or stop it")
            try:
                yield account, epoch
            finally:
                # a database that does not answer keeps it until this process has ended
                with suppress(JournalUnavailable), unit_of_work(tools.database) as session:
                    lease.release(session, epoch, tools.now(), account=account)

    def _play(
        self, run_id: int, request: ReplayRequest, settings: Settings, market: Market,
        state: Mapping[str, Any] | None, held: tuple[str, int],
    ) -> dict[str, Any]:  # fmt: skip
        tools = self._tools
        spec = RunSpec(
            run_id, market.instruments, request.strategies, timeframe_ms(request.timeframe),
            request.interval_seconds * 1000, settings, tools.var_dir,
        )  # fmt: skip
        engine = build_replay(
            spec, market.series, market.funding, tools.database, tools.now,
            after_ms=state["engine"]["last_close_ms"] if state else 0,
            pause_seconds=tools.pause_seconds, progress=self._progress(market.instants), lease=held,
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
        self._roll_up(run_id)
        return result

    def _roll_up(self, run_id: int) -> None:
        """Make the sums that the console reads fast; it reads the same without, and an engine's
        job makes those that are missing."""
        with suppress(JournalUnavailable):
            catch_up(self._tools.database, run_id, lambda: False, limit=_ROLL_UP, whole=True)

    def _progress(self, instants: int) -> Callable[[int], None] | None:
        told = self._tools.progress
        return None if told is None else lambda played: told(played, instants)


def _has_ended(row: EngineLeaseRow) -> bool:
    return is_gone(ProcessId(row.host, row.pid, row.pid_started))


async def _run(engine: AutoTradingEngine, state: Mapping[str, Any] | None, start_ms: int) -> int:
    """Play to the end; return how many bars an earlier process had played."""
    if state is None:
        engine.open_account(start_ms)
    else:
        await engine.restore(state)
    before = engine.bars
    await engine.run()
    return before
