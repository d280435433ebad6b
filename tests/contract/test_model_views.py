"""What the Models page reads, on both databases."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Engine

from auto_trading_dashboard.queries import models
from database.auto_trading_db import unit_of_work
from database.models import ModelRow, ShadowTradeRow
from tests.rows import stored, stored_run

AT = datetime(2026, 1, 5, tzinfo=UTC)


def a_model(model_id: str, run_id: int | None, days: int) -> ModelRow:
    return ModelRow(
        model_id=model_id, run_id=run_id, strategy="ai_signal", timeframe="1h",
        trained_at=AT + timedelta(days=days), created_at=AT, expires_at=AT + timedelta(days=90),
        data_from=AT - timedelta(days=700), data_to=AT, rows=20_000, symbols=["BTC/USDT"],
        schema_hash="s", config_hash="c", metrics={"months": 24},
        training_seconds=Decimal("5.125"),
    )  # fmt: skip


def a_shadow(run_id: int, hours: int, realized: int | None) -> ShadowTradeRow:
    decided = AT + timedelta(hours=hours)
    closed = None if realized is None else decided + timedelta(hours=5)
    return ShadowTradeRow(
        run_id=run_id, model_id="m1", symbol="BTC/USDT", side="BUY", decided_at=decided,
        closed_at=closed, probability=412_500, expected_mbp=12_345, realized_mbp=realized,
        exit_reason=None if realized is None else "stop",
    )  # fmt: skip


def test_a_runs_own_models_come_newest_first(database: Engine) -> None:
    one, other = stored_run(database), stored_run(database)
    stored(database, a_model("old", one, 0), a_model("new", one, 31), a_model("else", other, 60))
    with unit_of_work(database) as session:
        found = models.newest(session, one)
    assert [m.model_id for m in found] == ["new", "old"]
    assert (found[0].rows, found[0].symbols, found[0].training_seconds) == (
        20_000, ("BTC/USDT",), 5.125,
    )  # fmt: skip


def test_a_session_that_trained_none_shows_the_model_it_goes_on_with(database: Engine) -> None:
    earlier, now = stored_run(database), stored_run(database)
    stored(database, a_model("taken over", earlier, 0))
    with unit_of_work(database) as session:
        assert [m.model_id for m in models.newest(session, now)] == ["taken over"]


def test_promises_stand_beside_outcomes_in_basis_points(database: Engine) -> None:
    run, other = stored_run(database), stored_run(database)
    stored(database, a_shadow(run, 0, -100_000), a_shadow(run, 1, 200_500), a_shadow(run, 2, None),
           a_shadow(other, 0, 1))  # fmt: skip
    with unit_of_work(database) as session:
        found = models.shadows(session, run)
    assert (found.ended_count, found.open_count) == (2, 1)
    newest, oldest = found.ended
    assert (newest.expected_bp, newest.realized_bp) == (12.345, 200.5)
    assert (oldest.realized_bp, oldest.exit_reason) == (-100.0, "stop")
    assert newest.probability == 0.4125


def test_a_run_without_signals_has_no_outcomes(database: Engine) -> None:
    with unit_of_work(database) as session:
        assert models.shadows(session, stored_run(database)) == models.Shadows((), 0, 0)
