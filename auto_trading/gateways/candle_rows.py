"""What a venue sends as candles and prices, made into the engine's whole numbers or refused.

The door of the data pipeline: past it there are only possible candles, on the grids of time, price
and quantity. What is refused is counted by reason; it never raises further than its caller.

Reasons: not_json, wrong_shape, unknown_symbol, not_a_number, not_positive, impossible,
off_grid_time, unclosed, negative_volume, crossed, reordered, ahead, revised, too_large.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final

from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, is_possible
from crypto_trader_pro.domain.units import MAX_LOTS_DOMAIN

log = logging.getLogger(__name__)

SKEW_MS: Final = 1_000  # how far the venue's clock may run ahead of ours
_MAX_UNITS: Final = 1 << 50
_WIDTH: Final = 6


class Refused(ValueError):  # noqa: N818  reads as what happened
    """Not a candle or a price; `args[0]` is one of the reasons of the module."""


class Refusals:
    """Counts what was refused, and logs the first of each reason."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.counts: Counter[str] = Counter()

    def note(self, reason: str, detail: object) -> None:
        """Count one refusal."""
        self.counts[reason] += 1
        if self.counts[reason] == 1:
            log.warning(
                "%s: refused (%s): %.200s; further ones are only counted",
                self._where, reason, detail,
            )  # fmt: skip


def bar_of(instrument: Instrument, timeframe_ms: int, row: Sequence[Any], now_ms: int) -> Bar:
    """Return the closed candle that `row` tells of.

    Args:
        row: open time in ms, open, high, low, close, volume in base; text or numbers. A float
            counts as its shortest decimal, which is what the venue wrote.
        now_ms: our clock.

    Prices are rounded to the nearest price unit (rounding keeps their order), volume down to lots.

    Raises:
        Refused: it is none.
    """
    if len(row) < _WIDTH:
        raise Refused("wrong_shape")
    open_ms = row[0]
    if isinstance(open_ms, bool) or not isinstance(open_ms, int):
        raise Refused("wrong_shape")
    if open_ms % timeframe_ms or open_ms <= 0:
        raise Refused("off_grid_time")
    if open_ms + timeframe_ms > now_ms + SKEW_MS:
        raise Refused("unclosed")
    open_, high, low, close = (price_units(instrument, value) for value in row[1:5])
    volume = _number(row[5])
    if volume < 0:
        raise Refused("negative_volume")
    lots = int((volume / instrument.lot).to_integral_value(ROUND_FLOOR))
    if lots >= MAX_LOTS_DOMAIN:
        raise Refused("too_large")
    bar = Bar(open_ms, open_, high, low, close, lots)
    if not is_possible(bar):
        raise Refused("impossible")
    return bar


def price_units(instrument: Instrument, value: Any) -> int:
    """Return a price in the nearest whole price units.

    Raises:
        Refused: not a number, not positive, or beyond what the engine counts.
    """
    price = _number(value)
    units = int((price / instrument.price_unit).to_integral_value(ROUND_HALF_EVEN))
    if units <= 0:
        raise Refused("not_positive")
    if units >= _MAX_UNITS:
        raise Refused("too_large")
    return units


def ticker_units(instrument: Instrument, last: Any, bid: Any, ask: Any) -> int:
    """Return the last price of a ticker in price units.

    Raises:
        Refused: as `price_units`, or bid and ask are crossed.
    """
    if bid not in (None, "") and ask not in (None, ""):
        best_bid, best_ask = _number(bid), _number(ask)
        if best_bid > best_ask > 0:
            raise Refused("crossed")
    return price_units(instrument, last)


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise Refused("not_a_number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Refused("not_a_number") from None
    if not number.is_finite() or number.adjusted() > 20:
        raise Refused("not_a_number")
    return number
