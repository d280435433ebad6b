"""Trained models, how they did out of sample, and what became of their signals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from database import shadow_trades, trained_models
from database.models import ModelRow, ShadowTradeRow

_SHADOWS = 500  # ended shadow trades that are shown


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model and its record. Times of `trained_at` and the data are trading time.

    Args:
        metrics: as `auto_trading/model_report.py` writes them: `model`, `logistic_regression`,
            `always_long`, `folds`, `importance`, `months`, `shadow_only`; any may be missing in a
            model of an older version or of too short a history.
    """

    model_id: str
    run_id: int | None
    strategy: str
    timeframe: str
    trained_at: datetime
    created_at: datetime
    expires_at: datetime
    data_from: datetime
    data_to: datetime
    rows: int
    symbols: tuple[str, ...]
    metrics: Mapping[str, Any]
    training_seconds: float


@dataclass(frozen=True, slots=True)
class Shadow:
    """A signal that was followed on paper only, and its end. Thousandths of a basis point."""

    number: int
    symbol: str
    side: str
    decided_at: datetime
    closed_at: datetime | None
    probability: float  # 0..1
    expected_bp: float
    realized_bp: float | None
    exit_reason: str


@dataclass(frozen=True, slots=True)
class Shadows:
    """The newest ended shadow trades of a run, and how many there are of each kind."""

    ended: tuple[Shadow, ...]
    ended_count: int
    open_count: int


def newest(session: Session, run_id: int, limit: int = 50) -> list[TrainedModel]:
    """Return the models of a run, newest first; where it trained none, those of any run.

    A session goes on with a model that one before it trained.
    """
    rows = trained_models.newest(session, run_id=run_id, limit=limit)
    return [_view(row) for row in rows or trained_models.newest(session, limit=limit)]


def shadows(session: Session, run_id: int) -> Shadows:
    """Return what became of the model signals of a run."""
    row = ShadowTradeRow
    of_run = select(func.count(), func.count(col(row.closed_at))).where(col(row.run_id) == run_id)
    count, ended_count = session.exec(of_run).one()
    found = shadow_trades.ended(session, run_id, limit=_SHADOWS)
    return Shadows(tuple(_shadow(one) for one in found), ended_count, count - ended_count)


def _shadow(row: ShadowTradeRow) -> Shadow:
    return Shadow(
        row.id or 0, row.symbol, row.side, row.decided_at, row.closed_at, row.probability / 1e6,
        row.expected_mbp / 1e3, None if row.realized_mbp is None else row.realized_mbp / 1e3,
        row.exit_reason or "",
    )  # fmt: skip


def _view(row: ModelRow) -> TrainedModel:
    return TrainedModel(
        row.model_id, row.run_id, row.strategy, row.timeframe, row.trained_at, row.created_at,
        row.expires_at, row.data_from, row.data_to, row.rows, tuple(row.symbols), row.metrics,
        float(row.training_seconds),
    )  # fmt: skip
