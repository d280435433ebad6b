"""Not waiting for what may hang: a call in a thread of its own, given up when its time is over."""

import threading
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import NoReturn, TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns. Given up, it goes on in its thread and nobody hears of it.

    Raises:
        TimeoutError: it took longer than `seconds`.
        Exception: whatever `call` raised.
    """
    results: SimpleQueue[Callable[[], T]] = SimpleQueue()

    def run() -> None:
        try:
            value = call()
        except BaseException as e:  # noqa: BLE001  handed on to who waits
            results.put(partial(_fail, e))
        else:
            results.put(lambda: value)

    threading.Thread(target=run, name="hurry", daemon=True).start()
    try:
        result = results.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    return result()


def _fail(error: BaseException) -> NoReturn:
    raise error
