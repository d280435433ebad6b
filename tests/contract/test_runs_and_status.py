"""Runs and the status that is shown of them."""

from decimal import Decimal

import pytest
from sqlalchemy import Engine, text

from crypto_trader_pro.domain.errors import InputError
from database import runs
from database.auto_trading_db import unit_of_work
from database.models import CheckpointRow, RunRow
from database.status import LastRun, Snapshot, snapshot
from tests.rows import (
    T0,
    a_decision,
    a_fill,
    a_position,
    a_run,
    after,
    an_alert,
    an_order,
    stored,
    stored_run,
)


def test_a_run_begins_running_and_is_found_by_its_id(database: Engine) -> None:
    with unit_of_work(database) as session:
        run_id = a_run(session, code_version="1.2.3")
    with unit_of_work(database) as session:
        row = runs.find(session, f"r{run_id}", kind="replay")
        assert runs.find(session, str(run_id)) is row
        assert runs.find(session, "last") is row
    assert (runs.public_id(row), row.status, row.code_version) == (f"r{run_id}", "running", "1.2.3")
    assert (row.symbols, row.strategies) == (["BTC/USDT:USDT"], ["ema_cross"])
    assert row.inputs == {"paths": ["a.csv"]}
    assert (row.started_at, row.finished_at, row.result) == (T0, None, None)


def test_the_last_run_of_a_kind_is_the_newest(database: Engine) -> None:
    first, paper = stored_run(database), stored_run(database, kind="paper")
    with unit_of_work(database) as session:
        assert runs.find(session, "last").id == paper
        assert runs.find(session, "last", kind="replay").id == first
        assert [row.id for row in runs.newest(session)] == [paper, first]
        assert [row.id for row in runs.newest(session, before_id=paper)] == [first]
        assert [row.id for row in runs.newest(session, limit=1, kind="replay")] == [first]


@pytest.mark.parametrize(
    ("reference", "kind", "line"),
    [
        ("last", "live", "there is no live run yet"),
        ("r99", None, "there is no run r99"),
        ("r1", "paper", "run r1 is a replay run, expected a paper run"),
        ("first", None, "run was 'first', allowed: r and its number, or last"),
        ("r0", None, "run was 'r0', allowed: r and its number, or last"),
        ("r1;--", None, "run was 'r1;--', allowed: r and its number, or last"),
        ("r2147483648", None, "run was 'r2147483648', allowed: r and its number, or last"),
        ("r999999999", None, "there is no run r999999999"),
    ],
)  # fmt: skip
def test_an_unknown_run_is_refused_in_one_line(
    database: Engine, reference: str, kind: str | None, line: str
) -> None:
    assert stored_run(database) == 1
    with unit_of_work(database) as session, pytest.raises(InputError) as refused:
        runs.find(session, reference, kind=kind)
    assert str(refused.value) == line


def test_a_run_ends_once_and_keeps_its_result(database: Engine) -> None:
    run_id = stored_run(database)
    with unit_of_work(database) as session:
        runs.finish(session, run_id, "finished", {"equity": Decimal("100001.50")}, after(7))
    with unit_of_work(database) as session:
        row = runs.find(session, "last")
        with pytest.raises(InputError, match=rf"^run r{run_id} has ended already, as finished$"):
            runs.finish(session, run_id, "failed", {}, after(8))
        with pytest.raises(InputError, match=r"^there is no run r99$"):
            runs.finish(session, 99, "failed", {}, after(8))
    # a Decimal in JSON is a plain string in canonical form, never a float
    assert (row.status, row.result, row.finished_at) == (
        "finished",
        {"equity": "100001.5"},
        after(7),
    )


def test_a_run_without_a_result_has_none_in_the_table(database: Engine) -> None:
    stored_run(database)
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs WHERE result IS NULL")) == 1


def test_the_checkpoint_is_none_before_the_first_commit(database: Engine) -> None:
    run_id = stored_run(database)
    with unit_of_work(database) as session:
        assert runs.checkpoint(session, run_id) is None
        session.add(CheckpointRow(run_id=run_id, at_ms=5, state='{"cash":1}'))
        session.flush()
        assert runs.checkpoint(session, run_id) == '{"cash":1}'


def test_a_run_names_the_code_that_made_it(database: Engine) -> None:
    stored_run(database)
    with unit_of_work(database) as session:
        assert runs.find(session, "last").code_version == runs.installed_version() != ""


def test_a_run_that_was_never_stored_has_no_number() -> None:
    row = RunRow.model_construct(kind="replay")
    with pytest.raises(ValueError, match="no number before it is stored"):
        runs.number(row)


def test_the_status_of_an_empty_database_is_empty(database: Engine) -> None:
    with unit_of_work(database) as session:
        assert snapshot(session) == Snapshot(None, open_alerts=0, waiting_commands=0)


def test_the_status_counts_the_last_run_only(database: Engine) -> None:
    old, new = stored_run(database), stored_run(database, kind="paper", source="demo")
    stored(
        database, a_decision(old), an_order(old, "old"),
        a_decision(new), a_decision(new, 5),
        an_order(new, "a"), an_order(new, "b", status="working"), an_order(new, "c"),
        a_fill(new, "a", "t1"), a_fill(new, "a", "t2"), a_fill(new, "c", "t3"),
        a_fill(new, "c", "t4"),
        a_position(new), a_position(new, 5, status="CLOSED"),
        an_alert(), an_alert(acknowledged_at=T0),
    )  # fmt: skip
    with unit_of_work(database) as session:
        found = snapshot(session)
    assert found == Snapshot(
        LastRun(
            run_id=f"r{new}", kind="paper", source="demo", status="running", started_at=T0,
            finished_at=None, decisions=2, orders=3, working_orders=1, fills=4, open_positions=1,
        ),
        open_alerts=1,
        waiting_commands=0,
    )  # fmt: skip
