"""What goes wrong, and when: a script that the server follows."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(slots=True)
class Fault:
    """What happens to a request instead of, or before, its answer.

    Args:
        status: answer with this status; None leaves the answer as it is.
        body: the text of the answer.
        seconds: wait for so long first.
        drop: close the connection without an answer.
    """

    status: int | None = None
    body: str = "{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    drop: bool = False


class Faults:
    """Faults of REST requests and of streams. Changed by tests, read by the server's thread."""

    def __init__(self) -> None:
        self._rest: list[tuple[str, Fault, int]] = []  # part of the path, fault, times left
        self.streams_refused = False  # handshakes are answered with 503
        self.streams_mute = False  # connected and subscribed, but nothing is ever said

    def rest(self, path: str, fault: Fault, times: int = 1_000_000) -> None:
        """Let the next `times` requests whose path contains `path` meet `fault`."""
        self._rest.append((path, fault, times))

    def clear(self) -> None:
        """Let everything work again."""
        self._rest.clear()
        self.streams_refused = self.streams_mute = False

    async def met(self, request: web.Request) -> web.Response | None:
        """Return the faulty answer to `request`; None when it is to be answered as usual."""
        for place, (path, fault, times) in enumerate(self._rest):
            if path in request.path:
                self._rest[place : place + 1] = [(path, fault, times - 1)] if times > 1 else []
                return await self._happens(fault, request)
        return None

    @staticmethod
    async def _happens(fault: Fault, request: web.Request) -> web.Response | None:
        await asyncio.sleep(fault.seconds)
        if fault.drop and request.transport is not None:
            request.transport.abort()
        if fault.status is None and not fault.drop:
            return None
        return web.Response(
            status=fault.status or 500, text=fault.body, headers=dict(fault.headers)
        )
