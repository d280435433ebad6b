"""The console's data sets: their books are true, their decisions are what the rules say."""

import json
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from crypto_trader_pro.risk.rules import RiskInputs, evaluate
from tests.console_data import large
from tests.console_fixtures import Installation
from tests.databases import Opener
from tests.oracle_session import audit_session
from tests.stored import read_run
from utils.clocks import SystemClock

SIZES = {"logs": 5_000, "trades": 500, "decisions": 5_000, "candles": 2_500}


@pytest.fixture
def small(small_template: Installation, opened: Opener) -> Engine:
    return opened(small_template.database_url, read_only=True)


@pytest.fixture
def two_hundredth(large_template: Installation, opened: Opener) -> Engine:
    return opened(large_template.database_url, read_only=True)


@pytest.fixture(params=["small_template", "large_template"])
def either(request: pytest.FixtureRequest, opened: Opener) -> Engine:
    return opened(request.getfixturevalue(request.param).database_url, read_only=True)


def rows(database: Engine, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def values(database: Engine, query: str) -> set[Any]:
    return {row[0] for row in rows(database, query)}


def count(database: Engine, table: str, where: str = "1 = 1") -> int:
    ((found,),) = rows(database, f"SELECT count(*) FROM {table} WHERE {where}")  # noqa: S608
    return int(found)


# --- both ------------------------------------------------------------------------------------


def test_every_transaction_of_the_ledger_sums_to_zero(either: Engine) -> None:
    sums: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for run_id, reference, asset, amount in rows(
        either, "SELECT run_id, reference, asset, amount FROM ledger_entries"
    ):
        sums[run_id, reference, asset] += Decimal(amount)
    assert len(sums) > 100
    assert {key: total for key, total in sums.items() if total} == {}


def test_every_mask_is_what_the_rules_say_of_its_inputs(either: Engine) -> None:
    query = (
        "SELECT mask, first_refusal, lots, bound, outcome, inputs, trading_state FROM decisions"
        " WHERE inputs IS NOT NULL"
    )
    found = rows(either, query)
    assert len(found) > 100
    for mask, first, lots, bound, outcome, inputs, state in found:
        x = RiskInputs(*json.loads(inputs))
        verdict = evaluate(x)
        assert (verdict.mask, verdict.first or None) == (mask, first)
        assert (verdict.lots, int(verdict.bound), verdict.broken) == (lots, bound, "")
        assert outcome == ("ordered" if verdict.allowed else "refused")
        assert ("active", "reducing", "halted")[x.trading_state] == state


def test_nothing_refers_to_what_is_not_there(either: Engine) -> None:
    assert rows(either, "PRAGMA foreign_key_check") == []
    ordered = "SELECT order_id FROM decisions WHERE outcome IN ('ordered', 'closed')"
    orders = values(either, "SELECT client_order_id FROM orders")
    assert values(either, ordered) <= orders
    assert values(either, "SELECT order_id FROM trades") <= orders
    assert values(either, "SELECT parent_id FROM orders WHERE parent_id IS NOT NULL") <= orders


def test_each_open_position_has_a_resting_stop_and_target_at_its_prices(either: Engine) -> None:
    found = rows(
        either, "SELECT run_id, symbol, stop_price, target_price FROM positions"
        " WHERE status = 'OPEN'",
    )  # fmt: skip
    assert found
    resting = set(
        rows(
            either, "SELECT run_id, symbol, role, price FROM orders WHERE status = 'working'"
            " AND parent_id IS NOT NULL",
        )
    )  # fmt: skip
    for run_id, symbol, stop, target in found:
        assert {(run_id, symbol, "stop", stop), (run_id, symbol, "target", target)} <= resting


def test_equity_is_what_was_paid_in_and_earned(either: Engine) -> None:
    opened = {
        run_id: Decimal(amount)
        for run_id, amount in rows(
            either,
            "SELECT run_id, amount FROM ledger_entries WHERE kind = 'capital' AND account = 'cash'",
        )
    }
    found = rows(either, "SELECT run_id, equity, realized_pnl, unrealized_pnl FROM equity")
    assert len(found) > 30
    for run_id, equity, realized, unrealized in found:
        assert Decimal(equity) == opened[run_id] + Decimal(realized) + Decimal(unrealized)


def test_cash_is_what_the_ledger_says(either: Engine) -> None:
    cash: dict[int, Decimal] = defaultdict(Decimal)
    query = "SELECT run_id, amount FROM ledger_entries WHERE account = 'cash' AND asset = 'USDT'"
    for run_id, amount in rows(either, query):
        cash[run_id] += Decimal(amount)
    newest = "SELECT run_id, cash, max(at) FROM equity GROUP BY run_id"
    assert {run_id: Decimal(told) for run_id, told, _ in rows(either, newest)} == cash


# --- small -----------------------------------------------------------------------------------


def test_the_small_books_stand_before_the_oracle(small_template: Installation) -> None:
    assert audit_session(read_run(small_template.var_dir / "crypto_trader_pro.db")) == {}


def test_the_small_set_has_everything_that_a_page_shows(small: Engine) -> None:
    assert values(small, "SELECT outcome FROM decisions") == {
        "hold", "ordered", "closed", "refused", "shadow", "dark",
    }  # fmt: skip
    refusals = values(small, "SELECT first_refusal FROM decisions WHERE first_refusal IS NOT NULL")
    assert len(refusals) >= 4
    assert values(small, "SELECT status FROM positions") == {"OPEN", "CLOSED"}
    assert values(small, "SELECT side FROM positions") == {"LONG", "SHORT"}
    assert values(small, "SELECT timeframe FROM market_data") >= {"1m", "5m"}
    assert values(small, "SELECT strategy FROM trades") == {"ema_cross", "ai_signal"}
    assert values(small, "SELECT role FROM orders") >= {
        "entry",
        "exit",
        "stop",
        "target",
        "flatten",
    }
    assert values(small, "SELECT severity FROM alerts") == {"info", "warning", "error", "critical"}
    assert values(small, "SELECT acknowledged_at IS NULL FROM alerts") == {0, 1}
    assert values(small, "SELECT log_level FROM auto_trading_logs") == {
        "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL",
    }  # fmt: skip
    assert len(values(small, "SELECT component FROM auto_trading_logs")) == 10
    assert values(small, "SELECT status FROM jobs") == {"ok", "failed", "running"}
    assert values(small, "SELECT status FROM commands") == {"asked", "done", "refused", "expired"}
    assert len(values(small, "SELECT config_hash FROM auto_trading_config")) >= 3
    assert count(small, "daily_account_summary") == count(small, "performance_metrics") == 2
    assert count(small, "shadow_trades", "closed_at IS NOT NULL") > 0
    assert count(small, "ai_signals_log", "model_id IS NOT NULL AND probability > 0") > 0
    assert count(small, "latest_prices") == 3
    ((steps,),) = rows(small, "SELECT steps FROM emergency_stops")
    assert json.loads(steps)[0]["step"] == "halted"


def test_the_small_engine_shows_the_account_that_is_stored(small: Engine) -> None:
    ((shown,),) = rows(small, 'SELECT "view" FROM engine_lease')
    view = json.loads(shown)
    ((equity, cash),) = rows(small, "SELECT equity, cash FROM equity ORDER BY at DESC LIMIT 1")
    assert (Decimal(view["equity"]), Decimal(view["cash"])) == (Decimal(equity), Decimal(cash))
    assert view["open_positions"] == count(small, "positions", "status = 'OPEN'")
    assert view["model"]["model_id"] in values(small, "SELECT model_id FROM models")


# --- large -----------------------------------------------------------------------------------


def test_the_large_set_has_as_many_rows_as_were_asked_for(two_hundredth: Engine) -> None:
    db = two_hundredth
    assert count(db, "auto_trading_logs") == SIZES["logs"]
    assert count(db, "trades") == SIZES["trades"]
    assert count(db, "fills") == count(db, "orders", "filled_size <> '0'") == SIZES["trades"]
    assert abs(count(db, "decisions") - SIZES["decisions"]) < 10  # whole instants
    assert abs(count(db, "market_data") - SIZES["candles"]) < 10
    assert count(db, "runs") == 20
    assert count(db, "alerts") == 2_000
    assert count(db, "positions", "status = 'OPEN'") == 4
    assert count(db, "positions", "status = 'CLOSED'") == SIZES["trades"] // 2 - 2


def test_the_large_decisions_are_spread_as_those_of_a_year(two_hundredth: Engine) -> None:
    total = count(two_hundredth, "decisions")
    share = {
        outcome: number / total
        for outcome, number in rows(
            two_hundredth, "SELECT outcome, count(*) FROM decisions GROUP BY outcome"
        )
    }
    assert share["hold"] > 0.8
    assert 0.03 < share["refused"] < 0.07
    assert set(share) == {"hold", "ordered", "closed", "refused", "shadow", "dark"}
    refusals = "SELECT first_refusal FROM decisions WHERE outcome = 'refused'"
    assert len(values(two_hundredth, refusals)) >= 8


def test_the_large_days_add_up_to_the_equity(two_hundredth: Engine) -> None:
    found = rows(
        two_hundredth,
        "SELECT run_id, starting_equity, ending_equity FROM daily_account_summary ORDER BY date",
    )
    assert found
    for (run_a, _, end), (run_b, start, _) in pairwise(found):
        assert run_a != run_b or end == start


def test_large_models_have_the_figures_of_a_real_one(small: Engine, two_hundredth: Engine) -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: shape(v) for k, v in value.items()}
        return len(value) if isinstance(value, list) else None

    ((real,),) = rows(small, "SELECT metrics FROM models")
    made = rows(two_hundredth, "SELECT metrics FROM models")
    assert len(made) == 8
    real_shape = shape(json.loads(real))
    for (each,) in made:
        assert shape(json.loads(each)) == {k: real_shape[k] for k in shape(json.loads(each))}


def test_the_same_arguments_give_the_same_rows(tmp_path: Path, opened: Opener) -> None:
    now = SystemClock().now()
    told = []
    for name in ("one", "other"):
        url = f"sqlite:///{tmp_path / name}.db"
        large(url, **SIZES, now=now)
        tables = ("decisions", "orders", "ledger_entries", "auto_trading_logs", "equity", "models")
        database = opened(url, read_only=True)
        told.append([rows(database, f"SELECT * FROM {t} ORDER BY 1") for t in tables])  # noqa: S608
    assert told[0] == told[1]


def test_the_large_set_on_either_database(empty_url: str, opened: Opener) -> None:
    made = large(empty_url, logs=400, trades=160, decisions=3_000, candles=500)
    database = opened(empty_url, read_only=True)
    assert count(database, "trades") == 160
    assert count(database, "auto_trading_logs") == 400
    assert count(database, "positions", f"run_id = {made.run_id}") == made.positions
