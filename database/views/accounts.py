"""Accounts: who trades them, what they are worth, and which strategies share them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from database.engine_state import IsGone, judge
from database.models import EngineLeaseRow
from database.views.balance import Balance, balance
from database.views.json_values import View
from database.views.strategies import outside_strategies


@dataclass(frozen=True, slots=True)
class AccountStrategy(View):
    """A strategy from outside that trades on an account; `capital` None: not bounded."""

    name: str
    is_active: bool
    capital: Decimal | None


@dataclass(frozen=True, slots=True)
class Account(View):
    """One account.

    Args:
        is_live: a living engine trades it.
        mode, source: of its engine now or last; "" before the first.
        run: of its last session, "r12"; "" before the first.
        balance: its newest figures; None before the first.
    """

    account: str
    is_live: bool
    mode: str
    source: str
    desired_state: str
    observed_state: str
    trading_state: str
    run: str
    balance: Balance | None
    strategies: tuple[AccountStrategy, ...]


def accounts(session: Session, now: datetime, is_gone: IsGone) -> list[Account]:
    """Return every account that an engine or a strategy from outside knows, by name.

    Args:
        now: system time.
        is_gone: says whether an engine's process has provably ended.
    """
    shares: dict[str, list[AccountStrategy]] = {}
    for strategy in outside_strategies(session):
        for share in strategy.accounts:
            active = strategy.is_active and share.is_active
            own = shares.setdefault(share.account, [])
            own.append(AccountStrategy(strategy.name, active, share.capital))
    leases = {
        row.account: row
        for row in session.exec(select(EngineLeaseRow).order_by(col(EngineLeaseRow.account)))
    }
    return [
        _view(session, name, leases.get(name), tuple(shares.get(name, ())), now, is_gone)
        for name in sorted({*leases, *shares})
    ]


def _view(
    session: Session, name: str, lease: EngineLeaseRow | None,
    strategies: tuple[AccountStrategy, ...], now: datetime, is_gone: IsGone,
) -> Account:  # fmt: skip
    if lease is None:
        return Account(name, False, "", "", "stopped", "stopped", "", "", None, strategies)
    state = judge(lease, now, is_gone)
    run = state.run_id
    return Account(
        name, state.alive, state.mode if state.epoch else "", state.source, state.desired.value,
        state.observed.value, state.trading.value if state.epoch else "",
        "" if run is None else f"r{run}",
        None if run is None else balance(session, run, now), strategies,
    )  # fmt: skip
