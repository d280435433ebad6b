"""The Bot API as the service uses it: every failure is one `Trouble` in words of our own.

Source: https://core.telegram.org/bots/api (getUpdates, sendMessage, 429 with
parameters.retry_after). The library's own errors lose the number of the answer and hold addresses,
which contain the token; none of them gets out of here.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

import httpx
from telegram import Bot, BotCommand, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions
from telegram.error import TelegramError
from telegram.request import HTTPXRequest, RequestData

from auto_trading.reach.telegram.answers import Buttons
from auto_trading.reach.telegram.pace import Pace
from database.types import MAX_BIG_ID
from utils.channels.trouble import OwnWords, pause, reason
from utils.channels.web import json_object, options

ALLOWED: Final = [
    "message", "edited_message", "channel_post", "edited_channel_post", "callback_query",
]  # fmt: skip
_TOKEN: Final = frozenset({401, 404})
_NETWORK: Final = (TelegramError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError)
_UNCHANGED: Final = "message is not modified"
_T = TypeVar("_T")

Kind = Literal["token", "conflict", "limit", "down", "garbage", "refused"]
Update = Mapping[str, Any]


class Trouble(TelegramError):  # noqa: N818  named as what has happened
    """The Bot API did not do what it was asked; one line without secrets.

    Attributes:
        kind: `token` and `conflict` take a person; `refused` is an answer to this one call; the
            others go by.
        pause: seconds that the server asked for; None: it did not.
    """

    def __init__(self, kind: Kind, text: str, seconds: float | None = None) -> None:
        super().__init__(text)
        self.kind: Kind = kind
        self.pause = seconds


class _Request(HTTPXRequest):
    """The library's HTTP; what is no success is judged here."""

    __slots__ = ("_words",)

    def __init__(self, tls: ssl.SSLContext, words: OwnWords) -> None:
        super().__init__(media_write_timeout=None, httpx_kwargs=options(tls))  # no limit but ours
        self._words = words

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *args: Any, **kw: Any
    ) -> tuple[int, bytes]:
        status, body = await super().do_request(url, method, request_data, *args, **kw)
        said = json_object(body)
        if 200 <= status < 300:
            if said.get("ok") is not True or "result" not in said:
                raise Trouble("garbage", "the answer is none of Telegram's")
            return status, body
        detail = self._words(said.get("description"))
        raise _judged(status, f"answered {status}" + (f" ({detail})" if detail else ""), said)


class _Bot(Bot):
    """Hands updates over as they came: one that the library cannot read does not hide others."""

    async def raw_updates(self, **data: Any) -> Any:
        return await self._post("getUpdates", data, read_timeout=None)  # the caller has a limit


class Link:
    """One bot. Belongs to one event loop.

    Args:
        base_url: of the Bot API up to the token, as "https://api.telegram.org/bot".
    """

    def __init__(self, token: str, base_url: str, tls: ssl.SSLContext, pace: Pace) -> None:
        self._pace = pace
        words = OwnWords([token])
        self._requests = [_Request(tls, words) for _ in range(2)]
        self._bot = _Bot(
            token, base_url=base_url,
            get_updates_request=self._requests[0], request=self._requests[1],
        )  # fmt: skip

    async def begin(self, commands: Mapping[str, Sequence[BotCommand]]) -> str:
        """Make ready to poll and register the commands; return the bot's user name.

        Args:
            commands: by language code, "" for all other languages.

        Raises:
            Trouble: not now.
        """
        me = await self._once(self._bot.get_me())
        await self._once(self._bot.delete_webhook(drop_pending_updates=False))
        for language, known in commands.items():
            await self._once(self._bot.set_my_commands(known, language_code=language or None))
        return me.username or ""

    async def updates(self, offset: int | None, limit: int, seconds: int) -> list[Update]:
        """Return updates from number `offset` on; what is no update at all is left out.

        Args:
            seconds: that the server waits for the first one; 0 returns what is there.

        Raises:
            Trouble: not now.
        """
        work = self._bot.raw_updates(
            offset=offset, limit=limit, timeout=seconds, allowed_updates=ALLOWED
        )
        found = await self._once(work, seconds)
        if not isinstance(found, list):
            raise Trouble("garbage", "the answer is no list of updates")
        updates: list[Update] = [
            u for u in found if isinstance(u, dict) and type(u.get("update_id")) is int
        ]
        if any(not 0 <= u["update_id"] <= MAX_BIG_ID for u in updates):
            raise Trouble("garbage", "the number of an update is none of Telegram's")
        return updates

    async def write(
        self, chat: int, text: str, buttons: Buttons = (), *, message_id: int | None = None
    ) -> int:
        """Send `text`, HTML, or put it in the place of a message; return the message's number.

        Raises:
            Trouble: it was tried several times, or never works.
        """
        markup, preview = _markup(buttons), LinkPreviewOptions(is_disabled=True)

        async def send() -> int:
            sent = await self._bot.send_message(
                chat, text, parse_mode="HTML", reply_markup=markup, link_preview_options=preview
            )
            return sent.message_id

        async def edit() -> int:
            await self._bot.edit_message_text(
                text, chat, message_id, parse_mode="HTML", reply_markup=markup,
                link_preview_options=preview,
            )  # fmt: skip
            return message_id or 0

        if message_id is None:
            return await self._patiently(send)
        try:
            return await self._patiently(edit)
        except Trouble as trouble:
            if trouble.kind != "refused":
                raise
            if _UNCHANGED in str(trouble):
                return message_id
        return await self._patiently(send)  # it was deleted, or is too old to be edited

    async def show(self, chat: int, png: bytes, caption: str) -> None:
        """Send a picture; `caption` is HTML. Raises as `write`."""

        async def send() -> None:
            await self._bot.send_photo(
                chat, png, caption=caption, parse_mode="HTML", filename="chart.png"
            )

        await self._patiently(send)

    async def noticed(self, query_id: str, text: str = "", *, is_alert: bool = False) -> None:
        """End the waiting sign of a pressed button; `text` is plain. Raises as `write`."""
        await self._once(
            self._bot.answer_callback_query(query_id, text=text[:200] or None, show_alert=is_alert)
        )

    async def close(self) -> None:
        """Let go of the connections."""
        for request in self._requests:
            await request.shutdown()

    async def _patiently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Try a few times. A message whose answer was lost may be there twice."""
        for wait in self._pace.send_pauses:
            try:
                return await self._once(call())
            except Trouble as trouble:
                if trouble.kind not in ("limit", "down", "garbage"):
                    raise
                await asyncio.sleep(max(wait, min(trouble.pause or 0.0, self._pace.longest_limit)))
        return await self._once(call())

    async def _once(self, work: Awaitable[_T], more: float = 0.0) -> _T:
        try:
            async with asyncio.timeout(self._pace.call_seconds + more):
                return await work
        except Trouble as error:
            trouble = error
        except _NETWORK as error:
            trouble = Trouble("down", reason(error))
        trouble.__cause__ = trouble.__context__ = None
        raise trouble.with_traceback(None)


def _judged(status: int, text: str, said: Mapping[str, Any]) -> Trouble:
    if status in _TOKEN:
        return Trouble("token", text)
    if status == 409:
        return Trouble("conflict", text)
    if status == 429:
        asked = said.get("parameters")
        found = pause(asked.get("retry_after")) if isinstance(asked, dict) else None
        return Trouble("limit", text, None if found is None else found.total_seconds())
    return Trouble("down" if status >= 500 or status < 400 else "refused", text)


def _markup(buttons: Buttons) -> InlineKeyboardMarkup | None:
    if not buttons:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(b.label, callback_data=b.payload) for b in row] for row in buttons]
    )
