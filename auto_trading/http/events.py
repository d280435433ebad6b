"""WebSocket `/api/v1/events`: one poller for all, a bounded queue for each, slow ones cut off."""

import asyncio
import json
from contextlib import suppress
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from auto_trading.http.bench import Bench
from auto_trading.http.event_poller import Cursor, Event, EventReader
from auto_trading.http.tokens import Tokens, bearer
from auto_trading.reach.tools import ReachTools
from crypto_trader_pro.domain.errors import InputError, RetryableError

LOOK_SECONDS: Final = 0.5
ASK_SECONDS: Final = 3.0
HELLO_SECONDS: Final = 5.0
HEARTBEAT_SECONDS: Final = 15.0
WAITING: Final = 1000  # events that a client may be behind
LISTENERS: Final = 32
_CLOSE_SECONDS: Final = 2.0
_DENIED, _BAD, _SLOW, _FULL = 4401, 4400, 4408, 4429


class _Closed(Exception):  # noqa: N818  how a connection ends
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Listener:
    """One client: what waits for it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event] = asyncio.Queue(WAITING)
        self.too_slow = asyncio.Event()

    def put(self, event: Event) -> None:
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            self.too_slow.set()


class Events:
    """The stream of events. It belongs to the server's loop."""

    def __init__(self, tools: ReachTools, tokens: Tokens) -> None:
        self._tools = tools
        self._tokens = tokens
        self._reader = EventReader(tools.reader)
        self._bench = Bench("events", 1)
        self._backlogs = Bench("events-backlog", 4)
        self._listeners: set[_Listener] = set()
        self._joining = 0
        self._cursor: Cursor | None = None
        self._poller: asyncio.Task[None] | None = None

    def router(self) -> APIRouter:
        """Return the route of the stream."""
        router = APIRouter()
        router.add_api_websocket_route("/api/v1/events", self.serve)
        return router

    async def serve(self, socket: WebSocket) -> None:
        """Serve one client until it goes, or is cut off with a reason."""
        await socket.accept()
        try:
            await self._serve(socket)
        except WebSocketDisconnect:
            return
        except _Closed as e:
            with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    if socket.application_state is WebSocketState.CONNECTED:
                        await socket.close(e.code, e.reason)

    async def _serve(self, socket: WebSocket) -> None:
        if len(self._listeners) + self._joining >= LISTENERS:
            raise _Closed(_FULL, f"{LISTENERS} clients listen already")
        self._joining += 1
        listener = _Listener()
        try:
            after = await self._hello(socket)
            end = await self._join(listener)
        finally:
            self._joining -= 1
        try:
            await self._stream(socket, listener, after, end)
        finally:
            self._listeners.discard(listener)

    async def _hello(self, socket: WebSocket) -> Cursor | None:
        """Check the token, of the header or of the first message; return what to go on after."""
        token, after = bearer(socket.headers), socket.query_params.get("after")
        if token is None:
            said = await self._first(socket)
            token, after = said.get("token"), said.get("after", after)
        try:
            if not isinstance(token, str) or not await self._tokens.holds(token):
                raise _Closed(_DENIED, "a token is needed")
            return None if after is None else Cursor.read(str(after))
        except InputError as e:
            raise _Closed(_BAD, str(e)) from e
        except RetryableError:
            raise _Closed(1013, "unavailable") from None

    async def _first(self, socket: WebSocket) -> dict[str, Any]:
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                text = await socket.receive_text()
            said = json.loads(text)
        except TimeoutError:
            raise _Closed(_DENIED, "no token came") from None
        except (ValueError, KeyError, RecursionError):  # KeyError: bytes instead of text
            said = None
        if not isinstance(said, dict):
            raise _Closed(_BAD, 'the first message is {"token": ..., "after": ...}')
        return said

    async def _join(self, listener: _Listener) -> Cursor:
        """Add a client to those that the poller tells, and return where it begins."""
        if self._poller is None or self._poller.done():
            self._cursor = None
        if self._cursor is None:
            try:
                self._cursor = await self._bench.ask(ASK_SECONDS, self._reader.newest)
            except RetryableError:
                raise _Closed(1013, "unavailable") from None
        self._listeners.add(listener)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._poll())
        return self._cursor

    async def _stream(
        self, socket: WebSocket, listener: _Listener, after: Cursor | None, end: Cursor
    ) -> None:
        tasks = [
            asyncio.ensure_future(self._send(socket, listener, after, end)),
            asyncio.ensure_future(_until_gone(socket)),
            asyncio.ensure_future(listener.too_slow.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if tasks[2] in done:
            raise _Closed(_SLOW, f"too slow: {WAITING} events wait")
        for task in done:
            if task.exception() is not None:
                await task

    async def _send(
        self, socket: WebSocket, listener: _Listener, after: Cursor | None, end: Cursor
    ) -> None:
        hello = {"type": "hello", "id": str(end), "data": {"at": self._tools.now().isoformat()}}
        await _tell(socket, hello)
        while after is not None:
            try:
                events, after = await self._backlogs.ask(
                    ASK_SECONDS, partial(self._reader.between, after, end)
                )
            except RetryableError:
                raise _Closed(1013, "unavailable") from None
            for event in events:
                await _tell(socket, event)
            if not events:
                break
        for event in self._reader.snapshot():
            await _tell(socket, event)
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):  # wait_for may swallow a cancel
                    event = await listener.queue.get()
            except TimeoutError:
                event = {"type": "heartbeat", "id": None, "data": {}}
            await _tell(socket, event)

    async def _poll(self) -> None:
        """Tell every client what is new, for as long as there is one."""
        while self._listeners or self._joining:
            if self._cursor is not None:
                look = partial(self._reader.since, self._cursor, self._tools.now())
                with suppress(RetryableError):  # the next look catches up
                    events, self._cursor = await self._bench.ask(ASK_SECONDS, look)
                    for event in events:
                        for listener in self._listeners:
                            listener.put(event)
            await asyncio.sleep(LOOK_SECONDS)
        self._cursor = None


async def _tell(socket: WebSocket, event: Event) -> None:
    await socket.send_text(json.dumps(event, ensure_ascii=False, separators=(",", ":")))


async def _until_gone(socket: WebSocket) -> None:
    """Read on, so that a client's end is seen; what it says after its token means nothing."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
