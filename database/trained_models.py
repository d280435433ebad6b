"""Trained models: what each was trained on, and how it did out of sample."""

from sqlalchemy import tuple_
from sqlmodel import Session, col, select

from crypto_trader_pro.domain.errors import InputError
from database.models import ModelRow


def add(session: Session, model: ModelRow) -> bool:
    """Insert a model; False where its id is stored already, as when a run is resumed."""
    if session.get(ModelRow, model.model_id) is not None:
        return False
    session.add(model)
    session.flush()
    return True


def get(session: Session, model_id: str) -> ModelRow:
    """Return a model.

    Raises:
        InputError: no such model.
    """
    row = session.get(ModelRow, model_id)
    if row is None:
        raise InputError(f"there is no model {model_id!r}")
    return row


def newest(
    session: Session, *, strategy: str | None = None, run_id: int | None = None, limit: int = 50,
    before: ModelRow | None = None,
) -> list[ModelRow]:  # fmt: skip
    """Return models, newest cutoff first; `before` continues after the last one shown."""
    row = ModelRow
    key = (col(row.trained_at), col(row.model_id))
    query = select(row).order_by(*(column.desc() for column in key)).limit(limit)
    if strategy is not None:
        query = query.where(col(row.strategy) == strategy)
    if run_id is not None:
        query = query.where(col(row.run_id) == run_id)
    if before is not None:
        query = query.where(tuple_(*key) < (before.trained_at, before.model_id))
    return list(session.exec(query))
