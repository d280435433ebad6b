"""Timeframes as the field writes them ("5m") and as milliseconds."""

from datetime import UTC, datetime, timedelta
from typing import Final

from crypto_trader_pro.domain.errors import InputError

_UNITS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
KNOWN: Final = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def timeframe_ms(timeframe: str) -> int:
    """Return the length of `timeframe` in milliseconds.

    Raises:
        ValueError: not one of `KNOWN`.

    >>> timeframe_ms("5m")
    300000
    """
    if timeframe not in KNOWN:
        raise ValueError(f"timeframe was {timeframe!r}, allowed: {', '.join(KNOWN)}")
    return int(timeframe[:-1]) * _UNITS[timeframe[-1]]


def timeframe_name(ms: int) -> str:
    """Return the name of a length in milliseconds, the inverse of `timeframe_ms`."""
    for name in KNOWN:
        if timeframe_ms(name) == ms:
            return name
    raise ValueError(f"no timeframe is {ms} ms long")


def to_datetime(ms: int) -> datetime:
    """Return the aware UTC instant of `ms` since the epoch, exactly."""
    return _EPOCH + timedelta(milliseconds=ms)


def to_ms(instant: datetime) -> int:
    """Return milliseconds since the epoch of an aware instant.

    Raises:
        ValueError: `instant` is naive.
    """
    if instant.tzinfo is None:
        raise ValueError(f"naive datetime: {instant!r}")
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def check_span(from_ms: int | None, to_ms: int | None) -> None:
    """Refuse a range that ends before it begins, UTC milliseconds; None: no limit.

    Raises:
        InputError: it does.
    """
    if from_ms is not None and to_ms is not None and to_ms <= from_ms:
        raise InputError(
            f"the range began {to_datetime(from_ms).isoformat()},"
            f" allowed: before its end, {to_datetime(to_ms).isoformat()}"
        )
