"""Writes candles and latest prices into the database without ever holding up who brings them.

The store of the data pipeline (document 000, section 6):

* validator: `gateways.candle_rows` at the door, then `data_gate.SymbolGate` candle by candle.
* cleaner: the conversion to whole numbers in `gateways.candle_rows`; nothing is filled in.
* aggregator: `aggregation.Aggregator`, coarser timeframes.
* cache: `gateways.candle_cache.CandleCache`, the newest closed candles.
* store: `MarketStore`, here.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from threading import Condition, Thread
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from crypto_trader_pro.domain.errors import ConfigError, InputError, TradingError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, series_of
from crypto_trader_pro.domain.messages import MarketFacts, MarketSlice
from crypto_trader_pro.domain.ports import Clock
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.domain.units import RATE
from database import candles, prices
from database.auto_trading_db import open_database, unit_of_work
from database.candles import Origin
from utils.clocks import SystemClock

log = logging.getLogger(__name__)

CAPACITY: Final = 10_000  # instants that may wait for the database
_BATCH: Final = 500  # instants stored at once
_PLACES: Final = Decimal("1e-8")
_LONGEST_PAUSE: Final = 30.0
_BUSY_SECONDS: Final = 2.0


class MarketStore:
    """Stores closed candles in batches and latest prices every few seconds, in its own thread.

    A candle that is stored already with other numbers (the venue has revised it) is counted and
    left as it was. What the database does not take is tried again until it does.

    Args:
        database_url: the store opens connections of its own, so that it waits for no other.
        instruments: the symbols in the order of the slices' bars.
        origin: venue and source of the rows.
        facts: where latest prices come from; None: they are not written.
        price_seconds: time between two writes of the latest prices.
        batch_seconds: how long candles may wait for company.
        capacity: instants that may wait; what comes on top is dropped and counted.
        clock: system time, for `received_at`.

    Attributes:
        stored: candles written. revised: candles refused because another is stored.
        dropped: instants lost because the database did not keep up.
    """

    def __init__(
        self, database_url: str, instruments: Sequence[Instrument], timeframe_ms: int,
        origin: Origin, *, facts: Callable[[], Sequence[MarketFacts]] | None = None,
        price_seconds: float = 5.0, batch_seconds: float = 1.0, capacity: int = CAPACITY,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._instruments = tuple(instruments)
        self._units = {item.symbol: item for item in instruments}
        self._timeframe_ms = timeframe_ms
        self._origin = origin
        self._facts = facts
        self._price_seconds = price_seconds
        self._batch_seconds = batch_seconds
        self._capacity = capacity
        self._clock: Clock = clock or SystemClock()
        self._database = open_database(database_url, durable=False, busy_seconds=_BUSY_SECONDS)
        self._waiting: deque[MarketSlice] = deque()
        self._changed = Condition()
        self._deadline: float | None = None  # monotonic; set when closing
        self._is_failing = False
        self._prices_at = 0.0
        self.stored = self.revised = self.dropped = 0
        self._thread = Thread(target=self._run, name="market-store", daemon=True)
        self._thread.start()

    def put(self, market: MarketSlice) -> None:
        """Hand over the candles of an instant. Returns at once, whatever the database does."""
        with self._changed:
            if len(self._waiting) < self._capacity:
                self._waiting.append(market)
                self._changed.notify()
                return
            self.dropped += 1
            first = self.dropped == 1
        if first:
            log.error("market store: %d instants wait, further ones are dropped", self._capacity)

    @property
    def waiting(self) -> int:
        """Instants whose candles are not stored yet."""
        return len(self._waiting)

    def close(self, seconds: float = 5.0) -> None:
        """Store what waits, for at most about `seconds`, and end the thread."""
        with self._changed:
            self._deadline = time.monotonic() + seconds
            self._changed.notify()
        self._thread.join(seconds + _BUSY_SECONDS + 1.0)
        if self._waiting:
            log.error("market store: %d instants were not stored", len(self._waiting))
        self._database.dispose()

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        pause = self._batch_seconds
        while True:
            closing = self._wait(pause)
            worked = self._work()
            pause = self._batch_seconds if worked else min(pause * 2, _LONGEST_PAUSE)
            if closing:
                left = (self._deadline or 0.0) - time.monotonic()
                if not self._waiting or left <= 0:
                    return
                pause = min(pause, 0.1, left)

    def _wait(self, seconds: float) -> bool:
        """Let candles gather; True when the store is closing."""
        with self._changed:
            if self._deadline is not None:
                self._changed.wait(0.0 if not self._is_failing else seconds)
            else:
                self._changed.wait_for(lambda: self._deadline is not None, seconds)
            return self._deadline is not None

    def _work(self) -> bool:
        """Write what there is; False when the database did not take it."""
        try:
            while self._waiting:
                batch = [self._waiting[k] for k in range(min(_BATCH, len(self._waiting)))]
                self._store(batch)
                for _ in batch:
                    self._waiting.popleft()
            if time.monotonic() - self._prices_at >= self._price_seconds:
                self._store_prices()
        except (TradingError, SQLAlchemyError) as error:
            if not self._is_failing:
                log.warning("market store: %s; trying again", error)
            self._is_failing = True
            return False
        if self._is_failing:
            log.info("market store: the database takes candles again")
        self._is_failing = False
        return True

    def _store(self, batch: Sequence[MarketSlice]) -> None:
        for i, instrument in enumerate(self._instruments):
            bars = {bar.open_ms: bar for market in batch if (bar := market.bars[i]) is not None}
            if bars:
                self._store_bars(instrument, [bars[at] for at in sorted(bars)])

    def _store_bars(self, instrument: Instrument, bars: list[Bar]) -> None:
        """Store candles of one symbol; halve them until only those that differ are left out."""
        try:
            with unit_of_work(self._database, "the candles") as session:
                series = series_of(instrument.symbol, self._timeframe_ms, bars)
                new = candles.store(session, series, instrument, self._origin)
        except ConfigError:  # an InputError too, but of the database, not of a candle
            raise
        except InputError as error:
            if len(bars) > 1:
                middle = len(bars) // 2
                self._store_bars(instrument, bars[:middle])
                self._store_bars(instrument, bars[middle:])
                return
            self.revised += 1
            if self.revised == 1:
                log.warning("market store: revised candle: %s; further ones are counted", error)
        else:
            self.stored += new

    def _store_prices(self) -> None:
        found = [] if self._facts is None else self._facts()
        rows = [self._price_of(fact) for fact in found if fact.symbol in self._units]
        if rows:
            with unit_of_work(self._database, "the latest prices") as session:
                prices.store_latest(session, rows, self._origin, self._clock.now())
        self._prices_at = time.monotonic()

    def _price_of(self, fact: MarketFacts) -> prices.LatestPrice:
        rate, interest = fact.funding_rate, fact.open_interest
        return prices.LatestPrice(
            fact.symbol,
            self._units[fact.symbol].price(fact.price),
            to_datetime(fact.at_ms),
            None if rate is None else Decimal(rate) / RATE,
            None if interest is None else Decimal(str(interest)).quantize(_PLACES),
        )
