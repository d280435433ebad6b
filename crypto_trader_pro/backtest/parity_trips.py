"""Round trips: from flat to flat again, put together from single executions in whole units.

A trip's profit is the sum of what it is made of, so that one ingredient after another can be
exchanged for that of another trip (`parity.py`):

    side * (exit at reference prices - entry at reference prices) - slipped - fees + funding

The reference price of an execution is the market's before slippage. What is still open at the end
leaves at the last price, without fee and slippage.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from crypto_trader_pro.domain.enums import FillReason, OrderRole
from crypto_trader_pro.domain.errors import InputError

VENUE: Final = "venue"  # strategy of an order that the venue made itself: a liquidation
BY_HAND: Final = "operator"  # reason of an exit that a person asked for
TIME_OUT: Final = "time_out"


class Execution(NamedTuple):
    """One fill of an order. Prices in price units, `fee` in money units."""

    order: int  # number within its run
    symbol: str
    side: int  # +1 bought, -1 sold
    lots: int
    price: int
    reference: int  # the market's price before slippage
    fee: int
    at_ms: int


class Decided(NamedTuple):
    """An order as far as comparing goes."""

    number: int
    symbol: str
    side: int
    role: str
    strategy: str
    decided_ms: int
    lots: int
    status: str  # at the end
    reason: str  # why it was made or why it ended


class Payment(NamedTuple):
    """Funding, money units, > 0 received."""

    at_ms: int
    symbol: str
    amount: int


class Wish(NamedTuple):
    """What a strategy wanted at a decision; one that wanted nothing has none."""

    direction: int
    opens: bool
    closes: bool


@dataclass(frozen=True)
class Books:
    """What one side of a comparison did.

    Args:
        tv: money units per price unit and lot, by symbol.
        marks: last price by symbol, in price units; what is open at the end counts at it.
        until_ms: what happened later is left out.
        wishes: by symbol and candle close of each decision that was made, then by strategy.
        refusals: first rule that refused, by symbol and candle close.
    """

    tv: Mapping[str, int]
    marks: Mapping[str, int]
    until_ms: int
    executions: Sequence[Execution]
    orders: Mapping[int, Decided]
    payments: Sequence[Payment] = ()
    wishes: Mapping[tuple[str, int], Mapping[str, Wish]] = field(default_factory=dict)
    refusals: Mapping[tuple[str, int], str] = field(default_factory=dict)

    @cached_property
    def entries(self) -> Mapping[tuple[str, str, int, int], Decided]:
        """Orders to enter by symbol, strategy, candle close of the decision and side."""
        return {
            (o.symbol, o.strategy, o.decided_ms, o.side): o
            for o in self.orders.values()
            if o.role == OrderRole.ENTRY
        }

    @cached_property
    def exits(self) -> frozenset[tuple[str, int]]:
        """Symbol and candle close of the decisions to leave."""
        return frozenset(
            (o.symbol, o.decided_ms) for o in self.orders.values() if o.role == OrderRole.EXIT
        )

    def wish(self, symbol: str, decided_ms: int, strategy: str) -> Wish | None:
        """Return what a strategy wanted at a decision; None: nothing, or nothing was decided."""
        return self.wishes.get((symbol, decided_ms), {}).get(strategy)


class Way(NamedTuple):
    """A way out of a position: what made it, and when it first filled."""

    kind: str  # resting, decided, by_hand, flattened, liquidated
    detail: str  # stop, target, the signal's reason, the trigger
    decided_ms: int  # 0 where no decision led to it
    at_ms: int

    @property
    def cause(self) -> tuple[str, str, int]:
        """What two ways must have in common to be the same; an end of time needs no instant."""
        when = 0 if self.detail == TIME_OUT else self.decided_ms
        return (self.kind, self.detail, when)


@dataclass(slots=True)
class Trip:
    """One round trip; amounts in money units."""

    symbol: str
    strategy: str
    side: int  # +1 long, -1 short
    decided_ms: int  # candle close of the entry's decision
    opened_ms: int
    closed_ms: int | None = None  # None: open at the end
    decided_lots: int = 0
    lots: int = 0  # entered in all
    entered: int = 0  # value at reference prices
    left: int = 0  # of the exit, at reference prices
    slipped: int = 0  # money lost to slippage
    fees: int = 0
    funding: int = 0
    ways: list[Way] = field(default_factory=list)
    open_lots: int = 0
    entry_orders: set[int] = field(default_factory=set)

    @property
    def profit(self) -> int:
        gross = self.side * (self.left - self.entered)
        return gross - self.slipped - self.fees + self.funding

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What makes it the same trade in two books."""
        return (self.symbol, self.strategy, self.decided_ms, self.side)


def round_trips(books: Books) -> tuple[list[Trip], int]:
    """Return the trips, by the time at which they were opened, and funding that belongs to none.

    Raises:
        InputError: the executions begin with a position, or cross from long to short.
    """
    trips: list[Trip] = []
    open_now: dict[str, Trip] = {}
    for execution in books.executions:
        if execution.at_ms > books.until_ms:
            continue
        symbol = execution.symbol
        trip = open_now.get(symbol)
        if trip is None:
            trip = open_now[symbol] = _opened(execution, books.orders[execution.order])
            trips.append(trip)
        _grow(trip, execution, books.orders[execution.order], books.tv[symbol])
        if not trip.open_lots:
            trip.closed_ms = execution.at_ms
            del open_now[symbol]
    for trip in open_now.values():
        trip.left += trip.open_lots * books.marks[trip.symbol] * books.tv[trip.symbol]
    return trips, _pay(trips, books)


def _opened(first: Execution, order: Decided) -> Trip:
    if order.role != OrderRole.ENTRY:
        raise InputError(
            f"{first.symbol} was held before the first execution of it; parity needs a session"
            " that began without positions"
        )
    return Trip(first.symbol, order.strategy, first.side, order.decided_ms, first.at_ms)


def _grow(trip: Trip, execution: Execution, order: Decided, tv: int) -> None:
    value = execution.lots * execution.reference * tv
    moved = execution.side * (execution.price - execution.reference)
    trip.slipped += moved * execution.lots * tv
    trip.fees += execution.fee
    if execution.side == trip.side:
        trip.lots += execution.lots
        trip.open_lots += execution.lots
        trip.entered += value
        if order.number not in trip.entry_orders:
            trip.entry_orders.add(order.number)
            trip.decided_lots += order.lots
        return
    if execution.lots > trip.open_lots:
        raise InputError(
            f"{execution.symbol}: {execution.lots} lots left a position of {trip.open_lots}"
        )
    trip.open_lots -= execution.lots
    trip.left += value
    way = _way(execution, order)
    if way.cause not in {w.cause for w in trip.ways}:
        trip.ways.append(way)


def _way(execution: Execution, order: Decided) -> Way:
    if order.role in (OrderRole.STOP, OrderRole.TARGET):
        return Way("resting", order.role, 0, execution.at_ms)
    if order.strategy == VENUE or order.reason == FillReason.LIQUIDATION:
        return Way("liquidated", FillReason.LIQUIDATION.value, 0, execution.at_ms)
    if order.reason == BY_HAND:
        return Way("by_hand", BY_HAND, order.decided_ms, execution.at_ms)
    if order.role == OrderRole.FLATTEN:
        return Way("flattened", order.reason, 0, execution.at_ms)
    return Way("decided", order.reason, order.decided_ms, execution.at_ms)


def _pay(trips: Sequence[Trip], books: Books) -> int:
    """Give each payment to the trip that was open then; return what belongs to none."""
    loose = 0
    for payment in books.payments:
        if payment.at_ms > books.until_ms:
            continue
        trip = next(_open_at(trips, payment), None)
        if trip is None:
            loose += payment.amount
        else:
            trip.funding += payment.amount
    return loose


def _open_at(trips: Sequence[Trip], payment: Payment) -> Iterator[Trip]:
    for trip in trips:
        still_open = trip.closed_ms is None or payment.at_ms <= trip.closed_ms
        if trip.symbol == payment.symbol and trip.opened_ms <= payment.at_ms and still_open:
            yield trip
