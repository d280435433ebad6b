"""Tells people. Whoever calls it never waits: the messages go through the outbox.

manager = NotificationManager(settings, outbox, clock)
manager.send_notification(NotificationType.TRADE_EXECUTED, "Bought 0.1 BTC/USDT at 60,000")
"""

import logging
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

from config.notifications import Channel, Severity
from config.settings import Settings
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.ports import Clock, Delivery, Notice, Outbox
from utils.batch_writer import BatchWriter
from utils.channels import Channel as ChannelPort
from utils.channels.dashboard import DashboardNotification
from utils.failure_log import FailureLog
from utils.quiet_hours import not_before
from utils.redaction import Redactor, clean, plain
from utils.texts import Language, say

log = logging.getLogger(__name__)

# the catalogue's code of each type's title
NOTIFICATION_TYPES: Final[Mapping[NotificationType, str]] = MappingProxyType(
    {kind: f"notification.{kind.value}" for kind in NotificationType}
)
TRADES: Final = frozenset(
    {
        NotificationType.TRADE_EXECUTED,
        NotificationType.PROFIT_TARGET_HIT,
        NotificationType.STOP_LOSS_HIT,
    }
)
ERRORS: Final = frozenset({NotificationType.SYSTEM_ERROR, NotificationType.API_CONNECTION_LOST})
CAPACITY: Final = 10_000
_LINGER: Final = 0.2  # seconds; each batch takes the database's one write lock for a moment
_LEVELS: Final = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
    Severity.CRITICAL: logging.CRITICAL,
}
_Word = TypeVar("_Word", NotificationType, Severity, Channel)


def title_of(kind: NotificationType, language: Language) -> str:
    """Return what a message of this type is headed with."""
    return say(language, NOTIFICATION_TYPES[kind])


class NotificationManager:
    """Chooses the channels of each message and puts it into the outbox, by a thread of its own.

    A message that the database cannot take now is kept and offered again; beyond `capacity` of
    them, new ones are dropped, counted and logged once. Each message has a key, so that it is
    stored once even if the connection breaks during a commit and it is offered again.
    """

    def __init__(
        self, settings: Settings, outbox: Outbox, clock: Clock, *,
        secrets: Iterable[str] = (), capacity: int = CAPACITY,
    ) -> None:  # fmt: skip
        self.channels: dict[Channel, ChannelPort] = {Channel.DASHBOARD: DashboardNotification()}
        self.run_id: int | None = None  # the session that messages belong to
        self._settings = settings
        self._clock = clock
        self._redactor = Redactor(secrets)
        self._writer = BatchWriter(
            "outbox", outbox.add, FailureLog(log), capacity=capacity, linger_seconds=_LINGER
        )

    def apply(self, settings: Settings) -> None:
        """Route by these settings from the next message on."""
        self._settings = settings

    def send_notification(
        self, type: NotificationType | str, message: str,  # noqa: A002  the document's name
        channels: Iterable[Channel | str] | None = None, *, severity: Severity | str = "info",
        data: Mapping[str, Any] | None = None, alert_id: int | None = None,
        image: bytes | None = None,
    ) -> tuple[Channel, ...]:  # fmt: skip
        """Log `message` and queue it for its channels; returns at once.

        Args:
            type: one of NOTIFICATION_TYPES.
            message: in the operator's language.
            channels: instead of those that the routing names; one that is switched off stays off.
            data: what the message is about, as values that JSON can hold.
            alert_id: the alert that says the same already, 0 where its number is not known yet;
                without one the dashboard's is made.
            image: a PNG that goes along to where it can be seen.

        Returns:
            The channels it was queued for. None when messages of this kind are off, or when the
            queue is full.

        Raises:
            InputError: an unknown type, severity or channel.
        """
        kind = _word(NotificationType, type, "notification type")
        grade = _word(Severity, severity, "severity")
        wanted = None if channels is None else [_word(Channel, c, "channel") for c in channels]
        text = clean(message)
        values = None if data is None else plain(data)
        log.log(_LEVELS[grade], "%s: %s", kind.value, text, extra={"data": values})
        settings = self._settings
        chosen = route_of(settings, kind, grade, wanted)
        if not chosen:
            return ()
        now = self._clock.now()
        notice = Notice(
            kind, grade.value, self._redactor.text(text),
            None if values is None else self._redactor.data(values), alert_id, self.run_id, now,
            tuple(self._delivery(settings, channel, grade, now) for channel in chosen),
            uuid.uuid4().hex, image,
        )  # fmt: skip
        return chosen if self._writer.put(notice) else ()

    @property
    def waiting(self) -> int:
        """Messages that are not in the outbox yet."""
        return self._writer.waiting

    @property
    def dropped(self) -> int:
        """Messages that were lost because too many waited."""
        return self._writer.dropped

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all messages are in the outbox; False when `timeout` seconds did not do."""
        return self._writer.flush(timeout)

    def close(self, timeout: float = 5.0) -> int:
        """Store what waits within `timeout` seconds; return how many messages were not."""
        left = self._writer.close(timeout)
        if left:
            log.error("%d messages could not be put into the outbox and are lost", left)
        return left

    def _delivery(
        self, settings: Settings, channel: Channel, severity: Severity, now: datetime
    ) -> Delivery:
        port = self.channels.get(channel)
        if port is not None and port.is_display:
            return Delivery(channel.value, now, True)
        return outside(settings, channel, severity, now)


def outside(settings: Settings, channel: Channel, severity: Severity, now: datetime) -> Delivery:
    """Return one channel's part of a notice, where the message has to be sent."""
    zone = settings.engine.trading_day_timezone
    return Delivery(channel.value, not_before(settings.quiet_hours, zone, severity, now), False)


def route_of(
    settings: Settings, kind: NotificationType, severity: Severity,
    wanted: Iterable[Channel] | None = None,
) -> tuple[Channel, ...]:  # fmt: skip
    """Return the channels that a message goes to; none when messages of its kind are off.

    Args:
        wanted: instead of those that the routing names; one that is switched off stays off.
    """
    switches = settings.notifications
    if kind in TRADES and not switches.trade_notifications:
        return ()
    if kind in ERRORS and not switches.error_notifications:
        return ()
    named = settings.routing.route(kind, severity) if wanted is None else wanted
    active = settings.active_channels
    return tuple(dict.fromkeys(channel for channel in named if channel in active))


def _word(words: type[_Word], value: _Word | str, what: str) -> _Word:
    try:
        return words(value)
    except ValueError:
        allowed = ", ".join(words)
        raise InputError(f"{what} was {value!r}, allowed: {allowed}") from None
