"""Signed messages to a server of one's own: POST of a JSON object, `Body` below.

Headers:
    Idempotency-Key: the body's `id`; a message that comes twice has the same.
    X-CTP-Timestamp: whole seconds since 1970 of this try; refuse what is older than some minutes.
    X-CTP-Signature: "sha256=" and the HMAC-SHA256 in hex of timestamp, a dot and the body as it
        came, under the common secret. Compare in constant time.

Any 2xx takes the message. 408, 425, 429, 5xx and temporary redirects mean later, with Retry-After
in seconds or as a date; everything else means never. No redirect is followed. No pictures are sent.

>>> signature("secret", 1700000000, b"{}")
'sha256=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163'
"""

import hmac
import json
import ssl
from typing import Any, Final, Literal, TypedDict

import httpx

from config.notifications import Channel
from crypto_trader_pro.domain.ports import Clock
from utils.channels import Message
from utils.channels.formatting import Origin, shown
from utils.channels.trouble import answer, deliver, pause_of
from utils.channels.web import options

SCHEMA: Final = 1  # a field is added without a new number; one that changes or goes gets one
_NAME: Final = "webhook"


class Body(TypedDict):
    """What is sent, as JSON in UTF-8."""

    schema: int
    id: str  # the same for every try of one message
    type: str  # NotificationType
    severity: Literal["info", "warning", "error", "critical"]
    title: str  # in `language`
    text: str
    language: Literal["ko", "en"]
    at: str  # ISO 8601 in UTC: when it was written
    mode: str  # paper or live
    market: str  # demo, replay, exchange; auto where it is not known
    data: dict[str, Any] | None  # the facts; amounts are strings of decimals


class WebhookNotification:
    """The generic channel for machines."""

    name: Final = Channel.WEBHOOK
    is_display: Final = False

    def __init__(
        self, url: str, secret: str, origin: Origin, tls: ssl.SSLContext, clock: Clock
    ) -> None:
        self._url = url
        self._secret = secret
        self._origin = origin
        self._clock = clock
        self._client = httpx.AsyncClient(**options(tls))

    async def send(self, message: Message) -> None:
        """As `SendingChannel.send`."""
        await deliver(_NAME, self._post(message))

    async def close(self) -> None:
        """As `SendingChannel.close`."""
        await self._client.aclose()

    async def _post(self, message: Message) -> None:
        content = json.dumps(
            body_of(message, self._origin), ensure_ascii=False, allow_nan=False, default=str
        ).encode()
        seconds = self._clock.now_ms() // 1000
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": message.key,
            "X-CTP-Timestamp": str(seconds),
            "X-CTP-Signature": signature(self._secret, seconds, content),
        }
        response = await self._client.post(self._url, content=content, headers=headers)
        verdict = answer(_NAME, response.status_code, retry_after=pause_of(response))
        if verdict is not None:
            raise verdict


def body_of(message: Message, origin: Origin) -> Body:
    """Return what is sent for a message."""
    seen = shown(message, origin)
    return {
        "schema": SCHEMA, "id": message.key, "type": message.kind,
        "severity": message.severity,  # type: ignore[typeddict-item]  # `shown` has checked it
        "title": seen.title, "text": seen.text, "language": message.language.value,
        "at": message.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "mode": origin.mode, "market": origin.source,
        "data": None if message.data is None else dict(message.data),
    }  # fmt: skip


def signature(secret: str, seconds: int, body: bytes) -> str:
    """Return the value of X-CTP-Signature for a body sent at `seconds` since 1970."""
    signed = f"{seconds}.".encode() + body
    return f"sha256={hmac.digest(secret.encode(), signed, 'sha256').hex()}"
