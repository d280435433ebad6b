"""The book of one account: what it holds, what it is worth, and that it notices when it is wrong.

A price unit of a lot is one USDT.
"""

import json
from typing import Any

import pytest

from auto_trading.account import account_view
from auto_trading.position_manager import PositionManager
from auto_trading.risk_manager import RiskManager
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import Side, TradingState
from crypto_trader_pro.domain.errors import StateMismatch
from crypto_trader_pro.domain.ledger import CAPITAL, CASH
from crypto_trader_pro.domain.messages import Funded
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.risk.config import RiskLimits
from tests.builders import (
    MINUTE,
    PERPETUAL,
    SPOT,
    START_MS,
    USDT,
    a_bar,
    a_fill,
    a_round_instrument,
)

BUY, SELL = Side.BUY, Side.SELL


@pytest.fixture
def book() -> PositionManager:
    """10,000 USDT, BTC perpetual and spot."""
    manager = PositionManager([a_round_instrument(), a_round_instrument(SPOT)])
    manager.open_account(10_000 * USDT, START_MS)
    return manager


def a_traded_book(book: PositionManager) -> PositionManager:
    """Short 10 perpetuals at 100, long 5 coins at 50, fees of 1 and 2 USDT, 3 USDT of funding."""
    book.book(a_fill(SELL, 10, 100, 1 * USDT))
    book.book(a_fill(BUY, 5, 50, 2 * USDT, symbol=SPOT))
    book.fund(Funded("f1", PERPETUAL, 3 * USDT, 10_000, START_MS))
    book.mark([a_bar(0, 100, close=90), a_bar(0, 50, close=60)])
    return book


def test_an_account_opens_with_its_capital_in_cash(book: PositionManager) -> None:
    assert (book.cash, book.equity(), book.gross(), book.open_count) == (10_000 * USDT,) * 2 + (
        0,
        0,
    )
    assert book.ledger.balance(CAPITAL, "USDT") == -10_000 * USDT
    assert book.asset == "USDT"
    assert book.index == {PERPETUAL: 0, SPOT: 1}


def test_equity_is_cash_plus_positions_at_their_last_close(book: PositionManager) -> None:
    a_traded_book(book)
    # cash 10,000 + 1,000 - 1 - 250 - 2 + 3 = 10,750; - 10 * 90 + 5 * 60 = 10,150
    assert book.cash == 10_750 * USDT
    assert book.equity() == 10_150 * USDT
    assert book.gross() == 1_200 * USDT  # 900 + 300
    assert book.unrealized() == 150 * USDT  # 100 + 50
    assert book.realized() == 0  # - 1 - 2 + 3
    assert (book.fees(), book.funding()) == (3 * USDT, 3 * USDT)
    assert (book.open_count, list(book.open_indexes)) == (2, [0, 1])
    assert book.equity() == 10_000 * USDT + book.realized() + book.unrealized()


def test_the_account_is_shown_with_its_day_and_its_drawdown(book: PositionManager) -> None:
    risk = RiskManager(RiskLimits(), TradingCalendar("Asia/Seoul"), 2, MINUTE)
    risk.open_account(10_400 * USDT, START_MS)
    risk.mark(START_MS + MINUTE, 10_150 * USDT, 2)
    view = account_view(a_traded_book(book), risk, at_ms=START_MS + MINUTE, working_orders=3)
    assert view == AccountView(
        at_ms=START_MS + MINUTE, asset="USDT", cash=10_750 * USDT, equity=10_150 * USDT,
        gross=1_200 * USDT, realized=0, unrealized=150 * USDT, fees=3 * USDT, funding=3 * USDT,
        open_positions=2, working_orders=3, peak=10_400 * USDT,
        drawdown_rate=2_403_847,  # 250 of 10,400 is 2.4038461... %, rounded up
        day_start_equity=10_400 * USDT, trading_state=TradingState.ACTIVE,
    )  # fmt: skip
    assert view.daily_result == -250 * USDT


def test_without_a_candle_the_last_close_still_counts(book: PositionManager) -> None:
    a_traded_book(book)
    book.mark([None, a_bar(1, 60, close=70)])
    assert book.last == [90, 70]
    assert book.equity() == 10_200 * USDT


def test_booking_returns_what_changed_and_what_the_ledger_got(book: PositionManager) -> None:
    before, after, transaction = book.book(a_fill(BUY, 10, 100, USDT, trade_id="t7"))
    assert (before.lots, after.lots) == (0, 10)
    assert book.positions[0] == after
    assert "t7" in transaction.reference
    assert sum(e.amount for e in transaction.entries if e.account == CASH) == -1_001 * USDT


def test_a_closed_position_leaves_the_open_ones(book: PositionManager) -> None:
    a_traded_book(book)
    book.book(a_fill(BUY, 10, 80))
    assert list(book.open_indexes) == [1]
    # 10 * (100 - 80) - 1 - 2 + 3
    assert book.realized() == 200 * USDT


def test_a_position_is_owned_by_the_strategy_of_its_entry(book: PositionManager) -> None:
    book.book(a_fill(BUY, 10, 100, USDT))
    held = book.positions[0]
    book.own(0, "ema_cross")
    owned = book.positions[0]
    assert owned.strategy == "ema_cross"
    assert (owned.lots, owned.cost, owned.realized, owned.fees, owned.opened_ms) == (
        held.lots, held.cost, held.realized, held.fees, held.opened_ms,
    )  # fmt: skip
    book.own(0, "ema_cross")
    assert book.positions[0] is owned


def test_a_refused_fill_changes_nothing(book: PositionManager) -> None:
    a_traded_book(book)
    before = json.dumps(book.state())
    with pytest.raises(KeyError):
        book.book(a_fill(symbol="DOGE/USDT"))
    assert json.dumps(book.state()) == before


def test_a_restored_book_is_the_same_and_goes_on_the_same(book: PositionManager) -> None:
    a_traded_book(book)
    book.own(1, "ema_cross")
    other = PositionManager(book.instruments)
    other.restore(json.loads(json.dumps(book.state())))
    for manager in (book, other):
        manager.book(a_fill(BUY, 4, 95, 1))
    assert other.positions == book.positions
    assert other.ledger.balances() == book.ledger.balances()
    assert json.dumps(other.state()) == json.dumps(book.state())
    assert (other.cash, other.equity(), other.open_indexes) == (
        book.cash, book.equity(), book.open_indexes,
    )  # fmt: skip


def test_a_checkpoint_is_a_copy(book: PositionManager) -> None:
    a_traded_book(book)
    state = book.state()
    stored = json.dumps(state)
    book.book(a_fill(BUY, 4, 95, 1))
    book.mark([a_bar(1, 1), a_bar(1, 1)])
    assert json.dumps(state) == stored


def a_state(book: PositionManager) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(json.dumps(a_traded_book(book).state()))
    PositionManager(book.instruments).restore(state)  # as it is, it is accepted
    return state


def restored(book: PositionManager, state: dict[str, Any]) -> None:
    PositionManager(book.instruments).restore(state)


def test_a_cost_that_the_ledger_does_not_know_stops_trading(book: PositionManager) -> None:
    state = a_state(book)
    state["positions"][0][1] += 1
    with pytest.raises(StateMismatch):
        restored(book, state)


def test_costs_that_only_agree_in_sum_stop_trading(book: PositionManager) -> None:
    state = a_state(book)
    state["positions"][0][1] += 1
    state["positions"][1][1] -= 1
    with pytest.raises(StateMismatch):
        restored(book, state)


def test_lots_that_the_ledger_does_not_hold_stop_trading(book: PositionManager) -> None:
    state = a_state(book)
    state["positions"][0][0] -= 1  # one contract more short than was ever booked
    with pytest.raises(StateMismatch):
        restored(book, state)


def test_cash_that_no_booking_explains_stops_trading(book: PositionManager) -> None:
    state = a_state(book)
    for row in state["ledger"]:
        if row[0] == CASH:
            row[2] += 1_000 * USDT
    with pytest.raises(StateMismatch):
        restored(book, state)


def test_profit_that_no_booking_explains_stops_trading(book: PositionManager) -> None:
    state = a_state(book)
    state["positions"][0][2] += 1
    with pytest.raises(StateMismatch):
        restored(book, state)


def test_a_checkpoint_of_other_symbols_is_refused(book: PositionManager) -> None:
    state = a_state(book)
    with pytest.raises(ValueError, match="zip"):
        PositionManager([a_round_instrument()]).restore(state)
