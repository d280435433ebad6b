"""The write path, row by row and on both databases: all of a commit or nothing, and once."""

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, select

from crypto_trader_pro.domain.enums import (
    NotificationType,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    TradingState,
)
from crypto_trader_pro.domain.errors import JournalUnavailable
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.ledger import Entry, Transaction, capital_paid_in, fill_booked
from crypto_trader_pro.domain.orders import Fill, Order
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.domain.positions import Position
from crypto_trader_pro.domain.signals import ModelView, Signal
from crypto_trader_pro.domain.timeframes import to_datetime
from database.journal import Journal
from database.models import (
    AiSignalRow,
    AlertRow,
    CheckpointRow,
    DecisionRow,
    EquityRow,
    FillRow,
    LedgerEntryRow,
    ModelRow,
    OrderRow,
    PositionRow,
    ShadowTradeRow,
    TradeRow,
)
from tests.builders import (
    MINUTE,
    PERPETUAL,
    SPOT,
    START_MS,
    a_fill,
    an_instrument,
    an_order,
    risk_inputs,
)
from tests.databases import Opener
from tests.rows import stored_run

NOW = datetime(2030, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
ITEMS = (an_instrument(), an_instrument(SPOT, tick="0.01", lot="0.00001"))  # tv 10,000 and 10


def a_journal(
    database: Engine, *, items: Sequence[Instrument] = ITEMS, batch: int = 3, tries: int = 1
) -> Journal:
    return Journal(
        database, stored_run(database), items, epoch=7, config_hash="c0ffee", now=lambda: NOW,
        batch=batch, tries=tries,
    )  # fmt: skip


@pytest.fixture
def journal(database: Engine) -> Journal:
    return a_journal(database)


def rows(database: Engine, model: type[SQLModel]) -> list[Any]:
    with Session(database) as session:
        found = list(session.exec(select(model)))
        session.expunge_all()
        return found


def the_row(database: Engine, model: type[SQLModel]) -> Any:
    (found,) = rows(database, model)
    return found


def a_decision(k: int = 0, symbol: str = PERPETUAL) -> tuple[Any, ...]:
    """Return the values of a decision that holds, without its run."""
    return (
        START_MS + k * MINUTE, symbol, "hold", None, 0, 0, "green", "ok", "active", 0, None, 0, 0,
        400_000, 10**13, bytes(range(16)), None, None, None,
    )  # fmt: skip


def at(k: int) -> datetime:
    return to_datetime(START_MS + k * MINUTE)


def a_journaled_order(order_id: str = "r1o1", **changes: Any) -> Order:
    order = an_order(order_id, **changes)
    order.advance(OrderStatus.CHECKED, START_MS)
    order.advance(OrderStatus.JOURNALED, START_MS)
    order.strategy, order.decided_ms = "ema_cross", START_MS
    return order


# --- a commit -----------------------------------------------------------------------------------


def test_nothing_is_stored_before_the_commit_and_everything_by_it(
    journal: Journal, database: Engine
) -> None:
    journal.decision(a_decision())
    journal.order_created(a_journaled_order())
    assert (rows(database, DecisionRow), rows(database, OrderRow)) == ([], [])
    journal.commit(START_MS, '{"a":1}')
    assert the_row(database, DecisionRow).window_hash == bytes(range(16))
    assert the_row(database, OrderRow).client_order_id == "r1o1"
    checkpoint = the_row(database, CheckpointRow)
    assert (checkpoint.at_ms, checkpoint.state) == (START_MS, '{"a":1}')


def test_a_second_commit_stores_only_what_is_new_and_replaces_the_checkpoint(
    journal: Journal, database: Engine
) -> None:
    journal.decision(a_decision(0))
    journal.commit(START_MS, "1")
    journal.decision(a_decision(1))
    journal.commit(START_MS + MINUTE, "2")
    assert [d.at_ms for d in rows(database, DecisionRow)] == [START_MS, START_MS + MINUTE]
    assert the_row(database, CheckpointRow).state == "2"


def test_a_commit_is_due_after_a_batch_of_decisions(journal: Journal) -> None:
    for k in range(3):
        assert not journal.is_due
        journal.decision(a_decision(k))
    assert journal.is_due
    journal.commit(START_MS, "{}")
    assert not journal.is_due


def test_a_commit_that_fails_in_its_middle_stores_nothing_and_keeps_every_row(
    journal: Journal, database: Engine
) -> None:
    journal.order_created(a_journaled_order())
    journal.decision(a_decision())
    journal.decision(a_decision())  # the same symbol and time again: a bug, and refused
    with pytest.raises(IntegrityError):
        journal.commit(START_MS, "{}")
    assert (rows(database, OrderRow), rows(database, CheckpointRow)) == ([], [])
    journal._decisions.pop()
    journal.commit(START_MS, "{}")
    assert len(rows(database, OrderRow)) == len(rows(database, DecisionRow)) == 1


def locked_journal(
    folder: Path, migrated_file: Path, opened: Opener, **options: Any
) -> tuple[Journal, Engine, Path]:
    file = folder / "journal.db"
    file.write_bytes(migrated_file.read_bytes())
    database = opened(f"sqlite:///{file}", busy_seconds=0.05)
    return a_journal(database, **options), database, file


def test_while_the_database_is_locked_rows_wait_and_are_stored_once(
    tmp_path: Path, migrated_file: Path, opened: Opener
) -> None:
    journal, database, file = locked_journal(tmp_path, migrated_file, opened)
    journal.decision(a_decision())
    journal.order_created(a_journaled_order())
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            with pytest.raises(JournalUnavailable, match="locked by another process"):
                journal.commit(START_MS, "{}")
        other.execute("ROLLBACK")
    assert rows(database, OrderRow) == []
    journal.commit(START_MS, "{}")
    assert len(rows(database, DecisionRow)) == len(rows(database, OrderRow)) == 1


def test_a_journal_that_may_wait_tries_again(
    tmp_path: Path, migrated_file: Path, opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    journal, database, file = locked_journal(tmp_path, migrated_file, opened, tries=3)
    journal.decision(a_decision())
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with caplog.at_level(logging.WARNING), pytest.raises(JournalUnavailable):
            journal.commit(START_MS, "{}")
        assert [r.levelname for r in caplog.records].count("WARNING") == 2  # the third one raised
        other.execute("ROLLBACK")
    journal.commit(START_MS, "{}")
    assert len(rows(database, DecisionRow)) == 1


# --- orders -------------------------------------------------------------------------------------


def test_an_order_is_stored_as_it_is_at_the_commit(journal: Journal, database: Engine) -> None:
    order = a_journaled_order(stop_units=1_005, target_units=2_000)
    journal.order_created(order)
    journal.risk_snapshot("r1o1", risk_inputs())
    order.advance(OrderStatus.SENDING, START_MS + 1)  # before the commit: still one insert
    journal.order_changed(order)
    journal.commit(START_MS, "{}")
    row = the_row(database, OrderRow)
    assert (row.status, row.size, row.price) == ("sending", Decimal("0.01"), None)
    assert (row.stop_distance, row.target_distance) == (Decimal("100.5"), Decimal(200))
    assert (row.epoch, row.config_hash, row.strategy) == (7, "c0ffee", "ema_cross")
    assert (row.decided_at, row.journaled_at) == (to_datetime(START_MS), NOW)
    assert row.risk_snapshot.startswith("[0,0,0,")


def test_a_later_change_updates_the_row(journal: Journal, database: Engine) -> None:
    order = a_journaled_order(role=OrderRole.STOP, order_type=OrderType.STOP_MARKET)
    journal.order_created(order)
    journal.commit(START_MS, "{}")
    for status in (OrderStatus.SENDING, OrderStatus.ACKNOWLEDGED, OrderStatus.WORKING):
        order.advance(status, START_MS + MINUTE)
    order.price, order.reason = 399_995, "x" * 40
    order.fill(4, 399_990, 123, START_MS + MINUTE)
    journal.order_changed(order)
    journal.commit(START_MS, "{}")
    row = the_row(database, OrderRow)
    assert (row.status, row.price, row.filled_size) == (
        "partial", Decimal("39999.5"), Decimal("0.004"),
    )  # fmt: skip
    assert (row.fees, row.updated_at) == (Decimal("0.00000123"), at(1))
    assert row.reason == "x" * 32  # as much as the column holds
    assert row.reduce_only


# --- signals ------------------------------------------------------------------------------------


def test_a_signal_has_the_prices_it_implies(journal: Journal, database: Engine) -> None:
    said = [
        Signal("a", 0, "no_cross"),
        Signal("b", 1, "cross_up", 613_000, stop_units=4_000, target_units=8_000),
        Signal("c", -1, "cross_down", stop_units=4_000),
    ]
    journal.signals(PERPETUAL, START_MS, 400_000, said)
    journal.commit(START_MS, "{}")
    found = [
        (s.strategy, s.signal_type, s.confidence_score, s.entry_price, s.stop_loss, s.take_profit)
        for s in rows(database, AiSignalRow)
    ]
    assert sorted(found) == [
        ("a", "HOLD", 0, None, None, None),
        ("b", "BUY", 61, Decimal(40_000), Decimal(39_600), Decimal(40_800)),
        ("c", "SELL", 0, Decimal(40_000), Decimal(40_400), None),
    ]
    assert {s.created_at for s in rows(database, AiSignalRow)} == {at(0)}


def test_a_models_view_is_stored_with_its_signal(journal: Journal, database: Engine) -> None:
    view = ModelView("m1", 400_000, 380_000, -1_500, 390_000, "few_trades", False)
    journal.signals(PERPETUAL, START_MS, 400_000, [Signal("ai_signal", 0, "no_edge", model=view)])
    journal.commit(START_MS, "{}")
    row = the_row(database, AiSignalRow)
    assert (row.model_id, row.probability, row.break_even) == ("m1", 400_000, 380_000)
    assert (row.edge_mbp, row.baseline_probability, row.model_gate) == (
        -1_500, 390_000, "few_trades",
    )  # fmt: skip


def test_only_the_signal_behind_the_entry_is_marked_as_executed(
    journal: Journal, database: Engine
) -> None:
    for k, symbol in ((0, PERPETUAL), (1, PERPETUAL), (1, SPOT)):
        for name in ("ema_cross", "other"):
            journal.signals(symbol, START_MS + k * MINUTE, 400_000, [Signal(name, 1, "cross_up")])
    order = a_journaled_order()
    order.decided_ms = START_MS + MINUTE
    journal.signal_executed(order, a_fill(price=400_123, at_ms=START_MS + 2 * MINUTE))
    journal.commit(START_MS, "{}")
    (row,) = [s for s in rows(database, AiSignalRow) if s.executed]
    assert (row.symbol, row.strategy, row.created_at) == (PERPETUAL, "ema_cross", at(1))
    assert (row.execution_price, row.executed_at) == (Decimal("40012.3"), at(2))


# --- fills, ledger, positions, trades -----------------------------------------------------------


def book(journal: Journal, before: Position, fill: Fill, order_id: str = "r1o1") -> Position:
    after = before.apply(fill)
    journal.fill(fill, order_id, fill_booked(fill, before, after))
    journal.position(before, after, fill.at_ms)
    return after


def test_a_fill_and_what_the_ledger_booked_for_it(journal: Journal, database: Engine) -> None:
    journal.order_created(a_journaled_order())
    book(journal, Position(ITEMS[0]), a_fill(lots=10, price=400_001, fee=200, trade_id="t1"))
    journal.commit(START_MS, "{}")
    fill = the_row(database, FillRow)
    # 10 lots of 0.001 at 40,000.1; a lot's price unit is 0.0001 USDT
    assert (fill.size, fill.price, fill.fee) == (
        Decimal("0.01"), Decimal("40000.1"), Decimal("0.000002"),
    )  # fmt: skip
    assert (fill.side, fill.fee_asset, fill.trade_id) == ("BUY", "USDT", "t1")
    booked = {(e.account, e.asset): e.amount for e in rows(database, LedgerEntryRow)}
    assert booked == {
        ("cash", "USDT"): Decimal("-400.001002"),
        (f"position:{PERPETUAL}", "USDT"): Decimal("400.001"),
        ("fees", "USDT"): Decimal("0.000002"),
        ("holding", PERPETUAL): Decimal("0.01"),
        ("market", PERPETUAL): Decimal("-0.01"),
    }


def test_spot_holdings_are_counted_in_the_coin(journal: Journal, database: Engine) -> None:
    entries = (Entry("holding", "BTC", 7), Entry("market", "BTC", -7))
    journal.ledger(Transaction("x", "fill", START_MS, entries))
    journal.ledger(capital_paid_in(12_345, "USDT", START_MS))
    journal.commit(START_MS, "{}")
    amounts = [e.amount for e in rows(database, LedgerEntryRow)]
    assert amounts == [
        Decimal("0.00007"), Decimal("-0.00007"), Decimal("0.00012345"), Decimal("-0.00012345"),
    ]  # fmt: skip


def test_a_transaction_is_never_stored_twice(journal: Journal, database: Engine) -> None:
    journal.ledger(capital_paid_in(1, "USDT", START_MS))
    journal.commit(START_MS, "{}")
    journal.ledger(capital_paid_in(1, "USDT", START_MS))
    with pytest.raises(IntegrityError):
        journal.commit(START_MS, "{}")
    assert len(rows(database, LedgerEntryRow)) == 2


def test_a_position_row_lives_from_its_first_fill_until_flat(
    journal: Journal, database: Engine
) -> None:
    journal.order_created(a_journaled_order())
    flat = Position(ITEMS[0])
    held = book(journal, flat, a_fill(Side.BUY, 10, 400_000, at_ms=START_MS))
    journal.commit(START_MS, "{}")
    row = the_row(database, PositionRow)
    assert (row.side, row.size, row.entry_price) == ("LONG", Decimal("0.01"), Decimal(40_000))
    assert (row.status, row.open_time, row.close_time) == ("OPEN", at(0), None)
    book(journal, held, a_fill(Side.SELL, 10, 400_500, fee=100_000_000, at_ms=START_MS + MINUTE))
    journal.commit(START_MS, "{}")
    row = the_row(database, PositionRow)
    # 10 lots times 500 units of 0.0001: 0.5 USDT, and a fee of 1
    assert (row.size, row.realized_pnl, row.entry_price) == (0, Decimal("-0.5"), Decimal(40_000))
    assert (row.status, row.open_time, row.close_time) == ("CLOSED", at(0), at(1))


def test_two_lives_in_one_commit_are_two_rows_each_with_its_own_stop(
    journal: Journal, database: Engine
) -> None:
    journal.order_created(a_journaled_order())
    position = Position(ITEMS[0])
    for k, (side, price) in enumerate(((Side.BUY, 400_000), (Side.SELL, 400_100)) * 2):
        position = book(journal, position, a_fill(side, 10, price, at_ms=START_MS + k * MINUTE))
        if position.lots:
            stop = an_order("s", role=OrderRole.STOP, price=390_000 + k * 1_000)
            target = an_order("t", role=OrderRole.TARGET, price=410_000 + k * 1_000)
            journal.protection(stop, position.opened_ms)
            journal.protection(target, position.opened_ms)
    journal.commit(START_MS, "{}")
    found = [
        (p.open_time, p.close_time, p.stop_price, p.target_price)
        for p in rows(database, PositionRow)
    ]
    assert found == [
        (at(0), at(1), Decimal(39_000), Decimal(41_000)),
        (at(2), at(3), Decimal(39_200), Decimal(41_200)),
    ]
    # 10 lots times 100 units of 0.0001 each
    assert [p.realized_pnl for p in rows(database, PositionRow)] == [Decimal("0.1")] * 2


def test_a_short_is_stored_as_a_short(journal: Journal, database: Engine) -> None:
    journal.order_created(a_journaled_order())
    book(journal, Position(ITEMS[0]), a_fill(Side.SELL, 10, 400_000))
    journal.commit(START_MS, "{}")
    row = the_row(database, PositionRow)
    assert (row.side, row.size, row.entry_price) == ("SHORT", Decimal("0.01"), Decimal(40_000))


@pytest.mark.parametrize(
    ("side", "price", "slippage"),
    [
        (Side.BUY, 400_400, "0.001"),  # dearer than the close: against us
        (Side.BUY, 399_600, "-0.001"),
        (Side.SELL, 399_600, "0.001"),  # cheaper
    ],
)
def test_a_trade_tells_its_average_price_and_what_it_lost_against_the_close(
    journal: Journal, database: Engine, side: Side, price: int, slippage: str
) -> None:
    order = a_journaled_order(side=side, lots=10)
    order.reference = 400_000
    for status in (OrderStatus.SENDING, OrderStatus.ACKNOWLEDGED):
        order.advance(status, START_MS)
    order.fill(4, price - 200, 100, START_MS)
    order.fill(6, price - 200 + 2_000 // 6 + 1, 50, START_MS + MINUTE)  # 334 more
    journal.trade(order)
    journal.commit(START_MS, "{}")
    row = the_row(database, TradeRow)
    # 4 * (p - 200) + 6 * (p + 134) = 10 p + 4: the average is p + 0.4 units of 0.1
    assert row.price == (Decimal(price) + Decimal("0.4")) / 10
    assert (row.size, row.commission) == (Decimal("0.01"), Decimal("0.0000015"))
    assert row.notional == (Decimal(10 * price) + 4) / 10_000
    assert abs(row.slippage - Decimal(slippage)) < Decimal("0.000002")
    assert (row.execution_time, row.role, row.realized_pnl) == (at(1), "entry", None)


def test_the_trade_of_an_exit_tells_what_it_realized(journal: Journal, database: Engine) -> None:
    order = a_journaled_order(side=Side.SELL, role=OrderRole.EXIT)
    for status in (OrderStatus.SENDING, OrderStatus.ACKNOWLEDGED):
        order.advance(status, START_MS)
    order.fill(10, 400_000, 0, START_MS)
    order.realized = -250_000_000
    journal.trade(order)
    journal.commit(START_MS, "{}")
    assert the_row(database, TradeRow).realized_pnl == Decimal("-2.5")


# --- the rest -----------------------------------------------------------------------------------


def test_a_snapshot_of_the_account(journal: Journal, database: Engine) -> None:
    account = AccountView(
        at_ms=START_MS, asset="USDT", cash=-5, equity=9_999_999_999_995, gross=0, realized=-7,
        unrealized=2, fees=3, funding=0, open_positions=2, working_orders=4,
        peak=10**13, drawdown_rate=1_234_567, day_start_equity=10**13,
        trading_state=TradingState.REDUCING,
    )  # fmt: skip
    journal.equity(account)
    journal.commit(START_MS, "{}")
    row = the_row(database, EquityRow)
    assert (row.equity, row.cash) == (Decimal("99999.99999995"), Decimal("-0.00000005"))
    assert (row.realized_pnl, row.unrealized_pnl) == (
        Decimal("-0.00000007"), Decimal("0.00000002"),
    )  # fmt: skip
    assert (row.drawdown, row.open_positions, row.trading_state) == (
        Decimal("0.01234567"), 2, "reducing",
    )  # fmt: skip


def test_an_alert_is_a_code_with_numbers(journal: Journal, database: Engine) -> None:
    kind = NotificationType.EMERGENCY_STOP
    journal.alert(kind, "critical", "drawdown_kill", {"equity": 9 * 10**12}, START_MS)
    journal.commit(START_MS, "{}")
    row = the_row(database, AlertRow)
    assert (row.kind, row.severity, row.code) == ("EMERGENCY_STOP", "critical", "drawdown_kill")
    assert (row.numbers, row.at, row.raised_at) == ({"equity": 9 * 10**12}, at(0), NOW)
    assert row.acknowledged_at is None


@pytest.mark.parametrize("commits", [1, 2])
def test_a_shadow_trade_is_joined_with_its_end(
    journal: Journal, database: Engine, commits: int
) -> None:
    for symbol in (PERPETUAL, SPOT):
        journal.shadow_opened("m1", symbol, "BUY", START_MS, 410_000, 12_000)
    if commits == 2:
        journal.commit(START_MS, "{}")
    journal.shadow_closed(SPOT, "BUY", START_MS, START_MS + 5 * MINUTE, -8_500, "stop")
    journal.commit(START_MS, "{}")
    followed, ended = rows(database, ShadowTradeRow)
    assert (followed.closed_at, followed.realized_mbp) == (None, None)
    assert (ended.symbol, ended.closed_at) == (SPOT, at(5))
    assert (ended.realized_mbp, ended.exit_reason) == (-8_500, "stop")


def test_the_same_model_is_stored_once(journal: Journal, database: Engine) -> None:
    facts = {
        "model_id": "m1", "strategy": "ai_signal", "timeframe": "1h", "trained_at": START_MS,
        "expires_at": START_MS + MINUTE, "data_from": START_MS - MINUTE, "data_to": START_MS,
        "rows": 12, "symbols": [PERPETUAL], "schema_hash": "s", "config_hash": "c",
        "metrics": {"auc": 0.5}, "training_seconds": 1.25,
    }  # fmt: skip
    journal.model_trained(facts)
    journal.commit(START_MS, "{}")
    journal.model_trained(facts)
    journal.commit(START_MS, "{}")
    row = the_row(database, ModelRow)
    assert (row.model_id, row.rows, row.symbols) == ("m1", 12, [PERPETUAL])
    assert (row.metrics, row.training_seconds) == ({"auc": 0.5}, Decimal("1.25"))
    assert (row.trained_at, row.created_at) == (at(0), NOW)


def test_a_grid_that_is_no_power_of_ten_is_stored_exactly(database: Engine) -> None:
    coarse = an_instrument(tick="0.5", lot="0.25", price_unit="0.5")
    journal = a_journal(database, items=(coarse,))
    journal.order_created(a_journaled_order(lots=3, stop_units=7))
    journal.commit(START_MS, "{}")
    row = the_row(database, OrderRow)
    assert (row.size, row.stop_distance) == (Decimal("0.75"), Decimal("3.5"))
