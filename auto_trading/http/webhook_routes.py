"""`POST /webhook/{strategy_key}`: a signal is stored with its command, then answered."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from auto_trading.http.addresses import sender
from auto_trading.http.bodies import BodyRefused, read_bounded
from auto_trading.http.journal_writer import (
    Answer,
    JournalWriter,
    Overloaded,
    TooManyError,
    impatient,
)
from auto_trading.http.judging import (
    ElsewhereError,
    Incoming,
    Rules,
    UnauthorizedError,
    WrongTypeError,
    judge,
)
from auto_trading.http.limits import Strangers, Windows
from auto_trading.http.signal_schema import SignalBody
from auto_trading.http.strategy_book import StrategyBook
from auto_trading.http.tally import Tally
from auto_trading.reach.tools import ReachTools
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import InputError, RetryableError
from database import api_tokens
from database.models import StrategyRow
from database.strategies import number
from database.webhooks import Entry, WebhookStatus
from utils.redaction import HIDDEN

STEP_BACK_SECONDS: Final = 2.5  # TradingView hangs up after three
_BEGUN_SECONDS: Final = 10.0  # for a transaction that has begun
_REQUESTS: Final = 600  # a minute, of one strategy and beside ten times its signals
_TOLD: Final = 10  # signals of one strategy in a minute that people are told of
_NOT_FOUND: Final = {"status": "not_found"}
_BODY_SCHEMA: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": SignalBody.model_json_schema()},
            "text/plain": {"schema": {"type": "string", "maxLength": 8192}},
        },
    }
}


class Webhooks:
    """Takes signals. Whatever is wrong is answered with one line; nothing is done by itself."""

    def __init__(self, tools: ReachTools) -> None:
        self._tools = tools
        self.tally = Tally()
        self.book = StrategyBook(tools.reader)
        self._strangers = Strangers()
        self._requests = Windows()
        self._told = Windows()
        database = impatient(tools.environment.database_url, tools.writer)
        self.writer = JournalWriter(database, self._tell_accepted, self.tally)

    def router(self) -> APIRouter:
        """Return the route of the signals."""
        router = APIRouter(tags=["signals in"])
        router.add_api_route(
            "/webhook/{strategy_key}", self.take, methods=["POST"], status_code=202,
            response_model=None, openapi_extra=_BODY_SCHEMA, summary="Take a signal",
            responses={
                200: {"description": "A copy of a signal that was taken; nothing is done again."},
                202: {"description": "Stored; the engine decides."},
                400: {"description": "Refused: `reason` names the field and what is allowed."},
                401: {"description": "The signature is missing or wrong."},
                404: {"description": "No such key."},
                408: {"description": "The body came too slowly."},
                413: {"description": "The body is longer than 8 KiB."},
                415: {"description": "A content type or encoding that is not taken."},
                429: {"description": "Too many signals, or too many wrong keys."},
                503: {"description": "Nothing was stored; send it again after Retry-After."},
            },
        )  # fmt: skip
        return router

    async def take(self, strategy_key: str, request: Request) -> JSONResponse:
        """Store a signal and answer after the commit."""
        reach = self._tools.settings().reach
        peer = request.client.host if request.client else ""
        remote = sender(peer, request.headers, reach.trusted_proxies)
        try:
            strategy = await self.book.find(strategy_key)
        except RetryableError:
            return _unavailable()
        if strategy is None or not reach.webhooks:
            return await self._refuse_stranger(remote, request)
        if self._is_flood(strategy):
            self.tally.add("flooded")
            return _answered(429, _refused("too many requests"), {"Retry-After": "60"})
        try:
            body = await read_bounded(request)
        except BodyRefused as e:
            self.tally.add("refused")
            return _answered(e.status, _refused(e.reason), {"Connection": "close"})
        hidden = partial(self._hidden, strategy_key)
        came = Incoming(request.headers, body, remote, self._now(), hidden)
        return await self._store(strategy, came)

    async def _store(self, strategy: StrategyRow, incoming: Incoming) -> JSONResponse:
        judged = judge(strategy, incoming, self._rules())
        try:
            future = self.writer.submit(judged)
        except Overloaded:
            self.tally.add("overloaded")
            return _unavailable()
        waiting = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({waiting}, timeout=STEP_BACK_SECONDS)
        if not done and not future.cancel():  # the transaction has begun: it ends soon
            done, _ = await asyncio.wait({waiting}, timeout=_BEGUN_SECONDS)
        if not done or waiting.cancelled() or waiting.exception() is not None:
            self.tally.add("unavailable")
            return _unavailable()
        return _outcome(waiting.result())

    async def _refuse_stranger(self, remote: str, request: Request) -> JSONResponse:
        self.tally.add("unknown")
        is_bearable = self._strangers.failed(remote)
        many = self._strangers.to_tell()
        if many:
            self._tools.notify(
                NotificationType.SYSTEM_ERROR, "warning", "webhook_strangers", {"requests": many}
            )
        if not is_bearable:
            return _answered(429, _NOT_FOUND, {"Retry-After": "60", "Connection": "close"})
        try:
            await read_bounded(request)
        except BodyRefused:
            return _answered(404, _NOT_FOUND, {"Connection": "close"})
        return _answered(404, _NOT_FOUND)

    def _is_flood(self, strategy: StrategyRow) -> bool:
        most = strategy.per_minute * 10 + _REQUESTS
        return self._requests.count(str(number(strategy)), most) >= most

    def _hidden(self, key: str, body: bytes) -> bytes:
        """Return a body without keys, tokens and our secrets: people write them into alerts.

        JSON stays JSON, so a signal with its key in it is still read.
        """
        try:
            text = body.decode()
        except UnicodeDecodeError:  # refused in any case
            text = body.decode("utf-8", "backslashreplace")
        hidden = self.book.without_keys(self._tools.redactor.known(text)).replace(key, HIDDEN)
        hidden = api_tokens.SHAPE.sub(HIDDEN, hidden)
        return body if hidden == text else hidden.encode()

    def _rules(self) -> Rules:
        settings, secret = self._tools.settings(), self._tools.environment.webhook_hmac_secret
        return Rules(
            settings.symbols,
            timedelta(seconds=settings.reach.webhook_max_age_seconds),
            None if secret is None else secret.get_secret_value(),
        )

    def _now(self) -> Any:
        return self._tools.now()

    def _tell_accepted(self, number: int, entry: Entry) -> None:
        """Tell people of a signal; of many in a minute the journal alone tells."""
        strategy = entry.arrival.strategy
        if self._told.count(strategy, _TOLD) >= _TOLD:
            return
        payload = entry.payload or {}
        self._tools.notify(
            NotificationType.SIGNAL_RECEIVED, "info", "signal_received",
            {
                "strategy": strategy, "action": payload.get("action", "-"),
                "symbol": payload.get("symbol") or "-", "entry": number,
            },
        )  # fmt: skip


def _outcome(answer: Answer) -> JSONResponse:
    match answer.status:
        case None:
            return _answered(404, _NOT_FOUND)
        case WebhookStatus.ACCEPTED:
            return _answered(202, {"status": "accepted", "id": answer.entry_id})
        case WebhookStatus.DUPLICATE:
            return _answered(200, {"status": "duplicate", "id": answer.entry_id})
        case WebhookStatus.REFUSED:
            return _refusal(answer.refusal)


def _refusal(why: InputError | None) -> JSONResponse:
    match why:
        case ElsewhereError():  # a key in wrong hands looks like no key
            return _answered(404, _NOT_FOUND)
        case UnauthorizedError():
            return _answered(401, _refused("signature"))
        case WrongTypeError():
            return _answered(415, _refused(str(why)))
        case TooManyError():
            return _answered(429, _refused(str(why)), {"Retry-After": "60"})
    return _answered(400, _refused(str(why or "")))


def _refused(reason: str) -> dict[str, str]:
    return {"status": "refused", "reason": reason}


def _unavailable() -> JSONResponse:
    return _answered(503, {"status": "unavailable"}, {"Retry-After": "5"})


def _answered(
    status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(dict(content), status, headers=dict(headers or {}))
