"""Closed trades: the life of a position from flat to flat, told from fills, orders and funding.

The arithmetic is that of `domain.positions.Position`: a partial close realizes its share of the
cost, a fill that crosses zero ends one life and begins the next, and its fee belongs to the next.
A candle funds at its open, before it fills, whatever fell due since the open before. So a payment
belongs to what was open before the fills of its instant; and where nothing was open, to what opened
next, within the candle in which it fell due.
"""

from collections import deque
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from crypto_trader_pro.backtest.result import (
    FILL_AT,
    FILL_FEE,
    FILL_LOTS,
    FILL_ORDER,
    FILL_PRICE,
    FILL_REASON,
    FILL_REASONS,
    FILL_SIDE,
    FILL_SYMBOL,
    FUNDING_AMOUNT,
    FUNDING_AT,
    FUNDING_SYMBOL,
    ORDER_NUMBER,
    ORDER_STRATEGY,
    BacktestResult,
)
from crypto_trader_pro.domain.instruments import Instrument, plain
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.units import mul_div, notional

_PART: Final = 1 << 12  # fills that are Python's numbers at once
VENUE: Final = -1  # strategy of a position that no strategy's order opened


class RoundTrip(NamedTuple):
    """One life of a position. Money in money units, times in ms UTC.

    Args:
        symbol: place of the symbol.
        strategy: place of the strategy whose order opened it; `VENUE` if none did.
        side: +1 long, -1 short.
        closed_ms: None while it is open.
        lots: the largest it was.
        entry: average price of all fills that opened or added, quote per base.
        exit: average price of all fills that reduced; None before the first.
        profit: realized, after fees and funding. Of an open one: so far, its entry fees included.
        fees: paid, > 0.
        funding: > 0 received.
        reason: why the last fill closed it, of `FILL_REASONS`; empty while it is open.
        bars: whole timeframes from the first fill to the last, or to the last candle close.
    """

    symbol: int
    strategy: int
    side: int
    opened_ms: int
    closed_ms: int | None
    lots: int
    entry: Decimal
    exit: Decimal | None
    profit: int
    fees: int
    funding: int
    reason: str
    bars: int


class RoundTrips(NamedTuple):
    """Closed trades in the order in which they closed, and what is still open, by symbol."""

    closed: tuple[RoundTrip, ...]
    open: tuple[RoundTrip, ...]

    @property
    def realized(self) -> int:
        """Realized profit of the whole run after fees and funding, money units."""
        return sum(trip.profit for trip in self.closed) + sum(trip.profit for trip in self.open)


def round_trips(result: BacktestResult) -> RoundTrips:
    """Return every life of every position of a backtest.

    Raises:
        ValueError: funding was paid while the symbol had no position.
    """
    books = [_Book(i, what, result.timeframe_ms) for i, what in enumerate(result.instruments)]
    for payment in result.funding.tolist():
        books[payment[FUNDING_SYMBOL]].payments.append(
            (payment[FUNDING_AT], payment[FUNDING_AMOUNT])
        )
    closed: list[RoundTrip] = []
    strategies = _strategies(result)
    for start in range(0, len(result.fills), _PART):
        rows = result.fills[start : start + _PART].tolist()
        for row, strategy in zip(rows, strategies[start : start + _PART].tolist(), strict=True):
            ended = books[row[FILL_SYMBOL]].fill(row, strategy)
            if ended is not None:
                closed.append(ended)
    end_ms = int(result.close_ms[-1]) if len(result.close_ms) else result.start_ms
    return RoundTrips(
        tuple(closed), tuple(trip for book in books if (trip := book.still_open(end_ms)))
    )


def _strategies(result: BacktestResult) -> Ints:
    """Return the strategy behind the order of each fill."""
    numbers, wanted = result.orders[:, ORDER_NUMBER], result.fills[:, FILL_ORDER]
    if not len(numbers):
        return np.full(len(wanted), VENUE, np.int64)
    place = np.minimum(np.searchsorted(numbers, wanted), len(numbers) - 1)
    return np.where(numbers[place] == wanted, result.orders[place, ORDER_STRATEGY], VENUE)


class _Book:
    """One symbol's position while the fills are read. Whole numbers only."""

    def __init__(self, symbol: int, instrument: Instrument, timeframe_ms: int) -> None:
        self.payments: deque[tuple[int, int]] = deque()
        self._symbol = symbol
        self._instrument = instrument
        self._timeframe_ms = timeframe_ms
        self._lots = 0  # signed
        self._begin(0, 0, VENUE)

    def _begin(self, at_ms: int, side: int, strategy: int) -> None:
        self._opened_ms, self._side, self._strategy = at_ms, side, strategy
        self._cost = self._realized = self._fees = self._funding = self._largest = 0
        self._entry_lots = self._entry_value = self._exit_lots = self._exit_value = 0

    def fill(self, row: list[int], strategy: int) -> RoundTrip | None:
        """Take the next fill of the symbol; return the life that it ended."""
        at_ms, side, fee = row[FILL_AT], row[FILL_SIDE], row[FILL_FEE]
        lots, price = row[FILL_LOTS], row[FILL_PRICE]
        self._fund(at_ms)
        if not self._lots:
            self._begin(at_ms, side, strategy)
        if side == self._side:
            self._pay(fee)
            self._add(lots, price)
            return None
        rest = lots - abs(self._lots)
        if rest <= 0:
            self._pay(fee)
        self._reduce(min(lots, abs(self._lots)), price)
        if self._lots:
            return None
        ended = self._trip(at_ms, FILL_REASONS[row[FILL_REASON]])
        if rest > 0:
            self._begin(at_ms, side, strategy)
            self._pay(fee)
            self._add(rest, price)
        return ended

    def still_open(self, end_ms: int) -> RoundTrip | None:
        """Return what is open after the last fill; None when flat."""
        self._fund(end_ms)
        if self.payments:
            raise ValueError(
                f"{self._instrument.symbol}: funding at {self.payments[0][0]} ms without a position"
            )
        return self._trip(end_ms, "") if self._lots else None

    def _fund(self, at_ms: int) -> None:
        """Book the payments up to `at_ms` if something is open."""
        while self._lots and self.payments and self.payments[0][0] <= at_ms:
            self._funding += self.payments.popleft()[1]

    def _pay(self, fee: int) -> None:
        self._fees += fee
        self._realized -= fee

    def _add(self, lots: int, price: int) -> None:
        value = notional(price, lots, self._instrument.tv)
        self._lots += self._side * lots
        self._cost += value
        self._entry_lots += lots
        self._entry_value += value
        self._largest = max(self._largest, abs(self._lots))

    def _reduce(self, lots: int, price: int) -> None:
        held = abs(self._lots)
        # the whole cost leaves with the last lot, so nothing is lost to rounding over a life
        removed = self._cost if lots == held else mul_div(self._cost, lots, held)
        value = notional(price, lots, self._instrument.tv)
        self._realized += self._side * (value - removed)
        self._cost -= removed
        self._lots -= self._side * lots
        self._exit_lots += lots
        self._exit_value += value

    def _trip(self, at_ms: int, reason: str) -> RoundTrip:
        return RoundTrip(
            symbol=self._symbol,
            strategy=self._strategy,
            side=self._side,
            opened_ms=self._opened_ms,
            closed_ms=None if self._lots else at_ms,
            lots=self._largest,
            entry=self._average(self._entry_value, self._entry_lots),
            exit=self._average(self._exit_value, self._exit_lots) if self._exit_lots else None,
            profit=self._realized + self._funding,
            fees=self._fees,
            funding=self._funding,
            reason=reason,
            bars=(at_ms - self._opened_ms) // self._timeframe_ms,
        )

    def _average(self, value: int, lots: int) -> Decimal:
        """Return value per lot as a price, to a hundredth of a price unit: for display only."""
        unit = self._instrument.price_unit
        price, rest = divmod(value, lots * self._instrument.tv)
        if not rest:
            return unit * price
        exact = Decimal(value) / (lots * self._instrument.tv) * unit
        return plain(exact.quantize(unit / 100))
