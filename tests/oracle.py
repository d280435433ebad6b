"""Is what a run stored true? Every row compared, to the last unit, with books recomputed from its
fills and its candles.

Shares no arithmetic with the product. `audit` returns one line per difference; a list that is
empty is the proof. It also holds for a run that was cut off: what is stored must be whole.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, Final

from tests.recomputed import ZERO, Books, ceiled, floored, nearest, recompute
from tests.stored import GRIDS, Played, Row, Stored

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = 3_600_000
_LIQUIDATION: Final = Decimal("0.005")
_ENDED: Final = ("filled", "canceled", "expired", "rejected", "denied", "absent")
_AT_REST: Final = (*_ENDED, "journaled", "acknowledged", "working", "partial")
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Case:
    """One run under examination."""

    stored: Stored
    played: Played
    books: Books
    orders: Mapping[str, Row]
    printed: Mapping[str, Any] | None


def audit(
    stored: Stored, played: Played, printed: Mapping[str, Any] | None = None
) -> dict[str, list[str]]:
    """Return check -> differences, for every check of `CHECKS` that found any.

    Args:
        printed: what `replay --json` printed, for a run that is finished.
    """
    orders = {row["client_order_id"]: row for row in stored["orders"]}
    strangers = [f for f in stored["fills"] if f["client_order_id"] not in orders]
    if strangers:
        return {"journal": [f"fill {f['trade_id']} has no order" for f in strangers]}
    with localcontext(prec=60):
        case = Case(stored, played, recompute(stored, played), orders, printed)
        found = {name: list(check(case)) for name, check in CHECKS.items()}
    return {name: lines for name, lines in found.items() if lines}


def _compare(what: str, stored: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    for key, value in expected.items():
        found = stored.get(key, _MISSING)
        if found is _MISSING or found != value:
            yield f"{what}: {key} is {found}, recomputed {value}"


# --- the journal --------------------------------------------------------------------------------


def _journal(case: Case) -> Iterator[str]:
    """Every fill has its order, every order its row before it was sent, and the sums agree."""
    yield from case.books.faults
    sizes: dict[str, Decimal] = defaultdict(Decimal)
    for fill in case.stored["fills"]:
        order = case.orders[fill["client_order_id"]]
        sizes[order["client_order_id"]] += fill["size"]
        yield from _compare(f"fill {fill['trade_id']}", order, {k: fill[k] for k in _SHARED})
        if fill["filled_at"] < order["decided_at"]:
            yield f"fill {fill['trade_id']} is older than the decision of its order"
    started = case.stored.run["started_at"]
    for key, order in case.orders.items():
        total = case.books.orders[key]
        yield from _compare(key, order, {"filled_size": sizes[key], "fees": total.fees})
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


def _ledger(case: Case) -> Iterator[str]:
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


def _trades(case: Case) -> Iterator[str]:
    """One row per order that traded and has ended."""
    rows = {row["order_id"]: row for row in case.stored["trades"]}
    wanted = {
        key for key, order in case.orders.items()
        if order["status"] in _ENDED and case.books.orders[key].size
    }  # fmt: skip
    if len(rows) != len(case.stored["trades"]) or set(rows) != wanted:
        yield f"trades of {sorted(set(rows) ^ wanted)} are missing or too many"
    for key in sorted(wanted & set(rows)):
        yield from _compare(f"trade of {key}", rows[key], _trade(case, key))


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


def _slippage(case: Case) -> Iterator[str]:
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
        yield from _compare(f"trade of {row['order_id']}", row, {"slippage": slipped})


def _positions(case: Case) -> Iterator[str]:
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
        yield from _compare(f"position {key}", rows[key], expected)


def _position_profits(case: Case) -> Iterator[str]:
    """The realized profit of a row is that of its own life, after fees."""
    rows = {(row["symbol"], row["open_time"]): row for row in case.stored["positions"]}
    for life in case.books.lives:
        row = rows.get((life.symbol, life.opened_ms), {})
        what = f"position {life.symbol} of {life.opened_ms}"
        yield from _compare(what, row, {"realized_pnl": life.realized})


def _position_protection(case: Case) -> Iterator[str]:
    """A row shows where the stop and the target of its life rest, or rested at the end."""
    children = {(o["parent_id"], o["role"]): o["price"] for o in case.orders.values()}
    rows = {(row["symbol"], row["open_time"]): row for row in case.stored["positions"]}
    for life in case.books.lives:
        row = rows.get((life.symbol, life.opened_ms), {})
        expected = {
            "stop_price": children.get((life.entry_id, "stop")),
            "target_price": children.get((life.entry_id, "target")),
        }
        yield from _compare(f"position {life.symbol} of {life.opened_ms}", row, expected)


def _ends(case: Case) -> Iterator[str]:
    """What rested for a position ends when the fill that closed the position happened."""
    closed = {life.entry_id: life.closed_ms for life in case.books.lives}
    for key, order in case.orders.items():
        if order["reason"] == "position_closed" and order["parent_id"] in closed:
            yield from _compare(key, order, {"updated_at": closed[order["parent_id"]]})


def _protection(case: Case) -> Iterator[str]:
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


# --- marks --------------------------------------------------------------------------------------


def _equity(case: Case) -> Iterator[str]:
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
        yield from _compare(f"equity at {close}", rows.get(close, {}), expected)


def _drawdown(case: Case) -> Iterator[str]:
    """The fall from the peak, rounded up to 1e-8 of it, in snapshots and in the result."""
    for row in case.stored["equity"]:
        expected = {"drawdown": case.books.instants[row["at"]].drawdown}
        yield from _compare(f"equity at {row['at']}", row, expected)
    if case.printed is not None:
        found = Decimal(case.printed["max_drawdown"])
        yield from _compare(
            "printed", {"max_drawdown": found}, {"max_drawdown": case.books.max_drawdown}
        )


def _decisions(case: Case) -> Iterator[str]:
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
        yield from _compare(f"decision {symbol} {close}", row, expected)
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


def _signals(case: Case) -> Iterator[str]:
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


def _fees(case: Case) -> Iterator[str]:
    for fill in case.stored["fills"]:
        grid = GRIDS[fill["symbol"]]
        rate = grid.maker if fill["is_maker"] else grid.taker
        if fill["reason"] == "liquidation":
            rate += _LIQUIDATION
        paid = ceiled(Fraction(fill["price"] * fill["size"]) * Fraction(rate))
        expected = {"fee": paid, "fee_asset": "USDT"}
        yield from _compare(f"fill {fill['trade_id']}", fill, expected)


def _prices(case: Case) -> Iterator[str]:
    """Market orders fill at the slipped open, stops at the worse of price and open, as taker."""
    used: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for fill in case.stored["fills"]:
        if fill["reason"] == "liquidation":
            continue
        symbol, close = fill["symbol"], case.books.slice_of[fill["id"]]
        candle = case.books.candles[symbol][close - case.played.step_ms]
        what = f"fill {fill['trade_id']}"
        yield from _compare(what, fill, {"price": _price(case, fill, close)})
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


def _venue(case: Case) -> Iterator[str]:
    """The simulated venue's own cash and positions, and no order there that the journal lacks."""
    state = case.stored.state
    if state is None:
        for table in ("fills", "orders", "decisions", "ledger_entries", "positions", "trades"):
            if case.stored[table]:
                yield f"{table} has rows and there is no checkpoint"
        return
    venue = state["venue"]
    cash = int(case.books.cash.scaleb(8))
    yield from _compare("venue", venue, {"cash": cash})
    for symbol, book in zip(case.played.candles, venue["books"], strict=True):
        lots = int(case.books.books[symbol].size / GRIDS[symbol].lot)
        yield from _compare("venue", {symbol: book[0]}, {symbol: lots})
        for key in _resting(book):
            status = case.orders.get(key, {}).get("status")
            if status not in ("working", "partial", "acknowledged"):
                yield f"venue: {key} rests there, the journal says {status}"


def _resting(book: list[Any]) -> Iterator[str]:
    _, _, _, exits, entries, stop, target = book
    for order in (*exits, *entries, stop, target):
        if order is not None:
            yield order[0]
            yield from (child[0] for child in order[-1])


# --- the result ---------------------------------------------------------------------------------


def _printed(case: Case) -> Iterator[str]:
    printed = case.printed
    if printed is None:
        return
    books, rows = case.books, case.stored
    last = books.instants[books.closes[-1]]
    own = [o for o in case.orders.values() if o["parent_id"] is None]
    expected = {
        "run_id": f"r{rows.number}",
        "until": (_EPOCH + timedelta(milliseconds=books.closes[-1])).isoformat(),
        "bars": sum(len(series) for series in books.candles.values()),
        "decisions": len(rows["decisions"]),
        "orders": len(own),
        "fills": len(rows["fills"]),
        "open_positions": last.open_positions,
        "fees": plain(books.fees),
        "funding": plain(books.funding),
        "realized_pnl": plain(last.realized),
        "unrealized_pnl": plain(last.unrealized),
        "equity": plain(last.equity),
        "outcomes": dict(Counter(d["outcome"] for d in rows["decisions"])),
        "refusals": dict(Counter(d["first_refusal"] for d in rows["decisions"] if d["mask"])),
        "fills_sha256": fills_sha256(rows),
    }
    yield from _compare("printed", printed, expected)


def fills_sha256(stored: Stored) -> str:
    """Return the hash of `time,symbol,side,price,size,fee` lines, numbers plain."""
    digest = hashlib.sha256()
    for fill in stored["fills"]:
        at = (_EPOCH + timedelta(milliseconds=fill["filled_at"])).isoformat()
        numbers = [plain(fill[c]) for c in ("price", "size", "fee")]
        digest.update((",".join([at, fill["symbol"], fill["side"], *numbers]) + "\n").encode())
    return digest.hexdigest()


def plain(value: Decimal) -> str:
    """Return the one text of a number: no exponent, no trailing zero, no negative zero."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


CHECKS: Final[dict[str, Callable[[Case], Iterator[str]]]] = {
    "journal": _journal,
    "ledger": _ledger,
    "trades": _trades,
    "slippage": _slippage,
    "positions": _positions,
    "position profits": _position_profits,
    "position protection": _position_protection,
    "protection": _protection,
    "ends": _ends,
    "equity": _equity,
    "drawdown": _drawdown,
    "decisions": _decisions,
    "signals": _signals,
    "fees": _fees,
    "prices": _prices,
    "venue": _venue,
    "printed": _printed,
}
