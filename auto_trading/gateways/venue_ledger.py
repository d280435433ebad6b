"""What the simulated venue keeps: cash, positions, orders, and what it has to tell of them."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from auto_trading.gateways.venue_book import (
    ENTRY,
    STOP,
    TARGET,
    Book,
    FundingEvent,
    VenueOrder,
)
from crypto_trader_pro.domain.enums import FillReason, OrderStatus, Side
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.messages import Ended, Funded, VenueEvent, Working
from crypto_trader_pro.domain.orders import Fill
from crypto_trader_pro.domain.units import mul_div, notional, rate_ceil
from crypto_trader_pro.simulation.costs import fee, funding_cash, slipped_far, taker_rate_of
from crypto_trader_pro.simulation.venue_costs import VenueCosts

REMEMBERED: Final = 10_000  # ended orders that `query` still knows


class VenueLedger:
    """Books fills and ends orders. When that happens is the venue's affair."""

    def __init__(
        self, instruments: Sequence[Instrument], cash: int, costs: VenueCosts,
        funding: Mapping[str, Sequence[FundingEvent]],
    ) -> None:  # fmt: skip
        self._books = [Book(i, funding.get(i.symbol, ())) for i in instruments]
        self._by_symbol = {book.instrument.symbol: book for book in self._books}
        self._costs = costs
        self._events: list[VenueEvent] = []
        self._working: set[str] = set()  # ids of all orders in the books
        # of this process, the newest of them; a plain dict is slow where its oldest always leaves
        self._ended: OrderedDict[str, OrderStatus] = OrderedDict()
        self._trades = 0
        self._now_ms = 0
        self.cash = cash

    def _place(self, book: Book, order: VenueOrder) -> None:
        if order.role == ENTRY:
            book.entries.append(order)
        elif order.role == STOP:
            if book.stop is not None:
                self._end(book, book.stop, "replaced")
            book.stop = order
        elif order.role == TARGET:
            if book.target is not None:
                self._end(book, book.target, "replaced")
            book.target = order
        else:
            book.exits.append(order)

    def _fill(
        self, book: Book, order: VenueOrder, lots: int, price: int, *,
        maker: bool, reason: FillReason, at_ms: int,
    ) -> None:  # fmt: skip
        instrument = book.instrument
        value = notional(price, lots, instrument.tv)
        rate = instrument.maker_rate if maker else instrument.taker_rate
        if reason is FillReason.LIQUIDATION:
            rate += self._costs.liquidation_rate
        paid = fee(value, rate)
        self.cash -= order.side * value + paid
        self._cost(book, order.side * lots, order.side * value)
        book.position += order.side * lots
        order.lots -= lots
        self._trades += 1
        self._events.append(
            Fill(
                f"t{self._trades:08d}", order.client_order_id, instrument.symbol,
                Side.of(order.side), lots, price, paid, maker, reason.value, at_ms,
            )
        )  # fmt: skip
        if order.lots == 0:
            book.remove(order)
            self._remember(order.client_order_id, OrderStatus.FILLED)
        if order.role != ENTRY:
            self._shrink_protection(book, order, at_ms)

    @staticmethod
    def _cost(book: Book, lots: int, value: int) -> None:
        """Move what the open lots were bought for, as `Position.apply` does; called before them.

        Args:
            lots, value: of the fill, signed. It adds or reduces: no fill here crosses zero.
        """
        position = book.position
        if position * lots >= 0:
            book.cost += value
            return
        removed = mul_div(abs(book.cost), abs(lots), abs(position))
        book.cost -= removed if position > 0 else -removed

    def _shrink_protection(self, book: Book, filled: VenueOrder, at_ms: int) -> None:
        """After a reducing fill: protection covers what is left, and leaves with the position."""
        if book.position == 0:
            for order in [*book.exits, book.stop, book.target]:
                if order is not None:
                    self._end(book, order, "position_closed", at_ms)
            self._end_started(book, at_ms)
            return
        for order in (book.stop, book.target):
            if order is not None and order is not filled and order.lots > abs(book.position):
                order.lots = abs(book.position)
                self._tell(order, at_ms)

    def _end_started(self, book: Book, at_ms: int) -> None:
        """End what is left of entries whose protection has been used: it would come back naked."""
        for entry in [e for e in book.entries if e.started]:
            self._end(book, entry, "position_closed", at_ms)

    def _end(
        self, book: Book, order: VenueOrder, code: str, at_ms: int = 0, *, expired: bool = False
    ) -> None:
        at_ms = at_ms or self._now_ms
        book.remove(order)
        self._gone(order, code, at_ms, expired=expired)
        for child in order.protection:  # protection that waited for an entry dies with it
            self._gone(child, "entry_ended", at_ms)
        order.protection = []

    def _gone(self, order: VenueOrder, code: str, at_ms: int, *, expired: bool = False) -> None:
        status = OrderStatus.EXPIRED if expired else OrderStatus.CANCELED
        self._remember(order.client_order_id, status)
        self._events.append(Ended(order.client_order_id, expired, code, at_ms))

    def _remember(self, client_order_id: str, status: OrderStatus) -> None:
        self._working.discard(client_order_id)
        self._ended[client_order_id] = status
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    def _tell(self, order: VenueOrder, at_ms: int) -> None:
        self._events.append(Working(order.client_order_id, order.price, order.lots, at_ms))

    def _slip(self, book: Book, price: int, side: int, lots: int, volume: int) -> int:
        """Return the price at which `lots` fill as taker in a candle of `volume`.

        The range of the candle before it widens the move: that of this one is not known yet.
        """
        costs = self._costs
        rate = taker_rate_of(
            lots, volume, costs.slippage_rate, costs.half_spread_rate, costs.impact_rate
        )
        extra = rate_ceil(book.range, costs.range_share)
        return slipped_far(price, side, rate, extra, book.instrument.tick_units)

    def _pay_funding(self, book: Book, price: int, event: FundingEvent) -> None:
        amount = funding_cash(book.position, price, book.instrument.tv, event.rate)
        self.cash += amount
        symbol = book.instrument.symbol
        reference = f"funding:{symbol}:{event.at_ms}"
        self._events.append(Funded(reference, symbol, amount, event.rate, event.at_ms))

    # --- checkpoint -------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return the books as plain values; events that nobody has read yet are refused."""
        if self._events:
            raise ValueError(f"{len(self._events)} venue events have not been read")
        return {
            "cash": self.cash,
            "trades": self._trades,
            "now": self._now_ms,
            "books": [
                [
                    b.position, b.close, b.funding_next,
                    [o.state() for o in b.exits], [o.state() for o in b.entries],
                    b.stop.state() if b.stop else None, b.target.state() if b.target else None,
                    b.range, b.cost,
                ]
                for b in self._books
            ],
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        self.cash, self._trades, self._now_ms = state["cash"], state["trades"], state["now"]
        for book, stored in zip(self._books, state["books"], strict=True):
            book.position, book.close, book.funding_next, *orders, book.range, book.cost = stored
            exits, entries, stop, target = orders
            book.exits = [VenueOrder.of(o) for o in exits]
            book.entries = [VenueOrder.of(o) for o in entries]
            book.stop = VenueOrder.of(stop) if stop else None
            book.target = VenueOrder.of(target) if target else None
        self._working = {o.client_order_id for book in self._books for o in book.orders()}
