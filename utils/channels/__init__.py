"""One file per channel. Messages wait in the outbox; a channel only delivers what it is given."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from config.notifications import Channel as ChannelName
from crypto_trader_pro.domain.errors import RejectedError, RetryableError
from utils.texts import Language


class Undelivered(RetryableError):  # noqa: N818  named as what has happened
    """The service did not take the message now; the same message may go through later.

    The text is one line without secrets.

    Attributes:
        retry_after: the least pause that the service asked for.
    """

    def __init__(self, text: str, retry_after: timedelta | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class NeverDelivered(RejectedError):  # noqa: N818
    """The service will not take this message, however often it is sent.

    The text is one line without secrets.
    """


class Image(NamedTuple):
    """A picture that goes with a message."""

    name: str  # of the file, as "equity.png"
    png: bytes


class Message(NamedTuple):
    """What a channel has to deliver; free of secrets."""

    kind: str  # NotificationType
    severity: str  # Severity
    title: str  # in `language`
    text: str
    data: Mapping[str, Any] | None  # values that JSON can hold
    language: Language
    at: datetime  # aware, UTC: when it was written
    number: int  # of the outbox row; 0 where it waits in no outbox, as a test message
    images: tuple[Image, ...] = ()

    @property
    def key(self) -> str:
        """The same for every try of one message, so that who has it already can tell.

        With its time: the numbers of a database that was made anew begin again.
        """
        name = self.number or self.kind.lower().replace("_", "-")
        return f"ctp-{name}-{self.at:%Y%m%d%H%M%S%f}"


class Channel(Protocol):
    """A way to reach people."""

    @property
    def name(self) -> ChannelName: ...

    @property
    def is_display(self) -> bool:
        """True where the stored message is itself the delivery, and disturbs nobody at night."""
        ...


class SendingChannel(Channel, Protocol):
    """A channel that sends messages somewhere. Belongs to one event loop."""

    async def send(self, message: Message) -> None:
        """Deliver one message; it has been accepted when this returns, within 10 seconds.

        A message that reached some of its addressees goes only to the others when it is sent
        again, as long as this object lives.

        Raises:
            Undelivered: not now.
            NeverDelivered: not ever, to at least one addressee.
        """
        ...

    async def close(self) -> None:
        """Let go of connections. Sending is over."""
        ...
