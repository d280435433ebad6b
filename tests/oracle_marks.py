"""The oracle's checks of what was marked, decided, and filled by the venue."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from tests.oracle_case import Case, compare
from tests.recomputed import ceiled, floored
from tests.stored import GRIDS, Row

_HOUR: Final = 3_600_000
_LIQUIDATION: Final = Decimal("0.005")


def equity(case: Case) -> Iterator[str]:
    """A snapshot at every full hour that was played."""
    rows = {row["at"]: row for row in case.stored["equity"]}
    wanted = [close for close in case.books.closes if close % _HOUR == 0]
    if list(rows) != wanted or len(rows) != len(case.stored["equity"]):
        yield f"snapshots at {list(rows)}, expected {wanted}"
    for close in wanted:
        now = case.books.instants[close]
        expected = {
            "equity": now.equity,
            "cash": now.cash,
            "unrealized_pnl": now.unrealized,
            "realized_pnl": now.realized,
            "open_positions": now.open_positions,
        }
        yield from compare(f"equity at {close}", rows.get(close, {}), expected)


def drawdown(case: Case) -> Iterator[str]:
    """The fall from the peak, rounded up to 1e-8 of it, in snapshots and in the result."""
    for row in case.stored["equity"]:
        expected = {"drawdown": case.books.instants[row["at"]].drawdown}
        yield from compare(f"equity at {row['at']}", row, expected)
    if case.printed is not None:
        found = Decimal(case.printed["max_drawdown"])
        yield from compare(
            "printed", {"max_drawdown": found}, {"max_drawdown": case.books.max_drawdown}
        )


def decisions(case: Case) -> Iterator[str]:
    """A row per symbol and decision, in order, each with the close and the equity of its time."""
    symbols = list(case.played.candles)
    closes = [c for c in case.books.closes if c % case.played.interval_ms == 0]
    wanted = [(close, symbol) for close in closes for symbol in symbols]
    rows = case.stored["decisions"]
    if [(row["at_ms"], row["symbol"]) for row in rows] != wanted:
        yield f"{len(rows)} decisions, expected {len(wanted)}, or not in this order"
        return
    for row, (close, symbol) in zip(rows, wanted, strict=True):
        candle = case.books.candles[symbol].get(close - case.played.step_ms)
        unit = GRIDS[symbol].price_unit
        expected = {
            "equity": int(case.books.instants[close].equity.scaleb(8)),
            "price": int(candle.close / unit) if candle else 0,
        }
        yield from compare(f"decision {symbol} {close}", row, expected)
        if (row["gate_state"] == "dark") is not (candle is None):
            yield f"decision {symbol} {close}: gate {row['gate_state']}, candle {candle}"
    yield from _decided_orders(case)


def _decided_orders(case: Case) -> Iterator[str]:
    ordered = Counter(row["order_id"] for row in case.stored["decisions"] if row["order_id"])
    roles = ("entry", "exit")
    known = {k for k, o in case.orders.items() if o["role"] in roles and o["strategy"] != "venue"}
    for key in sorted(set(ordered) - known):
        yield f"a decision names the order {key}, which is not there"
    entries = {k for k in known if case.orders[k]["role"] == "entry"}
    decided = {r["order_id"] for r in case.stored["decisions"] if r["outcome"] == "ordered"}
    if decided != entries:
        yield f"entries and decisions do not match: {sorted(decided ^ entries)}"


def signals(case: Case) -> Iterator[str]:
    """A signal is marked executed when, and only when, its entry has filled."""
    filled = {
        (o["symbol"], o["decided_at"], o["strategy"])
        for key, o in case.orders.items()
        if o["role"] == "entry" and case.books.orders[key].size
    }
    keys = ("symbol", "created_at", "strategy")
    executed = {tuple(r[k] for k in keys) for r in case.stored["ai_signals_log"] if r["executed"]}
    if executed != filled:
        yield f"executed signals and filled entries do not match: {sorted(executed ^ filled)}"


# --- what the venue did -------------------------------------------------------------------------


def fees(case: Case) -> Iterator[str]:
    for fill in case.stored["fills"]:
        grid = GRIDS[fill["symbol"]]
        rate = grid.maker if fill["is_maker"] else grid.taker
        if fill["reason"] == "liquidation":
            rate += _LIQUIDATION
        paid = ceiled(Fraction(fill["price"] * fill["size"]) * Fraction(rate))
        expected = {"fee": paid, "fee_asset": "USDT"}
        yield from compare(f"fill {fill['trade_id']}", fill, expected)


def prices(case: Case) -> Iterator[str]:
    """Market orders fill at the slipped open, stops at the worse of price and open, as taker."""
    used: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for fill in case.stored["fills"]:
        if fill["reason"] == "liquidation":
            continue
        symbol, close = fill["symbol"], case.books.slice_of[fill["id"]]
        candle = case.books.candles[symbol][close - case.played.step_ms]
        what = f"fill {fill['trade_id']}"
        yield from compare(what, fill, {"price": _price(case, fill, close)})
        used[symbol, close] += fill["size"]
        room = floored(Fraction(candle.volume * case.played.share), GRIDS[symbol].lot)
        if used[symbol, close] > room:
            yield f"{what}: {used[symbol, close]} filled in a candle with room for {room}"


def _price(case: Case, fill: Row, close: int) -> Decimal | str:
    candle = case.books.candles[fill["symbol"]][close - case.played.step_ms]
    order = case.orders[fill["client_order_id"]]
    buys = fill["side"] == "BUY"
    if case.books.at_open[fill["id"]]:
        return _slipped(case, fill, candle.open)
    reached = candle.high >= order["price"] if buys else candle.low <= order["price"]
    if order["role"] == "target":
        touched = candle.low <= order["price"] if buys else candle.high >= order["price"]
        return Decimal(order["price"]) if touched else "nothing: the target was not touched"
    worse = max(candle.open, order["price"]) if buys else min(candle.open, order["price"])
    return _slipped(case, fill, worse) if reached else "nothing: the stop was not touched"


def _slipped(case: Case, fill: Row, price: Decimal) -> Decimal:
    grid = GRIDS[fill["symbol"]]
    moved = ceiled(Fraction(price) * Fraction(case.played.slippage), grid.price_unit)
    if fill["side"] == "BUY":
        return ceiled(Fraction(price + moved), grid.tick)
    return floored(Fraction(price - moved), grid.tick)


def venue(case: Case) -> Iterator[str]:
    """The simulated venue's own cash and positions, and no order there that the journal lacks."""
    state = case.stored.state
    if state is None:
        for table in ("fills", "orders", "decisions", "ledger_entries", "positions", "trades"):
            if case.stored[table]:
                yield f"{table} has rows and there is no checkpoint"
        return
    venue = state["venue"]
    cash = int(case.books.cash.scaleb(8))
    yield from compare("venue", venue, {"cash": cash})
    for symbol, book in zip(case.played.candles, venue["books"], strict=True):
        lots = int(case.books.books[symbol].size / GRIDS[symbol].lot)
        yield from compare("venue", {symbol: book[0]}, {symbol: lots})
        for key in _resting(book):
            status = case.orders.get(key, {}).get("status")
            if status not in ("working", "partial", "acknowledged"):
                yield f"venue: {key} rests there, the journal says {status}"


def _resting(book: list[Any]) -> Iterator[str]:
    _, _, _, exits, entries, stop, target, _, _ = book
    for order in (*exits, *entries, stop, target):
        if order is not None:
            yield order[0]
            yield from (child[0] for child in order[-1])
