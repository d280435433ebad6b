"""The server: one thread, one loop, three venues."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from threading import Thread
from typing import Any, Final, NamedTuple, TypeVar

from aiohttp import WSMsgType, web

from crypto_trader_pro.domain.instruments import Instrument
from tests.venues.binance import Binance
from tests.venues.bybit import Bybit
from tests.venues.dialect import Dialect, NotServed, Topic
from tests.venues.faults import Faults
from tests.venues.market import ScriptedMarket
from tests.venues.okx import Okx

_T = TypeVar("_T")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
DIALECTS: Final[tuple[Dialect, ...]] = (Binance(), Bybit(), Okx())
_WAIT_SECONDS: Final = 30.0


class Asked(NamedTuple):
    """A request that reached the server."""

    at: float  # monotonic seconds
    path: str
    status: int  # of the answer; 101 for a stream


class _Connection:
    def __init__(self, socket: web.WebSocketResponse, dialect: Dialect) -> None:
        self.socket = socket
        self.dialect = dialect
        self.topics: set[Topic] = set()


class VenueServer:
    """Serves `market` on a port of loopback; a context manager.

    Attributes:
        asked: every request, in order, with its answer's status.
        faults: what goes wrong from now on.
    """

    def __init__(self, market: ScriptedMarket) -> None:
        self.market = market
        self.faults = Faults()
        self.asked: list[Asked] = []
        self._connections: list[_Connection] = []
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="venue-server", daemon=True)
        self._runner: web.AppRunner | None = None
        self._port = 0

    def __enter__(self) -> "VenueServer":
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # --- what a test does ---------------------------------------------------------------------

    def send_candle(
        self, symbol: str, open_ms: int, *, closed: bool = True, times: int = 1
    ) -> None:
        """Send a candle to those who have subscribed to it."""
        self._publish(
            symbol, "candles",
            lambda d, item: d.candle_message(self.market, item, open_ms, closed), times,
        )  # fmt: skip

    def close_candles(self, open_ms: int) -> None:
        """Send the closed candle of every symbol."""
        for item in self.market.instruments:
            self.send_candle(item.symbol, open_ms)

    def send_price(
        self, symbol: str, price: str, *, bid: str | None = None, ask: str | None = None,
        at_ms: int | None = None,
    ) -> None:  # fmt: skip
        """Send a price to those who have subscribed, and answer with it from now on."""
        last = self.market.prices[symbol] = Decimal(price)
        at = self.market.clock.now_ms() if at_ms is None else at_ms
        low, high = Decimal(bid or price), Decimal(ask or price)
        self._publish(
            symbol, "prices",
            lambda d, item: d.ticker_message(self.market, item, at, last, low, high),
        )  # fmt: skip

    def send_altered(self, symbol: str, open_ms: int, alter: Callable[[str], str]) -> None:
        """Send the text of a closed candle's message after `alter` has changed it."""
        item = self.market.instrument(symbol)
        self._do(self._send_altered(item, open_ms, alter))

    def send_text(self, text: str) -> None:
        """Send `text` to every connection, whatever it has subscribed to."""

        async def send() -> None:
            for connection in list(self._connections):
                await connection.socket.send_str(text)

        self._do(send())

    def drop_streams(self) -> None:
        """Cut every stream, without a farewell."""

        async def drop() -> None:
            for connection in list(self._connections):
                transport = connection.socket._req.transport if connection.socket._req else None
                if transport is not None:
                    transport.abort()

        self._do(drop())

    def wait_for_streams(self, topics: int) -> None:
        """Return when `topics` subscriptions are in force.

        Raises:
            AssertionError: they are not, after half a minute.
        """
        deadline = time.monotonic() + _WAIT_SECONDS
        while self.subscriptions != topics:
            assert time.monotonic() < deadline, f"{self.subscriptions} of {topics} subscriptions"
            time.sleep(0.005)

    @property
    def subscriptions(self) -> int:
        return sum(len(connection.topics) for connection in list(self._connections))

    @property
    def handshakes(self) -> int:
        """How many streams were ever opened."""
        return sum(asked.status == 101 for asked in list(self.asked))

    def paths(self, part: str) -> list[Asked]:
        """Return the requests whose path contains `part`."""
        return [asked for asked in list(self.asked) if part in asked.path]

    # --- the server's loop --------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_SECONDS)

    async def _open(self) -> None:
        app = web.Application(middlewares=[self._middleware()])
        app.router.add_get("/{host}/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _shut(self) -> None:
        for connection in list(self._connections):
            await connection.socket.close()
        if self._runner is not None:
            await self._runner.cleanup()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:  # requests whose connection a fault has cut
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _middleware(self) -> Any:
        @web.middleware
        async def noted(request: web.Request, handler: _Handler) -> web.StreamResponse:
            arrived = time.monotonic()
            answer: web.StreamResponse | None = await self.faults.met(request)
            if answer is None:
                answer = await handler(request)
            if answer.status != 101:  # a stream was noted when it began
                self.asked.append(Asked(arrived, request.path, answer.status))
            return answer

        return noted

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        host, path = request.match_info["host"], request.match_info["path"]
        dialect = next((d for d in DIALECTS if host in d.hosts), None)
        if dialect is None:
            raise web.HTTPNotFound
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request, dialect, host, path)
        try:
            return web.json_response(dialect.rest(self.market, host, path, request.query))
        except NotServed as error:
            raise web.HTTPNotFound(text=json.dumps({"not_served": str(error)})) from error

    async def _stream(
        self, request: web.Request, dialect: Dialect, host: str, path: str
    ) -> web.StreamResponse:
        if self.faults.streams_refused:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.asked.append(Asked(time.monotonic(), request.path, 101))
        connection = _Connection(socket, dialect)
        self._connections.append(connection)
        try:
            async for received in socket:
                if received.type is WSMsgType.TEXT:
                    await self._received(connection, host, path, received.data)
        finally:
            self._connections.remove(connection)
        return socket

    async def _received(self, connection: _Connection, host: str, path: str, data: str) -> None:
        message = json.loads(data) if data.startswith("{") else data
        found = connection.dialect.subscribe(host, path, message)
        connection.topics.update(found.topics)
        for reply in found.replies:
            await connection.socket.send_str(reply if isinstance(reply, str) else json.dumps(reply))

    def _publish(
        self, symbol: str, what: str, make: Callable[[Dialect, Instrument], Any], times: int = 1
    ) -> None:
        if self.faults.streams_mute:
            return
        item = self.market.instrument(symbol)

        async def send() -> None:
            for connection in list(self._connections):
                topic = Topic(item.kind, what, connection.dialect.market_id(item))
                if topic in connection.topics:
                    message = json.dumps(make(connection.dialect, item))
                    for _ in range(times):
                        await connection.socket.send_str(message)

        self._do(send())

    async def _send_altered(
        self, item: Instrument, open_ms: int, alter: Callable[[str], str]
    ) -> None:
        for connection in list(self._connections):
            topic = Topic(item.kind, "candles", connection.dialect.market_id(item))
            if topic in connection.topics:
                message = connection.dialect.candle_message(self.market, item, open_ms, True)
                await connection.socket.send_str(alter(json.dumps(message)))
