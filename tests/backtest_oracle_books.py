"""What the oracle of backtests keeps: orders, books, and the result whose rows it takes one by one.

It follows the result: a row that differs in a number is noted and believed from there on, so that
one fault is one line; a row that is not there, or should not be, ends the comparison.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from crypto_trader_pro.backtest.result import (
    FILL_AT,
    FILL_FEE,
    FILL_LOTS,
    FILL_MAKER,
    FILL_ORDER,
    FILL_PRICE,
    FILL_REASON,
    FILL_REASONS,
    FILL_SIDE,
    FILL_SYMBOL,
    FUNDING_AMOUNT,
    FUNDING_AT,
    FUNDING_SYMBOL,
    ORDER_DECIDED,
    ORDER_LOTS,
    ORDER_ROLE,
    ORDER_SIDE,
    ORDER_STRATEGY,
    ORDER_SYMBOL,
    ROLES,
    BacktestResult,
)
from tests.backtest_oracle_market import PART, Coin

ZERO: Final = Fraction(0)
_LINES: Final = 5  # of one check: what follows is the same fault again


class Lost(Exception):  # noqa: N818  reads as what happened
    """The result has gone another way; nothing after it can be compared."""


@dataclass(slots=True, eq=False)
class Order:
    """An order as it must stand in the result, and what it still has to do."""

    number: int
    place: int
    side: int
    role: str
    strategy: int
    decided_ms: int
    lots: int
    status: str
    reason: str = ""
    filled: int = 0
    fees: Fraction = ZERO
    left: int = 0
    delay: int = 0  # candles that it is still on its way
    life: int = 0  # candles that it may still work
    price: Fraction = ZERO  # of a stop or a target at rest
    stop: Fraction = ZERO  # distances from the first fill of an entry
    target: Fraction = ZERO
    trail: Fraction = ZERO
    has_moved: bool = False
    hold_ms: int = 0
    reserved: Fraction = ZERO
    waiting: "list[Order]" = field(default_factory=list)

    def rest(self, lots: int) -> None:
        self.left = lots
        self.lots = self.filled + lots
        if self.status == "acknowledged":
            self.status = "working"

    def end(self, reason: str, status: str = "canceled") -> None:
        """End it; why it was made is kept before why it ended."""
        self.status, self.reason, self.left = status, self.reason or reason, 0
        for child in self.waiting:
            child.end("entry_ended")
        self.waiting = []


@dataclass(slots=True, eq=False)
class Book:
    """One symbol: position, orders in their places, what the rules remember."""

    coin: Coin
    position: int = 0  # lots, signed
    cost: Fraction = ZERO  # of what is open, signed
    owner: int = -1
    deadline_ms: int = 0
    entry: Order | None = None
    stop: Order | None = None
    target: Order | None = None
    exits: list[Order] = field(default_factory=list)
    close: Fraction = ZERO
    range: Fraction = ZERO
    funding: list[tuple[int, Fraction]] = field(default_factory=list)
    left_ms: int | None = None
    stops_in_row: int = 0
    locked_ms: int = 0
    entered: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def side(self) -> int:
        return (self.position > 0) - (self.position < 0)

    @property
    def worth(self) -> Fraction:
        return self.coin.value(self.position, self.close)

    @property
    def leaving(self) -> Order | None:
        """The market order that closes the position; a triggered stop's rest is none."""
        return next((o for o in self.exits if o.role in ("exit", "flatten")), None)


class Told:
    """The result, taken row by row, and what was found wrong with it."""

    def __init__(self, result: BacktestResult) -> None:
        self.result = result
        self.faults: list[str] = []
        self._lines = Counter[str]()
        self._fills = result.fills.tolist()
        self._orders = result.orders.tolist()
        self._funding = result.funding.tolist()
        self._taken = [0, 0, 0]

    def note(self, check: str, line: str) -> None:
        self._lines[check] += 1
        if self._lines[check] <= _LINES:
            self.faults.append(f"{check}: {line}")

    def same(self, check: str, what: str, found: object, expected: object) -> None:
        if found != expected:
            self.note(check, f"{what} is {_text(found)}, recomputed {_text(expected)}")

    def lost(self, check: str, line: str) -> Lost:
        self.note(check, line)
        return Lost(line)

    def fill(
        self, order: Order, coin: Coin, lots: int, price: Fraction, rate: Fraction, reason: str,
        at_ms: int,
    ) -> tuple[Fraction, Fraction]:  # fmt: skip
        """Take the next fill, which has to be this one; return its price and fee as told."""
        n = self._taken[0]
        due = f"{coin.name} order {order.number} {order.side * lots:+} lots by {reason} at {at_ms}"
        if n >= len(self._fills):
            raise self.lost("fill", f"none, due {due}")
        self._taken[0] += 1
        row = self._fills[n]
        who = (row[FILL_ORDER], row[FILL_SYMBOL], row[FILL_SIDE], FILL_REASONS[row[FILL_REASON]])
        if who != (order.number, coin.place, order.side, reason):
            raise self.lost("fill", f"{n} is {who} at {row[FILL_AT]}, due {due}")
        self.same("fill time", f"fill {n}", row[FILL_AT], at_ms)
        self.same("fill maker", f"fill {n}", bool(row[FILL_MAKER]), reason == "target")
        told_price, told_fee = row[FILL_PRICE] * coin.unit, row[FILL_FEE] * PART
        self.same("fill price", f"fill {n} ({due})", told_price, price)
        fee = coin.fee(coin.value(lots, told_price), rate)
        self.same("fee", f"fill {n} ({due})", told_fee, fee)
        if row[FILL_LOTS] != lots:
            raise self.lost("fill lots", f"fill {n} is {row[FILL_LOTS]} lots, due {due}")
        return told_price, told_fee

    def peek(self) -> tuple[int, int, str] | None:
        """Return (decided, symbol, role) of the next order."""
        if self._taken[1] >= len(self._orders):
            return None
        row = self._orders[self._taken[1]]
        return row[ORDER_DECIDED], row[ORDER_SYMBOL], ROLES[row[ORDER_ROLE]]

    def order(self, expected: Order, coin: Coin, lots_of: str = "") -> int:
        """Take the next order, which has to be this one; return its lots as told at the end."""
        due = f"{expected.role} of {coin.name} at {expected.decided_ms}"
        if self.peek() != (expected.decided_ms, expected.place, expected.role):
            raise self.lost("order", f"next is {self.peek()}, due {due}")
        row = self._orders[self._taken[1]]
        self._taken[1] += 1
        expected.number = self._taken[1]
        self.same("order side", due, row[ORDER_SIDE], expected.side)
        self.same("order strategy", due, row[ORDER_STRATEGY], expected.strategy)
        if lots_of:
            self.same("size", f"{due} ({lots_of})", row[ORDER_LOTS], expected.lots)
        return int(row[ORDER_LOTS])

    def funded(self, coin: Coin, at_ms: int, amount: Fraction) -> Fraction:
        """Take the next funding payment; return it as told."""
        n = self._taken[2]
        if n >= len(self._funding):
            raise self.lost("funding", f"none, due {float(amount)} of {coin.name} at {at_ms}")
        row = self._funding[n]
        self._taken[2] += 1
        if (row[FUNDING_AT], row[FUNDING_SYMBOL]) != (at_ms, coin.place):
            raise self.lost("funding", f"{n} is {row}, due {coin.name} at {at_ms}")
        told: Fraction = row[FUNDING_AMOUNT] * PART
        self.same("funding", f"{n} of {coin.name} at {at_ms}", told, amount)
        return told

    def rest(self) -> None:
        """Nothing may be left that was not due."""
        rows = (self._fills, self._orders, self._funding)
        for what, all_, taken in zip(("fill", "order", "funding"), rows, self._taken, strict=True):
            if len(all_) > taken:
                self.note(what, f"{len(all_) - taken} too many, the first {all_[taken]}")


def _text(value: object) -> str:
    return f"{float(value)!r} ({value})" if isinstance(value, Fraction) else str(value)
