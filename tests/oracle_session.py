"""Are the books of a paper session true? The oracle, for a market that has no candles to fold over.

Ledger, trades, positions, fees and protection are recomputed from the fills alone; nothing of the
product's arithmetic is used. It holds after a kill at any moment: what is stored must be whole.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Final

from crypto_trader_pro.simulation.instruments import instrument
from tests import oracle_books as books
from tests import oracle_marks as marks
from tests.oracle_case import Case
from tests.recomputed import ZERO, Books, _apply, _open
from tests.stored import GRIDS, Grid, Played, Row, Stored, _parsed


def audit_session(stored: Stored) -> dict[str, list[str]]:
    """Return check -> differences, for every check that found any; nothing is the proof."""
    symbols = _parsed(stored.run["symbols"])
    _learn(symbols)
    orders = {row["client_order_id"]: row for row in stored["orders"]}
    strangers = [f for f in stored["fills"] if f["client_order_id"] not in orders]
    if strangers:
        return {"journal": [f"fill {f['trade_id']} has no order" for f in strangers]}
    played = Played({symbol: Path() for symbol in symbols})
    with localcontext(prec=60):
        case = Case(stored, played, _folded(stored, played), orders, None)
        found = {name: list(check(case)) for name, check in CHECKS.items()}
    return {name: lines for name, lines in found.items() if lines}


def _folded(stored: Stored, played: Played) -> Books:
    """Fold the fills, and take funding as it was booked: its rates are the source's."""
    state = stored.state
    result = Books({s: {} for s in played.candles}, 0 if state is None else _opened(stored))
    if state is None:
        return result
    _open(result, played)
    for row in _funded(stored):
        result.cash += row["amount"]
        result.funding += row["amount"]
        for account, amount in (("cash", row["amount"]), ("funding", -row["amount"])):
            entry = (row["reference"], "funding", account, "USDT", amount, row["at"])
            result.ledger.append(entry)
    for fill in stored["fills"]:
        _apply(result, fill)
    return result


def _opened(stored: Stored) -> int:
    state = stored.state
    assert state is not None
    return int(state["session"]["opened_ms"])


def _funded(stored: Stored) -> list[Row]:
    rows = stored["ledger_entries"]
    return [r for r in rows if r["kind"] == "funding" and r["account"] == "cash"]


def _learn(symbols: list[str]) -> None:
    """Take the grids of further symbols from the table of instruments: numbers, no arithmetic."""
    for symbol in set(symbols) - set(GRIDS):
        found = instrument(symbol)
        unit = found.price_unit
        GRIDS[symbol] = Grid(
            unit, found.tick, found.lot, _rate(found.maker_rate),
            _rate(found.taker_rate), symbol if ":" in symbol else symbol.partition("/")[0],
        )  # fmt: skip


def _rate(parts: int) -> Decimal:
    return Decimal(parts).scaleb(-8)


def unique(case: Case) -> Iterator[str]:
    """Nothing twice: fills, ledger references, orders of one decision, positions at one time."""
    for table, columns in _ONCE.items():
        keys = [tuple(row[c] for c in columns) for row in case.stored[table]]
        yield from (f"{table}: {key} twice" for key in {k for k in keys if keys.count(k) > 1})
    entries = [o for o in case.orders.values() if o["role"] == "entry"]
    decided = [(o["symbol"], o["decided_at"]) for o in entries]
    yield from (f"two entries for {key}" for key in {k for k in decided if decided.count(k) > 1})
    funded = [row["reference"] for row in _funded(case.stored)]
    yield from (f"{name} twice" for name in {n for n in funded if funded.count(n) > 1})


_ONCE: Final = {
    "fills": ("trade_id",),
    "trades": ("order_id",),
    "decisions": ("symbol", "at_ms"),
    "equity": ("at",),
}


def no_more_than_asked(case: Case) -> Iterator[str]:
    """No order has filled beyond its size."""
    for key, order in case.orders.items():
        filled = sum(
            (f["size"] for f in case.stored["fills"] if f["client_order_id"] == key), ZERO
        )  # fmt: skip
        if filled > order["size"] or filled != order["filled_size"]:
            yield f"{key}: {filled} of {order['size']} filled, its row says {order['filled_size']}"


CHECKS: Final[dict[str, Callable[[Case], Iterator[str]]]] = {
    "unique": unique,
    "sizes": no_more_than_asked,
    "journal": books.journal,
    "ledger": books.ledger,
    "trades": books.trades,
    "positions": books.positions,
    "position profits": books.position_profits,
    "position protection": books.position_protection,
    "protection": books.protection,
    "ends": books.ends,
    "fees": marks.fees,
    "venue": marks.venue,
}
