"""Reads decisions: what a cycle decided about a symbol, traded or not."""

from sqlalchemy import func, not_, or_
from sqlmodel import Session, col, select

from crypto_trader_pro.domain.enums import Outcome
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.signals import OUTSIDE
from database.models import DecisionRow
from database.types import MAX_BIG_ID


def get(session: Session, decision_id: int) -> DecisionRow:
    """Return a decision by its number.

    Raises:
        InputError: no such decision.
    """
    row = session.get(DecisionRow, decision_id) if 0 < decision_id <= MAX_BIG_ID else None
    if row is None:
        raise InputError(f"there is no decision {decision_id}")
    return row


def at(session: Session, run_id: int, symbol: str, at_ms: int) -> DecisionRow | None:
    """Return the one decision of a run about `symbol` at the candle close `at_ms`, or None."""
    row = DecisionRow
    query = select(row).where(
        col(row.run_id) == run_id, col(row.symbol) == symbol, col(row.at_ms) == at_ms
    )
    return session.exec(query).first()


def seen_before(session: Session, run_id: int, symbol: str, at_ms: int) -> int | None:
    """Return when a run last decided about `symbol` on a candle, before `at_ms`; None: never.

    What was decided between two candles, because of a wish from outside, does not count.
    """
    row = DecisionRow
    query = select(func.max(row.at_ms)).where(
        col(row.run_id) == run_id, col(row.symbol) == symbol, col(row.at_ms) < at_ms,
        col(row.outcome) != Outcome.DARK.value,
        or_(col(row.strategy).is_(None), not_(col(row.strategy).startswith(OUTSIDE))),
    )  # fmt: skip
    return session.exec(query).one()


def newest(
    session: Session, run_id: int, *, symbol: str | None = None, outcome: str | None = None,
    first_refusal: str | None = None, limit: int = 50, before_id: int | None = None,
) -> list[DecisionRow]:  # fmt: skip
    """Return decisions of a run, newest first; `before_id` continues after the last one shown."""
    row = DecisionRow
    query = select(row).where(col(row.run_id) == run_id).order_by(col(row.id).desc()).limit(limit)
    wanted = ((row.symbol, symbol), (row.outcome, outcome), (row.first_refusal, first_refusal))
    for column, value in wanted:
        if value is not None:
            query = query.where(col(column) == value)
    if before_id is not None:
        query = query.where(col(row.id) < before_id)
    return list(session.exec(query))
