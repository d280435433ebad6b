"""Pages of candles and of funding rates: how they are asked for, what they cover, how stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol

import numpy as np
from sqlmodel import Session

from auto_trading.data_ranges import Range, runs, within, without
from auto_trading.gateways.candle_rows import Refusals
from auto_trading.gateways.exchange_rest import ExchangeRest
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, Ints, series_of
from crypto_trader_pro.domain.ports import Clock
from crypto_trader_pro.domain.units import RATE
from database import candles
from database.candles import Origin

_AGAIN: Final = 8  # at most so often the rest of a page is asked for, and only while some comes
_LONGEST_INTERVAL_MS: Final = 8 * 3_600_000  # between two payments, at all three venues
_MINUTE: Final = 60_000


@dataclass(frozen=True, slots=True)
class Page:
    """What came, and the time up to which it tells what there is."""

    times: list[int]
    rows: list[Any]  # bars, or pairs of time and rate in parts of 1e8
    known_ms: int


class Pages(Protocol):
    """One kind of rows of one symbol.

    Attributes:
        step_ms: a shorter range than that cannot be missing.
        usual_gap_ms: no longer a range without rows is no hole.
    """

    step_ms: int
    usual_gap_ms: int

    def covered(self, times: Ints | Sequence[int]) -> list[Range]:
        """Return the ranges in which rows at these times leave nothing to ask for."""
        ...

    def reach(self, missing: Sequence[Range]) -> int:
        """Return the end of the last missing range that one page can cover."""
        ...

    def beyond(self, to_ms: int) -> int:
        """Return an end of the request by which the row after `to_ms` is in it."""
        ...

    async def page(self, from_ms: int, to_ms: int, missing: Sequence[Range]) -> Page:
        """Ask for the rows in [from_ms, to_ms), again for those of `missing` that did not come."""
        ...

    def store(self, session: Session, page: Page, asked: Sequence[Range], origin: Origin) -> int:
        """Store the rows that are in `asked`; return how many they were."""
        ...


class CandlePages:
    """Candles."""

    def __init__(
        self, rest: ExchangeRest, item: Instrument, timeframe_ms: int, clock: Clock
    ) -> None:
        self._rest = rest
        self._item = item
        self.step_ms = timeframe_ms
        self.usual_gap_ms = 0
        self._clock = clock

    def covered(self, times: Ints | Sequence[int]) -> list[Range]:
        return runs(times, self.step_ms)

    def reach(self, missing: Sequence[Range]) -> int:
        end = missing[0][0] + self._rest.page_candles * self.step_ms
        return max(min(last, end) for first, last in missing if first < end)

    def beyond(self, to_ms: int) -> int:
        return to_ms + self.step_ms

    async def page(self, from_ms: int, to_ms: int, missing: Sequence[Range]) -> Page:
        bars, known_ms = await self._asked(from_ms, to_ms)
        found = {bar.open_ms: bar for bar in bars}
        for _ in range(_AGAIN):
            gone = without(within(missing, from_ms, known_ms), runs(sorted(found), self.step_ms))
            if not gone:
                break
            more, _known = await self._asked(gone[0][0], gone[-1][1])
            new = {bar.open_ms: bar for bar in more if bar.open_ms not in found}
            if not new:
                break
            found |= new
        times = sorted(found)
        return Page(times, [found[at] for at in times], known_ms)

    async def _asked(self, from_ms: int, to_ms: int) -> tuple[list[Bar], int]:
        return await self._rest.closed_candles(
            self._item, self.step_ms, from_ms, to_ms, self._clock.now_ms()
        )

    def store(self, session: Session, page: Page, asked: Sequence[Range], origin: Origin) -> int:
        bars = [bar for bar in page.rows if _is_in(bar.open_ms, asked)]
        series = series_of(self._item.symbol, self.step_ms, bars)
        return candles.store(session, series, self._item, origin)


class RatePages:
    """Funding rates. Their times are those of the venue, which has no grid that can be relied on.

    Two payments that are no more than eight hours apart leave nothing to ask for between them.
    """

    def __init__(self, rest: ExchangeRest, item: Instrument, refusals: Refusals) -> None:
        self._rest = rest
        self._item = item
        self._refusals = refusals
        self.step_ms = _MINUTE
        self.usual_gap_ms = _LONGEST_INTERVAL_MS

    def covered(self, times: Ints | Sequence[int]) -> list[Range]:
        at = np.asarray(times, dtype=np.int64)
        found = []
        for first, last in runs(at, _LONGEST_INTERVAL_MS + _MINUTE):
            # `runs` goes one step on after the last one; a payment covers only its own minute
            found.append((first, last - _LONGEST_INTERVAL_MS))
        return found

    def reach(self, missing: Sequence[Range]) -> int:
        return missing[0][1]

    def beyond(self, to_ms: int) -> int:
        return to_ms + _MINUTE

    async def page(self, from_ms: int, to_ms: int, missing: Sequence[Range]) -> Page:
        del missing  # a page of rates is never cut short
        rows, known_ms = await self._rest.funding_history(self._item.symbol, from_ms, to_ms)
        rates = [(at_ms, self._units(rate)) for at_ms, rate in rows]
        found = [pair for pair in rates if pair[1] is not None]
        return Page([at_ms for at_ms, _ in found], found, known_ms)

    def _units(self, rate: Any) -> int | None:
        """Return parts of 1e8, rounded to the nearest: OKX has finer ones."""
        try:
            units = Decimal(str(rate)) * RATE
        except InvalidOperation:
            units = Decimal("NaN")
        if units.is_finite() and abs(units) < RATE:
            return round(units)
        self._refusals.note("not_a_number", rate)
        return None

    def store(self, session: Session, page: Page, asked: Sequence[Range], origin: Origin) -> int:
        chosen = [pair for pair in page.rows if _is_in(pair[0], asked)]
        return candles.store_funding(
            session, self._item.symbol, [p[0] for p in chosen], [p[1] for p in chosen], origin
        )


def _is_in(at_ms: int, ranges: Sequence[Range]) -> bool:
    return any(first <= at_ms < last for first, last in ranges)
