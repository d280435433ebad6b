"""The account of a run at its newest figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel import Session

from database import daily, equity
from database.models import EquityRow, RunRow
from database.views.json_values import View
from database.views.positions import open_positions
from database.views.runs import asset_of, told_of


@dataclass(frozen=True, slots=True)
class Balance(View):
    """The account at one instant of trading time; amounts in `currency`.

    Args:
        equity: cash and what the positions are worth.
        realized: since the run began, after fees and funding.
        drawdown: fraction of the run's highest equity.
        exposure: what the open positions are worth, long and short added.
        is_live: told by the engine's heartbeat; else what was stored last.
        at: None before the first candle, then it is the capital that the run began with.
    """

    equity: Decimal
    cash: Decimal
    unrealized: Decimal
    realized: Decimal
    drawdown: Decimal
    exposure: Decimal
    open_positions: int
    trading_state: str
    currency: str
    is_live: bool
    at: datetime | None


def balance(session: Session, run_id: int, now: datetime) -> Balance | None:
    """Return the newest figures of a run's account; None while nothing is known of it.

    Args:
        now: system time, by which the engine's heartbeat still counts or not.
    """
    run = session.get(RunRow, run_id)
    if run is None:
        return None
    told = told_of(session, run_id, now)
    if told is not None:
        return _told(told)
    row = equity.latest(session, run_id)
    return _began(session, run) if row is None else _stored(session, run, row)


def _told(told: Mapping[str, Any]) -> Balance:
    def amount(name: str) -> Decimal:
        return Decimal(told[name])

    at = told["at"]
    return Balance(
        amount("equity"), amount("cash"), amount("unrealized"), amount("realized"),
        amount("drawdown"), amount("gross"), told["open_positions"], told["trading_state"],
        told["asset"], True, None if at is None else datetime.fromisoformat(at),
    )  # fmt: skip


def _stored(session: Session, run: RunRow, row: EquityRow) -> Balance:
    held = open_positions(session, row.run_id)
    return Balance(
        row.equity, row.cash, row.unrealized_pnl, row.realized_pnl, row.drawdown,
        sum((p.value for p in held), Decimal(0)), row.open_positions, row.trading_state,
        asset_of(run.symbols), False, row.at,
    )  # fmt: skip


def _began(session: Session, run: RunRow) -> Balance | None:
    capital = daily.capital(session, run.id or 0)
    if capital is None:
        return None
    none = Decimal(0)
    return Balance(
        capital, capital, none, none, none, none, 0, "active", asset_of(run.symbols), False, None
    )
