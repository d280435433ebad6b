"""What the control panel shows: engine, account, safety, the configuration in force."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError
from sqlmodel import Session, col, select

from auto_trading_dashboard.queries import requests
from auto_trading_dashboard.queries.requests import Asked
from auto_trading_dashboard.queries.runs import in_work
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind, DesiredState, TradingState
from database import config_history, equity
from database.engine_state import EngineState, IsGone, engine_state
from database.models import AlertRow, FillRow, RunRow
from database.status import open_counts

_LADDER: Final = {"drawdown_reducing", "drawdown_kill", "daily_loss_exceeded"}
_WISHES: Final = {CommandKind.START, CommandKind.STOP, CommandKind.EMERGENCY_STOP}


@dataclass(frozen=True, slots=True)
class Books:
    """The account at one instant; None is not known. Money is in `asset`.

    Args:
        run: the run that the figures are of, "r12".
        at: trading time of the figures.
        day: profit since the trading day began, of `day_start`.
        drawdown: fraction of the peak.
        is_live: told by a living engine; else what was stored last.
    """

    run: str
    asset: str
    at: datetime | None
    equity: Decimal | None
    cash: Decimal | None
    open_positions: int
    working_orders: int
    gross: Decimal | None = None
    day: Decimal | None = None
    day_start: Decimal | None = None
    realized: Decimal | None = None
    unrealized: Decimal | None = None
    fees: Decimal | None = None
    drawdown: Decimal | None = None
    is_live: bool = False

    @property
    def day_fraction(self) -> Decimal | None:
        """Return the day's profit as a fraction of what the day began with."""
        if self.day is None or not self.day_start:
            return None
        return self.day / self.day_start

    @property
    def exposure(self) -> Decimal | None:
        """Return the positions' worth as a fraction of equity."""
        return None if self.gross is None or not self.equity else self.gross / self.equity


@dataclass(frozen=True, slots=True)
class Safety:
    """What stands against new risk, as a living engine tells it.

    Args:
        halt_reason: trigger of a latched emergency; "" without one.
        daily_level: of the daily loss: 1 warns, 2 halts.
        failing: safety checks that fail, with their numbers (money units).
        volatile: symbols that move too much to be entered.
        locks: symbol -> trading time until which it is not entered.
        paused: by a person, until a person resumes.
    """

    halt_reason: str = ""
    daily_level: int = 0
    flattening: bool = False
    failing: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    volatile: int = 0
    locks: Mapping[str, datetime] = field(default_factory=dict)
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """How things are.

    Args:
        engine: None before the first engine and the first wish.
        books: None before any run.
        safety: None while no living engine tells.
        wish: the newest start, stop or emergency stop.
        since: when the ladder brought the state that trading is in, system time; None if it is
            active, or by another way.
    """

    engine: EngineState | None
    books: Books | None
    safety: Safety | None
    wish: Asked | None
    since: datetime | None

    @property
    def alive(self) -> bool:
        return self.engine is not None and self.engine.alive

    @property
    def is_latched(self) -> bool:
        """True while an emergency stands that only a re-arm lifts."""
        if self.engine is not None and self.engine.desired is DesiredState.EMERGENCY:
            return True
        return self.safety is not None and bool(self.safety.halt_reason)

    @property
    def is_paused(self) -> bool:
        """True while a living engine enters nothing because a person said so."""
        return self.alive and self.safety is not None and self.safety.paused

    @property
    def can_rearm(self) -> bool:
        """True while a re-arm would lift something."""
        if self.is_latched:
            return True
        if self.is_paused and self.engine is not None:
            # a re-arm ends no pause; a ladder below it is offered once that is over
            return self.engine.trading is TradingState.HALTED
        return self.alive and self.engine is not None and (
            self.engine.trading is not TradingState.ACTIVE
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class InForce:
    """The configuration that was applied last."""

    settings: Settings | None  # None: of another version of the program
    config_hash: str
    applied_by: str
    applied_at: datetime


def panel(session: Session, now: datetime, is_gone: IsGone) -> Panel:
    """Return how engine and account are as the heartbeat tells them, else as last stored."""
    engine = engine_state(session, now, is_gone)
    view = None if engine is None else engine.account
    books: Books | None
    if engine is not None and view is not None and engine.run_id is not None:
        books, safety = _living_books(engine.run_id, view), _safety(view)
    else:
        books, safety = _last_books(session), None
    since = None
    if engine is not None and engine.alive and engine.trading is not TradingState.ACTIVE:
        since = _ladder_since(session, engine.run_id)
    wish = next((c for c in requests.newest(session, 50) if c.kind in _WISHES), None)
    return Panel(engine, books, safety, wish, since)


def in_force(session: Session) -> InForce | None:
    """Return the configuration that an engine applied last; None before the first."""
    row = config_history.latest(session)
    if row is None:
        return None
    try:
        settings = Settings.model_validate_json(row.content, strict=False)
    except ValidationError:
        settings = None
    return InForce(settings, row.config_hash, row.applied_by, row.created_at)


def has_traded(session: Session) -> bool:
    """True once a living session has had a fill."""
    row = RunRow
    living = select(row.id).where(col(row.kind) != "replay").order_by(col(row.id).desc()).limit(50)
    ids = list(session.exec(living))
    query = select(FillRow.id).where(col(FillRow.run_id).in_(ids)).limit(1)
    return bool(ids) and session.exec(query).first() is not None


def _living_books(run_id: int, view: Mapping[str, Any]) -> Books:
    """Return what the heartbeat tells; what an engine of another version leaves out is None."""
    now, start = _money(view, "equity"), _money(view, "day_start_equity")
    return Books(
        run=f"r{run_id}", asset=str(view["asset"]),
        at=datetime.fromisoformat(view["at"]) if view["at"] else None,
        equity=now, cash=_money(view, "cash"), gross=_money(view, "gross"),
        day=None if now is None or start is None else now - start, day_start=start,
        realized=_money(view, "realized"), unrealized=_money(view, "unrealized"),
        fees=_money(view, "fees"), drawdown=_money(view, "drawdown"),
        open_positions=int(view["open_positions"]), working_orders=int(view["working_orders"]),
        is_live=True,
    )  # fmt: skip


def _last_books(session: Session) -> Books | None:
    run = in_work(session)
    if run is None:
        return None
    found, last = open_counts(session, run.number), equity.latest(session, run.number)
    known: dict[str, Any] = {}
    if last is not None:
        known = {
            "realized": last.realized_pnl, "unrealized": last.unrealized_pnl,
            "drawdown": last.drawdown,
        }  # fmt: skip
    return Books(
        run=run.public_id, asset=run.asset, at=None if last is None else last.at,
        equity=None if last is None else last.equity, cash=None if last is None else last.cash,
        open_positions=found.positions, working_orders=found.working_orders, **known,
    )  # fmt: skip


def _safety(view: Mapping[str, Any]) -> Safety | None:
    if "safety" not in view:
        return None
    locks = view.get("locks") or {}
    return Safety(
        halt_reason=str(view.get("halt_reason") or ""),
        daily_level=int(view.get("daily_level") or 0), flattening=bool(view.get("flattening")),
        failing=view["safety"] or {}, volatile=int(view.get("volatile") or 0),
        locks={s: datetime.fromisoformat(until) for s, until in locks.items()},
        paused=bool(view.get("paused")),
    )  # fmt: skip


def _ladder_since(session: Session, run_id: int | None) -> datetime | None:
    row = AlertRow
    query = select(row.raised_at).where(
        col(row.run_id) == run_id, col(row.code).in_(_LADDER)
    ).order_by(col(row.id).desc())  # fmt: skip
    return session.exec(query.limit(1)).first()


def _money(view: Mapping[str, Any], name: str) -> Decimal | None:
    return None if view.get(name) is None else Decimal(view[name])
