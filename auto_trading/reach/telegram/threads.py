"""Waiting for what may hang without holding up the event loop, or the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from crypto_trader_pro.domain.errors import JournalUnavailable

T = TypeVar("T")
_MOST: Final = 6  # readings that may hang at a time


class Threads:
    """Calls that each run in a thread of their own; what takes too long is given up, not ended."""

    def __init__(self) -> None:
        self._busy = 0

    async def read(self, seconds: float, call: Callable[[], T]) -> T:
        """Return what `call` returns; refused while too many earlier ones still hang.

        Raises:
            JournalUnavailable: no answer in time.
            Exception: whatever `call` raised.
        """
        if self._busy >= _MOST:
            raise JournalUnavailable("the database does not answer")
        return await self.call(seconds, call)

    async def call(self, seconds: float, call: Callable[[], T]) -> T:
        """As `read`, however many others hang."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def settle(value: T | None, error: BaseException | None) -> None:
            self._busy -= 1
            if result.done():
                return  # nobody waits any more
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(value)  # type: ignore[arg-type]

        def run() -> None:
            value, error = None, None
            try:
                value = call()
            except BaseException as e:  # noqa: BLE001  handed on to who waits
                error = e
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, value, error)

        self._busy += 1
        threading.Thread(target=run, name="telegram", daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                return await result
        except TimeoutError:
            if result.done() and not result.cancelled():
                raise  # the call's own
            raise JournalUnavailable(f"the database gave no answer within {seconds:g} s") from None
