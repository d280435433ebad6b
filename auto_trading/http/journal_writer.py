"""Stores signals with their commands: many requests, one transaction.

The engine writes to the same database. A transaction for each request of a flood would stand in its
way; one thread stores whatever has gathered while it stored the last.
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine as Database
from sqlmodel import Session, col, select

from auto_trading.http.judging import Judged
from auto_trading.http.limits import Windows
from auto_trading.http.tally import Tally
from crypto_trader_pro.domain.errors import InputError, RetryableError
from crypto_trader_pro.domain.instruments import plain_text
from database import strategies, webhooks
from database.auto_trading_db import unit_of_work
from database.models import StrategyRow, WebhookLogRow
from database.webhooks import WebhookStatus

log = logging.getLogger(__name__)

MOST_WAITING: Final = 256
TOGETHER: Final = 64
JOURNALED: Final = 60  # refused or repeated entries of one strategy and minute that get a row
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


class JournalWriter:
    """One thread that stores what `submit` is given, in the order it came.

    Args:
        database: whose transactions wait only shortly for another writer.
        accepted: called after the commit with each new entry and its payload; never waits.
    """

    def __init__(
        self, database: Database, accepted: Callable[[WebhookLogRow, Mapping[str, Any]], None],
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
            self._store_together(waiting)
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

    def _store_together(self, items: Sequence[_Item]) -> None:
        done: list[tuple[_Item, Answer, WebhookLogRow | None]] = []
        with unit_of_work(self._database, "the journal of webhooks") as session:
            session.connection()  # begins the transaction: from here nobody can step back
            begun = [item for item in items if _begin(item.answer)]
            rows = _strategies(session, begun)
            capitals = strategies.capitals(session)
            for item in begun:
                answer, row = self._decide(session, item.judged, rows, capitals)
                done.append((item, answer, row))
        for item, answer, row in done:
            payload = item.judged.payload
            if answer.status is WebhookStatus.ACCEPTED and row is not None and payload is not None:
                self._accepted(row, payload)
            self._tally.add("unknown" if answer.status is None else answer.status.value)
            item.answer.set_result(answer)

    def _decide(
        self, session: Session, judged: Judged, rows: Mapping[int, StrategyRow],
        capitals: Mapping[int, Decimal],
    ) -> tuple[Answer, WebhookLogRow | None]:  # fmt: skip
        arrival = judged.arrival
        number = arrival.strategy_id
        row = rows.get(number)
        if row is None or not row.is_active or row.key_hash != judged.strategy.key_hash:
            return Answer(None, 0), None
        if judged.payload is None:
            return self._refuse(session, judged, judged.refusal), None
        first = webhooks.accepted(session, number, arrival.alert_id)
        if first is not None:
            if self._may_journal(number):
                webhooks.duplicate(session, arrival, first)
            return Answer(WebhookStatus.DUPLICATE, first.id or 0), None
        if self._taken.count(str(number), row.per_minute) >= row.per_minute:
            why = TooManyError(f"more than {row.per_minute} signals in a minute")
            return self._refuse(session, judged, why), None
        payload = dict(judged.payload)
        if number in capitals:
            payload["capital"] = plain_text(capitals[number])
        stored = webhooks.accept(session, arrival, payload)
        return Answer(WebhookStatus(stored.status), stored.id or 0), stored

    def _refuse(self, session: Session, judged: Judged, why: InputError | None) -> Answer:
        stored = 0
        if self._may_journal(judged.arrival.strategy_id):
            stored = webhooks.refuse(session, judged.arrival, str(why or "")).id or 0
        return Answer(WebhookStatus.REFUSED, stored, why)

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


def _strategies(session: Session, items: Sequence[_Item]) -> dict[int, StrategyRow]:
    numbers = {item.judged.arrival.strategy_id for item in items}
    rows = session.exec(select(StrategyRow).where(col(StrategyRow.id).in_(numbers)))
    return {strategies.number(row): row for row in rows}
