"""One file per channel. Messages wait in the outbox; a channel only delivers what it is given."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from config.notifications import Channel as ChannelName


class Message(NamedTuple):
    """What a channel has to deliver."""

    kind: str  # NotificationType
    severity: str
    title: str  # in the operator's language
    text: str
    data: Mapping[str, Any] | None


class Channel(Protocol):
    """A way to reach people."""

    @property
    def name(self) -> ChannelName: ...

    @property
    def is_display(self) -> bool:
        """True where the stored message is itself the delivery, and disturbs nobody at night."""
        ...


class SendingChannel(Channel, Protocol):
    """A channel that sends messages somewhere. Called by the sender's thread only."""

    def send(self, message: Message) -> None:
        """Deliver one message; it has been accepted when this returns.

        Raises:
            RetryableError: the same message may go through later.
            RejectedError: it never will.
        """
        ...
