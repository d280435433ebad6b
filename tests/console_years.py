"""What a year of running leaves beside the trades: log lines, days, alerts, models, requests."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np
from sqlalchemy import Engine as Database
from sqlmodel import Session

from config.settings import Settings
from crypto_trader_pro.backtest import metrics
from crypto_trader_pro.domain.enums import CommandKind, NotificationType
from crypto_trader_pro.domain.instruments import money
from crypto_trader_pro.domain.timeframes import to_ms
from database import config_history, prices
from database.auto_trading_db import unit_of_work
from database.candles import Origin
from database.config_history import AppliedConfig
from database.daily import DaySummary, Performance, upsert_performance, upsert_summary
from database.models import (
    AlertRow,
    CommandRow,
    EmergencyStopRow,
)
from database.prices import LatestPrice
from tests.console_bulk import Bulk, Row
from tests.console_history import History
from tests.console_models import models, now_of, shadows

ALERTS: Final = 2_000
OPEN_ALERTS: Final = 40
COMMANDS: Final = 400
LOG_DAYS: Final = 25  # the shipped retention keeps thirty
_LOGS: Final = ("user_id", "timestamp", "log_level", "component", "message", "data",
                "correlation_id", "run_id")  # fmt: skip
_PLACES: Final = Decimal("0.000001")
# weight, level, component, message, whether it belongs to a decision
_LINES: Final = (
    (600, "INFO", "EXECUTOR", "{symbol}: filled", True),
    (150, "INFO", "EXECUTOR", "{symbol}: entry decided", True),
    (130, "DEBUG", "SIGNAL", "{symbol}: nothing new", True),
    (60, "DEBUG", "MONITOR", "{symbol}: candle taken", True),
    (25, "INFO", "JOB", "job order_status took {n} ms", False),
    (15, "WARNING", "MONITOR", "exchange binance: a reader fell behind and starts over", False),
    (8, "WARNING", "ENGINE", "the journal: the database is locked; trying again", False),
    (4, "ERROR", "JOB", "job order_status failed: our books and the venue differ", False),
    (3, "INFO", "POSITION", "{symbol}: protected", True),
    (2, "INFO", "CONFIG", "configuration applied", False),
    (1, "ERROR", "NOTIFIER", "e-mail: connection refused; tried again in {n} s", False),
    (1, "WARNING", "RISK", "daily_loss_warning: {n}", False),
    (1, "INFO", "CONSOLE", "listening on 127.0.0.1:8501", False),
)


# --- log lines ------------------------------------------------------------------------------


def add_logs(
    to: Bulk, count: int, run_id: int, now: datetime, rng: np.random.Generator,
    symbols: Sequence[str],
) -> None:  # fmt: skip
    """Add `count` lines of the last weeks, oldest first; the last of all is critical."""
    to.add("auto_trading_logs", _LOGS, _log_rows(to, count, run_id, now, rng, symbols))


def _log_rows(
    to: Bulk, count: int, run_id: int, now: datetime, rng: np.random.Generator,
    symbols: Sequence[str],
) -> Iterator[Row]:  # fmt: skip
    weights = np.array([line[0] for line in _LINES], dtype=float)
    kinds = rng.choice(len(_LINES), count, p=weights / weights.sum()).tolist()
    numbers = rng.integers(1, 900, count).tolist()
    last = to_ms(now) - 1
    first, span = last - LOG_DAYS * 86_400_000, LOG_DAYS * 86_400_000
    for n, (kind, number) in enumerate(zip(kinds, numbers, strict=True)):
        at_ms = first + span * (n + 1) // count
        _, level, component, message, is_decision = _LINES[kind]
        symbol = symbols[number % len(symbols)]
        data = correlation = None
        if is_decision:
            correlation = f"r{run_id}:{symbol}:{at_ms // 300_000 * 300_000}"
            data = f'{{"order":"r{run_id}o{n:07d}","lots":{number}}}'
        if n == count - 1:
            level, component, message = "CRITICAL", "ENGINE", "thread notifications died"
        yield (1, to.values.time(at_ms), level, component,
               message.format(symbol=symbol, n=number), data, correlation, run_id)  # fmt: skip


# --- days -----------------------------------------------------------------------------------


def add_days(database: Database, history: History, mode: str, now: datetime) -> None:
    """Write a run's finished trading days as the product's job does, from the run's own books."""
    returns: list[float] = []
    drawdown = metrics.Drawdown()
    with unit_of_work(database) as session:
        for day in history.book.days[:-1]:
            realized = money(day.realized - day.realized_before)
            summary = DaySummary(
                day.day, money(day.opened), money(day.ended), realized, money(day.unrealized),
                money(day.fees), Decimal(0),
                _fraction(day.drawdown) or Decimal(0), day.trades, day.wins, day.losses,
            )  # fmt: skip
            returns.append(day.ended / day.opened - 1)
            drawdown.add(float(summary.ending_equity))
            upsert_summary(session, history.run_id, mode, summary, now)
            upsert_performance(
                session, mode, summary, _performance(summary, returns, drawdown), now
            )


def _performance(
    summary: DaySummary, returns: Sequence[float], drawdown: metrics.Drawdown
) -> Performance:
    risk = metrics.historical_var(returns)
    return Performance(
        daily_return=_fraction(returns[-1]),
        sharpe_ratio=_fraction(metrics.sharpe_ratio(returns)),
        sortino_ratio=_fraction(metrics.sortino_ratio(returns)),
        max_drawdown=_fraction(drawdown.largest),
        var_daily=None if risk is None else _fraction(risk * float(summary.ending_equity)),
        win_rate=_fraction(metrics.win_rate(summary.win_count, summary.trade_count)),
    )


def _fraction(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value)).quantize(_PLACES)


# --- what is small --------------------------------------------------------------------------


def add_rest(
    database: Database, settings: Settings, newest: History, now: datetime,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add what a year leaves in small tables."""
    with unit_of_work(database) as session:
        _configs(session, settings, now)
        session.add_all(_alerts(newest.run_id, now, rng))
        session.add_all(_commands(now))
        session.add_all(_stops(newest.run_id, now))
        session.add_all(models(newest, settings, now, rng))
        session.add_all(shadows(newest, rng))
        _prices(session, newest, now)


def _configs(session: Session, settings: Settings, now: datetime) -> None:
    for age in range(12, 0, -1):
        bars = age % 4
        changed = settings.model_copy(
            update={"limits": settings.limits.model_copy(update={"cooldown_bars": bars})}
        )
        applied = AppliedConfig(
            True, changed.engine.trading_mode.value, changed.risk_management.daily_loss_limit_pct,
            changed.engine.max_concurrent_positions, changed.engine.trading_interval,
            changed.symbols, changed.hash(), changed.canonical_json(),
        )  # fmt: skip
        config_history.record(session, applied, "kim", now - timedelta(days=25 * age))


_KINDS: Final = (
    (NotificationType.DAILY_LOSS_WARNING, "warning", "daily_loss_warning",
     {"equity": 97_600_000_000_000, "day_start": 100_000_000_000_000,
      "line": 97_000_000_000_000}),
    (NotificationType.SYSTEM_ERROR, "error", "job_failed",
     {"job": "order_status", "error": "our books and the venue differ in 1 place"}),
    (NotificationType.SYSTEM_ERROR, "info", "job_recovered",
     {"job": "order_status", "failures": 2}),
    (NotificationType.API_CONNECTION_LOST, "critical", "connection_lost",
     {"seconds": 61, "limit": 60}),
    (NotificationType.CONFIG_CHANGED, "info", "config_applied",
     {"by": "kim", "changes": {"limits.cooldown_bars": 2}, "config_hash": "1816a5f1ef6e"}),
)  # fmt: skip


def _alerts(run_id: int, now: datetime, rng: np.random.Generator) -> Iterator[AlertRow]:
    for n, pick in enumerate(rng.integers(0, len(_KINDS), ALERTS).tolist()):
        kind, severity, code, numbers = _KINDS[pick]
        at = now - timedelta(hours=4 * (ALERTS - n))
        seen = n < ALERTS - OPEN_ALERTS
        yield AlertRow(
            run_id=run_id, kind=kind.value, severity=severity, code=code, numbers=numbers, at=at,
            raised_at=at, acknowledged_at=at + timedelta(minutes=20) if seen else None,
            acknowledged_by="kim" if seen else None,
        )  # fmt: skip


def _commands(now: datetime) -> Iterator[CommandRow]:
    answers = (
        (CommandKind.START, "done", {"code": "answer.started"}),
        (CommandKind.STOP, "done", {"code": "answer.stopped", "open_positions": 2}),
        (CommandKind.REARM, "refused",
         {"code": "refused.confirm", "given": "please", "word": "REARM"}),
    )  # fmt: skip
    for n in range(COMMANDS):
        kind, status, answer = answers[n % len(answers)]
        at = now - timedelta(hours=20 * (COMMANDS - n))
        yield CommandRow(
            command_id=f"large-{n}", kind=kind.value, payload={}, requested_by="console",
            requested_at=at, status=status, claimed_at=at, finished_at=at, answer=answer,
        )  # fmt: skip


def _stops(run_id: int, now: datetime) -> Iterator[EmergencyStopRow]:
    for n in range(5):
        at = now - timedelta(days=60 * (5 - n))
        names = ("halted", "entries_canceled", "flattening", "flat", "orders_canceled")
        steps = [
            {"step": name, "at": (at + timedelta(seconds=k)).isoformat(),
             "market_ms": to_ms(at) + 1000 * k}
            for k, name in enumerate(names)
        ]  # fmt: skip
        yield EmergencyStopRow(
            run_id=run_id, trigger="MANUAL_STOP", requested_by="kim", status="flat",
            started_at=at, finished_at=at + timedelta(seconds=4), positions=3, remaining=0,
            steps=steps,
        )  # fmt: skip


def _prices(session: Session, newest: History, now: datetime) -> None:
    market = newest.market
    found = [
        LatestPrice(
            item.symbol, item.price(int(market.close[-1, i])), now_of(newest), Decimal("0.0001")
        )
        for i, item in enumerate(market.instruments)
    ]
    prices.store_latest(session, found, Origin("binance", "exchange"), now)
