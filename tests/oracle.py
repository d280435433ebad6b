"""Is what a run stored true? Every row compared, to the last unit, with books recomputed from its
fills and its candles.

Shares no arithmetic with the product. `audit` returns the differences; nothing is the proof. It
also holds for a run that was cut off: what is stored must be whole.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any, Final

from tests import oracle_books as books
from tests import oracle_marks as marks
from tests.oracle_case import Case, compare
from tests.recomputed import recompute
from tests.stored import Played, Stored

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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


def _printed(case: Case) -> Iterator[str]:
    printed = case.printed
    if printed is None:
        return
    own_books, rows = case.books, case.stored
    last = own_books.instants[own_books.closes[-1]]
    own = [o for o in case.orders.values() if o["parent_id"] is None]
    expected = {
        "run_id": f"r{rows.number}",
        "until": (_EPOCH + timedelta(milliseconds=own_books.closes[-1])).isoformat(),
        "bars": sum(len(series) for series in own_books.candles.values()),
        "decisions": len(rows["decisions"]),
        "orders": len(own),
        "fills": len(rows["fills"]),
        "open_positions": last.open_positions,
        "fees": plain(own_books.fees),
        "funding": plain(own_books.funding),
        "realized_pnl": plain(last.realized),
        "unrealized_pnl": plain(last.unrealized),
        "equity": plain(last.equity),
        "outcomes": dict(Counter(d["outcome"] for d in rows["decisions"])),
        "refusals": dict(Counter(d["first_refusal"] for d in rows["decisions"] if d["mask"])),
        "fills_sha256": fills_sha256(rows),
    }
    yield from compare("printed", printed, expected)


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
    "journal": books.journal,
    "ledger": books.ledger,
    "trades": books.trades,
    "slippage": books.slippage,
    "positions": books.positions,
    "position profits": books.position_profits,
    "position protection": books.position_protection,
    "protection": books.protection,
    "ends": books.ends,
    "equity": marks.equity,
    "drawdown": marks.drawdown,
    "decisions": marks.decisions,
    "signals": marks.signals,
    "fees": marks.fees,
    "prices": marks.prices,
    "venue": marks.venue,
    "printed": _printed,
}
