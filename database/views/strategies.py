"""Strategies whose signals come from outside: what they trade on and with how much."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from database.models import StrategyAccountRow, StrategyCapitalRow, StrategyRow
from database.views.json_values import View


@dataclass(frozen=True, slots=True)
class StrategyShare(View):
    """One account that a strategy trades on.

    Args:
        capital: the most of the account's money that it may hold; None: not bounded.
    """

    account: str
    is_active: bool
    capital: Decimal | None


@dataclass(frozen=True, slots=True)
class OutsideStrategy(View):
    """A strategy from outside. Its key is stored nowhere, `key_hint` are its last characters.

    Args:
        symbols: that it may trade; none: all configured.
        allowed_ips: that signals may come from; none: any.
        per_minute: signals that are taken.
    """

    id: int
    name: str
    description: str
    is_active: bool
    key_hint: str
    key_made_at: datetime
    hmac_required: bool
    allowed_ips: tuple[str, ...]
    symbols: tuple[str, ...]
    per_minute: int
    accounts: tuple[StrategyShare, ...]
    created_at: datetime


def outside_strategies(session: Session) -> list[OutsideStrategy]:
    """Return every strategy from outside, by name."""
    a, c = StrategyAccountRow, StrategyCapitalRow
    query = select(a, col(c.allocated_capital)).join(
        c, col(c.strategy_account_id) == col(a.id), isouter=True
    )
    shares: dict[int, list[StrategyShare]] = {}
    for row, capital in session.exec(query.order_by(col(a.account))):
        own = shares.setdefault(row.strategy_id, [])
        own.append(StrategyShare(row.account, row.is_active, capital))
    found = session.exec(select(StrategyRow).order_by(col(StrategyRow.name)))
    return [
        OutsideStrategy(
            s.id or 0, s.name, s.description, s.is_active, s.key_hint, s.key_made_at,
            s.hmac_required, tuple(s.allowed_ips), tuple(s.symbols), s.per_minute,
            tuple(shares.get(s.id or 0, ())), s.created_at,
        )
        for s in found
    ]  # fmt: skip
