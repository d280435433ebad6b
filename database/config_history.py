"""Every configuration that was applied: who, when, and its whole content."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from database.models import AutoTradingConfigRow


@dataclass(frozen=True, slots=True)
class AppliedConfig:
    """A configuration and the values that the requirement documents want as columns."""

    is_enabled: bool
    trading_mode: str
    max_daily_loss_pct: Decimal
    max_positions: int
    trading_interval: int  # seconds
    symbols: Sequence[str]
    config_hash: str
    content: str  # canonical JSON of all files


def record(
    session: Session, config: AppliedConfig, applied_by: str, now: datetime
) -> AutoTradingConfigRow:
    """Insert `config` as the one in force; where it is in force already, return that row."""
    newest = latest(session)
    if newest is not None and (newest.config_hash, newest.is_enabled) == (
        config.config_hash, config.is_enabled,
    ):  # fmt: skip
        return newest
    row = AutoTradingConfigRow(
        is_enabled=config.is_enabled, trading_mode=config.trading_mode,
        max_daily_loss_pct=config.max_daily_loss_pct, max_positions=config.max_positions,
        trading_interval=config.trading_interval, symbols=list(config.symbols),
        config_hash=config.config_hash, content=config.content, applied_by=applied_by,
        created_at=now, updated_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def latest(session: Session) -> AutoTradingConfigRow | None:
    """Return the configuration in force, or None before the first."""
    rows = history(session, limit=1)
    return rows[0] if rows else None


def history(
    session: Session, *, limit: int = 50, before_id: int | None = None
) -> list[AutoTradingConfigRow]:
    """Return applied configurations, newest first; `before_id` continues after the last shown."""
    row = AutoTradingConfigRow
    query = select(row).order_by(col(row.id).desc()).limit(limit)
    if before_id is not None:
        query = query.where(col(row.id) < before_id)
    return list(session.exec(query))
