"""One id for all that is logged about one signal, from the decision to the fill."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

MAX_LENGTH: Final = 64  # of the log table's column

_current: ContextVar[str | None] = ContextVar("correlation", default=None)


@contextmanager
def correlation(correlation_id: str) -> Iterator[None]:
    """Let everything that is logged in the block carry `correlation_id`.

    Tasks that the block starts carry it too; a thread that it starts does not.
    """
    token = _current.set(correlation_id[:MAX_LENGTH])
    try:
        yield
    finally:
        _current.reset(token)


def current_correlation() -> str | None:
    """Return the id in force here, or None."""
    return _current.get()


def decision_key(run_id: int, symbol: str, close_ms: int) -> str:
    """Return the id of one decision: its run, its symbol, and when its candle closed.

    >>> decision_key(12, "BTC/USDT", 1717236000000)
    'r12:BTC/USDT:1717236000000'
    """
    return f"r{run_id}:{symbol}:{close_ms}"
