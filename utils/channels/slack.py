"""Slack by an incoming webhook: a heading, and below it the text beside a bar of colour.

Source: docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
docs.slack.dev/reference/block-kit/blocks (section text of 3,000 characters). Such a webhook takes
no files, so a message with pictures says that it has some.
"""

import re
import ssl
from typing import Any, Final

import httpx

from config.notifications import Channel
from utils.channels import Message, Undelivered
from utils.channels.formatting import Origin, fit, shown
from utils.channels.trouble import answer, deliver, pause_of
from utils.channels.web import options
from utils.texts import say

SECTION: Final = 3000
HEADING: Final = 300  # of the line above: people read it in a notification
FOOTER: Final = 2000
_NAME: Final = "slack"
_CODE: Final = re.compile(r"[a-z_]{1,60}")  # invalid_payload, channel_is_archived, no_service
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}  # else <!channel> calls everybody


class SlackNotification:
    """One incoming webhook, that is one channel of a workspace."""

    name: Final = Channel.SLACK
    is_display: Final = False

    def __init__(self, url: str, origin: Origin, tls: ssl.SSLContext) -> None:
        self._url = url
        self._origin = origin
        self._client = httpx.AsyncClient(**options(tls))

    async def send(self, message: Message) -> None:
        """As `SendingChannel.send`."""
        await deliver(_NAME, self._post(message))

    async def close(self) -> None:
        """As `SendingChannel.close`."""
        await self._client.aclose()

    async def _post(self, message: Message) -> None:
        payload = payload_of(message, self._origin)
        response = await self._client.post(self._url, json=payload)
        said = response.text.strip() if len(response.content) < 100 else ""
        detail = said if _CODE.fullmatch(said) else ""
        verdict = answer(_NAME, response.status_code, retry_after=pause_of(response), detail=detail)
        if verdict is not None:
            raise verdict
        if said != "ok":  # somebody else has answered: a captive portal, a proxy
            raise Undelivered(f"{_NAME}: the answer is none of Slack's")


def payload_of(message: Message, origin: Origin) -> dict[str, Any]:
    """Return the JSON of one message."""
    seen = shown(message, origin)
    footer = seen.footer
    if message.images:
        footer += " · " + say(message.language, "channels.charts_elsewhere")
    blocks = [
        {"type": "section", "text": _plain(fit(seen.text, SECTION))},
        {"type": "context", "elements": [_plain(fit(footer, FOOTER))]},
    ]
    return {
        "text": fit(seen.subject, HEADING, lambda c: _ENTITIES.get(c, c)),
        "mrkdwn": False, "unfurl_links": False, "unfurl_media": False,
        "attachments": [{"color": seen.colour, "blocks": blocks}],
    }  # fmt: skip


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
