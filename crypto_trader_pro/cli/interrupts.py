"""Ctrl-C at once, where an event loop would keep it until its work is done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def at_once() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt in the middle of what runs in the block.

    `asyncio.run` takes the signal over and only cancels its task, which a loop that never waits
    does not notice; it leaves a handler that is not Python's own alone. Only where nothing is
    half done that must not be: a backtest holds everything in memory, a replay has stored each
    candle whole or not at all and goes on from there, even after kill -9.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
