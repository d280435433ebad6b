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
from dataclasses import dataclass, replace
from typing import Any, Final

from auto_trading.account_report import account_report
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


Look = Callable[[TradingSession], Awaitable[Any]]


class Worker:
    """One life of the trading thread."""

    def __init__(self, tools: WorkerTools) -> None:
        self._tools = tools
        self.fence = Fence()
        self._commands: deque[tuple[Command, float]] = deque()
        self._current: tuple[Command, float] | None = None
        self._unstored: list[Command] = []  # done in memory, their answers wait for the journal
        self._step_began: float | None = None
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = False
        self._market_ms = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="trading", daemon=True)
        self.session: TradingSession | None = None
        self.error: BaseException | None = None
        self.journal_error = ""  # what the database says while it does not take our rows
        self.seen: Seen | None = None  # the account as of the last step that was stored
        self._asked: deque[tuple[Look, Future[Any]]] = deque()
        self.steps = 0
        self.slowest = 0.0  # seconds, of one step since last asked
        self.cycles: deque[tuple[float, bool]] = deque(maxlen=512)  # seconds; whether it failed

    def start(self) -> None:
        self._thread.start()

    # --- from other threads -----------------------------------------------------------------

    def post(self, command: Command, since: float | None = None) -> None:
        """Hand a command over; it goes before the market."""
        with self._lock:
            self._commands.append((command, time.monotonic() if since is None else since))
        self._nudge()

    def _nudge(self) -> None:
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None and not loop.is_closed():
            loop.call_soon_threadsafe(wake.set)

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
        """Ask it to end after the present step; True when it has."""
        self._closing = True
        self._nudge()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def waiting_since(self) -> float | None:
        """When the oldest command came that is not done yet (monotonic); None without one."""
        with self._lock:
            times = [since for _, since in self._commands]
        if self._current is not None:
            times.append(self._current[1])
        return min(times, default=None)

    @property
    def step_seconds(self) -> float:
        """For how long the present step has been going on; 0 while waiting for input."""
        began = self._step_began
        return 0.0 if began is None else time.monotonic() - began

    def unfinished(self) -> Sequence[tuple[Command, float]]:
        """Return the commands that were not answered, for the worker that comes after this one."""
        with self._lock:
            waiting = list(self._commands)
        current = self._current
        return [current, *waiting] if current is not None else waiting

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except Fenced:
            log.info("a worker that was given up has ended")
        except BaseException as e:  # noqa: BLE001  the supervisor decides what follows
            self.error = e

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._step_began = time.monotonic()
        session = await self._tools.begin(self.fence)
        self._step_began = None
        self.session = session
        self._show(session)
        market: asyncio.Queue[Input] = asyncio.Queue(maxsize=1)
        reader = asyncio.create_task(self._read(session, market))
        try:
            while not self._closing:
                item = await self._next(market, reader)
                if item is not None:
                    await self._step(session, item)
                elif self.journal_error:
                    await self._settle(session)
        finally:
            reader.cancel()

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
            wake.clear()
            with self._lock:
                if self._commands:
                    self._current = self._commands.popleft()
                    return self._current[0]
            if self._closing:
                return None
            await self._answer_looks()
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
        began = self._step_began = time.monotonic()
        is_stored = True
        try:
            await session.take(item)
        except JournalUnavailable as e:
            self._journal_failed(e)
            is_stored = False
        finally:
            self._step_began = None
        self.steps += 1
        seconds = time.monotonic() - began
        self.slowest = max(self.slowest, seconds)
        if isinstance(item, MarketSlice):
            self.cycles.append((seconds, not is_stored))
            self._tools.stored(item)
        if is_stored:
            self._show(session)
        if isinstance(item, Command):
            self._finish(item, is_stored=is_stored)

    def _show(self, session: TradingSession) -> None:
        """Leave the account where other threads can read it without touching the session."""
        self.seen = Seen(session.engine.account(), account_report(session), session.is_flat)

    async def _answer_looks(self) -> None:
        while self._asked and self.session is not None:
            look, future = self._asked.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(await look(self.session))
            except Exception as e:  # noqa: BLE001  the asker gets it; trading goes on
                future.set_exception(e)

    def _finish(self, command: Command, *, is_stored: bool) -> None:
        """Let go of a command; an answer that could not be stored yet waits in the journal."""
        self._current = None
        if is_stored:
            self._tools.answered(command)
        else:
            self._unstored.append(command)

    async def _settle(self, session: TradingSession) -> None:
        self._step_began = time.monotonic()
        try:
            await session.settle()
        except JournalUnavailable as e:
            self._journal_failed(e)
        else:
            log.warning("the journal answers again")
            self.journal_error = ""
            for command in self._unstored:
                self._tools.answered(command)
            self._unstored.clear()
        finally:
            self._step_began = None

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
