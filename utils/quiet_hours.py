"""When a message that is not urgent may go out."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.notifications import QuietHours, Severity

_RANKS = {severity: rank for rank, severity in enumerate(Severity)}  # listed from mild to grave


def not_before(hours: QuietHours, zone: str, severity: Severity, now: datetime) -> datetime:
    """Return the first instant at which a message of `severity` may be sent: `now`, or the end.

    The hours are on the wall clocks of `zone`: they may cross midnight, and a night in which clocks
    change is as long as it is. An end that the clocks skip comes as much later as they skip.
    """
    if not hours.enabled or _RANKS[severity] >= _RANKS[hours.min_severity]:
        return now
    local = now.astimezone(ZoneInfo(zone))
    start, end = time.fromisoformat(hours.start), time.fromisoformat(hours.end)
    of_day = local.time()
    has_begun, goes_on = of_day >= start, of_day < end
    is_quiet = has_begun or goes_on if start > end else has_begun and goes_on
    if not is_quiet:
        return now
    day = local.date() + timedelta(days=0 if goes_on else 1)
    ends = [
        datetime.combine(day, end, ZoneInfo(zone)).replace(fold=fold).astimezone(UTC)
        for fold in (0, 1)  # where clocks go back the end comes twice: the next one counts
    ]
    return next((instant for instant in ends if instant > now), now)
