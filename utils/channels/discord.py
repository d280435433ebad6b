"""Discord by a webhook: an embed whose bar has the colour of the severity, pictures attached.

Source: docs.discord.com/developers/resources/webhook#execute-webhook, .../resources/message
(embed limits: title 256, description 4096, footer 2048), .../topics/rate-limits (`retry_after` in
seconds, with decimals, in the body of a 429).

The library makes the request; its own `execute` is not used: it writes answers into the log, fails
on an empty one, and sleeps through a 429 while the queue waits.
"""

import re
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
from discord_webhook import (  # type: ignore[import-untyped]
    AsyncDiscordWebhook,
    DiscordEmbed,
)

from config.notifications import Channel
from utils.channels import Message, Undelivered
from utils.channels.formatting import Origin, fit, shown
from utils.channels.trouble import OwnWords, answer, deliver, pause, pause_of
from utils.channels.web import json_object, options

TITLE: Final = 256
DESCRIPTION: Final = 4096
FOOTER: Final = 2048
USERNAME: Final = 80
MAX_IMAGES: Final = 10
_NAME: Final = "discord"
_MARKDOWN: Final = frozenset("\\*_~`|>#[]()-")
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")  # of file names: an embed refers to them by address


class _Webhook(AsyncDiscordWebhook):  # type: ignore[misc]  # the library has no types
    """A request of the library through a client that stays open."""

    __slots__ = ("_client",)  # whatever is in __dict__ goes into the JSON

    def __init__(self, client: httpx.AsyncClient, url: str, **fields: Any) -> None:
        super().__init__(url, **fields)
        self._client = client

    @property
    def http_client(self) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        return self._opened()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[httpx.AsyncClient]:
        yield self._client


class DiscordNotification:
    """One webhook, that is one channel of a server.

    Args:
        secrets: what may not be repeated of an answer.
    """

    name: Final = Channel.DISCORD
    is_display: Final = False

    def __init__(
        self, url: str, username: str, origin: Origin, tls: ssl.SSLContext,
        secrets: Iterable[str] = (),
    ) -> None:  # fmt: skip
        parts = urlsplit(url)
        self._url = parts._replace(query="", fragment="").geturl()
        self._thread = parse_qs(parts.query).get("thread_id", [None])[0]
        self._username = fit(username, USERNAME) or None
        self._origin = origin
        self._words = OwnWords([*secrets, url, self._url])
        self._client = httpx.AsyncClient(**options(tls))

    async def send(self, message: Message) -> None:
        """As `SendingChannel.send`."""
        await deliver(_NAME, self._post(message))

    async def close(self) -> None:
        """As `SendingChannel.close`."""
        await self._client.aclose()

    async def _post(self, message: Message) -> None:
        webhook = _Webhook(
            self._client, self._url, username=self._username, thread_id=self._thread, wait=True,
            allowed_mentions={"parse": []}, embeds=[], files={}, attachments=[],
        )  # fmt: skip
        names = _add_images(webhook, message)
        webhook.add_embed(_embed(message, self._origin, names))
        response: httpx.Response = await webhook.api_post_request()
        said = json_object(response.content)
        verdict = answer(
            _NAME, response.status_code, detail=self._words(said.get("message")),
            retry_after=pause(said.get("retry_after")) or pause_of(response),
        )  # fmt: skip
        if verdict is not None:
            raise verdict
        if response.status_code != 204 and "id" not in said:  # a captive portal, a proxy
            raise Undelivered(f"{_NAME}: the answer is none of Discord's")


def _embed(message: Message, origin: Origin, names: list[str]) -> DiscordEmbed:
    seen = shown(message, origin)
    embed = DiscordEmbed(
        title=fit(seen.title, TITLE, _escaped), description=fit(seen.text, DESCRIPTION, _escaped),
        color=int(seen.colour[1:], 16),
    )  # fmt: skip
    embed.set_footer(text=fit(seen.footer, FOOTER))
    if names:
        embed.set_image(url=f"attachment://{names[0]}")
    return embed


def _add_images(webhook: _Webhook, message: Message) -> list[str]:
    names = []
    for k, image in enumerate(message.images[:MAX_IMAGES]):
        names.append(f"{k + 1}-{_ODD.sub('-', image.name)[-60:]}")
        webhook.add_file(image.png, names[-1])
    return names


def _escaped(character: str) -> str:
    return f"\\{character}" if character in _MARKDOWN else character
