"""Fewer candles that say the same of the price: neighbours become one."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from utils.chart_images import Candle


class Bar(NamedTuple):
    """One drawn candle."""

    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def joined(candles: Sequence[Candle], most: int) -> tuple[list[Bar], int]:
    """Return at most `most` candles, and how many of the given ones are in each.

    The last one may hold fewer.
    """
    size = max(1, -(-len(candles) // most))
    return [_one(candles[k : k + size]) for k in range(0, len(candles), size)], size


def _one(candles: Sequence[Candle]) -> Bar:
    return Bar(
        candles[0].opened_at,
        candles[0].open,
        max(candle.high for candle in candles),
        min(candle.low for candle in candles),
        candles[-1].close,
        sum((candle.volume for candle in candles), Decimal(0)),
    )
