"""Channels as tests open them: against peers on loopback, with secrets that can be looked for."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pytest

from config.environment import Environment
from config.loading import load
from config.notifications import Channel
from tests.channel_peers import Answer, Asked, HttpPeer
from tests.mail_peer import ACCOUNT, MailPeer
from tests.telegram_peer import TelegramPeer
from utils.channels import Image, Message, SendingChannel
from utils.channels.opening import Opened, open_channels
from utils.texts import Language

AT: Final = datetime(2026, 11, 21, 21, 52, 43, tzinfo=UTC)  # 06:52:43 of the next day in Seoul
PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
PASSWORD: Final = "mail-canary-8ffa31"  # noqa: S105
HOOK: Final = "discord-canary-Zz19-_x"
TOKEN: Final = "123456:telegram-canary-AAF_x9"  # noqa: S105
SLACK_PATH: Final = "T000/B000/slackcanary77"
OUT_PATH: Final = "hook?key=outcanary55"
OUT_SECRET: Final = "sign-canary-0123456789abcdef"  # noqa: S105
CANARIES: Final = (
    PASSWORD,
    "bWFpbC1jYW5hcnktOGZmYTMx",
    "AHRyYWRlcgBtYWlsLWNhbmFyeS04ZmZhMzE=",
    HOOK,
    TOKEN,
    "telegram-canary",
    "slackcanary77",
    "outcanary55",
    OUT_SECRET,
)  # fmt: skip  the second is the password in Base64, the third "\0trader\0" and the password
SENDING: Final = tuple(channel for channel in Channel if channel is not Channel.DASHBOARD)
USUAL: Final = {
    Channel.DISCORD: Answer(200, b'{"id": "1"}', {"Content-Type": "application/json"}),
    Channel.SLACK: Answer(200, b"ok"),
    Channel.WEBHOOK: Answer(202, b"whatever"),
}


def a_message(text: str = "Bought 0.1 BTC/USDT at 60,000.", **changes: Any) -> Message:
    usual = Message(
        "TRADE_EXECUTED", "info", "Trade executed", text, {"price": "60000"}, Language.ENGLISH,
        AT, 12,
    )  # fmt: skip
    return usual._replace(**changes)


def images(count: int) -> tuple[Image, ...]:
    return tuple(Image(f"equity {k}.png", PNG + bytes([k])) for k in range(count))


def opened(
    *channels: Channel, addresses: dict[Channel, str], environ: dict[str, str] | None = None,
    **settings: Any,
) -> Opened:  # fmt: skip
    """Open channels; `addresses` are those of peers, of mail its port."""
    changes: dict[str, Any] = {f"channels.{c.value}.enabled": True for c in channels} | {
        "channels.telegram.chat_ids": [7], "channels.email.host": "127.0.0.1",
        "channels.email.security": "none", "channels.email.username": ACCOUNT,
        "channels.email.sender": "bot@example.com", "channels.email.recipients": ["a@example.com"],
    }  # fmt: skip
    changes |= {key.replace("__", "."): value for key, value in settings.items()}
    if Channel.EMAIL in addresses:
        changes["channels.email.port"] = int(addresses[Channel.EMAIL])
    paths = {
        Channel.DISCORD: ("CTP_DISCORD_WEBHOOK_URL", f"/api/webhooks/1/{HOOK}"),
        Channel.SLACK: ("CTP_SLACK_WEBHOOK_URL", f"/services/{SLACK_PATH}"),
        Channel.WEBHOOK: ("CTP_WEBHOOK_OUT_URL", f"/{OUT_PATH}"),
    }
    secrets = {
        name: addresses.get(c, "https://127.0.0.1:9") + path for c, (name, path) in paths.items()
    }
    secrets |= {
        "CTP_SMTP_PASSWORD": PASSWORD, "CTP_TELEGRAM_BOT_TOKEN": TOKEN,
        "CTP_WEBHOOK_OUT_SECRET": OUT_SECRET,
    }  # fmt: skip
    urls: dict[Channel, str] = {
        c: f"{addresses[c]}/bot" for c in addresses if c is Channel.TELEGRAM
    }
    environment = Environment.read(secrets if environ is None else environ)
    return open_channels(load(environ={}, overrides=changes), environment, urls=urls)


def one(channel: Channel, address: str, **settings: Any) -> SendingChannel:
    """Open one channel that sends to `address`."""
    found = opened(channel, addresses={channel: address}, **settings)
    assert found.problems == ()
    return found.channels[channel]


class Bench(NamedTuple):
    """A channel's peer, whichever it is."""

    channel: Channel
    peer: HttpPeer | MailPeer

    @property
    def address(self) -> str:
        return str(self.peer.port) if isinstance(self.peer, MailPeer) else self.peer.url

    @property
    def taken(self) -> int:
        """How many deliveries reached the peer, taken or not."""
        return len(self.peer.mails if isinstance(self.peer, MailPeer) else self.peer.asked)

    def answer(self, *answers: Answer) -> None:
        """Script the next answers of the HTTP peers."""
        if isinstance(self.peer, TelegramPeer):
            self.peer.script("sendMessage", *answers)
        elif isinstance(self.peer, HttpPeer):
            self.peer.script(*answers)

    @property
    def asked(self) -> list[Asked]:
        assert isinstance(self.peer, HttpPeer)
        return self.peer.asked


@contextmanager
def bench(channel: Channel) -> Iterator[Bench]:
    """Run the peer of a channel."""
    peer: HttpPeer | MailPeer
    if channel is Channel.EMAIL:
        peer = MailPeer(password=PASSWORD)
    elif channel is Channel.TELEGRAM:
        peer = TelegramPeer()
    else:
        peer = HttpPeer(USUAL[channel])
    with peer:
        yield Bench(channel, peer)


async def closing(channel: SendingChannel, *messages: Message) -> None:
    """Send messages and close the channel, whatever came of it."""
    try:
        for message in messages:
            await channel.send(message)
    finally:
        await channel.close()


def said_of(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    """Return everything that an error and the log say, with all that hangs on them."""
    lines = [str(error), repr(error), *traceback.format_exception(error)]
    link: BaseException | None = error
    while link is not None:
        lines.append(repr(link))
        link = link.__cause__ or link.__context__
    formatter = logging.Formatter()
    lines += [formatter.format(record) for record in caplog.records]
    return "\n".join(lines)
