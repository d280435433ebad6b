"""The thread that trades: one session, one event loop, one input after another.

The supervisor watches it from outside. A worker that hangs is given up: its fence is closed, and
another goes on from the last checkpoint, as after a crash.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from auto_trading.account_report import account_report
from auto_trading.command_queue import CommandQueue
from auto_trading.live_status import ModelStatus
from auto_trading.session import TradingSession
from auto_trading.session_inputs import Command, Connection, Funding, Input, ModelReady
from crypto_trader_pro.domain.errors import Fenced, JournalUnavailable
from crypto_trader_pro.domain.messages import Backfill, MarketSlice, Missed, Prices
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.domain.ports import MarketSource
from database.fence import Fence

log = logging.getLogger(__name__)

FUNDING_MS: Final = 8 * 3_600_000
_RETRY_SECONDS: Final = 0.25
_IDLE_SECONDS: Final = 0.5
_RECENT: Final = 128  # cycles that the slowest is looked for in


@dataclass(frozen=True, slots=True)
class WorkerTools:
    """What a worker needs.

    Args:
        begin: builds the session and brings it to its last checkpoint.
        source: the market; read from where the session is.
        answered: told of each command that was stored.
        stored: given each slice of closed candles after it was taken; must not block.
        models: returns the facts of a model that has become ready, or None.
        funding: charge funding at the venue's times.
        lost_after: seconds of silence after which nothing is entered; 0 where silence is normal.
    """

    begin: Callable[[Fence], Awaitable[TradingSession]]
    source: MarketSource
    answered: Callable[[Command], None]
    stored: Callable[[MarketSlice], None]
    models: Callable[[], dict[str, Any] | None]
    funding: bool
    lost_after: float


@dataclass(frozen=True, slots=True)
class Seen:
    """The account after a step, as values that no thread changes any more."""

    account: AccountView
    report: dict[str, Any]
    is_flat: bool
    model: ModelStatus | None  # None where the model strategy does not run


class Rhythm(NamedTuple):
    """The cycles of one worker: a candle close each. Durations in monotonic seconds."""

    cycles: int
    failed: int  # whose rows the database did not take
    last: float | None
    slowest: float | None  # of the newest 128


Look = Callable[[TradingSession], Awaitable[Any]]


class Worker:
    """One life of the trading thread."""

    def __init__(self, tools: WorkerTools) -> None:
        self._tools = tools
        self.fence = Fence()
        self.commands = CommandQueue(self.fence)
        self._progress = time.monotonic()  # when it last began or ended something
        self._task: asyncio.Task[Any] | None = None
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = False
        self._market_ms = 0
        self._thread = threading.Thread(target=self._run, name="trading", daemon=True)
        self.session: TradingSession | None = None
        self.error: BaseException | None = None
        self.journal_error = ""  # what the database says while it does not take our rows
        self.seen: Seen | None = None  # the account as of the last step that was stored
        self._asked: deque[tuple[Look, Future[Any]]] = deque()
        self.steps = 0
        self.slowest = 0.0  # seconds, of one step since last asked
        self.cycles: deque[tuple[float, bool]] = deque(maxlen=512)  # seconds; whether it failed
        self._recent: deque[float] = deque(maxlen=_RECENT)  # seconds of the newest cycles
        self._counted = self._failed = 0  # cycles of this worker

    def start(self) -> None:
        self._thread.start()

    # --- from other threads -----------------------------------------------------------------

    def post(self, command: Command, since: float | None = None) -> None:
        """Hand a command over; it goes before the market."""
        self.commands.put(command, since)
        self._nudge()

    def _nudge(self) -> None:
        if self._wake is not None:
            self._call_soon(self._wake.set)

    def _call_soon(self, act: Callable[[], Any]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has closed: it needs no waking
                self._loop.call_soon_threadsafe(act)

    def look(self, look: Look, timeout: float) -> Any:
        """Let `look` see the session between two steps, in the trading thread; return its answer.

        Raises:
            TimeoutError: the trading thread did not come to it in time.
        """
        future: Future[Any] = Future()
        self._asked.append((look, future))
        self._nudge()
        return future.result(timeout)

    def close(self, timeout: float) -> bool:
        """Ask it to end once no command waits; True when it has."""
        self._closing = True
        self._nudge()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def give_up(self) -> None:
        """Let it end by itself whenever it wakes; its fence is closed already."""
        self._closing = True
        if self._task is not None:
            self._call_soon(self._task.cancel)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def quiet_seconds(self) -> float:
        """Seconds since it last began or ended something. One that idles looks around each 0.5."""
        return time.monotonic() - self._progress

    def rhythm(self) -> Rhythm:
        """Return how long its cycles take; from any thread."""
        recent = tuple(self._recent)
        return Rhythm(
            self._counted, self._failed, recent[-1] if recent else None, max(recent, default=None)
        )

    def tell(self, commands: Sequence[Command]) -> None:
        """Tell of commands that were stored; a listener that fails does not stop trading."""
        for command in commands:
            try:
                self._tools.answered(command)
            except Exception:
                log.exception("nobody could be told that %s is done", command.kind.value)

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except Fenced:
            log.info("a worker that was given up has ended")
        except BaseException as e:  # noqa: BLE001  the supervisor decides what follows
            self.error = e

    async def _live(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._wake = asyncio.Event()
        session = await self._begin()
        if session is None:
            return
        self.session = session
        self._show(session)
        market: asyncio.Queue[Input] = asyncio.Queue(maxsize=1)
        reader = asyncio.create_task(self._read(session, market))
        try:
            while True:
                item = await self._next(market, reader)
                if item is not None:
                    await self._step(session, item)
                    continue
                if self.journal_error:
                    await self._settle(session)
                if self._closing:
                    return
        finally:
            reader.cancel()

    async def _begin(self) -> TradingSession | None:
        """Build the session; a database that does not serve is waited for. None: told to end."""
        while not self._closing:
            self._moved()
            try:
                session = await self._tools.begin(self.fence)
            except JournalUnavailable as e:
                self._journal_failed(e)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self.fence.check()
            self._journal_answers()
            return session
        return None

    def _moved(self) -> None:
        self._progress = time.monotonic()

    async def _read(self, session: TradingSession, market: asyncio.Queue[Input]) -> None:
        """Bring the market in, from where the session is."""
        taken = session.engine.now_ms if session.has_begun else None
        async for event in self._tools.source.events(taken):
            await market.put(event)
            self._signal()
            if isinstance(event, MarketSlice) and self._tools.funding:
                due = self._funding(session, event.close_ms)
                if due is not None:
                    await market.put(due)
                    self._signal()

    def _signal(self) -> None:
        if self._wake is not None:
            self._wake.set()

    def _funding(self, session: TradingSession, close_ms: int) -> Funding | None:
        if close_ms % FUNDING_MS:
            return None
        index = session.engine.parts.positions.index
        rates = [
            (index[fact.symbol], fact.funding_rate)
            for fact in self._tools.source.facts()
            if fact.funding_rate is not None and fact.symbol in index
        ]
        return Funding(close_ms, tuple(sorted(rates))) if rates else None

    async def _next(
        self, market: "asyncio.Queue[Input]", reader: "asyncio.Task[None]"
    ) -> Input | None:
        """Return the next input: commands first, then models, then the market."""
        wake = self._wake
        assert wake is not None  # noqa: S101  set before the loop begins
        while True:
            self._moved()
            wake.clear()
            if (command := self.commands.take()) is not None:
                return command
            if self._closing:
                return None
            await self._answer_looks()
            self._moved()
            if self.journal_error:  # the market waits until the journal answers again
                await asyncio.sleep(_RETRY_SECONDS)
                return None
            if (item := self._from_surroundings()) is not None:
                return item
            if not market.empty():
                return market.get_nowait()
            if reader.done():
                reader.result()  # raises what ended it
                raise RuntimeError("the market source has ended")
            try:
                await asyncio.wait_for(wake.wait(), _IDLE_SECONDS)
            except TimeoutError:
                continue

    def _from_surroundings(self) -> Input | None:
        """Return what is not the market's and not a person's: models, a lost connection."""
        facts = self._tools.models()
        if facts is not None:
            return ModelReady(self._market_ms, facts)
        session, limit = self.session, self._tools.lost_after
        if session is None or not limit:
            return None
        age = self._tools.source.health().last_event_age_seconds
        is_lost = age is not None and age > limit
        if is_lost != session.engine.risk.disconnected:
            return Connection(self._market_ms, is_lost)
        return None

    async def _step(self, session: TradingSession, item: Input) -> None:
        if isinstance(item, Command):
            item = replace(item, at_ms=max(self._market_ms, session.engine.now_ms))
        elif not isinstance(item, Missed | Backfill):
            self._market_ms = max(self._market_ms, _time_of(item))
        began = time.monotonic()
        self.commands.step_begins()
        self._moved()
        is_stored = True
        try:
            await session.take(item)
        except JournalUnavailable as e:
            self._journal_failed(e)
            is_stored = False
        self._moved()
        self.fence.check()
        self.steps += 1
        seconds = time.monotonic() - began
        self.slowest = max(self.slowest, seconds)
        if isinstance(item, MarketSlice):
            self.cycles.append((seconds, not is_stored))
            self._recent.append(seconds)
            self._counted += 1
            self._failed += not is_stored
            self._tools.stored(item)
        if is_stored:
            self._show(session)
        if isinstance(item, Command):
            self.commands.done(item)
        self.tell(self.commands.stored())

    def _show(self, session: TradingSession) -> None:
        """Leave the account where other threads can read it without touching the session."""
        self.seen = Seen(
            session.engine.account(), account_report(session), session.is_flat,
            session.model_status,
        )  # fmt: skip

    async def _answer_looks(self) -> None:
        while self._asked and self.session is not None:
            look, future = self._asked.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            self._moved()
            try:
                future.set_result(await look(self.session))
            except Exception as e:  # noqa: BLE001  the asker gets it; trading goes on
                future.set_exception(e)

    async def _settle(self, session: TradingSession) -> None:
        self.commands.step_begins()
        self._moved()
        try:
            await session.settle()
        except JournalUnavailable as e:
            self._journal_failed(e)
        else:
            self._journal_answers()
        self._moved()
        self.tell(self.commands.stored())

    def _journal_answers(self) -> None:
        if self.journal_error:
            log.warning("the journal answers again")
        self.journal_error = ""

    def _journal_failed(self, error: JournalUnavailable) -> None:
        if not self.journal_error:
            log.error("%s: nothing is sent until it answers", error)
        self.journal_error = str(error)


def _time_of(item: Input) -> int:
    match item:
        case MarketSlice():
            return item.close_ms
        case Prices() | Funding() | Connection() | ModelReady():
            return item.at_ms
    return 0


def cycles_view(rhythm: Rhythm) -> dict[str, Any]:
    """Return what a heartbeat tells of the cycles; durations in ms."""
    last, slowest = (None if s is None else round(s * 1000, 1) for s in rhythm[2:])
    return {"count": rhythm.cycles, "failed": rhythm.failed, "last_ms": last,
            "slowest_ms": slowest}  # fmt: skip
