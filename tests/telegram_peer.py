"""A Bot API server on loopback: long polling of what a test pushes, every call kept.

    with TelegramPeer() as peer:
        bot = Bot("123:ABC", base_url=peer.base_url)
        peer.push(text_update("/status", chat_id=7, user_id=9))
        peer.script("sendMessage", too_many(3), HANG)  # then it answers as usual again
        ...
        peer.wait_for("sendMessage")
        assert peer.texts() == ["..."]

Source of methods and answers: https://core.telegram.org/bots/api (read for Bot API 9).
"""

import asyncio
import json
from collections import defaultdict, deque
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from tests.channel_peers import GARBAGE, HANG, RESET, Answer, Asked, HttpPeer

__all__ = [
    "GARBAGE",
    "HANG",
    "RESET",
    "Answer",
    "TelegramPeer",
    "button_update",
    "refused",
    "text_update",
    "too_many",
]

BOT: Final = {"id": 123, "is_bot": True, "first_name": "Peer", "username": "peer_bot"}
_MESSAGES: Final = frozenset(
    {"sendMessage", "sendPhoto", "sendDocument", "editMessageText", "editMessageReplyMarkup"}
)
_ORDERS: Final = frozenset(
    {
        "answerCallbackQuery", "deleteMyCommands", "deleteWebhook", "sendChatAction",
        "setMyCommands", "setWebhook",
    }
)  # fmt: skip
_JSON: Final = frozenset({"allowed_updates", "commands", "link_preview_options", "reply_markup"})

Params = dict[str, Any]


def _ok(result: object) -> Answer:
    body = json.dumps({"ok": True, "result": result}).encode()
    return Answer(200, body, {"Content-Type": "application/json"})


def refused(status: int, description: str, **parameters: int) -> Answer:
    """Return an error as the Bot API gives it: refused(400, "Bad Request: chat not found")."""
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    if parameters:
        body["parameters"] = parameters
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def too_many(seconds: int) -> Answer:
    """Return a 429 that asks for a pause."""
    return refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def text_update(
    text: str, *, chat_id: int = 7, user_id: int = 9, at: datetime, **more: object
) -> dict[str, Any]:
    """Return the update of a message that somebody wrote at `at`; `more` are further fields."""
    entities = []
    if text.startswith("/"):
        entities = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}]
    message = {
        "message_id": 1, "date": int(at.timestamp()), "text": text, "entities": entities,
        "chat": {"id": chat_id, "type": "private" if chat_id > 0 else "group"},
        "from": {"id": user_id, "is_bot": False, "first_name": "Somebody"}, **more,
    }  # fmt: skip
    return {"message": message}


def button_update(
    payload: str, *, chat_id: int = 7, user_id: int = 9, message_id: int = 1, at: datetime
) -> dict[str, Any]:
    """Return the update of a press of an inline button, below a message of `at`."""
    message = {
        "message_id": message_id, "date": int(at.timestamp()), "text": "?",
        "chat": {"id": chat_id, "type": "private"}, "from": BOT,
    }  # fmt: skip
    user = {"id": user_id, "is_bot": False, "first_name": "Somebody"}
    query = {"id": "1", "from": user, "chat_instance": "1", "message": message, "data": payload}
    return {"callback_query": query}


class TelegramPeer(HttpPeer):
    """The Bot API for any token.

    Attributes:
        calls: (method, parameters) of every call, in order. Values are strings, files bytes;
            keyboards and lists are decoded. `getUpdates` is not kept: it comes all the time.
        polls: how often `getUpdates` came.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, Params]] = []
        self.polls = 0
        self._answers: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._always: dict[str, Answer] = {}
        self._updates: list[dict[str, Any]] = []
        self._next_update = 1
        self._next_message = 100
        self._pushed = asyncio.Event()

    @property
    def base_url(self) -> str:
        """What `Bot(base_url=...)` takes."""
        return f"{self.url}/bot"

    def push(self, update: dict[str, Any]) -> int:
        """Have `update` waiting for the next poll; return its number (`update_id`, or the next)."""
        return self._do(self._push(update))

    def script(self, method: str, *answers: Answer) -> None:  # type: ignore[override]
        """Answer the next calls of `method` so, one each."""
        self._answers[method].extend(answers)

    def always(self, method: str, answer: Answer | None) -> None:
        """Answer `method` so from now on; as usual again with None."""
        if answer is None:
            self._always.pop(method, None)
        else:
            self._always[method] = answer

    def wait_for(self, method: str, count: int = 1, timeout: float = 30.0) -> None:
        """Wait until `method` was called `count` times."""
        self.wait(lambda: len(self.called(method)) >= count, f"{count} {method}", timeout)

    def called(self, method: str) -> list[Params]:
        """Return the parameters of every call of `method`."""
        return [params for name, params in list(self.calls) if name == method]

    def texts(self) -> list[str]:
        """Return what was written to chats so far: texts, edited texts and captions."""
        said = [params for name, params in list(self.calls) if name in _MESSAGES]
        return [text for params in said if (text := params.get("text") or params.get("caption"))]

    # --- the server's thread ------------------------------------------------------------------

    async def _push(self, update: dict[str, Any]) -> int:
        number: int = update.get("update_id", self._next_update)
        self._next_update = number + 1
        self._updates.append({"update_id": number, **update})
        self._pushed.set()
        return number

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, request.path_qs, headers, await request.read())
        method, params = asked.path.split("?")[0].rpartition("/")[2], _params(asked)
        with self._news:
            if method == "getUpdates":
                self.polls += 1
            else:
                self.asked.append(asked)
                self.calls.append((method, params))
            scripted = self._answers[method]
            answer = scripted.popleft() if scripted else self._always.get(method)
            self._news.notify_all()
        return await self._done(request, answer or await self._as_usual(method, params))

    async def _as_usual(self, method: str, params: Params) -> Answer:
        if method == "getUpdates":
            return _ok(await self._poll(params))
        if method == "getMe":
            return _ok(BOT)
        if method in _MESSAGES:
            return _ok(self._message(params))
        if method == "deleteWebhook" and params.get("drop_pending_updates") == "true":
            self._updates.clear()
        if method in _ORDERS:
            return _ok(True)
        return refused(404, "Not Found: method not found")

    async def _poll(self, params: Params) -> list[dict[str, Any]]:
        offset, seconds = int(params.get("offset", 0)), float(params.get("timeout", 0))
        if offset < 0:  # only the last ones count: https://core.telegram.org/bots/api#getupdates
            self._updates = self._updates[offset:]
        else:
            self._updates = [u for u in self._updates if u["update_id"] >= offset]
        if not self._updates and seconds:
            self._pushed.clear()
            waits = [asyncio.ensure_future(e.wait()) for e in (self._pushed, self._closing)]
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        return self._updates[: int(params.get("limit", 100))]

    def _message(self, params: Params) -> dict[str, Any]:
        self._next_message += 1
        number = int(params.get("message_id", self._next_message))
        chat = {"id": int(params["chat_id"]), "type": "private"}
        message: dict[str, Any] = {"message_id": number, "date": 1, "chat": chat, "from": BOT}
        if "photo" in params:
            size = {"file_id": "1", "file_unique_id": "1", "width": 1, "height": 1}
            return message | {"photo": [size], "caption": params.get("caption", "")}
        return message | {"text": params.get("text", "")}


def _params(asked: Asked) -> Params:
    kind = asked.headers.get("content-type", "")
    found: Params = dict(parse_qsl(urlsplit(asked.path).query, keep_blank_values=True))
    if kind.startswith("multipart/"):
        parts = asked.parts()
        found |= {name: _decoded(value) for name, value in parts.items()}
    elif kind.startswith("application/json"):
        found |= asked.json()
    else:
        found |= dict(parse_qsl(asked.body.decode(), keep_blank_values=True))
    return {k: json.loads(v) if k in _JSON and isinstance(v, str) else v for k, v in found.items()}


def _decoded(value: bytes) -> str | bytes:
    return value if value.startswith(b"\x89PNG") else value.decode(errors="replace")
