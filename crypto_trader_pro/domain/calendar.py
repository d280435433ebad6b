"""Trading days: which day an instant belongs to, in the one configured zone."""

from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from crypto_trader_pro.domain.timeframes import to_datetime, to_ms


class TradingDay(NamedTuple):
    """One trading day, [start_ms, end_ms)."""

    name: str  # ISO date
    start_ms: int
    end_ms: int


class TradingCalendar:
    """Days of `zone`; a day may have 23 or 25 hours where clocks change."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)

    def day_of(self, ms: int) -> TradingDay:
        """Return the trading day that contains the instant `ms`."""
        date = to_datetime(ms).astimezone(self._zone).date()
        start = datetime(date.year, date.month, date.day, tzinfo=self._zone)
        following = date + timedelta(days=1)
        end = datetime(following.year, following.month, following.day, tzinfo=self._zone)
        return TradingDay(date.isoformat(), to_ms(start), to_ms(end))
