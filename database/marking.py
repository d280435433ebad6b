"""Rows that keep the account's value between two cycles: equity snapshots, open positions' profit.

Written by jobs, beside the engine: they touch no column that the engine decides by.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select, update

from crypto_trader_pro.domain.instruments import money, plain
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.domain.timeframes import to_datetime
from database.models import EquityRow, PositionRow

_MONEY: Final = Decimal("0.00000001")


def add_equity(session: Session, run_id: int, account: AccountView) -> bool:
    """Insert a snapshot; False where the run has one of that instant already."""
    values = {
        "run_id": run_id,
        "at": to_datetime(account.at_ms),
        "equity": money(account.equity),
        "cash": money(account.cash),
        "unrealized_pnl": money(account.unrealized),
        "realized_pnl": money(account.realized),
        "drawdown": plain(Decimal(account.drawdown_rate).scaleb(-8)),
        "open_positions": account.open_positions,
        "trading_state": account.trading_state.value,
    }
    connection = session.connection()
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    table: Table = EquityRow.__table__  # type: ignore[attr-defined]
    new = insert(table).values(values).on_conflict_do_nothing(index_elements=["run_id", "at"])
    return connection.execute(new.returning(table.c.id)).first() is not None


def mark_positions(session: Session, run_id: int, prices: Mapping[str, Decimal]) -> int:
    """Write price and unrealized profit of the open positions that have a price; return how many.

    A position that has closed since keeps no unrealized profit.
    """
    row = PositionRow
    is_open = (col(row.run_id) == run_id, col(row.status) == "OPEN")
    marked = 0
    for position in session.exec(select(row).where(*is_open)):
        price = prices.get(position.symbol)
        if price is None:
            continue
        lots = position.size if position.side == "LONG" else -position.size
        profit = (lots * (price - position.entry_price)).quantize(_MONEY)
        # the engine may write the row meanwhile: these two columns alone, and not once it is closed
        mark = update(row).where(col(row.id) == position.id, *is_open)
        mark = mark.values(current_price=price, unrealized_pnl=plain(profit))
        session.exec(mark.execution_options(synchronize_session=False))
        marked += 1
    ended = update(row).where(
        col(row.run_id) == run_id,
        col(row.status) == "CLOSED",
        col(row.unrealized_pnl).is_not(None),
    )
    session.exec(ended.values(unrealized_pnl=None))
    return marked
