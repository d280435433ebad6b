"""The newest price of each symbol between two `Prices`: one word per symbol, and only news."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from auto_trading.gateways.candle_rows import Refused, ticker_units
from auto_trading.gateways.venue_wire import StreamTicker
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.messages import Prices

AHEAD_MS: Final = 60_000  # how far ahead of our clock the time of a price may be


class PriceBoard:
    """Takes every price, gives out at most one `Prices` per interval.

    Args:
        interval_ms: shortest real time between two of them.
        last_ms: time of the last event that readers know; prices come after it.
    """

    def __init__(
        self, instruments: Sequence[Instrument], interval_ms: int, last_ms: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._instruments = tuple(instruments)
        self._interval_ms = interval_ms
        self._last_ms = last_ms
        self._monotonic = monotonic
        self._given = float("-inf")  # monotonic time of the last one given out
        self._news: dict[int, int] = {}
        self._told: dict[int, int] = {}  # the last price given out of each symbol
        self._ticker_ms: dict[int, int] = {}  # the venue's time of the newest ticker

    def take(self, i: int, ticker: StreamTicker, now_ms: int) -> int:
        """Take a ticker of symbol `i`; return its price in price units.

        Raises:
            Refused: it is no price, or not the newest.
        """
        at_ms = ticker.at_ms if isinstance(ticker.at_ms, int) else now_ms  # REST may tell no time
        price = ticker_units(self._instruments[i], ticker.last, ticker.bid, ticker.ask)
        if at_ms < self._ticker_ms.get(i, 0):
            raise Refused("reordered")
        if at_ms > now_ms + AHEAD_MS:  # believed, it would shut out all that follow
            raise Refused("ahead")
        self._ticker_ms[i] = at_ms
        self._news.pop(i, None)
        if self._told.get(i) != price:
            self._news[i] = price
        return price

    def passed(self, close_ms: int) -> None:
        """Take note that a slice was given out; later prices are not older than it."""
        self._last_ms = max(self._last_ms, close_ms)

    def due(self, now_ms: int) -> Prices | None:
        """Return what is new, when there is something and the interval is over."""
        now = self._monotonic()
        if not self._news or (now - self._given) * 1000 < self._interval_ms:
            return None
        self._given = now
        self._last_ms = max(now_ms, self._last_ms + 1)
        event = Prices(self._last_ms, tuple(sorted(self._news.items())))
        self._told.update(self._news)
        self._news.clear()
        return event
