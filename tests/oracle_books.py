"""The oracle's checks of the journal, the ledger, the trades and the positions."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from tests.oracle_case import ENDED, Case, compare
from tests.recomputed import ZERO, nearest
from tests.stored import GRIDS, Row

_AT_REST: Final = (*ENDED, "journaled", "acknowledged", "working", "partial")


def journal(case: Case) -> Iterator[str]:
    """Every fill has its order, every order its row before it was sent, and the sums agree."""
    yield from case.books.faults
    sizes: dict[str, Decimal] = defaultdict(Decimal)
    for fill in case.stored["fills"]:
        order = case.orders[fill["client_order_id"]]
        sizes[order["client_order_id"]] += fill["size"]
        yield from compare(f"fill {fill['trade_id']}", order, {k: fill[k] for k in _SHARED})
        if fill["filled_at"] < order["decided_at"]:
            yield f"fill {fill['trade_id']} is older than the decision of its order"
    started = case.stored.run["started_at"]
    for key, order in case.orders.items():
        total = case.books.orders[key]
        yield from compare(key, order, {"filled_size": sizes[key], "fees": total.fees})
        yield from _order_faults(key, order, sizes[key])
        if order["journaled_at"] is None or order["journaled_at"] < started:
            yield f"{key}: journaled at {order['journaled_at']}, the run began at {started}"
    yield from _reductions(case)


_SHARED: Final = ("symbol", "side")


def _order_faults(key: str, order: Row, filled: Decimal) -> Iterator[str]:
    status, size = order["status"], order["size"]
    legal = {
        "filled": filled == size,
        "partial": ZERO < filled < size,
        "canceled": filled < size,
        "expired": filled < size,
    }.get(status, filled == 0)
    if status not in _AT_REST or not legal or size <= 0:
        yield f"{key}: status {status} with {filled} of {size} filled"
    if order["reduce_only"] is (order["role"] == "entry"):
        yield f"{key}: role {order['role']} with reduce_only {order['reduce_only']}"
    if order["role"] in ("stop", "target") and order["parent_id"] is None:
        yield f"{key}: a {order['role']} without its entry"


def _reductions(case: Case) -> Iterator[str]:
    """Only entries grow a position."""
    sizes: dict[str, Decimal] = defaultdict(Decimal)
    for fill in case.stored["fills"]:
        before = sizes[fill["symbol"]]
        after = before + (fill["size"] if fill["side"] == "BUY" else -fill["size"])
        sizes[fill["symbol"]] = after
        grows = abs(after) > abs(before)
        if grows is not (case.orders[fill["client_order_id"]]["role"] == "entry"):
            yield f"fill {fill['trade_id']} takes the position from {before} to {after}"


# --- the books ----------------------------------------------------------------------------------


def ledger(case: Case) -> Iterator[str]:
    """Each reference sums to zero per asset, and every entry and balance is the recomputed one."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    balances: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in case.stored["ledger_entries"]:
        sums[row["reference"], row["asset"]] += row["amount"]
        balances[row["account"], row["asset"]] += row["amount"]
    for (reference, asset), total in sums.items():
        if total:
            yield f"{reference}: {asset} is off by {total}"
    columns = ("reference", "kind", "account", "asset", "amount", "at")
    found = Counter(tuple(row[c] for c in columns) for row in case.stored["ledger_entries"])
    expected = Counter(case.books.ledger)
    for entry in found - expected:
        yield f"stored and not recomputed: {entry}"
    for entry in expected - found:
        yield f"recomputed and not stored: {entry}"
    yield from _balances(case, balances)


def _balances(case: Case, balances: Mapping[tuple[str, str], Decimal]) -> Iterator[str]:
    books = case.books
    if case.stored.state is None:
        return
    profit = sum((b.realized for b in books.books.values()), ZERO)
    expected = {
        ("cash", "USDT"): books.cash,
        ("capital", "USDT"): -case.played.capital,
        ("fees", "USDT"): books.fees,
        ("funding", "USDT"): -books.funding,
        ("realized", "USDT"): -(profit + books.fees),
    }
    for symbol, book in books.books.items():
        expected[f"position:{symbol}", "USDT"] = book.cost
        expected["holding", GRIDS[symbol].asset] = book.size
        expected["market", GRIDS[symbol].asset] = -book.size
    for key, amount in expected.items():
        if balances.get(key, ZERO) != amount:
            yield f"balance of {key} is {balances.get(key, ZERO)}, recomputed {amount}"
    yield from (f"an account of nothing: {key}" for key in balances if key not in expected)


def trades(case: Case) -> Iterator[str]:
    """One row per order that traded and has ended."""
    rows = {row["order_id"]: row for row in case.stored["trades"]}
    wanted = {
        key for key, order in case.orders.items()
        if order["status"] in ENDED and case.books.orders[key].size
    }  # fmt: skip
    if len(rows) != len(case.stored["trades"]) or set(rows) != wanted:
        yield f"trades of {sorted(set(rows) ^ wanted)} are missing or too many"
    for key in sorted(wanted & set(rows)):
        yield from compare(f"trade of {key}", rows[key], _trade(case, key))


def _trade(case: Case, key: str) -> dict[str, Any]:
    order, total = case.orders[key], case.books.orders[key]
    grid = GRIDS[order["symbol"]]
    average = Fraction(total.value) / Fraction(total.size)
    return {
        "symbol": order["symbol"],
        "side": order["side"],
        "order_type": order["order_type"],
        "role": order["role"],
        "strategy": order["strategy"],
        "size": total.size,
        "price": nearest(average, grid.price_unit / 10_000),
        "notional": total.value,
        "commission": total.fees,
        "execution_time": total.last_ms,
        "realized_pnl": None if order["role"] == "entry" else total.realized,
    }


def slippage(case: Case) -> Iterator[str]:
    """From the close of the decision, or from where the stop or target rested when it filled."""
    for row in case.stored["trades"]:
        order, total = case.orders[row["order_id"]], case.books.orders[row["order_id"]]
        if not total.size:
            yield f"trade of {row['order_id']}: no fill"
            continue
        average = Fraction(total.value) / Fraction(total.size)
        if order["role"] in ("stop", "target"):
            reference = Fraction(order["price"])
        elif order["strategy"] == "venue":
            reference = average
        else:
            reference = Fraction(case.books.instants[order["decided_at"]].prices[order["symbol"]])
        sign = 1 if order["side"] == "BUY" else -1
        slipped = nearest(sign * (average - reference) / reference, Decimal("0.000001"))
        yield from compare(f"trade of {row['order_id']}", row, {"slippage": slipped})


def positions(case: Case) -> Iterator[str]:
    """One row per life of a position."""
    rows = {(row["symbol"], row["open_time"]): row for row in case.stored["positions"]}
    lives = {(life.symbol, life.opened_ms): life for life in case.books.lives}
    if set(rows) != set(lives) or len(rows) != len(case.stored["positions"]):
        yield f"lives {sorted(set(rows) ^ set(lives))} are missing or too many"
    for key in sorted(set(rows) & set(lives)):
        life = lives[key]
        expected = {
            "side": life.side,
            "size": life.size,
            "entry_price": life.average,
            "close_time": life.closed_ms,
            "created_at": life.opened_ms,
            "updated_at": life.last_ms,
            "status": "OPEN" if life.closed_ms is None else "CLOSED",
            "strategy": case.orders[life.entry_id]["strategy"],
        }
        yield from compare(f"position {key}", rows[key], expected)


def position_profits(case: Case) -> Iterator[str]:
    """The realized profit of a row is that of its own life, after fees."""
    rows = {(row["symbol"], row["open_time"]): row for row in case.stored["positions"]}
    for life in case.books.lives:
        row = rows.get((life.symbol, life.opened_ms), {})
        what = f"position {life.symbol} of {life.opened_ms}"
        yield from compare(what, row, {"realized_pnl": life.realized})


def position_protection(case: Case) -> Iterator[str]:
    """A row shows where the stop and the target of its life rest, or rested at the end."""
    children = {(o["parent_id"], o["role"]): o["price"] for o in case.orders.values()}
    rows = {(row["symbol"], row["open_time"]): row for row in case.stored["positions"]}
    for life in case.books.lives:
        row = rows.get((life.symbol, life.opened_ms), {})
        expected = {
            "stop_price": children.get((life.entry_id, "stop")),
            "target_price": children.get((life.entry_id, "target")),
        }
        yield from compare(f"position {life.symbol} of {life.opened_ms}", row, expected)


def ends(case: Case) -> Iterator[str]:
    """What rested for a position ends when the fill that closed the position happened."""
    closed = {life.entry_id: life.closed_ms for life in case.books.lives}
    for key, order in case.orders.items():
        if order["reason"] == "position_closed" and order["parent_id"] in closed:
            yield from compare(key, order, {"updated_at": closed[order["parent_id"]]})


def protection(case: Case) -> Iterator[str]:
    """Every position has a stop of its own, at work for exactly what is open."""
    stops_of = {o["parent_id"]: key for key, o in case.orders.items() if o["role"] == "stop"}
    entered: set[str] = set()
    for life in case.books.lives:
        what = f"{life.symbol}: the position of {life.opened_ms}"
        if life.entry_id not in stops_of:
            yield f"{what} never had a stop"
        if life.entry_id in entered:
            yield f"{what} comes from what was left of {life.entry_id}, whose stop had gone"
        entered.add(life.entry_id)
    for symbol, book in case.books.books.items():
        stops = [
            o for o in case.orders.values()
            if o["symbol"] == symbol and o["role"] == "stop" and o["status"] in _COVERING
        ]  # fmt: skip
        covered = [o["size"] - o["filled_size"] for o in stops]
        wanted = [abs(book.size)] if book.size else []
        if covered != wanted or any(not o["price"] for o in stops):
            yield f"{symbol}: a position of {book.size} with stops over {covered}"


_COVERING: Final = ("working", "partial")
