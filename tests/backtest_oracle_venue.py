"""The market of the oracle of backtests: what one instant's candles must fill, and nothing else.

The order of steps is that of the docstring of `crypto_trader_pro/simulation/matching.py`; the
arithmetic is the oracle's own.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import floor

from tests.backtest_oracle_books import ZERO, Book, Order, Told
from tests.backtest_oracle_market import (
    LIQUIDATION_FEE,
    Candle,
    Coin,
    Costs,
    day_end_ms,
    down,
    up,
)


class Venue:
    """Cash, books and orders of the account, candle by candle beside the result."""

    def __init__(
        self, coins: Sequence[Coin], costs: Costs, cash: Fraction, told: Told,
        funding: Mapping[str, Iterable[tuple[int, Fraction]]], zone: str, lock_after: int,
    ) -> None:  # fmt: skip
        self.costs = costs
        self.cash = cash
        self.told = told
        self.books = [Book(c, funding=sorted(funding.get(c.name, ()))) for c in coins]
        self.orders: list[Order] = []
        self._zone = zone
        self._lock_after = lock_after

    @property
    def equity(self) -> Fraction:
        return self.cash + sum((b.worth for b in self.books if b.position), ZERO)

    @property
    def held(self) -> int:
        return sum(1 for b in self.books if b.position)

    def new(self, order: Order, coin: Coin, lots_of: str = "") -> Order:
        """Take an order that has to be the next one in the result."""
        told = self.told.order(order, coin, lots_of)
        if lots_of:
            order.lots = order.left = told
        self.orders.append(order)
        return order

    # --- one instant ------------------------------------------------------------------------

    def play(self, candles: Mapping[int, Candle], end_ms: int, *, is_last: bool) -> None:
        """Play the candles of the symbols that have one.

        Args:
            is_last: False while more of them follow inside the same decision candle.
        """
        for place, c in candles.items():
            book = self.books[place]
            self._pay(book, c)
            if book.exits or book.entry or book.position:
                self._trade(book, c, end_ms, is_last=is_last)
            book.close, book.range = c.close, c.high - c.low
        self._liquidate(candles, end_ms)

    def _pay(self, book: Book, c: Candle) -> None:
        """Funding on what is held when the candle opens: who is long pays a rate above zero."""
        while book.funding and book.funding[0][0] <= c.at_ms:
            at_ms, rate = book.funding.pop(0)
            if book.position:
                amount = down(-book.coin.value(book.position, c.open) * rate)
                self.cash += self.told.funded(book.coin, at_ms, amount)

    def _trade(self, book: Book, c: Candle, end_ms: int, *, is_last: bool) -> None:
        room = self.costs.room(c)
        for order in list(book.exits):
            if order in book.exits:
                room -= self._leave(book, order, c, room, is_last=is_last)
        if book.entry is not None:
            room -= self._enter(book, book.entry, c, room, is_last=is_last)
        if book.position:
            self._protection(book, c, room, end_ms)

    def _taker(
        self, book: Book, order: Order, price: Fraction, lots: int, c: Candle, reason: str,
        at_ms: int,
    ) -> Fraction:  # fmt: skip
        price = self.costs.slipped(book.coin, price, order.side, lots, c, book.range)
        return self._fill(book, order, lots, price, book.coin.taker, reason, at_ms)

    def _leave(self, book: Book, order: Order, c: Candle, room: int, *, is_last: bool) -> int:
        """A market exit, or what a stop could not sell: at the open, as far as volume goes."""
        if order.delay:
            order.delay -= is_last
            return 0
        if book.side != -order.side:
            book.exits.remove(order)
            order.end("nothing_to_reduce")
            return 0
        lots = min(order.left, abs(book.position), room)
        if lots > 0:
            reason = order.role if order.role != "stop" else _stop_reason(order)
            self._taker(book, order, c.open, lots, c, reason, c.at_ms)
        return lots

    def _enter(self, book: Book, order: Order, c: Candle, room: int, *, is_last: bool) -> int:
        if order.delay:
            order.delay -= is_last
            return 0
        if book.side == -order.side:  # a reversal whose exit did not finish
            self.end_entry(book, "position_not_flat")
            return 0
        lots = min(order.left, room)
        if lots > 0:
            price = self.costs.slipped(book.coin, c.open, order.side, lots, c, book.range)
            if book.coin.is_spot and order.side > 0:  # coins are paid in full, fee included
                lots = min(lots, self._affordable(book.coin, price))
            if lots == 0:
                self.end_entry(book, "insufficient_funds")
                return 0
            price = self._fill(book, order, lots, price, book.coin.taker, "entry", c.at_ms)
            self._protect(book, order, price)
        if order.left == 0:
            book.entry, order.reserved = None, ZERO
        elif is_last:
            order.life -= 1
            if order.life <= 0:
                self.end_entry(book, "time_to_live", "expired")
        return lots

    def _affordable(self, coin: Coin, price: Fraction) -> int:
        one = coin.value(1, price)
        return max(0, floor(self.cash / (one + coin.fee(one, coin.taker))))

    def end_entry(self, book: Book, reason: str, status: str = "canceled") -> None:
        if book.entry is not None:
            book.entry.end(reason, status)
            book.entry = None

    # --- protection -------------------------------------------------------------------------

    def _protect(self, book: Book, entry: Order, price: Fraction) -> None:
        """The first fill says where stop and target rest; each fill says for how much."""
        coin, side = book.coin, entry.side
        for child in entry.waiting:
            if child.role == "stop":
                child.price = coin.away(price - side * entry.stop, -side)
                replaced, book.stop = book.stop, child
            else:
                child.price = coin.away(price + side * entry.target, side)
                replaced, book.target = book.target, child
            if replaced is not None:
                replaced.end("replaced")
        entry.waiting = []
        for child in (o for o in (book.stop, book.target) if o is not None):
            child.rest(abs(book.position))

    def _protection(self, book: Book, c: Candle, room: int, end_ms: int) -> None:
        """Stop before target, whatever came first inside the candle; then the stop trails."""
        stop, target, side = book.stop, book.target, book.side
        lots = min(abs(book.position), room)
        worst, best = (c.low, c.high) if side > 0 else (c.high, c.low)
        if stop is not None and side * worst <= side * stop.price:
            trigger = stop.price if side * stop.price < side * c.open else c.open
            self._stopped(book, stop, trigger, lots, c, end_ms)
        elif target is not None and side * best >= side * target.price and lots > 0:
            self._fill(book, target, lots, target.price, book.coin.maker, "target", end_ms)
        stop = book.stop
        if stop is not None and stop.trail:
            moved = book.coin.away(best * (1 - side * stop.trail), -side)
            if side * moved > side * stop.price:
                stop.price, stop.has_moved = moved, True
                stop.rest(stop.left)

    def _stopped(
        self, book: Book, stop: Order, trigger: Fraction, lots: int, c: Candle, end_ms: int
    ) -> None:
        if book.target is not None:
            book.target.end("stop_came_first")
            book.target = None
        self._end_started(book)
        stop.left = abs(book.position)
        if lots > 0:
            self._taker(book, stop, trigger, lots, c, _stop_reason(stop), end_ms)
        if stop.left > 0:
            book.stop = None
            book.exits.append(stop)

    def _end_started(self, book: Book) -> None:
        """What is left of an entry goes with its protection: it would come back without."""
        if book.entry is not None and book.entry.filled:
            self.end_entry(book, "position_closed")

    # --- fills ------------------------------------------------------------------------------

    def _fill(
        self, book: Book, order: Order, lots: int, price: Fraction, rate: Fraction, reason: str,
        at_ms: int,
    ) -> Fraction:  # fmt: skip
        """Take a fill from the result and book it; return its price as told."""
        price, fee = self.told.fill(order, book.coin, lots, price, rate, reason, at_ms)
        value = book.coin.value(lots, price)
        self.cash -= order.side * value + fee
        before = book.position
        if before * order.side >= 0:
            book.cost += order.side * value
        else:  # a part of the cost leaves with the lots, rounded down
            book.cost += order.side * down(abs(book.cost) * lots / abs(before))
        book.position = before + order.side * lots
        order.filled += lots
        order.left -= lots
        order.fees += fee
        order.status = "filled" if order.filled == order.lots else "partial"
        if reason == "trailing":
            order.reason = reason
        if reason == "entry":
            book.owner = order.strategy
            if not before and order.hold_ms:
                book.deadline_ms = at_ms + order.hold_ms
        else:
            self._reduced(book, order, reason, at_ms)
        return price

    def _reduced(self, book: Book, order: Order, reason: str, at_ms: int) -> None:
        """Protection is never larger than the position, and goes with it."""
        if order.left == 0:
            _out(book, order)
        if book.position:
            for child in (o for o in (book.stop, book.target) if o not in (None, order)):
                if child is not None and child.left > abs(book.position):
                    child.rest(abs(book.position))
            return
        for other in [*book.exits, book.stop, book.target]:
            if other is not None:
                other.end("position_closed")
        book.exits, book.stop, book.target = [], None, None
        self._end_started(book)
        book.left_ms, book.deadline_ms = at_ms, 0
        book.stops_in_row = book.stops_in_row + 1 if reason in ("stop", "liquidation") else 0
        if self._lock_after and book.stops_in_row >= self._lock_after:
            book.locked_ms = day_end_ms(at_ms, self._zone)

    # --- liquidation ------------------------------------------------------------------------

    def _liquidate(self, candles: Mapping[int, Candle], end_ms: int) -> None:
        """At the worst prices of the candles: each position for itself, or the whole account."""
        at_risk = [b for b in self.books if b.position and not b.coin.is_spot]
        if not at_risk:
            return
        if self.costs.margin is not None:
            for book in at_risk:
                price = self._bankrupt(book, candles)
                if price is not None:
                    self._force(book, price, end_ms)
            return
        worst, needed = self.cash, ZERO
        for book in self.books:
            value = book.coin.value(book.position, _worst(book, candles))
            worst += value
            if not book.coin.is_spot:
                needed += book.coin.maintenance(abs(value))
        if worst <= needed:
            for book in at_risk:
                self._force(book, _worst(book, candles), end_ms)

    def _bankrupt(self, book: Book, candles: Mapping[int, Candle]) -> Fraction | None:
        """Return the price at which the margin of a position is lost, if it no longer suffices."""
        coin, lots = book.coin, abs(book.position)
        worst = _worst(book, candles)
        margin = up(abs(book.cost) * (self.costs.margin or 0))
        left = margin + coin.value(book.position, worst) - book.cost
        if left > coin.maintenance(coin.value(lots, worst)):
            return None
        return coin.away((abs(book.cost) - book.side * margin) / (lots * coin.lot), -book.side)

    def _force(self, book: Book, price: Fraction, at_ms: int) -> None:
        for order in [*book.exits, book.stop, book.target]:
            if order is not None:
                order.end("liquidation")
        book.exits, book.stop, book.target = [], None, None
        self.end_entry(book, "liquidation")
        lots, side, coin = abs(book.position), -book.side, book.coin
        order = Order(0, coin.place, side, "flatten", -1, at_ms, lots, "working", "liquidation",
                      left=lots)  # fmt: skip
        self.new(order, coin, "of a liquidation")
        rate = coin.taker + LIQUIDATION_FEE
        self._fill(book, order, lots, price, rate, "liquidation", at_ms)


def _worst(book: Book, candles: Mapping[int, Candle]) -> Fraction:
    c = candles.get(book.coin.place)
    return book.close if c is None else c.low if book.position > 0 else c.high


def _stop_reason(stop: Order) -> str:
    return "trailing" if stop.has_moved else "stop"


def _out(book: Book, order: Order) -> None:
    """Take a filled order out of its place."""
    if order in book.exits:
        book.exits.remove(order)
    if book.stop is order:
        book.stop = None
    if book.target is order:
        book.target = None
