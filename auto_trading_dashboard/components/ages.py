"""How long something took, or how long ago it was, in the reader's words."""

from datetime import datetime, timedelta

from auto_trading_dashboard.preferences import text


def age(seconds: float) -> str:
    """Return a length of time in its largest two units; below zero it is zero."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    if not minutes:
        return text("age.seconds", seconds=rest)
    hours, minutes_left = divmod(minutes, 60)
    if not hours:
        return text("age.minutes", minutes=minutes)
    days, hours_left = divmod(hours, 24)
    if not days:
        return text("age.hours", hours=hours, minutes=minutes_left)
    return text("age.days", days=days, hours=hours_left)


def since(at: datetime, now: datetime) -> str:
    """Return how long ago something was."""
    return age((now - at) / timedelta(seconds=1))
