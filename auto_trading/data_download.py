"""Brings public candles and funding rates of a venue into the database, page by page.

What is stored is not asked for again, so a download that was cut off goes on where it stood. A
candle that is missing inside a page is asked for once more; if the venue has it neither then, and
has later ones, it has none, and that is stored too. Nothing is ever filled in.

Candles and rates get the source tag of imported files: `replay` and `backtest` play them alike.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading.data_pages import CandlePages, Pages, RatePages
from auto_trading.data_ranges import Range, joined, total, within, without
from auto_trading.gateways.candle_rows import Refusals
from auto_trading.gateways.exchange_rest import CallCount, ExchangeRest
from auto_trading.gateways.rate_gate import RateGate
from auto_trading.gateways.venue_clients import VenueClients
from auto_trading.replay_market import IMPORTED
from crypto_trader_pro.domain.errors import GatewayUnavailable, InputError, RateLimited
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.ports import Clock
from crypto_trader_pro.domain.timeframes import timeframe_name
from database import candles
from database.auto_trading_db import unit_of_work
from database.candles import FUNDING, Origin
from utils.clocks import SystemClock

_SILENCES: Final = 5  # in a row, then the venue does not want us today
_LONGEST_SILENCE: Final = 900.0  # seconds; a longer ban is for a person to wait out
_PAUSES: Final = (3.0, 10.0)  # seconds before the second and third round of tries
# a candle that is missing for so long will not come any more; a venue may be late with younger ones
_SETTLED_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """What to bring: all that opens in [from_ms, to_ms); rates are brought for perpetuals.

    Args:
        to_ms: None, or later than now: up to the last closed candle.
        recheck: ask again where the venue had nothing.
    """

    venue: str
    instruments: tuple[Instrument, ...]
    timeframe_ms: int
    from_ms: int
    to_ms: int | None = None
    funding: bool = True
    recheck: bool = False


@dataclass(slots=True)
class Part:
    """How far the candles, or the rates, of one symbol have come. Ranges in ms UTC."""

    symbol: str
    series: str  # timeframe, or `FUNDING`
    from_ms: int
    to_ms: int
    present: int = 0  # rows that were stored before
    stored: int = 0  # rows that were stored now
    missing: list[Range] = field(default_factory=list)  # still to be asked for
    holes: list[Range] = field(default_factory=list)  # the venue has nothing there
    unproven: list[Range] = field(default_factory=list)  # nothing came, nothing later either
    is_begun: bool = False
    is_done: bool = False

    @property
    def until_ms(self) -> int:
        """Up to when nothing is left to be asked for."""
        return min((first for first, _ in self.missing), default=self.to_ms)

    @property
    def share(self) -> float:
        """Return how much of the time has been dealt with, 0 to 1."""
        return 1.0 - total(self.missing) / max(1, self.to_ms - self.from_ms)


Told = Callable[[Part, str], None]  # after each page, and why it waits


class Downloader:
    """One download. `parts` says how far it is, whatever happens meanwhile.

    Args:
        clients: where the venue is.
        told: called after each page, and before each wait with the reason.
    """

    def __init__(
        self, database: Database, request: DownloadRequest, *,
        clients: VenueClients | None = None, clock: Clock | None = None, told: Told | None = None,
    ) -> None:  # fmt: skip
        self._database = database
        self._request = request
        self._clients = clients or VenueClients()
        self._clock: Clock = clock or SystemClock()
        self._told: Told = told or (lambda part, why: None)
        self._origin = Origin(request.venue, IMPORTED)
        self._gate = RateGate()
        self._refusals = Refusals(f"download from {request.venue}")
        self.parts = self._plan()

    @property
    def refused(self) -> Counter[str]:
        """What the venue sent that is no candle, by reason."""
        return self._refusals.counts

    def run(self) -> None:
        """Bring everything; a page is in the database before the next one is asked for.

        Raises:
            InputError: the venue does not trade a symbol; nothing was asked for.
            GatewayUnavailable, RateLimited: the venue gave no usable answer, several times.
            KeyboardInterrupt: a person has had enough.
        """
        asyncio.run(self._run())

    def _plan(self) -> list[Part]:
        request, now_ms = self._request, self._clock.now_ms()
        step = request.timeframe_ms
        first = -(-request.from_ms // step) * step
        last = now_ms if request.to_ms is None else min(request.to_ms, now_ms)
        last = last // step * step
        if first >= last:
            raise InputError(
                f"the range is empty: no {timeframe_name(step)} candle opens at or after --from"
                " and has closed by --to and by now"
            )
        parts = []
        for item in request.instruments:
            parts.append(Part(item.symbol, timeframe_name(step), first, last))
            if request.funding and ":" in item.symbol:
                parts.append(Part(item.symbol, FUNDING, first, last))
        return parts

    async def _run(self) -> None:
        request = self._request
        async with ExchangeRest(
            request.venue, request.instruments, self._clients, self._gate, CallCount(),
            self._refusals,
        ) as rest:  # fmt: skip
            traded = await self._patient(self.parts[0], rest.markets)
            for item in request.instruments:
                if item.symbol not in traded:
                    raise InputError(f"{request.venue} does not trade {item.symbol}")
            by_symbol = {item.symbol: item for item in request.instruments}
            for part in self.parts:
                await self._bring(part, self._pages(rest, by_symbol[part.symbol], part))

    def _pages(self, rest: ExchangeRest, item: Instrument, part: Part) -> Pages:
        if part.series == FUNDING:
            return RatePages(rest, item, self._refusals)
        return CandlePages(rest, item, self._request.timeframe_ms, self._clock)

    async def _bring(self, part: Part, pages: Pages) -> None:
        with unit_of_work(self._database, "what is stored") as session:
            times = candles.stored_times(
                session, part.symbol, part.series, self._origin, part.from_ms, part.to_ms
            )
            absent = candles.load_holes(session, part.symbol, part.series, self._origin)
        part.present = len(times)
        known = pages.covered(times)
        if not self._request.recheck:
            part.holes = without(within(absent, part.from_ms, part.to_ms), known)
        missing = without([(part.from_ms, part.to_ms)], [*known, *part.holes])
        part.missing = [r for r in missing if r[1] - r[0] >= pages.step_ms]
        part.is_begun = True
        self._told(part, "")
        while part.missing:
            first = part.missing[0][0]
            last = pages.reach(part.missing)
            # what follows a hole proves that the venue answers: one more than is missing
            ahead = min(pages.beyond(last), part.to_ms)
            page = await self._patient(part, pages.page, first, ahead, part.missing)
            if page.known_ms <= first:  # the rest has not closed yet
                break
            self._keep(part, pages, page, absent)
            self._told(part, "")
        part.unproven = [r for r in part.unproven if r[1] - r[0] > pages.usual_gap_ms]
        part.is_done = True
        self._told(part, "")

    def _keep(self, part: Part, pages: Pages, page: Any, absent: list[Range]) -> None:
        """Store a page together with what it says of holes, in one transaction."""
        asked = within(part.missing, part.missing[0][0], page.known_ms)
        left = without(part.missing, asked)
        empty = joined([*part.unproven, *without(asked, pages.covered(page.times))])
        settled_ms = (self._clock.now_ms() - _SETTLED_MS) // pages.step_ms * pages.step_ms
        proven = within(empty, 0, min(max(page.times, default=0), settled_ms))
        unproven = without(empty, proven)
        holes = joined([*part.holes, *(r for r in proven if r[1] - r[0] > pages.usual_gap_ms)])
        with unit_of_work(self._database, "the download") as session:
            stored = pages.store(session, page, asked, self._origin)
            if self._request.recheck or holes != part.holes:
                absent[:] = joined([*without(absent, asked), *holes])
                candles.replace_holes(
                    session, part.symbol, part.series, self._origin, _in_minutes(absent)
                )
        # only now: whoever asks how far it came is told what is stored
        part.missing, part.holes, part.unproven = left, holes, unproven
        part.stored += stored

    async def _patient(self, part: Part, ask: Callable[..., Awaitable[Any]], *what: Any) -> Any:
        """Ask until there is an answer, a few times; keep silent while the venue wishes it."""
        silences = failures = 0
        while True:
            try:
                return await ask(*what)
            except RateLimited as error:
                pause, silences = self._gate.wait_seconds, silences + 1
                if silences > _SILENCES or pause > _LONGEST_SILENCE:
                    raise RateLimited(f"{self._request.venue}: {error}") from error
                self._told(part, str(error))
            except GatewayUnavailable as error:
                failures += 1
                if failures > len(_PAUSES):
                    raise
                pause = _PAUSES[failures - 1]
                self._told(part, f"{error}; asking again in {pause:g} s")
            await asyncio.sleep(pause + 0.01)


def _in_minutes(holes: Sequence[Range]) -> list[Range]:
    minute = 60_000
    return joined((-(-first // minute) * minute, last // minute * minute) for first, last in holes)
