"""The roll-up beside its surroundings: other writers, retention, runs without sums, a cut-off."""

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import Engine
from sqlmodel import Session, select

from config.engine import Retention
from crypto_trader_pro.domain.timeframes import to_ms
from database import retention, rollups, runs
from database.auto_trading_db import unit_of_work
from database.models import (
    DecisionCountRow,
    DecisionRow,
    EquitySpanRow,
    RollupMarkRow,
)
from database.retention import Present
from database.rollup_marks import EQUITY, mark_of
from tests.rows import T0, a_decision, after, an_equity, stored, stored_run

DAY = 1440  # minutes
KEEP = Retention(decisions_days=10, demo_days=2, market_data_days=20, logs_days=5)


def never() -> bool:
    return False


def refused(run_id: int, minutes: int) -> DecisionRow:
    return a_decision(
        run_id, minutes, outcome="refused", strategy="ema_cross", first_refusal="cooldown"
    )


def total(database: Engine, run_id: int) -> int:
    with unit_of_work(database) as session:
        return sum(o.decisions for o in rollups.outcomes(session, run_id))


def test_what_was_added_is_undone_with_its_transaction(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, *(refused(run_id, k) for k in range(5)), an_equity(run_id, 1))
    with Session(database) as session:
        assert rollups.roll_up(session, run_id) == 5  # the newest instant waits
        session.rollback()
    with unit_of_work(database) as session:
        for model in (DecisionCountRow, EquitySpanRow, RollupMarkRow):
            assert session.exec(select(model)).all() == []
    assert total(database, run_id) == 5


def test_an_instant_that_still_grows_is_counted_once(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, refused(run_id, 0), refused(run_id, 5))
    for _ in range(2):
        rollups.catch_up(database, run_id, never)
    stored(database, a_decision(run_id, 5, symbol="ETH/USDT:USDT"))
    rollups.catch_up(database, run_id, never)
    assert total(database, run_id) == 3
    stored(database, refused(run_id, 10))
    rollups.catch_up(database, run_id, never, limit=1)
    assert total(database, run_id) == 4


def test_it_stops_when_it_is_told_to(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, *(refused(run_id, k) for k in range(9)))
    assert rollups.catch_up(database, run_id, lambda: True, limit=2) == 2
    assert rollups.catch_up(database, run_id, never, limit=2, whole=True) == 7
    with unit_of_work(database) as session:
        assert sum(r.decisions for r in session.exec(select(DecisionCountRow))) == 2 * 9


def test_a_snapshot_that_is_on_its_way_is_not_left_behind(database: Engine) -> None:
    """On PostgreSQL the one with the lower id may be committed last."""
    if database.dialect.name == "sqlite":
        return  # there is one writer at a time
    run_id = stored_run(database)
    with Session(database) as slow:
        slow.add(an_equity(run_id, 1, "7"))
        slow.flush()  # has its id
        stored(database, an_equity(run_id, 2, "9"))
        with unit_of_work(database) as session:
            assert rollups.roll_up(session, run_id) == 0
            assert mark_of(session, run_id, EQUITY) == -1
        slow.commit()
    with unit_of_work(database) as session:
        assert rollups.roll_up(session, run_id) == 2
        assert [s.equity for s in rollups.equity_series(session, run_id)] == [7, 9]


def test_the_lock_that_looks_for_writers_is_gone_at_once(database: Engine) -> None:
    if database.dialect.name == "sqlite":
        return
    run_id = stored_run(database)
    stored(database, an_equity(run_id, 1, "7"))
    with unit_of_work(database) as session:
        assert rollups.roll_up(session, run_id) == 1
        stored(database, an_equity(run_id, 2, "9"))  # another connection, and it does not wait


def test_deleted_decisions_stay_in_the_sums(database: Engine) -> None:
    run_id = stored_run(database, kind="paper", source="exchange")
    stored(database, *(refused(run_id, day * DAY) for day in range(30)))
    present = Present(T0 + timedelta(days=100), run_id, to_ms(after(30 * DAY)))
    removed = dict(retention.prune(database, KEEP, present, never))
    assert removed == {"decisions": 20}
    assert total(database, run_id) == 30
    stored(database, refused(run_id, 30 * DAY))
    rollups.catch_up(database, run_id, never)
    assert total(database, run_id) == 31
    with unit_of_work(database) as session:
        assert len(rollups.refusals_by_hour(session, run_id)) == 31


def test_a_session_that_goes_on_after_long_counts_on(database: Engine) -> None:
    """All its decisions are too old by then; the newest instant waits for the next one."""
    run_id = stored_run(database, kind="paper", source="exchange")
    stored(database, *(refused(run_id, day * DAY) for day in range(3)))
    present = Present(T0 + timedelta(days=100), run_id, to_ms(after(100 * DAY)))
    assert dict(retention.prune(database, KEEP, present, never)) == {"decisions": 2}
    stored(database, refused(run_id, 100 * DAY))
    assert total(database, run_id) == 4


def test_retention_that_is_cut_off_deletes_nothing_that_is_not_in_the_sums(
    database: Engine,
) -> None:
    run_id = stored_run(database, kind="paper", source="exchange")
    stored(database, *(refused(run_id, day * DAY) for day in range(30)))
    present = Present(T0 + timedelta(days=100), run_id, to_ms(after(30 * DAY)))
    for _ in range(9):
        retention.prune(database, KEEP, present, lambda: True, 2)
        assert total(database, run_id) == 30


def test_runs_without_sums_are_named_until_they_have_some(database: Engine) -> None:
    running = stored_run(database)
    ended = stored_run(database)
    with unit_of_work(database) as session:
        rollups_of_ended = rollups.never_rolled_up(session)
    assert rollups_of_ended == []
    with unit_of_work(database) as session:
        runs.finish(session, ended, "finished", None, T0)
        assert rollups.never_rolled_up(session) == [ended]
    rollups.catch_up(database, ended, never, whole=True)
    rollups.catch_up(database, running, never)
    with unit_of_work(database) as session:
        assert rollups.never_rolled_up(session) == []


def test_a_run_of_nothing_has_nothing(database: Engine) -> None:
    run_id = stored_run(database)
    assert rollups.catch_up(database, run_id, never, whole=True) == 0
    with unit_of_work(database) as session:
        assert rollups.outcomes(session, run_id) == []
        assert rollups.refusals_by_hour(session, run_id) == []
        assert rollups.equity_series(session, run_id) == []
        assert rollups.state_time(session, run_id) == rollups.StateTime(0, 0, 0)


def test_a_day_of_utc_is_another_width(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, *(refused(run_id, 60 * k) for k in range(30)))
    rollups.catch_up(database, run_id, never)
    with unit_of_work(database) as session:
        days = rollups.refusals_by_hour(session, run_id, width_ms=rollups.DAY_MS)
    assert [(d.start_ms, d.decisions) for d in days] == [
        (to_ms(T0), 24), (to_ms(after(DAY)), 6),
    ]  # fmt: skip


def test_the_deepest_drawdown_is_kept_where_it_is_not_the_lowest_equity(database: Engine) -> None:
    run_id = stored_run(database)
    curve = [("10", "0"), ("20", "0"), ("15", "0.25"), ("18", "0.1"), ("19", "0.05")] * 4
    stored(
        database,
        *(an_equity(run_id, k, e, drawdown=Decimal(d)) for k, (e, d) in enumerate(curve)),
    )
    with unit_of_work(database) as session:
        few = rollups.equity_series(session, run_id, 5)
    kept = [(str(s.equity), str(s.drawdown)) for s in few]
    assert kept == [("10", "0"), ("20", "0"), ("15", "0.25"), ("19", "0.05")]
