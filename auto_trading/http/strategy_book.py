"""The strategies that may send signals, kept in memory for at most a second."""

import asyncio
import hmac
import re
import time
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Engine as Database

from auto_trading.http.bench import Bench
from database import strategies
from database.auto_trading_db import unit_of_work
from database.models import StrategyRow
from database.strategies import key_hash
from utils.redaction import HIDDEN

KEPT_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 2.0
_LIKE_A_KEY: Final = re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])", re.ASCII)
_NOBODY: Final = key_hash("")


class StrategyBook:
    """Finds the strategy of a key; a flood of wrong keys costs one query a second."""

    def __init__(self, reader: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._bench = Bench("strategies", 1)
        self._lock: asyncio.Lock | None = None  # belongs to the loop that asks
        self._rows: Mapping[str, StrategyRow] = {}
        self._read_at: float | None = None

    async def find(self, key: str) -> StrategyRow | None:
        """Return the active strategy of a key; every wrong key takes the same way to None.

        Raises:
            NoAnswer, JournalUnavailable: the database does not answer.
        """
        hashed = key_hash(key)
        if self._is_old():
            self._lock = self._lock or asyncio.Lock()
            async with self._lock:
                if self._is_old():
                    self._rows = await self._bench.ask(_ANSWER_SECONDS, self._load)
                    self._read_at = self._clock()
        row = self._rows.get(hashed)
        is_right = hmac.compare_digest(hashed, _NOBODY if row is None else row.key_hash)
        return row if is_right else None

    def without_keys(self, text: str) -> str:
        """Return `text` without the keys of any strategy that is known."""
        return _LIKE_A_KEY.sub(
            lambda found: HIDDEN if key_hash(found[0]) in self._rows else found[0], text
        )

    def forget(self) -> None:
        """Read the strategies anew with the next request."""
        self._read_at = None

    def _is_old(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at > KEPT_SECONDS

    def _load(self) -> Mapping[str, StrategyRow]:
        with unit_of_work(self._reader, "the strategies") as session:
            return {row.key_hash: row for row in strategies.listed(session) if row.is_active}
