"""Who may read: bearer tokens, checked against their hashes, kept in memory for a second."""

import asyncio
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Final

from fastapi import HTTPException, Request
from starlette.datastructures import Headers

from auto_trading.http.addresses import sender
from auto_trading.http.bench import Bench
from auto_trading.http.limits import Strangers
from auto_trading.reach.tools import ReachTools
from crypto_trader_pro.domain.errors import RetryableError
from database import api_tokens
from database.auto_trading_db import unit_of_work
from database.strategies import key_hash

KEPT_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 2.0
_TOUCH_SECONDS: Final = 60.0
_LONGEST: Final = 200
_NOBODY: Final = key_hash("")


class Tokens:
    """Checks tokens. Every wrong one gets the same answer."""

    def __init__(self, tools: ReachTools, clock: Callable[[], float] = time.monotonic) -> None:
        self._tools = tools
        self._clock = clock
        self._bench = Bench("tokens", 1)
        self._touching = Bench("tokens-used", 1)
        self._lock: asyncio.Lock | None = None
        self._known: Mapping[str, int] = {}
        self._read_at: float | None = None
        self._touched: dict[int, float] = {}
        self._strangers = Strangers()
        self._tasks: set[asyncio.Task[None]] = set()

    async def holds(self, token: str) -> bool:
        """True for a token that is known and not revoked; notes now and then that it is used.

        Raises:
            RetryableError: the database does not answer.
        """
        hashed = key_hash(token[:_LONGEST])
        if self._is_old():
            self._lock = self._lock or asyncio.Lock()
            async with self._lock:
                if self._is_old():
                    self._known = await self._bench.ask(_ANSWER_SECONDS, self._load)
                    self._read_at = self._clock()
        number = self._known.get(hashed)
        is_right = hmac.compare_digest(hashed, _NOBODY if number is None else hashed)
        if number is not None:
            self._note(number)
        return is_right

    async def required(self, request: Request) -> None:
        """Let a request through that carries a good token.

        Raises:
            HTTPException: 401, 429 after many wrong ones, 503 without the database.
        """
        token = bearer(request.headers)
        try:
            if token is not None and await self.holds(token):
                return
        except RetryableError:
            raise HTTPException(503, "unavailable", {"Retry-After": "5"}) from None
        peer = request.client.host if request.client else ""
        remote = sender(peer, request.headers, self._tools.settings().reach.trusted_proxies)
        if token is not None and not self._strangers.failed(remote):
            raise HTTPException(429, "too many wrong tokens", {"Retry-After": "60"})
        raise HTTPException(401, "a token is needed", {"WWW-Authenticate": "Bearer"})

    async def required_from_outside(self, request: Request) -> None:
        """As `required` where other machines can connect; on loopback everybody may read."""
        if not self._tools.settings().reach.is_local:
            await self.required(request)

    def forget(self) -> None:
        """Read the tokens anew with the next request."""
        self._read_at = None

    def _is_old(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at > KEPT_SECONDS

    def _load(self) -> Mapping[str, int]:
        with unit_of_work(self._tools.reader, "the tokens") as session:
            return api_tokens.active(session)

    def _note(self, number: int) -> None:
        before = self._touched.get(number)
        if before is not None and self._clock() - before < _TOUCH_SECONDS:
            return
        self._touched[number] = self._clock()
        task = asyncio.get_running_loop().create_task(self._touch(number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _touch(self, number: int) -> None:
        def write() -> None:
            with unit_of_work(self._tools.writer, "the use of a token") as session:
                api_tokens.touch(session, number, self._tools.now())

        try:
            await self._touching.ask(_ANSWER_SECONDS, write)
        except RetryableError:
            self._touched.pop(number, None)  # the next request tries again


def bearer(headers: Headers) -> str | None:
    """Return the token of the Authorization header, or None."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
