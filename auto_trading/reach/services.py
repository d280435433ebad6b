"""Keeps the services of the reach process going: each in a task of its own, each failing alone."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from auto_trading.reach.tools import ReachTools, Service
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import TradingError

log = logging.getLogger(__name__)

Maker = Callable[[ReachTools], Service]

# imported when they begin: a library that is broken stops its own service only
SERVICES: Final[Mapping[str, str]] = MappingProxyType({
    "drain": "auto_trading.reach.drain:DrainService",
    "jobs": "auto_trading.reach.jobs:JobsService",
    "silence": "auto_trading.reach.silence:SilenceWatch",
    "telegram": "auto_trading.reach.telegram.service:TelegramService",
    "http": "auto_trading.http.server:HttpService",
})  # fmt: skip


class Rhythm(NamedTuple):
    """Seconds between a failure and the next attempt, and until a success counts as one."""

    first: float = 1.0
    longest: float = 60.0
    steady: float = 10.0


RHYTHM: Final = Rhythm()


class ServiceEnded(TradingError):  # noqa: N818  named as what has happened
    """A service came to an end that nobody asked for."""


async def keep_all(tools: ReachTools, table: Mapping[str, str] = SERVICES) -> None:
    """Run every service until cancelled."""
    async with asyncio.TaskGroup() as group:
        for name, place in table.items():
            group.create_task(Keeper(name, place, tools).run(), name=name)


class Keeper:
    """Runs one service and begins it again when it fails."""

    def __init__(
        self, name: str, place: str | Maker, tools: ReachTools, rhythm: Rhythm = RHYTHM
    ) -> None:
        self._name = name
        self._place = place
        self._tools = tools
        self._rhythm = rhythm
        self._failures = 0  # in a row

    async def run(self) -> None:
        """Serve until cancelled."""
        pause = self._rhythm.first
        while True:
            began = time.monotonic()
            error = await self._one_life()
            if time.monotonic() - began >= self._rhythm.steady:
                pause = self._rhythm.first
            self._failed(error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._rhythm.longest)

    async def _one_life(self) -> str:
        """Begin the service and return, in one line, why it has ended."""
        life = asyncio.create_task(self._lived(), name=f"service {self._name}")
        try:
            seconds = self._rhythm.steady if self._failures else None
            await asyncio.wait({life}, timeout=seconds)
            if not life.done():
                self._recovered()
                await asyncio.wait({life})
        finally:
            life.cancel()  # does nothing to one that has ended
            with suppress(asyncio.CancelledError, Exception):  # it is on its way out
                await life
        return _one_line(life.exception())

    async def _lived(self) -> None:
        try:
            maker = await self._maker()
            await maker(self._tools).run()
        except SystemExit as e:  # a server library's way to fail; it would end the whole loop
            raise ServiceEnded(f"it asked the process to end ({e.code})") from e
        raise ServiceEnded("it ended by itself")

    async def _maker(self) -> Maker:
        if callable(self._place):
            return self._place
        module, _, name = self._place.partition(":")
        found: Any = getattr(await _imported(module), name)
        return found  # type: ignore[no-any-return]

    def _failed(self, error: str) -> None:
        self._failures += 1
        log.log(logging.ERROR if self._failures == 1 else logging.INFO,
                "service %s has failed: %s", self._name, error)  # fmt: skip
        if self._failures == 1:
            numbers = {"service": self._name, "error": self._tools.redactor.text(error)}
            self._tools.notify(NotificationType.SYSTEM_ERROR, "error", "service_failed", numbers)

    def _recovered(self) -> None:
        numbers = {"service": self._name, "failures": self._failures}
        self._failures = 0
        log.warning("service %s works again after %d failures", *numbers.values())
        self._tools.notify(NotificationType.SYSTEM_ERROR, "info", "service_recovered", numbers)


def _imported(module: str) -> Awaitable[Any]:
    # a second of imports must not hold up those who serve already
    return asyncio.to_thread(import_module, module)


def _one_line(error: BaseException | None) -> str:
    text = " ".join(str(error).split())[:300]
    if isinstance(error, TradingError):
        return text
    log.debug("what ended the service", exc_info=error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
