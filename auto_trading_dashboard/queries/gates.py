"""What the market data of each symbol is good for, and which symbols are locked."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlmodel import Session, col, select

from auto_trading_dashboard.queries.marks import newest_candles
from auto_trading_dashboard.queries.monitoring import Work
from crypto_trader_pro.domain.timeframes import timeframe_ms, to_datetime, to_ms
from database import prices
from database.models import DecisionRow

_BACK: Final = 12  # candles that are looked back for a symbol's newest decision


@dataclass(frozen=True, slots=True)
class Gate:
    """One symbol.

    Args:
        state, reason: of the newest decision; "" before the first of this run.
        decided_at: close of the candle it was made on, market time.
        price_at: market time of the price; `received_at`: system time.
        closed_at: close of the newest stored candle, market time.
        locked_until: market time; None: not locked.
    """

    symbol: str
    state: str
    reason: str
    decided_at: datetime | None
    price: Decimal | None
    price_at: datetime | None
    received_at: datetime | None
    closed_at: datetime | None
    locked_until: datetime | None


def gates(session: Session, work: Work) -> list[Gate]:
    """Return every symbol of a run, in its order."""
    length = timeframe_ms(work.timeframe)
    decided = _newest_decisions(session, work.number, length)
    known = {p.symbol: p for p in prices.latest(session, work.origin)}
    opened = newest_candles(session, work.origin, work.timeframe)
    locks = dict(work.locks)
    found = []
    for symbol in work.symbols:
        at_ms, state, reason = decided.get(symbol, (None, "", ""))
        price, open_at = known.get(symbol), opened.get(symbol)
        found.append(
            Gate(
                symbol, state, reason, None if at_ms is None else to_datetime(at_ms),
                None if price is None else price.price, None if price is None else price.at,
                None if price is None else price.received_at,
                None if open_at is None else to_datetime(to_ms(open_at) + length),
                locks.get(symbol),
            )
        )  # fmt: skip
    return found


def market_now(work: Work, found: list[Gate]) -> datetime | None:
    """Return the newest instant of market time that anything tells of."""
    known = [work.now, *(g.price_at for g in found), *(g.decided_at for g in found)]
    return max((at for at in known if at is not None), default=None)


def _newest_decisions(
    session: Session, run: int, length: int
) -> dict[str, tuple[int | None, str, str]]:
    row = DecisionRow
    times = select(col(row.at_ms)).where(col(row.run_id) == run)
    newest = session.exec(times.order_by(col(row.at_ms).desc()).limit(1)).first()
    if newest is None:
        return {}
    query = (
        select(col(row.symbol), col(row.at_ms), col(row.gate_state), col(row.gate_reason))
        .where(col(row.run_id) == run, col(row.at_ms) > newest - _BACK * length)
        .order_by(col(row.at_ms))
    )
    return {symbol: (at, state, reason) for symbol, at, state, reason in session.exec(query)}
