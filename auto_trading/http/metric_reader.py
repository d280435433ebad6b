"""Reads what /metrics tells from the database: new rows only, never a whole long table.

Counters count from the start of this process; Prometheus knows how to add up after a restart.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine as Database
from sqlmodel import Session, col, func, select

from auto_trading.http.histograms import Distribution
from auto_trading.status import process_is_gone
from crypto_trader_pro.domain.enums import OrderStatus
from database import alerts
from database.auto_trading_db import unit_of_work
from database.engine_state import EngineState, engine_state
from database.models import (
    CommandRow,
    DecisionRow,
    FillRow,
    ModelRow,
    OrderRow,
    OutboxRow,
    PerformanceMetricRow,
    RunRow,
    TradeRow,
)
from database.outbox import OutboxStatus

SLIPPAGE: Final = (0.0, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)
_OPEN_OUTBOX: Final = (OutboxStatus.WAITING, OutboxStatus.HELD, OutboxStatus.FAILED)
_ENDED: Final = frozenset(
    s.value
    for s in (
        OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED,
        OrderStatus.DENIED, OrderStatus.ABSENT,
    )
)  # fmt: skip


@dataclass(slots=True)
class Counts:
    """What has been counted since this process began."""

    decisions: Counter[str] = field(default_factory=Counter)  # by outcome
    refusals: Counter[str] = field(default_factory=Counter)  # by rule
    fills: Counter[tuple[str, str]] = field(default_factory=Counter)  # by side and reason
    orders: Counter[str] = field(default_factory=Counter)  # by status, as of now
    sent: Counter[str] = field(default_factory=Counter)  # messages by channel
    slippage: Distribution = field(default_factory=lambda: Distribution(SLIPPAGE))


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything at one instant; None is not known."""

    engine: EngineState | None
    view: Mapping[str, Any]  # of a living engine's heartbeat, else empty
    counts: Counts
    outbox: Mapping[tuple[str, str], int]  # by channel and status
    waiting_commands: int
    open_alerts: int
    day: PerformanceMetricRow | None  # newest day of the engine's books
    model: ModelRow | None  # in use


class MetricReader:
    """Called by one thread at a time."""

    def __init__(self, reader: Database) -> None:
        self._reader = reader
        self._counts = Counts()
        self._run_id: int | None = None
        self._last: dict[str, int] = {}  # newest id that was counted, by table
        self._settled: Counter[str] = Counter()  # orders decided before `_since`; all have ended
        self._since: datetime | None = None

    def read(self, now: datetime) -> Reading:
        """Return how things are.

        Raises:
            JournalUnavailable: the database does not answer.
        """
        with unit_of_work(self._reader, "the metrics") as session:
            state = engine_state(session, now, process_is_gone)
            run_id = None if state is None else state.run_id
            if run_id is not None:
                self._follow(session, run_id)
            self._count_sent(session)
            row = CommandRow
            waiting = select(func.count()).where(col(row.status) == "asked")
            return Reading(
                engine=state, view=(state.account if state else None) or {}, counts=self._counts,
                outbox=_outbox(session), waiting_commands=session.exec(waiting).one(),
                open_alerts=alerts.count_open(session), day=_day(session, run_id),
                model=_model(session, state),
            )  # fmt: skip

    def _follow(self, session: Session, run_id: int) -> None:
        if run_id != self._run_id:
            self._run_id, self._since = run_id, None
            self._settled.update(self._open_counts())
            self._last = {name: _newest(session, model) for name, model in _BY_ID.items()}
        self._count_decisions(session, run_id)
        self._count_fills(session, run_id)
        self._count_trades(session, run_id)
        self._count_orders(session, run_id)

    def _open_counts(self) -> Counter[str]:
        """Return the orders of an earlier session that count on: those that had ended."""
        ended = Counter({s: n for s, n in self._counts.orders.items() if s in _ENDED})
        ended.subtract(self._settled)
        return ended

    def _span(self, session: Session, name: str) -> tuple[int, int]:
        """Return (after, up to) of the ids that are new."""
        before, newest = self._last.get(name, 0), _newest(session, _BY_ID[name])
        self._last[name] = newest
        return before, newest

    def _count_decisions(self, session: Session, run_id: int) -> None:
        row, (after, end) = DecisionRow, self._span(session, "decisions")
        key = (col(row.outcome), col(row.first_refusal))
        query = select(*key, func.count()).where(
            col(row.id) > after, col(row.id) <= end, row.run_id == run_id
        )
        for outcome, rule, number in session.exec(query.group_by(*key)):
            self._counts.decisions[outcome] += number
            if rule is not None:
                self._counts.refusals[rule] += number

    def _count_fills(self, session: Session, run_id: int) -> None:
        row, (after, end) = FillRow, self._span(session, "fills")
        key = (col(row.side), col(row.reason))
        query = select(*key, func.count()).where(
            col(row.id) > after, col(row.id) <= end, row.run_id == run_id
        )
        for side, reason, number in session.exec(query.group_by(*key)):
            self._counts.fills[(side, reason)] += number

    def _count_trades(self, session: Session, run_id: int) -> None:
        row, (after, end) = TradeRow, self._span(session, "trades")
        query = select(col(row.slippage)).where(
            col(row.id) > after, col(row.id) <= end, row.run_id == run_id
        )
        for slippage in session.exec(query):
            if slippage is not None:
                self._counts.slippage.add(float(slippage))

    def _count_orders(self, session: Session, run_id: int) -> None:
        """Look at the orders since the oldest that has not ended; all before it are counted."""
        row, run = OrderRow, session.get(RunRow, run_id)
        if run is None:
            return
        own = (col(row.run_id) == run_id, col(row.symbol).in_(run.symbols))
        if self._since is None:
            newest = select(col(row.decided_at)).where(*own).order_by(col(row.decided_at).desc())
            self._since = session.exec(newest.limit(1)).first()
        if self._since is None:  # no order yet
            return
        query = select(col(row.status), col(row.decided_at)).where(
            *own, col(row.decided_at) >= self._since
        )
        found = list(session.exec(query))
        if not found:
            return
        still = [at for status, at in found if status not in _ENDED]
        since = min(still, default=max(at for _, at in found))
        self._settled.update(status for status, at in found if at < since)
        self._since = since
        self._counts.orders = self._settled + Counter(s for s, at in found if at >= since)

    def _count_sent(self, session: Session) -> None:
        """Count what was sent of the messages since this process began."""
        row = OutboxRow
        if "outbox" not in self._last:
            self._last["outbox"] = _newest(session, OutboxRow)
        key = col(row.channel)
        query = select(key, func.count()).where(
            col(row.id) > self._last["outbox"], col(row.status) == OutboxStatus.SENT.value
        )
        self._counts.sent = Counter(dict(session.exec(query.group_by(key)).all()))


_BY_ID: Final[Mapping[str, Any]] = {
    "decisions": DecisionRow, "fills": FillRow, "trades": TradeRow,
}  # fmt: skip


def _newest(session: Session, model: Any) -> int:
    found: int | None = session.exec(select(func.max(model.id))).one()
    return found or 0


def _outbox(session: Session) -> dict[tuple[str, str], int]:
    row = OutboxRow
    key = (col(row.channel), col(row.status))
    statuses = [status.value for status in _OPEN_OUTBOX]
    query = select(*key, func.count()).where(col(row.status).in_(statuses)).group_by(*key)
    return {(channel, status): number for channel, status, number in session.exec(query)}


def _day(session: Session, run_id: int | None) -> PerformanceMetricRow | None:
    run = None if run_id is None else session.get(RunRow, run_id)
    if run is None:
        return None
    row = PerformanceMetricRow
    mode = f"{'backtest' if run.kind == 'replay' else run.kind}-{run.source}"
    query = select(row).where(row.mode == mode).order_by(col(row.date).desc()).limit(1)
    return session.exec(query).first()


def _model(session: Session, state: EngineState | None) -> ModelRow | None:
    told = None if state is None or state.account is None else state.account.get("model")
    number = told.get("model_id") if isinstance(told, Mapping) else None
    return session.get(ModelRow, number) if number else None
