"""What the database itself refuses: the same thing twice, and a row without what it refers to."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from tests.rows import (
    a_day,
    a_decision,
    a_fill,
    a_market_row,
    a_model,
    a_position,
    a_shadow,
    a_trade,
    an_entry,
    an_equity,
    an_order,
    stored,
    stored_run,
)

Row = Callable[[int], SQLModel]

# the row, and the same row with one part of its key changed
ONCE: dict[str, tuple[Row, Row]] = {
    "a decision of a symbol and candle": (
        lambda run: a_decision(run),
        lambda run: a_decision(run, 5),
    ),
    "an order by our id": (lambda run: an_order(run, "x1"), lambda run: an_order(run, "x2")),
    "a fill by the venue's trade id": (
        lambda run: a_fill(run, trade_id="t1"),
        lambda run: a_fill(run, trade_id="t2"),
    ),
    "a ledger reference in an account": (
        lambda run: an_entry(run, "cash", "-1"),
        lambda run: an_entry(run, "fees", "-1"),
    ),
    "a life of a position": (lambda run: a_position(run), lambda run: a_position(run, 5)),
    "a trade of an order": (lambda run: a_trade(run, "o1"), lambda run: a_trade(run, "o2")),
    "an equity snapshot of an instant": (lambda run: an_equity(run), lambda run: an_equity(run, 5)),
    "a shadow trade": (lambda run: a_shadow(run), lambda run: a_shadow(run, side="SELL")),
    "a model": (lambda run: a_model("m1"), lambda run: a_model("m2")),
    "a candle of a source": (
        lambda run: a_market_row(),
        lambda run: a_market_row(source="demo"),
    ),
    "a day of an account and mode": (lambda run: a_day(), lambda run: a_day(mode="live")),
}


@pytest.mark.parametrize("what", ONCE)
def test_nothing_is_booked_twice(database: Engine, what: str) -> None:
    row, other = ONCE[what]
    run_id = stored_run(database)
    stored(database, an_order(run_id))
    stored(database, row(run_id))
    stored(database, other(run_id))
    with pytest.raises(IntegrityError):
        stored(database, row(run_id))


def test_two_runs_may_have_the_same_row(database: Engine) -> None:
    one, two = stored_run(database), stored_run(database)
    stored(database, a_decision(one), a_decision(two), an_equity(one), an_equity(two))
    with database.connect() as connection:
        for table in ("decisions", "equity"):
            rows = connection.exec_driver_sql(f"SELECT run_id FROM {table}").scalars()  # noqa: S608
            assert set(rows) == {one, two}


def test_a_ledger_reference_is_unique_per_run_account_and_asset(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, an_entry(run_id, "cash", "-1"), an_entry(run_id, "cash", "1", asset="BTC"))
    with pytest.raises(IntegrityError):
        stored(database, an_entry(run_id, "cash", "5", kind="funding"))


ORPHANS: dict[str, Row] = {
    "decision": lambda run: a_decision(run + 1),
    "order": lambda run: an_order(run + 1),
    "fill of a run": lambda run: a_fill(run + 1),
    "fill of an order": lambda run: a_fill(run, "nobody"),
    "ledger entry": lambda run: an_entry(run + 1, "cash", "1"),
    "equity": lambda run: an_equity(run + 1),
    "position": lambda run: a_position(run + 1),
}


@pytest.mark.parametrize("what", ORPHANS)
def test_a_row_without_its_parent_is_refused(database: Engine, what: str) -> None:
    run_id = stored_run(database)
    stored(database, an_order(run_id))
    with pytest.raises(IntegrityError):
        stored(database, ORPHANS[what](run_id))


def test_a_missing_number_is_refused(database: Engine) -> None:
    run_id = stored_run(database)
    with pytest.raises(IntegrityError):
        stored(database, an_equity(run_id, equity="1", cash=None))


def test_an_amount_of_all_digits_is_kept(database: Engine) -> None:
    run_id = stored_run(database)
    amount = Decimal("12345678901234567890.123456789012345678")  # 38 digits, 18 places
    row = an_entry(run_id, "cash", str(amount))
    stored(database, row)
    with database.connect() as connection:
        table = LEDGER
        assert connection.execute(table.select()).one().amount == amount


LEDGER = SQLModel.metadata.tables["ledger_entries"]
