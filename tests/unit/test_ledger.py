"""The ledger: every transaction balances in every asset, and an event has one reference."""

from dataclasses import replace

import pytest

from crypto_trader_pro.domain.enums import Side
from crypto_trader_pro.domain.ledger import (
    CAPITAL,
    CASH,
    FEES,
    FUNDING,
    HOLDING,
    MARKET,
    REALIZED,
    Entry,
    Ledger,
    Transaction,
    capital_paid_in,
    fill_booked,
    funding_paid,
    holding_asset,
)
from crypto_trader_pro.domain.orders import Fill
from crypto_trader_pro.domain.positions import Position
from tests.builders import PERPETUAL, SPOT, START_MS, USDT, a_fill, a_round_instrument

POSITION = f"position:{PERPETUAL}"


def booked(position: Position, fill: Fill) -> Transaction:
    return fill_booked(fill, position, position.apply(fill))


def test_a_transaction_that_does_not_balance_is_refused_with_the_difference() -> None:
    with pytest.raises(ValueError, match="r1: USDT does not balance, off by 1"):
        Transaction("r1", "fill", 0, (Entry(CASH, "USDT", 5), Entry(FEES, "USDT", -4)))


def test_each_asset_must_balance_by_itself() -> None:
    with pytest.raises(ValueError, match="r1: USDT does not balance, off by 5"):
        Transaction("r1", "fill", 0, (Entry(CASH, "USDT", 5), Entry(HOLDING, "BTC", -5)))


def test_opening_moves_cash_into_the_position_and_pays_the_fee() -> None:
    # 10 lots at 100 USDT, 1 USDT fee
    transaction = booked(Position(a_round_instrument()), a_fill(Side.BUY, 10, 100, USDT))
    assert set(transaction.entries) == {
        Entry(CASH, "USDT", -1_001 * USDT),
        Entry(POSITION, "USDT", 1_000 * USDT),
        Entry(FEES, "USDT", USDT),
        Entry(HOLDING, PERPETUAL, 10),
        Entry(MARKET, PERPETUAL, -10),
    }


def test_closing_takes_the_cost_out_and_books_the_rest_as_profit() -> None:
    held = Position(a_round_instrument()).apply(a_fill(Side.BUY, 10, 100))
    transaction = booked(held, a_fill(Side.SELL, 10, 120, USDT))
    assert set(transaction.entries) == {
        Entry(CASH, "USDT", 1_199 * USDT),
        Entry(POSITION, "USDT", -1_000 * USDT),
        Entry(FEES, "USDT", USDT),
        Entry(REALIZED, "USDT", -200 * USDT),  # income is a credit
        Entry(HOLDING, PERPETUAL, -10),
        Entry(MARKET, PERPETUAL, 10),
    }


def test_crossing_zero_realizes_the_closed_part_only() -> None:
    held = Position(a_round_instrument()).apply(a_fill(Side.BUY, 10, 100))
    entries = {e.account: e.amount for e in booked(held, a_fill(Side.SELL, 14, 120)).entries}
    # 14 * 120 = 1,680 in; the cost goes from 1,000 to -480; profit 10 * 20 = 200
    assert (entries[CASH], entries[POSITION]) == (1_680 * USDT, -1_480 * USDT)
    assert entries[REALIZED] == -200 * USDT


def test_a_rebate_comes_in_as_cash() -> None:
    transaction = booked(Position(a_round_instrument()), a_fill(Side.BUY, 10, 100, -USDT))
    assert Entry(CASH, "USDT", -999 * USDT) in transaction.entries


def test_spot_holds_coins_and_a_perpetual_holds_contracts() -> None:
    assert holding_asset(a_round_instrument(SPOT)) == "BTC"
    assert holding_asset(a_round_instrument()) == PERPETUAL


@pytest.mark.parametrize("amount", [5 * USDT, -5 * USDT])
def test_funding_moves_between_cash_and_funding(amount: int) -> None:
    transaction = funding_paid("funding:x:1", amount, "USDT", START_MS)
    assert transaction.entries == (Entry(CASH, "USDT", amount), Entry(FUNDING, "USDT", -amount))


def test_the_ledger_is_the_fold_of_its_transactions() -> None:
    ledger = Ledger()
    ledger.post(capital_paid_in(100 * USDT, "USDT", START_MS))
    ledger.post(funding_paid("f1", 3, "USDT", START_MS))
    ledger.post(funding_paid("f2", -3, "USDT", START_MS))
    assert ledger.balance(CASH, "USDT") == 100 * USDT
    assert ledger.balance(FUNDING, "USDT") == 0
    assert ledger.balance(CASH, "BTC") == 0  # never heard of
    assert ledger.balances() == {(CASH, "USDT"): 100 * USDT, (CAPITAL, "USDT"): -100 * USDT}


def test_a_restored_ledger_goes_on_from_its_balances_alone() -> None:
    ledger = Ledger()
    ledger.post(capital_paid_in(7, "USDT", START_MS))
    ledger.restore([(CASH, "USDT", 5), (CAPITAL, "USDT", -5)])
    ledger.post(funding_paid("f1", 1, "USDT", START_MS))
    assert ledger.balances() == {
        (CASH, "USDT"): 6,
        (CAPITAL, "USDT"): -5,
        (FUNDING, "USDT"): -1,
    }


def test_fills_with_the_same_trade_id_on_two_symbols_have_two_references() -> None:
    """A venue counts trades per symbol: (venue, symbol, trade id) is what is unique."""
    fill = a_fill(trade_id="t1")
    elsewhere = replace(fill, symbol=SPOT)
    references = {
        booked(Position(a_round_instrument(f.symbol)), f).reference for f in (fill, elsewhere)
    }
    assert len(references) == 2
