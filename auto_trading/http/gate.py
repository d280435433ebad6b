"""What every request passes first: the host it asks for, and how long it may take."""

import asyncio
import ipaddress
import socket
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_SECONDS: Final = 30.0
_TWO_LENGTHS: Final = {"status": "refused", "reason": "content-length and transfer-encoding"}
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


class Gate:
    """ASGI middleware around the whole application.

    A page of a stranger can point a name of its own at 127.0.0.1 and let the browser ask us. Such a
    request names a host that is not ours: allowed are addresses, "localhost", and this machine's
    own name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._names = {"localhost", socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        if "transfer-encoding" in headers and "content-length" in headers:
            # a proxy before us may see another end of the body, and so another next request
            close = {"Connection": "close"}
            return await JSONResponse(_TWO_LENGTHS, 400, close)(scope, receive, send)
        if not self._is_ours(headers.get("host", "")):
            refused = JSONResponse({"status": "refused", "reason": "host"}, 421)
            return await refused(scope, receive, send)
        if scope["type"] == "websocket":
            return await self._app(scope, receive, send)
        has_begun = False

        async def guarded(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await self._app(scope, receive, guarded)
        except TimeoutError:
            if not has_begun:
                await JSONResponse({"status": "unavailable"}, 503)(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        name = _without_port(host).lower()
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
