"""The run in work and its four figures: signals, trades and profit of the day, uptime."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel import Session, col, select

from crypto_trader_pro.domain.calendar import TradingCalendar, TradingDay
from crypto_trader_pro.domain.enums import SignalType
from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from database import daily, equity, prices, runs
from database.candles import Origin
from database.engine_state import EngineState, IsGone, engine_state
from database.models import AiSignalRow, RunRow
from database.views.runs import asset_of, day_zone, origin_of


@dataclass(frozen=True, slots=True)
class Work:
    """The run that the engine trades, else the newest one.

    Args:
        is_live: a living engine trades it; else everything of it is a memory.
        is_paper: its venue is simulated inside the engine, and rests with it.
        now: market time of the newest figure; None before the first.
        as_of: system time at which its engine last gave a sign of life.
        day_zone: zone in which its trading days begin.
        locks: symbol -> end of its lock (market time), of those that are locked.
    """

    number: int
    public_id: str
    symbols: tuple[str, ...]
    timeframe: str
    origin: Origin
    asset: str
    is_live: bool
    is_paper: bool
    now: datetime | None
    as_of: datetime
    started_at: datetime | None
    day_zone: str
    equity: Decimal | None
    day_start: Decimal | None
    locks: tuple[tuple[str, datetime], ...]


@dataclass(frozen=True, slots=True)
class Signals:
    """What the strategies want at the newest candle.

    Args:
        spoken: how many answers there are, one of each strategy and symbol.
        at: its close, market time; None before the first.
    """

    buys: int
    sells: int
    spoken: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Today:
    """The trading day so far, as of the newest figure.

    Args:
        profit: equity now minus equity when the day began, in `Work.asset`; None: not known.
        share: of the equity when the day began, a fraction.
    """

    day: TradingDay | None
    closed: daily.Closed
    profit: Decimal | None
    share: Decimal | None


def in_work(session: Session, now: datetime, is_gone: IsGone) -> Work | None:
    """Return the run of the living engine, else the newest; None before any."""
    engine = engine_state(session, now, is_gone)
    living = engine is not None and engine.alive and engine.run_id is not None
    row = session.get(RunRow, engine.run_id) if engine is not None and living else None
    row = row or runs.last(session)
    if row is None:
        return None
    own = engine if engine is not None and engine.run_id == row.id else None
    return _work(session, row, own)


def signals(session: Session, run: int) -> Signals:
    """Count what the strategies want at the newest candle of a run."""
    row = AiSignalRow
    newest = select(col(row.created_at)).where(col(row.run_id) == run)
    at = session.exec(newest.order_by(col(row.created_at).desc()).limit(1)).first()
    if at is None:
        return Signals(0, 0, 0, None)
    said = session.exec(
        select(col(row.signal_type)).where(col(row.run_id) == run, col(row.created_at) == at)
    ).all()
    return Signals(said.count(SignalType.BUY), said.count(SignalType.SELL), len(said), at)


def today(session: Session, work: Work) -> Today:
    """Return the trading day in which the newest figure of a run lies."""
    if work.now is None:
        return Today(None, daily.Closed(0, 0, 0), None, None)
    day = TradingCalendar(work.day_zone).day_of(to_ms(work.now))
    closed = daily.closed(session, work.number, day)
    began = work.day_start
    if began is None:  # nobody tells it: what the books say
        point = daily.last_point(session, work.number, to_datetime(day.start_ms))
        began = daily.capital(session, work.number) if point is None else point.equity
    if work.equity is None or began is None:
        return Today(day, closed, None, None)
    profit = work.equity - began
    return Today(day, closed, profit, profit / began if began else None)


def _work(session: Session, row: RunRow, engine: EngineState | None) -> Work:
    number = runs.number(row)
    told: Any = None if engine is None else engine.account
    now, value = None, None
    if told is not None:
        now = datetime.fromisoformat(told["at"]) if told.get("at") else None
        value = Decimal(told["equity"])
    elif (last := equity.latest(session, number)) is not None:
        now, value = last.at, last.equity
    told = told or {}
    locks = {s: datetime.fromisoformat(at) for s, at in told.get("locks", {}).items()}
    day_start = told.get("day_start_equity")
    origin = origin_of(row)
    return Work(
        number, runs.public_id(row), tuple(row.symbols), row.timeframe,
        origin, asset_of(row.symbols),
        is_live=engine is not None and engine.alive, is_paper=row.kind != "live", now=now,
        as_of=_last_sign(session, row, origin) if engine is None else engine.heartbeat_at,
        started_at=engine.started_at if engine is not None and engine.alive else None,
        day_zone=day_zone(row), equity=value,
        day_start=None if day_start is None else Decimal(day_start),
        locks=tuple(sorted(locks.items())),
    )  # fmt: skip


def _last_sign(session: Session, row: RunRow, origin: Origin) -> datetime:
    """Return when a run ended; one that was never ended, when its last price came."""
    if row.finished_at is not None:
        return row.finished_at
    return max([row.started_at, *(p.received_at for p in prices.latest(session, origin))])
