"""Reading decisions, orders, fills, ledger, equity, models and shadow trades of a run."""

from decimal import Decimal

import pytest
from sqlalchemy import Engine

from crypto_trader_pro.domain.errors import InputError
from database import (
    decisions,
    equity,
    fills,
    ledger,
    orders,
    shadow_trades,
    trained_models,
)
from database.auto_trading_db import unit_of_work
from tests.rows import (
    SYMBOL,
    T0_MS,
    a_decision,
    a_fill,
    a_model,
    a_shadow,
    after,
    an_entry,
    an_equity,
    an_order,
    stored,
    stored_run,
)

ETH = "ETH/USDT:USDT"


# --- decisions ------------------------------------------------------------------------------


def test_a_decision_is_found_by_number_and_by_symbol_and_time(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, a_decision(run_id, 0), a_decision(run_id, 5, window_hash=bytes(range(16))))
    with unit_of_work(database) as session:
        row = decisions.at(session, run_id, SYMBOL, T0_MS + 300_000)
        assert row is not None
        assert decisions.get(session, row.id or 0) is row
        assert row.window_hash == bytes(range(16))
        assert row.equity == 10**13
        assert decisions.at(session, run_id, SYMBOL, T0_MS + 1) is None
        assert decisions.at(session, run_id + 1, SYMBOL, T0_MS) is None


@pytest.mark.parametrize("number", [99, 0, 2**31, 10**30])
def test_an_unknown_decision_is_refused(database: Engine, number: int) -> None:
    with unit_of_work(database) as session, pytest.raises(InputError, match=rf"decision {number}$"):
        decisions.get(session, number)


def test_decisions_are_listed_newest_first_page_by_page(database: Engine) -> None:
    run_id, other = stored_run(database), stored_run(database)
    stored(database, *(a_decision(run_id, 5 * k) for k in range(5)), a_decision(other))
    with unit_of_work(database) as session:
        first = decisions.newest(session, run_id, limit=3)
        rest = decisions.newest(session, run_id, limit=3, before_id=first[-1].id)
    times = [(row.at_ms - T0_MS) // 300_000 for row in (*first, *rest)]
    assert times == [4, 3, 2, 1, 0]


def test_decisions_are_filtered(database: Engine) -> None:
    run_id = stored_run(database)
    stored(
        database,
        a_decision(run_id, 0),
        a_decision(run_id, 0, symbol=ETH, outcome="refused", first_refusal="cooldown", mask=4),
        a_decision(run_id, 5, outcome="refused", first_refusal="daily_loss", mask=2**40),
    )
    with unit_of_work(database) as session:
        refused = decisions.newest(session, run_id, outcome="refused")
        cooldown = decisions.newest(session, run_id, first_refusal="cooldown")
        bitcoin = decisions.newest(session, run_id, symbol=SYMBOL)
    assert [row.mask for row in refused] == [2**40, 4]
    assert [row.symbol for row in cooldown] == [ETH]
    assert [row.outcome for row in bitcoin] == ["refused", "hold"]


# --- orders and fills -----------------------------------------------------------------------


def test_orders_are_listed_newest_first_page_by_page(database: Engine) -> None:
    run_id = stored_run(database)
    stored(
        database, an_order(run_id, "o1", 0), an_order(run_id, "o2", 5), an_order(run_id, "o3", 5),
        an_order(run_id, "o4", 10), an_order(stored_run(database), "other", 10),
    )  # fmt: skip
    with unit_of_work(database) as session:
        first = orders.of_run(session, run_id, limit=2)
        rest = orders.of_run(session, run_id, limit=5, before=first[-1])
    assert [row.client_order_id for row in first] == ["o4", "o3"]
    assert [row.client_order_id for row in rest] == ["o2", "o1"]


def test_the_orders_of_a_decision_include_the_protection_of_its_entry(database: Engine) -> None:
    run_id = stored_run(database)
    stored(
        database,
        an_order(run_id, "entry", 5),
        an_order(run_id, "stop", 6, parent_id="entry", role="stop"),  # placed at a later fill
        an_order(run_id, "target", 6, parent_id="entry", role="target"),
        an_order(run_id, "earlier", 0),
        an_order(run_id, "eth", 5, symbol=ETH),
        a_fill(run_id, "entry", "t1"),
        a_fill(run_id, "stop", "t2"),
        a_fill(run_id, "earlier", "t3"),
    )
    with unit_of_work(database) as session:
        found = [
            row.client_order_id
            for row in orders.of_decision(session, run_id, SYMBOL, T0_MS + 300_000)
        ]
        assert found == ["entry", "stop", "target"]
        assert [row.trade_id for row in fills.of_orders(session, found)] == ["t1", "t2"]
        assert fills.of_orders(session, []) == []


def test_the_orders_that_have_not_ended_are_found(database: Engine) -> None:
    run_id = stored_run(database)
    stored(
        database, an_order(run_id, "done"), an_order(run_id, "unknown", status="unknown"),
        an_order(run_id, "rests", 5, status="working"), an_order(run_id, "no", status="canceled"),
    )  # fmt: skip
    with unit_of_work(database) as session:
        assert [o.client_order_id for o in orders.working(session, run_id)] == ["unknown", "rests"]
        assert orders.get(session, "rests").size == Decimal("0.05")
        with pytest.raises(InputError, match=r"^there is no order 'nobody'$"):
            orders.get(session, "nobody")


def test_fills_are_listed_newest_first_page_by_page(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, an_order(run_id), *(a_fill(run_id, trade_id=f"t{k}") for k in range(4)))
    with unit_of_work(database) as session:
        first = fills.of_run(session, run_id, limit=3)
        rest = fills.of_run(session, run_id, limit=3, before_id=first[-1].id)
    assert [row.trade_id for row in (*first, *rest)] == ["t3", "t2", "t1", "t0"]
    assert first[0].price == Decimal("42000.1")


# --- ledger and equity ----------------------------------------------------------------------


def test_the_ledger_is_summed_exactly(database: Engine) -> None:
    run_id = stored_run(database)
    stored(
        database,
        an_entry(run_id, "capital", "-12345678901234567890.1", reference="open"),
        an_entry(run_id, "cash", "12345678901234567890.1", reference="open"),
        an_entry(run_id, "cash", "-0.000000000000000001", reference="fee"),
        an_entry(run_id, "fees", "0.000000000000000001", reference="fee"),
        an_entry(run_id, "funding", "5", reference="paid"),
        an_entry(run_id, "funding", "-5", reference="back"),
        an_entry(stored_run(database), "cash", "7"),
    )
    with unit_of_work(database) as session:
        balances = ledger.balances(session, run_id)
        pair = ledger.of_reference(session, run_id, "fee")
        newest = ledger.of_run(session, run_id, limit=1)
        older = ledger.of_run(session, run_id, limit=1, before_id=newest[0].id)
    assert balances == {
        ("capital", "USDT"): Decimal("-12345678901234567890.1"),
        ("cash", "USDT"): Decimal("12345678901234567890.099999999999999999"),
        ("fees", "USDT"): Decimal("0.000000000000000001"),
    }
    assert sum(entry.amount for entry in pair) == 0
    assert [row.reference for row in (*newest, *older)] == ["back", "paid"]


def test_the_equity_curve_is_fetched_piece_by_piece(database: Engine) -> None:
    run_id = stored_run(database)
    with unit_of_work(database) as session:
        assert equity.latest(session, run_id) is None
    stored(database, *(an_equity(run_id, 5 * k, f"{100_000 + k}.25") for k in range(3)))
    with unit_of_work(database) as session:
        first = equity.curve(session, run_id, limit=2)
        rest = equity.curve(session, run_id, after_id=first[-1].id or 0)
        last = equity.latest(session, run_id)
    assert [str(row.equity) for row in (*first, *rest)] == ["100000.25", "100001.25", "100002.25"]
    assert last is not None
    assert (last.at, str(last.drawdown)) == (after(10), "0.0125")


# --- models and shadow trades ---------------------------------------------------------------


def test_a_model_is_stored_once(database: Engine) -> None:
    with unit_of_work(database) as session:
        assert trained_models.add(session, a_model("m1")) is True
    with unit_of_work(database) as session:
        assert trained_models.add(session, a_model("m1", rows=7)) is False
        row = trained_models.get(session, "m1")
        assert (row.rows, row.metrics) == (1000, {"brier_skill": "0.01"})
        assert str(row.training_seconds) == "1.25"
        with pytest.raises(InputError, match=r"^there is no model 'm2'$"):
            trained_models.get(session, "m2")


def test_models_are_listed_newest_cutoff_first(database: Engine) -> None:
    run_id = stored_run(database)
    stored(
        database, a_model("b", 60), a_model("a", 60, run_id=run_id), a_model("c", 0),
        a_model("d", 120, strategy="other"),
    )  # fmt: skip
    with unit_of_work(database) as session:
        first = trained_models.newest(session, limit=2)
        rest = trained_models.newest(session, before=first[-1])
        assert [m.model_id for m in (*first, *rest)] == ["d", "b", "a", "c"]
        own = trained_models.newest(session, strategy="ai_signal", run_id=run_id)
        assert [m.model_id for m in own] == ["a"]


def test_shadow_trades_are_followed_until_they_end(database: Engine) -> None:
    run_id = stored_run(database)
    over = {"closed_at": after(60), "realized_mbp": -5_000, "exit_reason": "stop"}
    stored(
        database, a_shadow(run_id, 0, **over), a_shadow(run_id, 5, model_id="m2", **over),
        a_shadow(run_id, 10), a_shadow(run_id, 15, **over),
    )  # fmt: skip
    with unit_of_work(database) as session:
        assert [s.decided_at for s in shadow_trades.following(session, run_id)] == [after(10)]
        first = shadow_trades.ended(session, run_id, limit=1)
        rest = shadow_trades.ended(session, run_id, before_id=first[0].id)
        of_m2 = shadow_trades.ended(session, run_id, model_id="m2")
    assert [s.decided_at for s in (*first, *rest)] == [after(15), after(5), after(0)]
    assert [s.realized_mbp for s in of_m2] == [-5_000]
