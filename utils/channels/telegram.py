"""Telegram by a bot: the text to every configured chat, pictures after it.

Source: https://core.telegram.org/bots/api (sendMessage: 4096 characters, sendPhoto's caption: 1024;
429 with parameters.retry_after). Texts go without parse mode: nothing in them can be taken for
markup, so none can be refused for it.
"""

import asyncio
import json
import ssl
from collections.abc import Iterable, Sequence
from typing import Any, Final

from telegram import Bot, LinkPreviewOptions
from telegram.error import InvalidToken, TelegramError
from telegram.request import HTTPXRequest, RequestData

from config.notifications import Channel
from utils.channels import Message, NeverDelivered, Undelivered
from utils.channels.formatting import Origin, fit, shown
from utils.channels.trouble import (
    OwnWords,
    Reached,
    Verdict,
    answer,
    deliver,
    pause,
    reason,
    worst,
)
from utils.channels.web import json_object, options

TEXT: Final = 4096
CAPTION: Final = 1024
MAX_IMAGES: Final = 10
_NAME: Final = "telegram"


class _AnsweredError(TelegramError):
    """An answer that is no success, as we judge it ourselves.

    The library's own errors lose the number of the answer, hold its text, and warn of their future.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__("answered")
        self.verdict = verdict


class _Request(HTTPXRequest):
    """The library's HTTP, with our limits on it."""

    __slots__ = ("_words",)

    def __init__(self, tls: ssl.SSLContext, words: OwnWords) -> None:
        super().__init__(httpx_kwargs=options(tls))  # the time limit is that of `deliver`
        self._words = words

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *args: Any, **kw: Any
    ) -> tuple[int, bytes]:
        status, body = await super().do_request(url, method, request_data, *args, **kw)
        said = json_object(body)
        parameters = _object(said.get("parameters"))
        detail = self._words(said.get("description"))
        moved = parameters.get("migrate_to_chat_id")
        if isinstance(moved, int):
            detail = f"this group is now chat {moved}"
        if verdict := answer(
            _NAME, status, retry_after=pause(parameters.get("retry_after")), detail=detail
        ):
            raise _AnsweredError(verdict)
        return status, _trimmed(said)


class TelegramNotification:
    """A bot that writes to chats.

    Args:
        secrets: what may not be repeated of an answer.
        base_url: of the Bot API up to the token, as "https://api.telegram.org/bot".
    """

    name: Final = Channel.TELEGRAM
    is_display: Final = False

    def __init__(
        self, token: str, chat_ids: Sequence[int], origin: Origin, tls: ssl.SSLContext,
        secrets: Iterable[str] = (), *, base_url: str,
    ) -> None:  # fmt: skip
        self._chats = tuple(chat_ids)
        self._origin = origin
        self._reached = Reached()
        self._request = _Request(tls, OwnWords([*secrets, token]))
        self._bot = Bot(
            token, base_url=base_url, request=self._request, get_updates_request=self._request
        )

    async def send(self, message: Message) -> None:
        """As `SendingChannel.send`: to all chats side by side, one that is refused stops none."""
        verdicts = await asyncio.gather(*(self._judged(message, chat) for chat in self._chats))
        verdict = worst(v for v in verdicts if v is not None)
        if not isinstance(verdict, Undelivered):
            self._reached.forget(message)
        if verdict is not None:
            raise verdict

    async def close(self) -> None:
        """As `SendingChannel.close`."""
        await self._request.shutdown()

    async def _judged(self, message: Message, chat: int) -> Verdict | None:
        name = f"{_NAME}: chat {chat}"
        try:
            await deliver(
                name, self._write(message, chat), library=TelegramError,
                judge=lambda error: _judgement(name, error),
            )  # fmt: skip
        except (Undelivered, NeverDelivered) as verdict:
            return verdict
        return None

    async def _write(self, message: Message, chat: int) -> None:
        """Send the parts that this chat has not got yet."""
        for k, (text, png) in enumerate(_parts(message, self._origin), start=1):
            if k <= self._reached.steps(message, str(chat)):
                continue
            if png is None:
                preview = LinkPreviewOptions(is_disabled=True)
                await self._bot.send_message(chat, text, link_preview_options=preview)
            else:
                await self._bot.send_photo(chat, png, caption=text, filename=f"{k}.png")
            self._reached.has(message, str(chat), k)


def _parts(message: Message, origin: Origin) -> list[tuple[str, bytes | None]]:
    """Return what is written to a chat, one after the other: (text or caption, picture)."""
    text = _text(message, origin)
    pictures = [image.png for image in message.images[:MAX_IMAGES]]
    if pictures and fit(text, CAPTION) == text:
        return [(text, pictures[0]), *(("", png) for png in pictures[1:])]
    return [(text, None), *(("", png) for png in pictures)]


def _text(message: Message, origin: Origin) -> str:
    seen = shown(message, origin)
    footer = f"\n\n{seen.footer}"
    body = "" if seen.text == seen.title else f"\n\n{seen.text}"
    room = TEXT - 2 * len(footer)  # the mark of simulated money is never what is cut
    return fit(f"{seen.subject}{body}", room) + footer


def _judgement(name: str, error: Exception) -> Verdict | None:
    if isinstance(error, _AnsweredError):
        found = error.verdict
        text = f"{name}{str(found).removeprefix(_NAME)}"
        if isinstance(found, Undelivered):
            return Undelivered(text, found.retry_after)
        return NeverDelivered(text)
    if isinstance(error, InvalidToken):
        return NeverDelivered(f"{_NAME}: the token is not accepted")
    return Undelivered(f"{name}: {reason(error)}")


def _trimmed(said: dict[str, Any]) -> bytes:
    """Return of a success only what the library needs: nothing else in it can upset it.

    Raises:
        _AnsweredError: it is no success of Telegram's, though HTTP says so.
    """
    sent = _object(said.get("result"))
    if said.get("ok") is not True or not isinstance(sent.get("message_id"), int):
        raise _AnsweredError(Undelivered(f"{_NAME}: the answer is none of Telegram's"))
    result = {
        "message_id": sent["message_id"], "date": 0,
        "chat": {"id": 0, "type": "private"},
    }  # fmt: skip
    return json.dumps({"ok": True, "result": result}).encode()


def _object(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}
