"""Stores signals with their commands: many requests, one transaction.

The engine writes to the same database. A transaction for each request of a flood would stand in its
way; one thread stores whatever has gathered while it stored the last.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy import Engine as Database
from sqlmodel import Session, col, select

from auto_trading.http.judging import Judged
from auto_trading.http.limits import Windows
from auto_trading.http.tally import Tally
from crypto_trader_pro.domain.errors import InputError, JournalBusy, RetryableError
from crypto_trader_pro.domain.instruments import plain_text
from database import strategies, webhooks
from database.auto_trading_db import open_database, unit_of_work
from database.models import StrategyRow
from database.webhooks import Entry, WebhookStatus

log = logging.getLogger(__name__)

MOST_WAITING: Final = 256
TOGETHER: Final = 64
JOURNALED: Final = 60  # refused or repeated entries of one strategy and minute that get a row
BUSY_SECONDS: Final = 1.0  # that another process may hold the database
_TRY_AGAIN_SECONDS: Final = 0.001
_END: Final = None


class Overloaded(RetryableError):  # noqa: N818  as the field calls it
    """More signals wait to be stored than may wait."""


class TooManyError(InputError):
    """More signals than the strategy may send."""


class Answer(NamedTuple):
    """What became of a request.

    Args:
        status: None where the key has ended meanwhile.
        entry_id: of the journal: of an accepted signal, and of the first of its copies. 0: none.
    """

    status: WebhookStatus | None
    entry_id: int
    refusal: InputError | None = None


class _Item(NamedTuple):
    judged: Judged
    answer: "Future[Answer]"


@dataclass(slots=True)
class _Decided:
    """What becomes of one request.

    Args:
        entry: its row; None where it gets none.
        first: the signal that it repeats.
        number: of its row, once it is stored.
    """

    status: WebhookStatus | None
    entry: Entry | None = None
    refusal: InputError | None = None
    first: "_Decided | None" = None
    number: int = 0
    command_id: str | None = None


def impatient(url: str, writer: Database) -> Database:
    """Return what `JournalWriter` writes with: on PostgreSQL, where writers do not exclude each
    other, the pool that there is.
    """
    if writer.dialect.name != "sqlite":
        return writer
    return open_database(url, busy_seconds=0.0)  # durable: what was answered outlives the power


class JournalWriter:
    """One thread that stores what `submit` is given, in the order it came.

    Args:
        database: one that does not wait by itself for another writer, as `impatient` returns.
        accepted: called after the commit with each accepted entry and its number; never waits.
    """

    def __init__(
        self, database: Database, accepted: Callable[[int, Entry], None],
        tally: Tally,
    ) -> None:  # fmt: skip
        self._database = database
        self._accepted = accepted
        self._tally = tally
        self._queue: queue.Queue[_Item | None] = queue.Queue(MOST_WAITING)
        self._taken = Windows()
        self._journaled = Windows()
        self._thread = threading.Thread(target=self._run, name="http-journal", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Store what waits and end; give up after `seconds`."""
        try:
            self._queue.put(_END, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)
        if self._database.dialect.name == "sqlite":
            self._database.dispose()

    @property
    def waiting(self) -> int:
        """How many requests wait to be stored."""
        return self._queue.qsize()

    def submit(self, judged: Judged) -> "Future[Answer]":
        """Put a request into the queue. Its answer comes after the commit.

        The answer may be cancelled for as long as the transaction has not begun: then nothing is
        stored. Its exceptions: JournalUnavailable, where nothing was stored.

        Raises:
            Overloaded: the queue is full.
        """
        item = _Item(judged, Future())
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            raise Overloaded(f"{MOST_WAITING} signals wait to be stored") from None
        return item.answer

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            items, is_over = self._gathered()
            try:
                self._store(items)
            except Exception:  # the thread's outermost loop: the next signals must be served
                log.exception("signals could not be stored")
                for item in items:
                    if not item.answer.done():
                        item.answer.set_exception(RetryableError("the signal was not stored"))
            if is_over:
                return

    def _gathered(self) -> tuple[list[_Item], bool]:
        """Wait for a request, then take all that are there; True once it is over."""
        items: list[_Item] = []
        found = self._queue.get()
        while found is not _END:
            items.append(found)
            if len(items) == TOGETHER:
                return items, False
            try:
                found = self._queue.get_nowait()
            except queue.Empty:
                return items, False
        return items, True

    def _store(self, items: Sequence[_Item]) -> None:
        """Store a group; one that the database will not have must not take the others with it."""
        waiting = [item for item in items if not item.answer.cancelled()]
        if not waiting:
            return
        try:
            self._store_in_turn(waiting)
        except RetryableError as e:
            for item in waiting:
                self._fail(item, e)
        except Exception:
            if len(waiting) == 1:
                raise
            log.exception("signals could not be stored together: one by one")
            for item in waiting:
                self._store_alone(item)

    def _store_alone(self, item: _Item) -> None:
        try:
            self._store_together([item])
        except Exception as e:  # noqa: BLE001  it is this request's own and goes to its sender
            self._fail(item, e)

    def _store_in_turn(self, items: Sequence[_Item]) -> None:
        """Try again each millisecond while another process writes.

        SQLite's own waiting sleeps longer and longer, up to 100 ms; next to an engine that commits
        often it would hardly ever find the moment between two of its transactions.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return self._store_together(items)
            except JournalBusy:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_TRY_AGAIN_SECONDS)

    def _store_together(self, items: Sequence[_Item]) -> None:
        with unit_of_work(self._database, "the journal of webhooks") as session:
            session.connection()  # begins the transaction: from here nobody can step back
            begun = [item for item in items if _begin(item.answer)]
            decided = self._decided(session, [item.judged for item in begun])
            told = [one for one in decided if one.entry is not None]
            entries = [one.entry for one in told if one.entry is not None]
            for one, number in zip(told, webhooks.store(session, entries), strict=True):
                one.number = number
        for item, one in zip(begun, decided, strict=True):
            if one.status is WebhookStatus.ACCEPTED and one.entry is not None:
                self._accepted(one.number, one.entry)
            self._tally.add("unknown" if one.status is None else one.status.value)
            number = one.number if one.first is None else one.first.number
            item.answer.set_result(Answer(one.status, number, one.refusal))

    def _decided(self, session: Session, group: Sequence[Judged]) -> list["_Decided"]:
        """Decide about a group in its order; of copies within it the first is taken."""
        rows, capitals = _strategies(session, group), strategies.capitals(session)
        alerts = {_alert(judged) for judged in group if judged.payload is not None}
        known = {
            alert: _Decided(WebhookStatus.ACCEPTED, number=first.id, command_id=first.command_id)
            for alert, first in webhooks.accepted(session, alerts).items()
        }
        decided = []
        for judged in group:
            one = self._decide(judged, rows, capitals, known.get(_alert(judged)))
            if one.status is WebhookStatus.ACCEPTED:
                known[_alert(judged)] = one
            decided.append(one)
        return decided

    def _decide(
        self, judged: Judged, rows: Mapping[int, StrategyRow], capitals: Mapping[int, Decimal],
        first: "_Decided | None",
    ) -> "_Decided":  # fmt: skip
        arrival = judged.arrival
        number = arrival.strategy_id
        row = rows.get(number)
        if row is None or not row.is_active or row.key_hash != judged.strategy.key_hash:
            return _Decided(None)
        if judged.payload is None:
            return self._refused(judged, judged.refusal)
        if first is not None:
            why = f"as entry {first.number}" if first.number else "as one of the same moment"
            entry = Entry(arrival, WebhookStatus.DUPLICATE, None, why, first.command_id)
            is_told = self._may_journal(number)
            return _Decided(WebhookStatus.DUPLICATE, entry if is_told else None, first=first)
        if self._taken.count(str(number), row.per_minute) >= row.per_minute:
            why = f"more than {row.per_minute} signals in a minute"
            return self._refused(judged, TooManyError(why))
        payload = dict(judged.payload)
        if number in capitals:
            payload["capital"] = plain_text(capitals[number])
        entry = Entry(arrival, WebhookStatus.ACCEPTED, payload)
        return _Decided(WebhookStatus.ACCEPTED, entry, command_id=webhooks.command_id(arrival))

    def _refused(self, judged: Judged, why: InputError | None) -> "_Decided":
        entry = Entry(judged.arrival, WebhookStatus.REFUSED, None, str(why or ""))
        is_told = self._may_journal(judged.arrival.strategy_id)
        return _Decided(WebhookStatus.REFUSED, entry if is_told else None, why)

    def _may_journal(self, strategy_id: int) -> bool:
        return self._journaled.count(str(strategy_id), JOURNALED) < JOURNALED

    @staticmethod
    def _fail(item: _Item, error: Exception) -> None:
        if not item.answer.done():
            item.answer.set_exception(error)


def _begin(answer: "Future[Answer]") -> bool:
    """True unless the request has given up; a second try in the same thread goes on."""
    if answer.cancelled():
        return False
    return answer.running() or answer.set_running_or_notify_cancel()


def _strategies(session: Session, group: Sequence[Judged]) -> dict[int, StrategyRow]:
    numbers = {judged.arrival.strategy_id for judged in group}
    rows = session.exec(select(StrategyRow).where(col(StrategyRow.id).in_(numbers)))
    return {strategies.number(row): row for row in rows}


def _alert(judged: Judged) -> tuple[int, str]:
    return judged.arrival.strategy_id, judged.arrival.alert_id
