"""Workers for tests: a real session on a real database, and a market that says what it is told.

A test makes the trading thread hang, wait for ever or die at an input of its choice.
"""

import asyncio
import json
import shutil
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading.bootstrap import LivingTools, RunSpec, build_living
from auto_trading.flags import Flags
from auto_trading.session import TradingSession
from auto_trading.session_inputs import Command, Input
from auto_trading.supervisor import Supervisor, SupervisorTools
from auto_trading.switchboard import Switchboard, boot_seconds
from auto_trading.translation import enabled_strategies
from auto_trading.worker import Worker, WorkerTools
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.messages import MarketEvent, MarketFacts, MarketSlice
from crypto_trader_pro.domain.ports import Clock, SourceHealth
from crypto_trader_pro.simulation.instruments import instrument
from database import lease
from database.auto_trading_db import open_database, unit_of_work
from database.fence import Fence
from database.lease import Holder
from tests.builders import START_MS
from tests.rows import stored_run
from utils.clocks import SimulatedClock

NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
SYMBOL: Final = "BTC/USDT:USDT"
FIVE_MINUTES: Final = 300_000
QUIET: Final = {"strategies.ai_signal.enabled": False, "symbols": [SYMBOL]}

OnTake = Callable[[Input], Awaitable[None]]


def settings(**changes: Any) -> Settings:
    """Return the shipped settings without the model, on one symbol."""
    overrides = {**QUIET, **{k.replace("__", "."): v for k, v in changes.items()}}
    return load(overrides=overrides, environ={})


def until(
    true: Callable[[], object], seconds: float = 10.0, what: str = "it"
) -> None:  # a shared machine may pause
    """Wait until `true()` is; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come in {seconds:g} s"
        time.sleep(0.002)


def command(kind: CommandKind, command_id: str = "", **payload: Any) -> Command:
    return Command(command_id or kind.value, kind, payload, "kim", NOW)


class Market:
    """A source that yields what a test puts in, and then waits."""

    name, venue = "demo", "demo-7"

    def __init__(self) -> None:
        self.waiting: list[MarketEvent] = []
        self.asked: list[int | None] = []
        self.age: float | None = None
        self.rates: Sequence[MarketFacts] = ()
        self.fails: Exception | None = None

    def put(self, *events: MarketEvent) -> None:
        self.waiting.extend(events)

    def start(self) -> None: ...

    def close(self) -> None: ...

    def clock(self) -> Clock:
        return SimulatedClock(START_MS)

    async def events(self, after_ms: int | None) -> AsyncIterator[MarketEvent]:
        self.asked.append(after_ms)
        while True:
            if self.fails is not None:
                raise self.fails
            if self.waiting:
                yield self.waiting.pop(0)
            else:
                await asyncio.sleep(0.002)

    def history(self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int) -> CandleSeries:
        raise NotImplementedError

    def facts(self) -> Sequence[MarketFacts]:
        return self.rates

    def health(self) -> SourceHealth:
        return SourceHealth(self.age is None, self.age, 0, 0, "")


class Stage:
    """Everything that a supervisor and its workers need; each new worker goes on after the last."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self.database = folder, database
        self.settings = settings()
        self.market = Market()
        self.flags, self.switchboard = Flags(folder), Switchboard()
        self.switchboard.lease_renewed(boot_seconds(), 1000)
        self.signals: list[CommandKind] = []
        self.workers: list[Worker] = []
        self.answered: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self.stored: list[MarketSlice] = []
        self.models: list[dict[str, Any]] = []
        self.beats: list[tuple[float, str]] = []
        self.taken: list[tuple[int, Input]] = []  # number of the worker, what it took
        self.on_take: OnTake | None = None  # before the session gets it
        self.after_take: OnTake | None = None
        self.on_begin: Callable[[int], None] | None = None
        self.released = threading.Event()  # what hangs by `hang` goes on when this is set
        self.state: str | None = None
        self.lost_after = 0.0
        self.funding = False
        self.epoch = self.lease("this process")
        run_id = stored_run(
            database, kind="paper", source="demo", symbols=list(self.settings.symbols),
            config=self.settings.canonical_json(),
        )  # fmt: skip
        self.spec = RunSpec(
            run_id, tuple(instrument(s) for s in self.settings.symbols),
            tuple(enabled_strategies(self.settings)), FIVE_MINUTES, FIVE_MINUTES, self.settings,
            folder, self.epoch,
        )  # fmt: skip
        self.supervisor = Supervisor(
            SupervisorTools(
                self.worker, self.flags, self.switchboard, self.signals, lambda: NOW,
                self.faults.append, lambda: None, beat=self._beat,
                refuse=lambda c, why: self.refused.append((c.command_id, why)),
            )
        )  # fmt: skip

    def lease(self, owner: str) -> int:
        """Take the account for `owner`, whoever has it."""
        with unit_of_work(self.database) as session:
            holder = Holder(owner, "elsewhere", 1, 1, "test")
            epoch = lease.take(session, holder, NOW, is_gone=lambda _: True)
        assert epoch is not None
        return epoch

    def worker(self) -> Worker:
        """Return a new worker, not started."""
        number = len(self.workers)

        async def begin(fence: Fence) -> TradingSession:
            return await self._begin(number, fence)

        tools = WorkerTools(
            begin=begin, source=self.market,
            answered=lambda c: self.answered.append(c.command_id),
            stored=self.stored.append, models=lambda: self.models.pop(0) if self.models else None,
            funding=self.funding, lost_after=self.lost_after,
        )  # fmt: skip
        self.workers.append(Worker(tools))
        return self.workers[-1]

    async def _begin(self, number: int, fence: Fence) -> TradingSession:
        for worker in self.workers[: number + 1]:
            self.state = worker.fence.committed or self.state
        if self.on_begin is not None:
            self.on_begin(number)
        tools = LivingTools(self.database, lambda: NOW, fence=fence, account=lease.ACCOUNT)
        session = build_living(self.spec, tools)
        if self.state is None:
            session.open(START_MS)
        else:
            await session.restore(json.loads(self.state))
        take = session.take

        async def watched(item: Input) -> Any:
            self.taken.append((number, item))
            if self.on_take is not None:
                await self.on_take(item)
            answer = await take(item)
            if self.after_take is not None:
                await self.after_take(item)
            return answer

        session.take = watched  # type: ignore[method-assign]
        return session

    def _beat(self) -> None:
        self.beats.append((time.monotonic(), self.supervisor.observed().value))

    async def hang(self, _: Input) -> None:
        """Block the thread, as a library that never returns."""
        self.released.wait(30)

    async def wait_for_ever(self, _: Input) -> None:
        """Wait for something that never comes, as an exchange that never answers."""
        await asyncio.Event().wait()

    @property
    def commands_taken(self) -> list[tuple[int, str]]:
        """Which worker took which command, in order."""
        return [(n, item.command_id) for n, item in self.taken if isinstance(item, Command)]

    def runs(self) -> bool:
        """True when a session stands in the newest worker."""
        worker = self.supervisor.worker
        return worker is not None and worker.session is not None

    @contextmanager
    def supervised(self, *, wait: bool = True) -> Iterator[list[BaseException]]:
        """Run the supervisor in a thread; yields what it raised."""
        raised: list[BaseException] = []

        def run() -> None:
            try:
                self.supervisor.run()
            except BaseException as e:  # noqa: BLE001  the test looks at it
                raised.append(e)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            if wait:
                until(self.runs, what="the session")
            yield raised
        finally:
            self.released.set()
            self.supervisor.end()
            thread.join(10)
            assert not thread.is_alive()


def only(kind: CommandKind, act: OnTake, *, times: int = 1_000) -> OnTake:
    """Return an `on_take` that acts on commands of one kind, so many times."""
    left = [times]

    async def look(item: Input) -> None:
        if isinstance(item, Command) and item.kind is kind and left[0]:
            left[0] -= 1
            await act(item)

    return look


def only_slices(act: OnTake) -> OnTake:
    """Return an `on_take` that acts on closed candles."""

    async def look(item: Input) -> None:
        if isinstance(item, MarketSlice):
            await act(item)

    return look


@contextmanager
def a_stage(folder: Path, migrated: Path) -> Iterator[Stage]:
    """A stage on an SQLite file of its own."""
    file = folder / "stage.db"
    shutil.copy(migrated, file)
    database = open_database(f"sqlite:///{file}", busy_seconds=0.1)
    stage = Stage(folder, database)
    try:
        yield stage
    finally:
        stage.released.set()
        for worker in stage.workers:
            worker.close(5.0)
        database.dispose()
