"""`notification_config.json`: how each channel is reached, and which message goes where.

Passwords, tokens and webhook addresses are not here; they come from the environment.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from config.fields import (
    Contradiction,
    Distinct,
    Host,
    Lax,
    Mailbox,
    Section,
    Text,
    TimeOfDay,
)
from crypto_trader_pro.domain.enums import NotificationType


class Channel(StrEnum):
    DASHBOARD = "dashboard"
    EMAIL = "email"
    DISCORD = "discord"
    TELEGRAM = "telegram"
    SLACK = "slack"
    WEBHOOK = "webhook"


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


Route = Annotated[tuple[Annotated[Channel, Lax], ...], Lax, Distinct]
TelegramId = Annotated[int, Field(ge=-(10**15), le=10**15)]


class DashboardChannel(Section):
    """The console's own list of alerts."""

    enabled: bool = Field(default=True, description="Show messages in the console.")


class EmailChannel(Section):
    """Mail over SMTP; the password is CTP_SMTP_PASSWORD."""

    enabled: bool = Field(default=False, description="Send messages by mail.")
    host: Host = Field(default="", description="Name of the SMTP server.")
    port: int = Field(default=587, ge=1, le=65_535, description="Port of the SMTP server.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection is encrypted."
    )
    username: Text = Field(default="", description="Account on the server; empty is no sign-in.")
    sender: Mailbox | None = Field(default=None, description="Address that messages come from.")
    recipients: Annotated[tuple[Mailbox, ...], Lax, Field(max_length=20), Distinct] = Field(
        default=(), description="Addresses that messages go to."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        if not self.enabled:
            return
        if not self.host:
            yield Contradiction("host", self.host, "a host name while email is enabled")
        if self.sender is None:
            yield Contradiction("sender", None, "a mail address while email is enabled")
        if not self.recipients:
            yield Contradiction("recipients", (), "at least one address while email is enabled")


class DiscordChannel(Section):
    """A Discord webhook; its address is CTP_DISCORD_WEBHOOK_URL."""

    enabled: bool = Field(default=False, description="Send messages to Discord.")
    username: Text = Field(
        default="Crypto Trader Pro", description="Name that messages are shown under."
    )


class TelegramChannel(Section):
    """A Telegram bot; its token is CTP_TELEGRAM_BOT_TOKEN."""

    enabled: bool = Field(default=False, description="Send messages to Telegram.")
    chat_ids: Annotated[tuple[TelegramId, ...], Lax, Field(max_length=20), Distinct] = Field(
        default=(), description="Chats that messages go to."
    )
    user_ids: Annotated[tuple[TelegramId, ...], Lax, Field(max_length=20), Distinct] = Field(
        default=(), description="Users whose commands are obeyed; empty is nobody."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        if self.enabled and not self.chat_ids:
            yield Contradiction("chat_ids", (), "at least one chat while telegram is enabled")


class SlackChannel(Section):
    """An incoming webhook of Slack; its address is CTP_SLACK_WEBHOOK_URL."""

    enabled: bool = Field(default=False, description="Send messages to Slack.")


class WebhookChannel(Section):
    """Signed messages to a server of your own.

    Its address is CTP_WEBHOOK_OUT_URL, what they are signed with CTP_WEBHOOK_OUT_SECRET.
    """

    enabled: bool = Field(default=False, description="Send messages to a server of your own.")


class Channels(Section):
    """Section `channels`: one object per channel."""

    dashboard: DashboardChannel = Field(description="The console's list of alerts.")
    email: EmailChannel = Field(description="Mail over SMTP.")
    discord: DiscordChannel = Field(description="Discord webhook.")
    telegram: TelegramChannel = Field(description="Telegram bot.")
    # files of before these two have no objects for them
    slack: SlackChannel = Field(
        default_factory=SlackChannel, description="Incoming webhook of Slack."
    )
    webhook: WebhookChannel = Field(
        default_factory=WebhookChannel, description="Signed messages to a server of your own."
    )

    def is_enabled(self, channel: Channel) -> bool:
        """True when `channel` is set up and switched on."""
        switches = {
            Channel.DASHBOARD: self.dashboard.enabled,
            Channel.EMAIL: self.email.enabled,
            Channel.DISCORD: self.discord.enabled,
            Channel.TELEGRAM: self.telegram.enabled,
            Channel.SLACK: self.slack.enabled,
            Channel.WEBHOOK: self.webhook.enabled,
        }
        return switches[channel]


class SeverityRoutes(Section):
    """Channels per severity, for every type without a route of its own."""

    info: Route = Field(default=(Channel.DASHBOARD,), description="Channels for information.")
    warning: Route = Field(
        default=(Channel.DASHBOARD, Channel.EMAIL), description="Channels for warnings."
    )
    error: Route = Field(default=tuple(Channel), description="Channels for errors.")
    critical: Route = Field(default=tuple(Channel), description="Channels for critical messages.")


def _per_minute(what: str) -> int:
    text = f"Most {what} in one minute."
    return Field(default=20, ge=1, le=600, description=text)


def _own_route(what: str) -> Route | None:
    text = f"Channels for {what}; null routes by severity."
    return Field(default=None, description=text)


class TypeRoutes(Section):
    """Channels per notification type; null means by severity."""

    TRADE_EXECUTED: Route | None = _own_route("executed trades")
    PROFIT_TARGET_HIT: Route | None = _own_route("targets that were hit")
    STOP_LOSS_HIT: Route | None = _own_route("stops that were hit")
    DAILY_LOSS_WARNING: Route | None = _own_route("a daily loss near its limit")
    SYSTEM_ERROR: Route | None = _own_route("system errors")
    API_CONNECTION_LOST: Route | None = _own_route("a lost connection to the exchange")
    EMERGENCY_STOP: Route | None = _own_route("emergency stops")
    DRAWDOWN_WARNING: Route | None = _own_route("a drawdown near its limit")
    TRADING_STATE_CHANGED: Route | None = _own_route("changes of the trading state")
    MODEL_TRAINED: Route | None = _own_route("newly trained models")
    CONFIG_CHANGED: Route | None = _own_route("changes of the configuration")
    DAILY_SUMMARY: Route | None = _own_route("the daily summary")
    WEEKLY_REPORT: Route | None = _own_route("the weekly report")
    ENGINE_SILENT: Route | None = _own_route("an engine that has fallen silent")
    SIGNAL_RECEIVED: Route | None = _own_route("signals from outside")
    REMOTE_COMMAND: Route | None = _own_route("commands that came by chat")
    DIGEST: Route | None = _own_route("several messages in one")
    TEST_MESSAGE: Route | None = _own_route("test messages")


class Routing(Section):
    """Section `routing`: which channels a message of a type and severity goes to."""

    by_severity: SeverityRoutes = Field(description="Channels by severity.")
    by_type: TypeRoutes = Field(description="Channels by type, before those by severity.")

    def route(self, kind: NotificationType, severity: Severity) -> tuple[Channel, ...]:
        """Return the channels for one message, whether or not they are enabled."""
        own: tuple[Channel, ...] | None = getattr(self.by_type, kind.value)
        by_severity: tuple[Channel, ...] = getattr(self.by_severity, severity.value)
        return by_severity if own is None else own


class Digest(Section):
    """Section `digest`: milder messages of a channel go out together instead of one by one."""

    enabled: bool = Field(default=False, description="Collect milder messages into one.")
    max_severity: Annotated[Severity, Lax] = Field(
        default=Severity.WARNING, description="Messages up to this severity are collected."
    )
    after_minutes: int = Field(
        default=30, ge=1, le=1440, description="How long messages are collected before they go out."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        if self.enabled and self.max_severity is Severity.CRITICAL:
            allowed = "info, warning or error while digest is enabled"
            yield Contradiction("max_severity", self.max_severity.value, allowed)


class RateLimits(Section):
    """Section `rate_limits`: messages a minute by channel; critical ones are exempt.

    What is beyond waits, and goes out merged into one message.
    """

    email_per_minute: int = _per_minute("mails")
    discord_per_minute: int = _per_minute("messages to Discord")
    telegram_per_minute: int = _per_minute("messages to Telegram")
    slack_per_minute: int = _per_minute("messages to Slack")
    webhook_per_minute: int = _per_minute("messages to a server of your own")

    def of(self, channel: Channel) -> int:
        """Return how many messages a minute `channel` may send.

        Raises:
            KeyError: the console sends nothing.
        """
        limits = {
            Channel.EMAIL: self.email_per_minute,
            Channel.DISCORD: self.discord_per_minute,
            Channel.TELEGRAM: self.telegram_per_minute,
            Channel.SLACK: self.slack_per_minute,
            Channel.WEBHOOK: self.webhook_per_minute,
        }
        return limits[channel]


class Escalation(Section):
    """Section `escalation`: an alert that nobody acknowledges is told again."""

    enabled: bool = Field(default=True, description="Tell unacknowledged alerts again.")
    min_severity: Annotated[Severity, Lax] = Field(
        default=Severity.CRITICAL, description="Alerts of this severity and above are told again."
    )
    after_minutes: int = Field(
        default=15, ge=1, le=1440,
        description="How long an alert may stay unacknowledged before it is told again.",
    )  # fmt: skip
    max_times: int = Field(
        default=3, ge=1, le=20, description="How often one alert is told again at most."
    )
    channels: Route = Field(
        default=tuple(c for c in Channel if c is not Channel.DASHBOARD),
        description="Channels that it is told again through.",
    )


class QuietHours(Section):
    """Section `quiet_hours`: when less urgent messages wait, in the trading day's zone."""

    enabled: bool = Field(default=False, description="Hold messages back in these hours.")
    start: TimeOfDay = Field(default="23:00", description="First minute of the quiet hours.")
    end: TimeOfDay = Field(default="07:00", description="First minute after the quiet hours.")
    min_severity: Annotated[Severity, Lax] = Field(
        default=Severity.ERROR, description="Messages of this severity and above go out anyway."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        if self.enabled and self.start == self.end:
            yield Contradiction("end", self.end, f"another time than start, which is {self.start}")
