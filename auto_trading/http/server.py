"""The HTTP server as a service of the reach process: uvicorn in a thread with a loop of its own.

Nothing else in the process can delay an answer, and nothing here can delay the rest.
"""

import asyncio
import errno
import logging
import socket
import threading
from typing import Final

import uvicorn

from auto_trading.http.app import Application
from auto_trading.http.guard import GuardedProtocol
from auto_trading.reach.tools import ReachTools
from crypto_trader_pro.domain.errors import RetryableError

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
CONNECTIONS: Final = 512
MAX_HEADERS: Final = 16 * 1024
_BACKLOG: Final = 256
_KEEP_ALIVE: Final = 15
_END_SECONDS: Final = 1  # the process itself gets less than two
_LOOK_SECONDS: Final = 0.2


class HttpEnded(RetryableError):  # noqa: N818  what has happened
    """The server's thread has ended without being asked to."""


class HttpService:
    """Serves `reach.host`:`CTP_HTTP_PORT` until it is cancelled."""

    name = "http"

    def __init__(self, tools: ReachTools) -> None:
        self._tools = tools
        self._port = 0
        self._server: uvicorn.Server | None = None
        self.application = Application(tools)

    @property
    def port(self) -> int:
        """The port it listens on; 0 while it does not."""
        return self._port

    @property
    def is_serving(self) -> bool:
        """True while requests are answered."""
        return self._server is not None and self._server.started

    async def run(self) -> None:
        """Serve. A port in use is said once and tried again, with longer and longer pauses.

        Raises:
            HttpEnded: the server has ended by itself.
        """
        listener = await self._listener()
        self._port = int(listener.getsockname()[1])
        application = self.application
        self._server = server = uvicorn.Server(_config(application))
        thread = threading.Thread(
            target=_serve, args=(server, listener), name="http-server", daemon=True
        )
        application.start()
        try:
            thread.start()
            log.info("HTTP server on %s port %d", self._tools.settings().reach.host, self._port)
            while thread.is_alive():  # noqa: ASYNC110  a thread sets no event when it is killed
                await asyncio.sleep(_LOOK_SECONDS)
            raise HttpEnded("the HTTP server has ended by itself")
        finally:
            self._port, self._server = 0, None
            server.should_exit = True
            await asyncio.shield(asyncio.to_thread(_end, thread, application))
            listener.close()

    async def _listener(self) -> socket.socket:
        pause, told = FIRST_PAUSE, ""
        while True:
            host, port = self._tools.settings().reach.host, self._tools.environment.http_port
            try:
                return _bound(host, port)
            except OSError as e:
                why = f"HTTP server: {host} port {port} {_worded(e)}"
            if why != told:
                log.error("%s; trying again", why)
                told = why
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio ends Nagle's waiting only where the protocol is named; it costs 40 ms a request
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _worded(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "is in use by another program; set CTP_HTTP_PORT to another one"
    if error.errno == errno.EADDRNOTAVAIL:
        return "is no address of this machine; set reach.host"
    return f"cannot be listened on: {error.strerror}"


def _config(application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application.asgi, loop="asyncio", http=GuardedProtocol, ws="websockets-sansio",
        lifespan="off", log_config=None, log_level=logging.ERROR, access_log=False,
        server_header=False, proxy_headers=False, limit_concurrency=CONNECTIONS,
        backlog=_BACKLOG, timeout_keep_alive=_KEEP_ALIVE, timeout_graceful_shutdown=_END_SECONDS,
        h11_max_incomplete_event_size=MAX_HEADERS, ws_max_size=4096, ws_max_queue=4,
        ws_per_message_deflate=False, ws_ping_interval=10.0, ws_ping_timeout=10.0,
    )  # fmt: skip


def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    try:
        server.run(sockets=[listener])
    except BaseException:  # the thread's outermost level: `run` sees that it ended
        log.exception("the HTTP server failed")


def _end(thread: threading.Thread, application: Application) -> None:
    if thread.ident is not None:
        thread.join(_END_SECONDS + 0.5)
    application.close()
