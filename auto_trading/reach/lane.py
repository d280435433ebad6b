"""One channel's way out: takes its messages from the outbox, sends them, notes how it went.

Each lane has a task and a database thread of its own, so that a channel that hangs holds nobody up.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple, TypeVar

from sqlmodel import Session

from auto_trading.reach.channel_health import ChannelHealth
from auto_trading.reach.tools import ReachTools
from auto_trading.reach.wording import gravest, merged_text, up_to, whole_message
from config.notifications import Channel, Severity
from crypto_trader_pro.domain.enums import NotificationType
from database import chat, outbox
from database.auto_trading_db import unit_of_work
from database.models import OutboxRow
from utils.channels import NeverDelivered, SendingChannel, Undelivered
from utils.texts import say

log = logging.getLogger(__name__)
T = TypeVar("T")

SEND_SECONDS: Final = 15.0  # a channel gives up by itself after ten
LONGEST_GATE: Final = timedelta(seconds=60)  # between two tries of a channel that fails
# the engine goes by new settings a moment before this process: a message may be early
GRACE: Final = timedelta(seconds=5)
_AT_ONCE: Final = 50  # messages that are fetched
_MERGED: Final = 500  # messages that go into one
_FEWEST: Final = 2  # messages that are worth it
_MINUTE: Final = 60.0
_BELOW_CRITICAL: Final = up_to(Severity.ERROR)


class Outcome(NamedTuple):
    """How sending a message went; None: it was delivered."""

    row: OutboxRow
    error: str | None = None
    retry_after: timedelta | None = None
    is_final: bool = False


class Batch(NamedTuple):
    """What is to be sent now, and what goes out together after it."""

    rows: list[OutboxRow]
    surplus: Sequence[OutboxRow] = ()


class Lane:
    """Sends the messages of one channel, critical ones first, then in the order they came."""

    def __init__(self, name: Channel, tools: ReachTools) -> None:
        self.name = name
        self.wake = asyncio.Event()
        self._tools = tools
        self._thread = ThreadPoolExecutor(1, f"outbox {name.value}")
        self._health = ChannelHealth(name, tools)
        self._channel: SendingChannel | None = None
        self._next: tuple[SendingChannel | None, str] | None = None
        self._problem = ""  # why it cannot be used as it is set up
        self._is_on = self._is_ending = False
        self._unmarked: list[Outcome] = []  # sent, and not noted yet
        self._sent_at: deque[float] = deque()  # monotonic seconds, of the last minute
        self._failures = 0  # of the channel, in a row
        self._soft_gate = 0.0  # a channel that fails is left alone until then
        self._hard_gate = 0.0  # it has asked for that itself

    def switch(self, channel: SendingChannel | None, problem: str, *, is_on: bool) -> None:
        """Go on with another channel as soon as the present message is through.

        Args:
            channel: None where it is off or cannot be used.
            problem: why it cannot be used.
        """
        self._next = (channel, problem)
        self._is_on = is_on
        self.wake.set()

    def end(self) -> None:
        """Send what is due once more, and then no more."""
        self._is_ending = True
        self.wake.set()

    async def run(self) -> None:
        """Send whenever there is something to send, until `end`."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            is_last = self._is_ending
            await self.round()
            if is_last:
                return

    async def round(self) -> None:
        """Send what is due now.

        Raises:
            TradingError: the database does not serve; what was sent is noted later.
        """
        await self._switched()
        await self._mark()
        if not self._is_on:
            await self._db(self._end_all)
            return
        batch = await self._db(self._fetch, read_only=True)
        rows = batch.rows
        if batch.surplus:
            rows = [*rows, await self._db(lambda session: self._merged(session, batch.surplus))]
        for row in rows:
            if self._next is not None:
                return  # the next round has the new channel
            outcome = await self._send(row)
            self._unmarked.append(outcome)
            await self._mark()
            if outcome.error is not None and time.monotonic() < self._soft_gate:
                return

    async def close(self) -> None:
        """Let go of the channel. A thread that hangs in the database is left behind."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._channel is not None:
            await self._channel.close()

    # --- the channel ------------------------------------------------------------------------

    async def _switched(self) -> None:
        if self._next is None:
            return
        before = self._channel
        (self._channel, self._problem), self._next = self._next, None
        self._soft_gate = self._hard_gate = 0.0
        if before is not None:
            await before.close()
        if self._problem:
            log.warning("channel %s cannot be used: %s", self.name.value, self._problem)
            await self._db(lambda session: self._health.failed(session, self._problem))

    async def _send(self, row: OutboxRow) -> Outcome:
        channel = self._channel
        if channel is None:
            return Outcome(row, self._problem or "the channel is not set up")
        if not _is_urgent(row):
            self._sent_at.append(time.monotonic())
        try:
            message = await self._in_thread(partial(whole_message, row, self._tools))
            async with asyncio.timeout(SEND_SECONDS):
                await channel.send(message)
        except NeverDelivered as e:
            return Outcome(row, str(e), is_final=True)
        except Undelivered as e:
            return Outcome(row, str(e), e.retry_after)
        except TimeoutError:
            return Outcome(row, f"no answer within {SEND_SECONDS:g} s")
        except Exception as e:  # whatever a library meets, the other messages go on
            log.exception("channel %s met a bug", self.name.value)
            return Outcome(row, f"{type(e).__name__}: {e}")
        return Outcome(row)

    # --- in the lane's thread ---------------------------------------------------------------

    async def _db(self, work: Callable[[Session], T], *, read_only: bool = False) -> T:
        database = self._tools.reader if read_only else self._tools.writer

        def in_transaction() -> T:
            with unit_of_work(database, f"messages for {self.name.value}") as session:
                return work(session)

        return await self._in_thread(in_transaction)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _end_all(self, session: Session) -> None:
        reason = say(self._tools.language(), "outbox.switched_off")
        if outbox.give_up(session, self.name.value, reason, self._tools.now() - GRACE):
            log.warning("channel %s is switched off: its messages end", self.name.value)
        self._health.forget(session)

    def _fetch(self, session: Session) -> Batch:
        """Return what goes out now; beyond the limit, several messages become one."""
        now, at = self._tools.now(), time.monotonic()
        if at < self._hard_gate:
            return Batch([])
        settings = self._tools.settings()
        is_gated = at < self._soft_gate
        is_muted = chat.muted_until(session, now) is not None
        collected = up_to(settings.digest.max_severity) if settings.digest.enabled else ()
        found = outbox.due(
            session, self.name.value, now, _AT_ONCE, urgent_only=is_gated or is_muted,
            collected=collected,
        )  # fmt: skip
        if self._failures:  # another message than the last shows whose fault it is
            found.sort(key=lambda row: (not _is_urgent(row), row.attempts))
        if is_gated:  # what is urgent and new is tried all the same
            return Batch([row for row in found if row.attempts == 0])
        urgent = [row for row in found if _is_urgent(row)]
        others = found[len(urgent) :]  # they come after what is urgent
        room = settings.rate_limits.of(self.name) - self._sent_in_a_minute()
        if len(others) <= room or room <= 0:
            return Batch(urgent + (others if room > 0 else []))
        kept = others[: room - 1]
        mergeable = tuple(word for word in _BELOW_CRITICAL if word not in collected)
        waiting = outbox.collectable(session, self.name.value, now, mergeable, _MERGED)
        ours = {row.id for row in kept}
        surplus = [row for row in waiting if row.id not in ours]
        if len(surplus) < _FEWEST:
            return Batch(urgent + others[:room])
        return Batch(urgent + kept, surplus)

    def _merged(self, session: Session, rows: Sequence[OutboxRow]) -> OutboxRow:
        text = merged_text(rows, self._tools.settings(), self._tools.language())
        return outbox.merge(
            session, rows, text, gravest(row.severity for row in rows), self._tools.now()
        )

    def _sent_in_a_minute(self) -> int:
        while self._sent_at and self._sent_at[0] <= time.monotonic() - _MINUTE:
            self._sent_at.popleft()
        return len(self._sent_at)

    async def _mark(self) -> None:
        """Note how sending went; until that is stored nothing more is sent."""
        while self._unmarked:
            outcome = self._unmarked[0]
            is_unwell = await self._db(partial(self._marked, outcome=outcome))
            self._unmarked.pop(0)
            at = time.monotonic()
            if outcome.error is None:
                self._failures, self._soft_gate = 0, 0.0
            if is_unwell:
                self._failures += 1
                pause = min(outbox.pause_after(self._failures), LONGEST_GATE)
                self._soft_gate = at + pause.total_seconds()
            if outcome.retry_after is not None:
                self._hard_gate = at + outcome.retry_after.total_seconds()

    def _marked(self, session: Session, outcome: Outcome) -> bool:
        """Store an outcome; True where the channel is better left alone for a while."""
        now, row_id = self._tools.now(), outcome.row.id or 0
        if session.get(OutboxRow, row_id) is None:  # the database is another one by now
            log.warning("message %d is no longer in the outbox", row_id)
            return False
        if outcome.error is None:
            outbox.sent(session, row_id, now)
            if self._health.worked(session, row_id):
                outbox.retry_now(session, now, self.name.value)
            return False
        error = self._tools.redactor.text(" ".join(outcome.error.split()))
        is_test = outcome.row.kind == NotificationType.TEST_MESSAGE
        outbox.failed(
            session, row_id, error, now, retry_after=outcome.retry_after,
            permanent=outcome.is_final or is_test,
        )  # fmt: skip
        log.info("message %d by %s: %s", row_id, self.name.value, error)
        if is_test:
            return False  # somebody looks at it
        return self._health.failed(session, error, row_id) and not outcome.is_final


def _is_urgent(row: OutboxRow) -> bool:
    return row.severity == Severity.CRITICAL or row.kind == NotificationType.TEST_MESSAGE
