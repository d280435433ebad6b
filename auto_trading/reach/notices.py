"""Messages of the reach process that are stored in the transaction of what they tell."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from auto_trading.reach.tools import ReachTools
from config.notifications import Channel, Severity
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.ports import Delivery, Notice
from utils.notifications import outside, route_of


def notice_of(
    tools: ReachTools, kind: NotificationType, severity: Severity, text: str,
    numbers: Mapping[str, Any], *, channels: Iterable[Channel] | None = None,
    alert_id: int | None = None, image: bytes | None = None,
) -> list[Notice]:  # fmt: skip
    """Return the message as `database.outbox.add` takes it; none where nobody is to be told.

    Args:
        channels: instead of those that the routing names.
        alert_id: the alert that says the same already.
        image: a PNG that goes along.
    """
    settings, now = tools.settings(), tools.now()
    chosen = route_of(settings, kind, severity, channels)
    if not chosen:
        return []
    deliveries = tuple(
        Delivery(channel.value, now, True)
        if channel is Channel.DASHBOARD
        else outside(settings, channel, severity, now)
        for channel in chosen
    )
    notice = Notice(
        kind, severity.value, tools.redactor.text(text), tools.redactor.data(dict(numbers)),
        alert_id, None, now, deliveries, uuid.uuid4().hex, image,
    )  # fmt: skip
    return [notice]
