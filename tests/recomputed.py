"""The books of a run, folded anew from its fills and its candles. Half of the oracle.

Nothing here is shared with the product: Decimal and Fraction, the documents' rules in their own
words. Where the documents round, it is done here to 1e-8 by whole numbers of Fractions.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil, floor
from typing import Final

from tests.stored import GRIDS, Candle, Played, Row, Stored

ZERO: Final = Decimal(0)
_MONEY: Final = Decimal("0.00000001")

Entry = tuple[str, str, str, str, Decimal, int]  # reference, kind, account, asset, amount, at


def floored(value: Fraction, step: Decimal = _MONEY) -> Decimal:
    """Return the largest multiple of `step` that is <= value."""
    return floor(value / Fraction(step)) * step


def ceiled(value: Fraction, step: Decimal = _MONEY) -> Decimal:
    """Return the smallest multiple of `step` that is >= value."""
    return ceil(value / Fraction(step)) * step


def nearest(value: Fraction, step: Decimal) -> Decimal:
    """Return the multiple of `step` nearest to `value`, the even one of two."""
    return round(value / Fraction(step)) * step


@dataclass(slots=True)
class Life:
    """A position from its first fill until flat."""

    symbol: str
    side: str
    opened_ms: int
    entry_id: str
    average: Decimal = ZERO
    size: Decimal = ZERO
    realized: Decimal = ZERO  # after fees
    closed_ms: int | None = None
    last_ms: int = 0


@dataclass(slots=True)
class OrderSum:
    """What the fills of one order come to."""

    size: Decimal = ZERO
    value: Decimal = ZERO
    fees: Decimal = ZERO
    realized: Decimal = ZERO
    last_ms: int = 0


@dataclass(slots=True)
class Book:
    """One symbol: signed size and what the open part was bought for."""

    size: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    last: Decimal = ZERO
    life: Life | None = None


@dataclass(frozen=True, slots=True)
class Instant:
    """The account after one close."""

    equity: Decimal
    cash: Decimal
    unrealized: Decimal
    realized: Decimal
    drawdown: Decimal
    open_positions: int
    prices: Mapping[str, Decimal]  # last closes


@dataclass(slots=True)
class Books:
    """Everything that the stored rows are compared with."""

    candles: dict[str, dict[int, Candle]]
    start_ms: int
    closes: list[int] = field(default_factory=list)  # played, in order
    slice_of: dict[int, int] = field(default_factory=dict)  # id of a fill -> close of its candle
    at_open: dict[int, bool] = field(default_factory=dict)  # id of a fill -> filled at the open
    ledger: list[Entry] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    orders: dict[str, OrderSum] = field(default_factory=lambda: defaultdict(OrderSum))
    instants: dict[int, Instant] = field(default_factory=dict)
    books: dict[str, Book] = field(default_factory=lambda: defaultdict(Book))
    faults: list[str] = field(default_factory=list)
    cash: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    peak: Decimal = ZERO
    max_drawdown: Decimal = ZERO


def recompute(stored: Stored, played: Played) -> Books:
    """Fold the run up to the last close that its checkpoint saw."""
    with localcontext(prec=60):
        candles = played.read()
        opens = sorted({at for series in candles.values() for at in series})
        result = Books(candles, opens[0])
        state = stored.state
        if state is None:
            return result
        last_close = state["engine"]["last_close_ms"]
        closes = [at + played.step_ms for at in opens]
        result.closes = [close for close in closes if close <= last_close]
        _assign(result, stored, played)
        _open(result, played)
        _fold(result, stored["fills"], played)
        return result


def _assign(books: Books, stored: Stored, played: Played) -> None:
    """Say in which candle each fill happened: one that closes, or one that opens, at its time."""
    orders = {row["client_order_id"]: row for row in stored["orders"]}
    seen: set[str] = set()
    at_opens: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    before = 0
    for fill in stored["fills"]:
        order = orders[fill["client_order_id"]]
        at_open = _fills_at_open(books, order, fill, at_opens, played, order_seen=seen)
        seen.add(fill["client_order_id"])
        close = fill["filled_at"] + (played.step_ms if at_open else 0)
        if at_open:
            at_opens[fill["symbol"], close] += fill["size"]
        if close < before:
            books.faults.append(f"fill {fill['trade_id']} at {close} comes after one at {before}")
        before = close
        books.slice_of[fill["id"]], books.at_open[fill["id"]] = close, at_open


def _fills_at_open(
    books: Books, order: Row, fill: Row, at_opens: Mapping[tuple[str, int], Decimal],
    played: Played, *, order_seen: set[str],
) -> bool:  # fmt: skip
    if fill["reason"] == "liquidation" or order["role"] == "target":
        return False
    if order["role"] != "stop":
        return True
    if order["client_order_id"] in order_seen:
        return True  # the rest of a triggered stop goes to the market at the next open
    symbol, close = fill["symbol"], fill["filled_at"]
    candle = books.candles[symbol].get(close - played.step_ms)
    if candle is None:
        return True
    room = floored(Fraction(candle.volume) * Fraction(played.share), GRIDS[symbol].lot)
    return room <= at_opens[symbol, close]


def _open(books: Books, played: Played) -> None:
    books.cash = books.peak = played.capital
    for account, amount in (("cash", played.capital), ("capital", -played.capital)):
        books.ledger.append(("capital", "capital", account, "USDT", amount, books.start_ms))


def _fold(books: Books, fills: Sequence[Row], played: Played) -> None:
    by_close: dict[int, list[Row]] = defaultdict(list)
    for fill in fills:
        by_close[books.slice_of[fill["id"]]].append(fill)
    unknown = sorted(set(by_close) - set(books.closes))
    books.faults += [f"fills in a candle that was not played, close {close}" for close in unknown]
    due = {symbol: sorted(events.items()) for symbol, events in played.rates().items()}
    for close in books.closes:
        opened = close - played.step_ms
        for symbol, series in books.candles.items():
            events = due.get(symbol, [])
            while opened in series and events and events[0][0] <= opened:  # in a gap: after it
                _fund(books, symbol, series[opened].open, *events.pop(0))
        for fill in by_close[close]:
            _apply(books, fill)
        for symbol, series in books.candles.items():
            if opened in series:
                books.books[symbol].last = series[opened].close
        _mark(books, close)


def _fund(books: Books, symbol: str, price: Decimal, at_ms: int, rate: Decimal) -> None:
    size = books.books[symbol].size
    if not size:
        return
    amount = floored(-Fraction(size) * Fraction(price) * Fraction(rate))
    books.cash += amount
    books.funding += amount
    reference = f"funding:{symbol}:{at_ms}"
    for account, signed in (("cash", amount), ("funding", -amount)):
        books.ledger.append((reference, "funding", account, "USDT", signed, at_ms))


def _apply(books: Books, fill: Row) -> None:
    book = books.books[fill["symbol"]]
    sign = 1 if fill["side"] == "BUY" else -1
    signed, price, fee = sign * fill["size"], fill["price"], fill["fee"]
    before, cost = book.size, book.cost
    value = price * signed
    profit = ZERO
    if before * signed >= 0:
        book.cost += value
    else:
        closed = min(abs(signed), abs(before))
        if abs(signed) > abs(before):
            books.faults.append(f"fill {fill['trade_id']} turns the position around")
        part = Fraction(abs(cost)) * Fraction(closed) / Fraction(abs(before))
        removed = (-sign) * floored(part)
        profit = (-sign) * price * closed - removed
        book.cost -= removed
    book.size = before + signed
    book.realized += profit - fee
    books.cash -= value + fee
    books.fees += fee
    _post(books, fill, signed, value, book.cost - cost)
    _live(books, book, fill, before, profit - fee)
    total = books.orders[fill["client_order_id"]]
    total.size += fill["size"]
    total.value += price * fill["size"]
    total.fees += fee
    total.realized += profit - fee
    total.last_ms = fill["filled_at"]


def _post(books: Books, fill: Row, signed: Decimal, value: Decimal, cost: Decimal) -> None:
    symbol, at = fill["symbol"], fill["filled_at"]
    held = GRIDS[symbol].asset
    entries = [
        ("cash", "USDT", -value - fill["fee"]),
        (f"position:{symbol}", "USDT", cost),
        ("fees", "USDT", fill["fee"]),
        ("holding", held, signed),
        ("market", held, -signed),
    ]
    if value != cost:
        entries.append(("realized", "USDT", value - cost))
    reference = f"fill:{fill['symbol']}:{fill['trade_id']}"
    books.ledger += [(reference, "fill", account, asset, n, at) for account, asset, n in entries]


def _live(books: Books, book: Book, fill: Row, before: Decimal, gained: Decimal) -> None:
    if book.life is None or not before:
        side = "LONG" if fill["side"] == "BUY" else "SHORT"
        order_id = fill["client_order_id"]
        book.life = Life(fill["symbol"], side, fill["filled_at"], order_id)
        books.lives.append(book.life)
    life = book.life
    life.realized += gained
    life.size = abs(book.size)
    life.last_ms = fill["filled_at"]
    if book.size:
        step = GRIDS[fill["symbol"]].price_unit / 100
        life.average = nearest(Fraction(book.cost) / Fraction(book.size), step)
    else:
        life.closed_ms = fill["filled_at"]


def _mark(books: Books, close: int) -> None:
    worth = sum((b.size * b.last for b in books.books.values()), ZERO)
    unrealized = worth - sum((b.cost for b in books.books.values()), ZERO)
    realized = sum((b.realized for b in books.books.values()), ZERO) + books.funding
    equity = books.cash + worth
    books.peak = max(books.peak, equity)
    drawdown = ceiled(Fraction(books.peak - equity) / Fraction(books.peak))
    books.max_drawdown = max(books.max_drawdown, drawdown)
    prices = {symbol: book.last for symbol, book in books.books.items()}
    count = sum(1 for b in books.books.values() if b.size)
    books.instants[close] = Instant(
        equity, books.cash, unrealized, realized, drawdown, count, prices
    )
