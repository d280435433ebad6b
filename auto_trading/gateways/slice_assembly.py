"""Closed candles of many symbols, in whatever order they come, as one market in time order.

Pure bookkeeping: it is told the time and reads no clock, so that every case can be tried in a test.
"""

from collections.abc import Collection
from typing import Final

from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Backfill, MarketEvent, MarketSlice, Missed

LATE_MS: Final = 1_000  # beyond the grace, an instant is too late to be decided on


class SliceAssembler:
    """Decides when an instant is complete, and what is late.

    An instant goes out as soon as every symbol has its candle. One that is not complete waits
    `grace_ms` after its close and goes out with None for those that are missing; their candles
    follow as `Backfill`. While nothing at all is heard of the venue, waiting has no end: after an
    outage the grace counts from the first sign of life, and what is older than the grace goes out
    as `Missed`.

    Args:
        symbols: how many symbols make a complete instant.
        timeframe_ms: length of a candle.
        grace_ms: how long to wait for the last ones.
        next_close_ms: close time of the first instant to give out.
        absent: symbols that the venue does not have; nobody waits for them.
    """

    def __init__(
        self, symbols: int, timeframe_ms: int, grace_ms: int, next_close_ms: int,
        absent: Collection[int] = (),
    ) -> None:  # fmt: skip
        self._symbols = symbols
        self._timeframe_ms = timeframe_ms
        self._grace_ms = grace_ms
        self._absent = frozenset(absent)
        self._pending: dict[int, list[Bar | None]] = {}  # by close time
        self._heard_ms: dict[int, int] = {}  # close time: when the venue was first heard after it
        self._heard_close_ms = next_close_ms - timeframe_ms  # of the newest instant in `_heard_ms`
        self._late: list[tuple[int, Bar]] = []
        self.next_close_ms = next_close_ms

    def candle(self, i: int, bar: Bar) -> None:
        """Take a closed candle of symbol `i`; each one once."""
        close_ms = bar.open_ms + self._timeframe_ms
        if close_ms < self.next_close_ms:
            self._late.append((i, bar))
            return
        bars = self._pending.setdefault(close_ms, [None] * self._symbols)
        bars[i] = bar

    def heard(self, now_ms: int) -> None:
        """Take note that the venue has just said something usable."""
        while self._heard_close_ms + self._timeframe_ms <= now_ms:
            self._heard_close_ms += self._timeframe_ms
            self._heard_ms[self._heard_close_ms] = now_ms

    def is_waiting(self, now_ms: int) -> bool:
        """True while an instant has closed that is not given out: prices would overtake it."""
        return now_ms >= self.next_close_ms

    def due(self, now_ms: int) -> list[MarketEvent]:
        """Return what is to be given out now, in order; call it often."""
        events: list[MarketEvent] = list(self._backfills())
        while self._is_due(now_ms):
            close_ms = self.next_close_ms
            bars = self._pending.pop(close_ms, None) or [None] * self._symbols
            self._heard_ms.pop(close_ms, None)
            self.next_close_ms += self._timeframe_ms
            market = MarketSlice(close_ms, tuple(bars))
            if now_ms - close_ms <= self._grace_ms + LATE_MS:
                events.append(market)
            elif any(bars):
                events.append(Missed(market))
        return events

    def _is_due(self, now_ms: int) -> bool:
        bars = self._pending.get(self.next_close_ms)
        if bars is not None and self._is_complete(bars):
            return True
        heard_ms = self._heard_ms.get(self.next_close_ms)
        if heard_ms is None:
            return False
        since_ms = self.next_close_ms
        if heard_ms >= since_ms + self._grace_ms:  # an outage: others may come with the first
            since_ms = heard_ms
        return now_ms >= since_ms + self._grace_ms

    def _is_complete(self, bars: list[Bar | None]) -> bool:
        return all(bar is not None or i in self._absent for i, bar in enumerate(bars))

    def _backfills(self) -> list[Backfill]:
        """Return late candles, oldest first, those of one instant together."""
        found: dict[int, list[Bar | None]] = {}
        for i, bar in self._late:
            bars = found.setdefault(bar.open_ms + self._timeframe_ms, [None] * self._symbols)
            bars[i] = bar
        self._late.clear()
        return [Backfill(MarketSlice(close, tuple(found[close]))) for close in sorted(found)]
