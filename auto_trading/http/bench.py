"""Questions that may hang, asked in threads: so many at a time, each given up after a while."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from crypto_trader_pro.domain.errors import RetryableError

T = TypeVar("T")


class NoAnswer(RetryableError):  # noqa: N818  it is what is missing
    """What was asked did not answer in time, or too many are waiting for it already."""


class Bench:
    """Runs blocking calls for an event loop.

    A call that is given up keeps its place until it really ends, so that what hangs can never
    gather threads without end.

    Args:
        places: calls at a time.
    """

    def __init__(self, name: str, places: int) -> None:
        self._name = name
        self._places = places
        self._taken = 0
        self._lock = threading.Lock()

    async def ask(self, seconds: float, call: Callable[[], T]) -> T:
        """Return what `call` returns.

        Raises:
            NoAnswer: not within `seconds`, or no place was free.
            Exception: whatever `call` raised.
        """
        with self._lock:
            if self._taken >= self._places:
                raise NoAnswer(f"{self._name}: {self._taken} questions wait for an answer already")
            self._taken += 1
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        work = partial(self._work, loop, future, call)
        threading.Thread(target=work, name=f"http-{self._name}", daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            raise NoAnswer(f"{self._name}: no answer within {seconds:g} s") from None

    def _work(
        self, loop: asyncio.AbstractEventLoop, future: "asyncio.Future[T]", call: Callable[[], T]
    ) -> None:
        try:
            settle = partial(_give, future, call())
        except BaseException as e:  # noqa: BLE001  handed on to who waits
            settle = partial(_fail, future, e)
        with self._lock:
            self._taken -= 1
        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the server has ended meanwhile: nobody waits
            return


def _give(future: "asyncio.Future[T]", value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: "asyncio.Future[T]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
