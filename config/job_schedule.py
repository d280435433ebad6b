"""When background jobs run. Who runs them goes by it, and the console shows it."""

from collections.abc import Mapping
from typing import Final, NamedTuple

HANGING_SECONDS: Final = 600.0  # the longest catch-up of daily figures takes a fraction of this


class Turn(NamedTuple):
    """Jobs that run one after the other, every so many seconds."""

    seconds: float
    names: tuple[str, ...]
    quiet: bool = False  # looks often and seldom has something to do: only then there is a row


# Trading days end by trading time, which on the demo market runs hundreds of times faster: so the
# trading day is looked at, not waited for. The summary comes first, it must see a day unfinished.
SCHEDULE: Final[Mapping[str, Turn]] = {
    "equity_snapshot": Turn(60, ("equity_snapshot",)),
    "unrealized_pnl": Turn(300, ("unrealized_pnl",)),
    "order_status": Turn(30, ("order_status",)),
    "trading_day": Turn(2, ("daily_summary", "daily_metrics"), quiet=True),
    "retention": Turn(600, ("retention",), quiet=True),  # works once a day
    "precision_cache": Turn(3600, ("precision_cache",)),
    "train": Turn(5, ("train",), quiet=True),
    "expire_commands": Turn(60, ("expire_commands",)),
    "roll_up": Turn(30, ("roll_up",), quiet=True),
}

# of the process that sends messages; it sends all the time, what is seen here are its records
REACH_SCHEDULE: Final[Mapping[str, Turn]] = {
    "outbox_drain": Turn(60, ("outbox_drain",), quiet=True),
    "digest": Turn(20, ("digest",), quiet=True),
    "escalation": Turn(30, ("escalation",), quiet=True),
    "engine_silence": Turn(60, ("engine_silence",), quiet=True),
    "weekly_report": Turn(60, ("weekly_report",), quiet=True),
    "webhook_retention": Turn(3600, ("webhook_retention",), quiet=True),
}
REACH_JOBS: Final = tuple(name for turn in REACH_SCHEDULE.values() for name in turn.names)
ALL_TURNS: Final[Mapping[str, Turn]] = {**SCHEDULE, **REACH_SCHEDULE}
