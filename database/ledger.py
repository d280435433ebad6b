"""Reads the ledger. Amounts are summed here and never in SQL, which is not exact on SQLite."""

from collections import defaultdict
from decimal import Decimal, localcontext

from sqlmodel import Session, col, select

from database.models import LedgerEntryRow
from database.types import DIGITS, PLACES

Balances = dict[tuple[str, str], Decimal]


def of_run(
    session: Session, run_id: int, *, limit: int = 50, before_id: int | None = None
) -> list[LedgerEntryRow]:
    """Return entries of a run, newest first; `before_id` continues after the last one shown."""
    row = LedgerEntryRow
    query = select(row).where(col(row.run_id) == run_id).order_by(col(row.id).desc()).limit(limit)
    if before_id is not None:
        query = query.where(col(row.id) < before_id)
    return list(session.exec(query))


def of_reference(session: Session, run_id: int, reference: str) -> list[LedgerEntryRow]:
    """Return the entries of one transaction; per asset they sum to zero."""
    row = LedgerEntryRow
    query = select(row).where(col(row.run_id) == run_id, col(row.reference) == reference)
    return list(session.exec(query.order_by(col(row.id))))


def balances(session: Session, run_id: int) -> Balances:
    """Return (account, asset) -> balance of a run, without those that are zero."""
    row = LedgerEntryRow
    query = select(col(row.account), col(row.asset), col(row.amount)).where(
        col(row.run_id) == run_id
    )
    sums: Balances = defaultdict(Decimal)
    with localcontext() as context:
        context.prec = DIGITS + PLACES  # the default keeps only 28 digits
        for account, asset, amount in session.exec(query):
            sums[account, asset] += amount
    return {key: total for key, total in sums.items() if total}
