"""The record of jobs, and the rows that jobs keep current."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from crypto_trader_pro.domain.enums import TradingState
from crypto_trader_pro.domain.portfolio import AccountView
from database import job_rows, marking
from database.auto_trading_db import unit_of_work
from database.models import EquityRow, JobRow, PositionRow
from tests.builders import USDT
from tests.rows import T0, T0_MS, a_position, after, an_equity, stored, stored_run


def the_job(database: Engine, name: str = "retention") -> JobRow:
    with unit_of_work(database) as session:
        (row,) = [row for row in job_rows.everything(session) if row.name == name]
    return row


def test_a_job_is_running_and_then_has_ended(database: Engine) -> None:
    with unit_of_work(database) as session:
        job_rows.begun(session, "retention", T0)
    row = the_job(database)
    assert (row.status, row.started_at, row.finished_at, row.milliseconds) == (
        "running", T0, None, None
    )  # fmt: skip
    with unit_of_work(database) as session:
        job_rows.ended(session, "retention", T0, T0 + timedelta(milliseconds=1250), None)
    row = the_job(database)
    assert (row.status, row.milliseconds, row.failures, row.error) == ("ok", 1250, 0, None)
    assert row.finished_at == T0 + timedelta(milliseconds=1250)


def test_failures_in_a_row_are_counted_and_the_last_error_stays(database: Engine) -> None:
    for _ in range(2):
        with unit_of_work(database) as session:
            job_rows.begun(session, "retention", T0)
            job_rows.ended(session, "retention", T0, T0, "the disk is full")
    row = the_job(database)
    assert (row.status, row.failures, row.error) == ("failed", 2, "the disk is full")
    with unit_of_work(database) as session:
        job_rows.ended(session, "retention", after(1), after(1), None)
    row = the_job(database)
    assert (row.status, row.failures, row.error) == ("ok", 0, "the disk is full")
    assert row.started_at == after(1)


def test_a_job_of_another_process_is_asked_for_once(database: Engine) -> None:
    names = ["digest", "escalation"]
    with unit_of_work(database) as session:
        assert not job_rows.is_any_asked(session, names)
        for minutes in (1, 2):
            job_rows.ask(session, "digest", after(minutes))  # it has never run
        job_rows.ask(session, "train", T0)
    assert the_job(database, "digest").status == "asked"
    assert the_job(database, "digest").asked_at == after(1)
    with unit_of_work(database) as session:
        assert job_rows.is_any_asked(session, names)
        assert job_rows.take_asked(session, names) == ["digest"]
        assert job_rows.take_asked(session, names) == []
        job_rows.begun(session, "digest", after(3))
        job_rows.ended(session, "digest", after(3), after(3), None)
    assert the_job(database, "digest").status == "ok"


def test_a_run_that_a_dead_process_left_is_marked(database: Engine) -> None:
    with unit_of_work(database) as session:
        job_rows.begun(session, "train", T0)
        job_rows.ended(session, "retention", T0, T0, None)
    with unit_of_work(database) as session:
        assert job_rows.interrupted(session, ["retention"]) == 0  # another process runs "train"
        assert job_rows.interrupted(session, ["retention", "train"]) == 1
    row = the_job(database, "train")
    assert (row.status, row.error) == ("failed", "interrupted: the process ended")
    assert row.failures == 0  # nobody was told of a failure
    assert the_job(database).status == "ok"


# --- equity -------------------------------------------------------------------------------------


def a_view(at_ms: int = T0_MS + 60_000) -> AccountView:
    return AccountView(
        at_ms=at_ms, asset="USDT", cash=90_000 * USDT, equity=100_010 * USDT, gross=10_000 * USDT,
        realized=-5 * USDT, unrealized=15 * USDT, fees=5 * USDT, funding=0, open_positions=1,
        working_orders=2, peak=100_010 * USDT, drawdown_rate=1_250_000,
        day_start_equity=100_000 * USDT, trading_state=TradingState.REDUCING,
    )  # fmt: skip


def test_an_equity_snapshot_is_stored_once(database: Engine) -> None:
    run_id = stored_run(database)
    with unit_of_work(database) as session:
        assert marking.add_equity(session, run_id, a_view())
        assert not marking.add_equity(session, run_id, a_view())
    with unit_of_work(database) as session:
        (row,) = session.exec(select(EquityRow)).all()
    assert (row.run_id, row.at, row.open_positions) == (run_id, after(1), 1)
    assert (row.equity, row.cash) == (Decimal(100_010), Decimal(90_000))
    assert (row.unrealized_pnl, row.realized_pnl) == (Decimal(15), Decimal(-5))
    assert (row.drawdown, row.trading_state) == (Decimal("0.0125"), "reducing")


def test_the_engines_own_snapshot_of_that_instant_stays(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, an_equity(run_id, 1, "7"))
    with unit_of_work(database) as session:
        assert not marking.add_equity(session, run_id, a_view())
        assert session.exec(select(EquityRow)).one().equity == 7  # the transaction goes on


def test_a_snapshot_of_no_run_is_a_fault(database: Engine) -> None:
    with unit_of_work(database) as session, pytest.raises(IntegrityError):
        marking.add_equity(session, 99, a_view())


# --- positions ----------------------------------------------------------------------------------


def positions(database: Engine) -> dict[str, PositionRow]:
    with unit_of_work(database) as session:
        return {row.symbol: row for row in session.exec(select(PositionRow))}


def test_open_positions_are_marked_to_the_newest_prices(database: Engine) -> None:
    run_id, other = stored_run(database), stored_run(database)
    old = Decimal(3)
    stored(
        database,
        a_position(run_id, symbol="A", size=Decimal("0.5"), entry_price=Decimal(100)),
        a_position(run_id, symbol="B", size=Decimal(2), entry_price=Decimal(50), side="SHORT"),
        a_position(run_id, symbol="C", unrealized_pnl=old),
        a_position(run_id, symbol="D", status="CLOSED", size=Decimal(0), unrealized_pnl=old),
        a_position(other, symbol="E", unrealized_pnl=old),
    )
    prices = {"A": Decimal(110), "B": Decimal("50.25"), "D": Decimal(9), "E": Decimal(9)}
    with unit_of_work(database) as session:
        assert marking.mark_positions(session, run_id, prices) == 2
    rows = positions(database)
    # 0.5 x (110 - 100); -2 x (50.25 - 50)
    assert (rows["A"].current_price, rows["A"].unrealized_pnl) == (Decimal(110), Decimal(5))
    assert (rows["B"].current_price, rows["B"].unrealized_pnl) == (
        Decimal("50.25"), Decimal("-0.5")
    )  # fmt: skip
    assert rows["A"].updated_at == T0  # trading time, the engine's
    assert (rows["C"].current_price, rows["C"].unrealized_pnl) == (None, old)  # no price, no mark
    assert (rows["D"].current_price, rows["D"].unrealized_pnl) == (None, None)  # closed
    assert rows["E"].unrealized_pnl == old  # another run's
