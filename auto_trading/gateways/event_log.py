"""Hands the events of one thread to readers in any other thread and event loop.

A reader that is not waiting is not known to the log: to be slow, or to be forgotten, costs nobody
anything. One that falls behind by more than the log holds is told so and starts over.
"""

import asyncio
from collections import deque
from contextlib import suppress
from itertools import islice
from threading import Lock

from crypto_trader_pro.domain.messages import MarketEvent


class Overrun(Exception):  # noqa: N818  reads as what happened
    """The events at this place are gone."""


class EventLog:
    """The newest `capacity` events, numbered. Every method is safe from every thread."""

    def __init__(self, capacity: int) -> None:
        self._events: deque[MarketEvent] = deque(maxlen=capacity)
        self._end = 0  # number of the next event
        self._lock = Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._closed = False

    @property
    def end(self) -> int:
        """Number that the next event will have."""
        return self._end

    @property
    def closed(self) -> bool:
        return self._closed

    def append(self, event: MarketEvent) -> None:
        """Add an event and wake those who wait for it."""
        with self._lock:
            self._events.append(event)
            self._end += 1
        self._wake()

    def close(self) -> None:
        """Say that nothing more will come."""
        self._closed = True
        self._wake()

    def since(self, place: int) -> list[MarketEvent]:
        """Return the events from number `place` on.

        Raises:
            Overrun: the first of them is gone.
        """
        with self._lock:
            skipped = place - (self._end - len(self._events))
            if skipped < 0:
                raise Overrun
            return list(islice(self._events, skipped, None))

    async def wait(self, place: int) -> None:
        """Return when there is an event with number `place`, or the log is closed."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._end > place or self._closed:
                return
            woken = loop.create_future()
            self._waiting.append((loop, woken))
        await woken

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for loop, woken in waiting:
            with suppress(RuntimeError):  # its loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(_finish, woken)


def _finish(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
