"""Builds the channels that are switched on. One that is misconfigured stops neither the start nor
the others: it is told in one line, and its messages wait.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr

from config.environment import Environment
from config.notifications import Channel
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.ports import Clock
from utils.channels import SendingChannel
from utils.channels.discord import DiscordNotification
from utils.channels.email import EmailNotification
from utils.channels.formatting import Origin
from utils.channels.slack import SlackNotification
from utils.channels.telegram import TelegramNotification
from utils.channels.web import is_local, verified_tls
from utils.channels.webhook import WebhookNotification
from utils.clocks import SystemClock
from utils.redaction import secrets_of

_NONE: Final[Mapping[Channel, str]] = MappingProxyType({})
_SHORTEST_SECRET: Final = 16  # characters; less can be guessed from one signed message


class Problem(NamedTuple):
    """Why a channel that is switched on cannot be used. Its `str` is one line without secrets."""

    channel: Channel
    text: str

    def __str__(self) -> str:
        return f"{self.channel.value}: {self.text}"


class Opened(NamedTuple):
    """Channels that messages can be sent through, and those that are switched on in vain."""

    channels: Mapping[Channel, SendingChannel]
    problems: tuple[Problem, ...]

    async def close(self) -> None:
        """Let go of all connections."""
        for channel in self.channels.values():
            await channel.close()


def open_channels(
    settings: Settings, environment: Environment, *, urls: Mapping[Channel, str] = _NONE,
    origin: Origin | None = None, clock: Clock | None = None,
) -> Opened:  # fmt: skip
    """Build every channel that is switched on under `channels` and has its secrets.

    Opens no connection; called once for each version of the settings, by whoever runs the event
    loop that will send.

    Args:
        urls: addresses to use instead of those of the environment, as tests have them; of Telegram
            the Bot API's up to the token.
        origin: what messages are marked with; by default what the settings say.
        clock: of signatures.
    """
    wanted = [c for c in Channel if c in _MAKERS and settings.channels.is_enabled(c)]
    if not wanted:
        return Opened({}, ())
    source = origin or Origin.of(settings)
    try:
        making = _Making(settings, environment, urls, source, clock or SystemClock())
    except InputError as error:
        return Opened({}, tuple(Problem(channel, str(error)) for channel in wanted))
    channels: dict[Channel, SendingChannel] = {}
    problems = []
    for channel in wanted:
        try:
            channels[channel] = _MAKERS[channel](making)
        except InputError as error:
            problems.append(Problem(channel, str(error)))
    return Opened(MappingProxyType(channels), tuple(problems))


class _Making:
    """What the makers below have in common."""

    def __init__(
        self, settings: Settings, environment: Environment, urls: Mapping[Channel, str],
        origin: Origin, clock: Clock,
    ) -> None:  # fmt: skip
        self.sections = settings.channels
        self.environment = environment
        self.urls = urls
        self.origin = origin
        self.clock = clock
        self.tls = verified_tls()
        self.secrets = secrets_of(environment)

    def address(
        self, channel: Channel, name: str, secret: SecretStr | None, *, in_the_open: bool = False
    ) -> str:
        """Return the address that messages go to.

        Args:
            in_the_open: http:// will do on the way to other machines too.

        Raises:
            InputError: none is set, or it is no such address; it is never repeated.
        """
        given = self.urls.get(channel) or _secret(name, secret)
        try:
            parts = urlsplit(given)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            host, parts = "", urlsplit("")
        is_plain = parts.scheme == "http" and (in_the_open or is_local(host))
        if not host or not host.isascii() or not (parts.scheme == "https" or is_plain):
            allowed = "http:// or https://" if in_the_open else "https://"
            raise InputError(f"{name} is no address, allowed: one that begins with {allowed}")
        return given


def _email(making: _Making) -> SendingChannel:
    section = making.sections.email
    password = None
    if section.username:
        password = _secret("CTP_SMTP_PASSWORD", making.environment.smtp_password)
        if section.security == "none" and not is_local(section.host):
            raise InputError(
                "channels.email.security was none, allowed: starttls or tls, or no username: "
                "a password is not sent in the clear"
            )
    return EmailNotification(section, password, making.origin, making.tls, making.secrets)


def _discord(making: _Making) -> SendingChannel:
    url = making.address(
        Channel.DISCORD, "CTP_DISCORD_WEBHOOK_URL", making.environment.discord_webhook_url
    )
    username = making.sections.discord.username
    return DiscordNotification(url, username, making.origin, making.tls, making.secrets)


def _telegram(making: _Making) -> SendingChannel:
    token = _secret("CTP_TELEGRAM_BOT_TOKEN", making.environment.telegram_bot_token)
    number, _, rest = token.partition(":")
    if not (number.isdecimal() and rest and rest.replace("-", "").replace("_", "").isalnum()):
        raise InputError("CTP_TELEGRAM_BOT_TOKEN is no token, allowed: one as BotFather gives it")
    base_url = making.urls.get(Channel.TELEGRAM) or f"{making.environment.telegram_api_url}/bot"
    chats = making.sections.telegram.chat_ids
    return TelegramNotification(
        token, chats, making.origin, making.tls, making.secrets, base_url=base_url
    )


def _slack(making: _Making) -> SendingChannel:
    url = making.address(
        Channel.SLACK, "CTP_SLACK_WEBHOOK_URL", making.environment.slack_webhook_url
    )
    return SlackNotification(url, making.origin, making.tls)


def _webhook(making: _Making) -> SendingChannel:
    environment = making.environment
    url = making.address(
        Channel.WEBHOOK, "CTP_WEBHOOK_OUT_URL", environment.webhook_out_url, in_the_open=True
    )
    secret = _secret("CTP_WEBHOOK_OUT_SECRET", environment.webhook_out_secret)
    if len(secret) < _SHORTEST_SECRET:
        raise InputError(
            f"CTP_WEBHOOK_OUT_SECRET has {len(secret)} characters, "
            f"allowed: {_SHORTEST_SECRET} or more"
        )
    return WebhookNotification(url, secret, making.origin, making.tls, making.clock)


def _secret(name: str, value: SecretStr | None) -> str:
    if value is None:
        raise InputError(f"{name} is not set")
    return value.get_secret_value()


_MAKERS: Final[Mapping[Channel, Callable[[_Making], SendingChannel]]] = MappingProxyType({
    Channel.EMAIL: _email,
    Channel.DISCORD: _discord,
    Channel.TELEGRAM: _telegram,
    Channel.SLACK: _slack,
    Channel.WEBHOOK: _webhook,
})  # fmt: skip
