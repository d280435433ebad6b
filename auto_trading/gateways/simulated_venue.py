"""A venue of our own: takes orders, fills them from candles by the pure rules, keeps its own books.

It shares no object with the engine: orders come in by value, facts go out as events, so that its
cash and positions are an independent check of the engine's. The bar order is that of
`crypto_trader_pro/simulation/matching.py`.
"""

from collections.abc import Mapping, Sequence

from auto_trading.gateways.venue_book import (
    STOP,
    Book,
    FundingEvent,
    VenueOrder,
    taken,
)
from auto_trading.gateways.venue_margin import VenueMargin
from crypto_trader_pro.domain.enums import (
    FillReason,
    OrderStatus,
    OrderType,
)
from crypto_trader_pro.domain.errors import InvalidOrder
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import (
    Acknowledged,
    MarketSlice,
    VenueAccount,
    VenueEvent,
)
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.domain.units import rate_floor
from crypto_trader_pro.simulation.costs import fee
from crypto_trader_pro.simulation.matching import (
    STOPPED,
    TARGET_HIT,
    bracket,
    limit_touched,
    stop_price,
    stop_touched,
    target_price,
    trailed,
)
from crypto_trader_pro.simulation.venue_costs import VenueCosts


class SimulatedVenue(VenueMargin):
    """The paper exchange, and the venue of `replay`.

    Args:
        instruments: in the order of the configured symbols; slices come in the same order.
        cash: opening balance, money units.
        funding: events per symbol, oldest first; an absent symbol pays no funding.
        ticks: single prices are played, not whole candles; `candle_closed` tells when one ends.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        cash: int,
        costs: VenueCosts,
        funding: Mapping[str, Sequence[FundingEvent]] | None = None,
        *,
        ticks: bool = False,
    ) -> None:
        super().__init__(instruments, cash, costs, funding or {})
        self._ticks = ticks
        self._intrabar_entry = False
        self._counts = True  # this candle counts for age and delay

    # --- the gateway port -------------------------------------------------------------------

    async def submit(self, order: Order, protection: Sequence[Order]) -> None:
        """Take an order by value.

        Raises:
            InvalidOrder: a symbol that is not traded here, or an id that was used before.
        """
        book = self._by_symbol.get(order.symbol)
        if book is None:
            raise InvalidOrder("unknown_symbol")
        for each in (order, *protection):
            if await self.query(each.client_order_id) is not OrderStatus.ABSENT:
                raise InvalidOrder("duplicate_client_order_id")
        own = taken(order, self._costs.entry_ttl_bars, self._costs.latency_bars)
        own.protection = [taken(child, 0) for child in protection]
        self._working.update(each.client_order_id for each in (own, *own.protection))
        self._place(book, own)
        self._events.append(Acknowledged(own.client_order_id, self._now_ms))
        self._tell(own, self._now_ms)
        for child in own.protection:
            self._events.append(Acknowledged(child.client_order_id, self._now_ms))

    async def cancel(self, client_order_id: str) -> None:
        for book in self._books:
            for order in book.orders():
                if order.client_order_id == client_order_id:
                    self._end(book, order, "asked")
                    return

    async def query(self, client_order_id: str) -> OrderStatus:
        """Return what became of an order; ABSENT if it never came: this venue loses none.

        Orders that had ended before a restart are the journal's to know, not this venue's.
        """
        if client_order_id in self._working:
            return OrderStatus.WORKING
        return self._ended.get(client_order_id, OrderStatus.ABSENT)

    async def account(self) -> VenueAccount:
        lots = {b.instrument.symbol: b.position for b in self._books if b.position}
        return VenueAccount(self.cash, lots)

    async def events(self) -> Sequence[VenueEvent]:
        drained, self._events = self._events, []
        return drained

    # --- the market side --------------------------------------------------------------------

    def at(self, now_ms: int) -> None:
        """Let the venue's time be `now_ms`: what is asked next is acknowledged then."""
        self._now_ms = now_ms

    def fund(self, i: int, rate: int, at_ms: int) -> None:
        """Charge funding on the position of symbol `i` at its last price, as a live feed tells."""
        book = self._books[i]
        if book.position:
            self._pay_funding(book, book.close, FundingEvent(at_ms, rate))

    def candle_closed(self, close_ms: int) -> None:
        """Let every working order grow older by a candle, where prices come one by one.

        An order on its way comes nearer; an entry that has arrived loses a candle of its life.
        """
        self._now_ms = close_ms
        for book in self._books:
            for order in book.exits:
                order.delay = max(0, order.delay - 1)
            for order in list(book.entries):
                if order.delay:
                    order.delay -= 1
                else:
                    self._grow_older(book, order, close_ms)

    def holds(self, i: int) -> bool:
        """True while symbol `i` has a position or an order here: its prices matter."""
        book = self._books[i]
        return bool(book.position or book.exits or book.entries or book.stop or book.target)

    def play(self, market: MarketSlice, is_last: bool = True) -> None:
        """Fill what this instant's candles fill, in the binding order.

        A single price is a candle whose four prices are the same.

        Args:
            is_last: False for finer candles of which more follow inside the same decision candle:
                entries do not age and orders on their way come no nearer. Without a candle of its
                symbol in the last slice, an order keeps both until the next.

        Raises:
            ValueError: the candles are not one, or None, for each symbol.
        """
        close_ms = market.close_ms
        self._counts = is_last and not self._ticks
        bars = market.bars
        if len(bars) != len(self._books):
            raise ValueError(f"{len(bars)} candles came for {len(self._books)} symbols")
        exposed = False
        for i, book in enumerate(self._books):
            bar = bars[i]
            if bar is not None:
                if book.funding:
                    self._fund(book, bar)
                if book.exits or book.entries:
                    self._now_ms = bar.open_ms
                    self._trade_open(book, bar, close_ms)
                elif book.stop is not None or book.target is not None:
                    self._bracket(book, bar, 0, close_ms)
                book.close = bar.close
                book.range = bar.high - bar.low
            if book.position:
                exposed = True
        self._now_ms = close_ms
        if exposed:
            self._liquidate_if_due(market)

    def _room(self, bar: Bar) -> int:
        return rate_floor(bar.volume, self._costs.volume_share)

    def _fund(self, book: Book, bar: Bar) -> None:
        events, i = book.funding, book.funding_next
        while i < len(events) and events[i].at_ms <= bar.open_ms:
            event = events[i]
            i += 1
            if book.position:
                self._pay_funding(book, bar.open, event)
        book.funding_next = i

    def _trade_open(self, book: Book, bar: Bar, close_ms: int) -> None:
        """Play a candle with orders to the market: exits, then entries, then the bracket.

        An order on its way comes a candle nearer, and nothing else happens to it.
        """
        room, used = self._room(bar), 0
        for order in list(book.exits):
            # the one before it may have closed the position
            if order in book.exits and not self._on_its_way(order):
                used += self._leave(book, order, bar, room - used)
        self._intrabar_entry = False
        for order in list(book.entries):
            if order in book.entries and not self._on_its_way(order):
                used += self._enter(book, order, bar, room - used, close_ms)
        if book.position:
            self._bracket(book, bar, used, close_ms, target_counts=not self._intrabar_entry)

    def _on_its_way(self, order: VenueOrder) -> bool:
        if not order.delay:
            return False
        if self._counts:
            order.delay -= 1
        return True

    def _leave(self, book: Book, order: VenueOrder, bar: Bar, room: int) -> int:
        """Fill a market exit, or the rest of a triggered stop, at the open."""
        if book.position * order.side >= 0:
            self._end(book, order, "nothing_to_reduce")
            return 0
        lots = min(order.lots, abs(book.position), room)
        if lots <= 0:
            return 0
        price = self._slip(book, bar.open, order.side, lots, bar.volume)
        reason = FillReason.TRAILING if order.trailed else FillReason(order.role)
        self._fill(book, order, lots, price, maker=False, reason=reason, at_ms=bar.open_ms)
        return lots

    def _enter(self, book: Book, order: VenueOrder, bar: Bar, room: int, close_ms: int) -> int:
        if book.position * order.side < 0:  # a reversal whose exit did not finish
            self._end(book, order, "position_not_flat")
            return 0
        lots = min(order.lots, room)
        price, maker, at_ms = self._entry_price(book, order, bar, lots, close_ms)
        lots = lots if price else 0
        if lots > 0 and order.side > 0 and not book.instrument.can_short:
            lots = min(lots, self._affordable(book.instrument, price))
            if lots == 0:  # coins are paid in full
                self._end(book, order, "insufficient_funds")
                return 0
        if lots > 0:
            protection = order.protection
            order.started = True
            self._intrabar_entry = self._intrabar_entry or at_ms > bar.open_ms
            self._fill(book, order, lots, price, maker=maker, reason=FillReason.ENTRY, at_ms=at_ms)
            self._protect(book, order, protection, price, at_ms)
        if self._counts:
            self._grow_older(book, order, max(at_ms, bar.open_ms))
        return lots

    def _grow_older(self, book: Book, order: VenueOrder, at_ms: int) -> None:
        order.bars_left -= 1
        if order.lots > 0 and order.bars_left <= 0:
            self._end(book, order, "time_to_live", at_ms, expired=True)

    def _affordable(self, instrument: Instrument, price: int) -> int:
        lot_value = price * instrument.tv
        return max(0, self.cash // (lot_value + fee(lot_value, instrument.taker_rate)))

    def _entry_price(
        self, book: Book, order: VenueOrder, bar: Bar, lots: int, close_ms: int
    ) -> tuple[int, bool, int]:
        """Return (price or 0, is maker, time) at which `lots` of an entry fill in this bar.

        Coins that the cash does not pay are cut off afterwards; the price stays that of `lots`.
        """
        if order.order_type == OrderType.LIMIT:
            return self._limit_price(book, order, bar, lots, close_ms)
        if order.order_type == OrderType.STOP_MARKET and not order.triggered:
            price = stop_touched(order.side, bar.open, bar.high, bar.low, order.price)
            order.triggered = price > 0
            if price:
                price = self._slip(book, price, order.side, lots, bar.volume)
            return price, False, close_ms
        return self._slip(book, bar.open, order.side, lots, bar.volume), False, bar.open_ms

    def _limit_price(
        self, book: Book, order: VenueOrder, bar: Bar, lots: int, close_ms: int
    ) -> tuple[int, bool, int]:
        """Return what `_entry_price` does for a limit order.

        One that finds the market beyond its price takes what is there, slipped but never past its
        limit. Otherwise it rests, and fills at its price, as maker, once the market trades through.
        """
        if not order.triggered:
            if order.side * (order.price - bar.open) > 0:
                price = self._slip(book, bar.open, order.side, lots, bar.volume)
                within = min if order.side > 0 else max
                return within(price, order.price), False, bar.open_ms
            order.triggered = True
        touched = limit_touched(order.side, bar.high, bar.low, order.price)
        return (order.price if touched else 0), True, close_ms

    def _protect(
        self, book: Book, entry: VenueOrder, waiting: list[VenueOrder], price: int, at_ms: int
    ) -> None:
        """Let the entry's stop and target rest for what has filled; prices from the first fill."""
        tick = book.instrument.tick_units
        for child in waiting:
            if child.role == STOP:
                child.price = stop_price(entry.side, price, entry.stop_units, tick)
                replaced, book.stop = book.stop, child
            else:
                child.price = target_price(entry.side, price, entry.target_units, tick)
                replaced, book.target = book.target, child
            if replaced is not None:
                self._gone(replaced, "replaced", at_ms)
        entry.protection = []
        for resting in (book.stop, book.target):
            if resting is not None:
                resting.lots = abs(book.position)
                self._tell(resting, at_ms)

    def _bracket(
        self, book: Book, bar: Bar, used: int, close_ms: int, *, target_counts: bool = True
    ) -> None:
        """Play the resting stop and target against one candle, then let the stop trail.

        Args:
            used: lots of the candle's volume share that are gone.
            target_counts: False in the candle in which a resting entry filled: its extreme may have
                come before the entry, and a candle cannot tell.
        """
        stop = book.stop
        target = book.target if target_counts else None
        side = 1 if book.position > 0 else -1
        hit, price = bracket(
            side, bar.open, bar.high, bar.low,
            stop.price if stop is not None else 0, target.price if target is not None else 0,
        )  # fmt: skip
        if hit:
            lots = min(abs(book.position), self._room(bar) - used)
            if hit == STOPPED and stop is not None:
                price = self._slip(book, price, stop.side, lots, bar.volume)
                self._stopped(book, stop, price, lots, close_ms)
            elif hit == TARGET_HIT and target is not None and lots > 0:
                self._fill(
                    book, target, lots, price, maker=True, reason=FillReason.TARGET, at_ms=close_ms
                )
        if book.stop is not None and book.stop.trail_rate:
            self._trail(book, book.stop, bar, close_ms)

    def _stopped(self, book: Book, stop: VenueOrder, price: int, lots: int, close_ms: int) -> None:
        """Trigger the stop: the target leaves, what the candle cannot fill goes to the market."""
        if book.target is not None:
            self._end(book, book.target, "stop_came_first", close_ms)
        self._end_started(book, close_ms)
        stop.triggered = True
        stop.lots = abs(book.position)
        if lots > 0:
            reason = FillReason.TRAILING if stop.trailed else FillReason.STOP
            self._fill(book, stop, lots, price, maker=False, reason=reason, at_ms=close_ms)
        if stop.lots > 0:
            book.stop = None
            book.exits.append(stop)

    def _trail(self, book: Book, stop: VenueOrder, bar: Bar, close_ms: int) -> None:
        side = 1 if book.position > 0 else -1
        tick = book.instrument.tick_units
        moved = trailed(side, bar.high, bar.low, stop.price, stop.trail_rate, tick)
        if moved != stop.price:
            stop.price, stop.trailed = moved, True
            self._tell(stop, close_ms)
