"""A market that is a formula: every number of every candle can be worked out in the head."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.timeframes import timeframe_name, to_datetime

FUNDING_RATE: Final = Decimal("0.0001")
FUNDING_MS: Final = 8 * 3_600_000
OPEN_INTEREST: Final = Decimal("1234.5")


class ScriptedClock:
    """Market time of server and source alike; it moves only when a test says so."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def now(self) -> datetime:
        return to_datetime(self._now_ms)

    def set(self, now_ms: int) -> None:
        self._now_ms = now_ms


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle as a venue knows it; volume in base."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class ScriptedMarket:
    """Candles of some symbols from `listed_ms` on, and the newest price of each.

    Candle k after `listed_ms` of the symbol at place i opens at 1000 * (i + 1) + k and closes one
    higher; its high is five above the close, its low five below the open, its volume is 10 + k.

    Args:
        timeframe_ms: the one timeframe that is served.
    """

    def __init__(
        self, instruments: Sequence[Instrument], timeframe_ms: int, clock: ScriptedClock,
        listed_ms: int,
    ) -> None:  # fmt: skip
        self.instruments = tuple(instruments)
        self.timeframe_ms = timeframe_ms
        self.timeframe = timeframe_name(timeframe_ms)
        self.clock = clock
        self.listed_ms = listed_ms
        self.changed: dict[tuple[str, int], Candle] = {}  # what the venue says of a candle now
        self.gaps: set[tuple[str, int]] = set()  # candles that the venue does not have
        self.prices = {
            item.symbol: Decimal(1000 * (i + 1)) for i, item in enumerate(self.instruments)
        }

    def of_kind(self, kind: MarketKind) -> list[Instrument]:
        """Return the instruments of one kind."""
        return [item for item in self.instruments if item.kind is kind]

    def instrument(self, symbol: str) -> Instrument:
        return next(item for item in self.instruments if item.symbol == symbol)

    def candle(self, symbol: str, open_ms: int) -> Candle:
        """Return a candle, whether it has closed or not."""
        changed = self.changed.get((symbol, open_ms))
        if changed is not None:
            return changed
        place = next(i for i, item in enumerate(self.instruments) if item.symbol == symbol)
        k = (open_ms - self.listed_ms) // self.timeframe_ms
        start = Decimal(1000 * (place + 1) + k)
        return Candle(open_ms, start, start + 6, start - 5, start + 1, Decimal(10 + k))

    def candles(self, symbol: str, from_ms: int, to_ms: int) -> list[Candle]:
        """Return the candles that open in [from_ms, to_ms], with the running one, oldest first."""
        step = self.timeframe_ms
        first = max(self.listed_ms, -(-from_ms // step) * step)
        last = min(to_ms, self.clock.now_ms())
        return [
            self.candle(symbol, open_ms)
            for open_ms in range(first, last + 1, step)
            if (symbol, open_ms) not in self.gaps
        ]

    def payments(self, symbol: str, from_ms: int, to_ms: int) -> list[tuple[int, Decimal]]:
        """Return the funding payments in [from_ms, to_ms], oldest first: one every eight hours.

        Payment k of the day 1970-01-01 on pays k % 100 parts of a million.
        """
        first = -(-max(from_ms, self.listed_ms) // FUNDING_MS)
        last = min(to_ms, self.clock.now_ms()) // FUNDING_MS
        return [
            (k * FUNDING_MS, Decimal(k % 100).scaleb(-6))
            for k in range(first, last + 1)
            if (f"{symbol} funding", k * FUNDING_MS) not in self.gaps
        ]

    def revise(self, symbol: str, open_ms: int, close: str) -> None:
        """Let the venue say another close of a candle from now on."""
        was = self.candle(symbol, open_ms)
        self.changed[symbol, open_ms] = replace(was, close=Decimal(close))
