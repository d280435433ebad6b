"""How an outside strategy lets its positions go, and what it may not touch.

As in `test_signal_command.py`: two candles at 100, entries of 10 lots.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from auto_trading.session_inputs import Connection
from crypto_trader_pro.domain.enums import CommandKind, OrderRole
from tests.builders import MINUTE, START_MS
from tests.reaching import (
    BTC,
    BTC_SPOT,
    ETH,
    a_database,
    a_session,
    at,
    code,
    decided_outside,
    it_repeats,
    no_candle,
    orders,
    signal,
    the_books_agree,
    with_a_long,
)

K = CommandKind
NOW = START_MS + 2 * MINUTE


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("signals")
    with a_database(folder) as made:
        yield made


# --- the other way round ------------------------------------------------------------------------


def test_a_sale_of_own_coins_closes_and_opens_nothing(database: Database) -> None:
    life = a_session(database, symbols=(BTC_SPOT,))
    assert code(signal(life, "sell", BTC_SPOT)) == "refused.direction"
    signal(life, "buy", BTC_SPOT)
    at(life, 2, 5, 100)
    foreign = signal(life, "sell", BTC_SPOT, strategy="bob")
    assert code(foreign) == "refused.position_open"
    answer = signal(life, "sell", BTC_SPOT)
    assert (code(answer), answer.data["quantity"]) == ("answer.position_closing", "10")
    again = signal(life, "sell", BTC_SPOT)
    assert again.data["client_order_id"] == answer.data["client_order_id"]
    at(life, 2, 6, 100)
    assert life.lots == [0]
    assert [row[2] for row in decided_outside(life)] == [
        "refused", "ordered", "refused", "closed", "hold"
    ]  # fmt: skip
    it_repeats(life)


def test_on_a_perpetual_the_opposite_reverses(database: Database) -> None:
    life = a_session(database)
    signal(life)
    at(life, 2, 5, 100)
    answer = signal(life, "sell", capital="1100")  # what leaves frees the capital
    assert (code(answer), answer.data["quantity"]) == ("answer.proposed", "9")
    assert answer.data["closing"] != answer.data["client_order_id"]
    at(life, 2, 6, 100)
    assert life.lots == [-9, 0]
    the_books_agree(life)
    it_repeats(life)


@pytest.mark.parametrize("way", ["paused", "stopped"])
def test_the_opposite_closes_even_where_nothing_may_be_entered(
    database: Database, way: str
) -> None:
    life = a_session(database)
    signal(life)
    at(life, 2, 5, 100)
    life.ask(K.PAUSE if way == "paused" else K.STOP)
    answer = signal(life, "sell")
    assert (code(answer), answer.data["refusal"]) == ("answer.position_closing", "trading_state")
    at(life, 2, 6, 100)
    assert life.lots == [0, 0]
    it_repeats(life)


# --- close and cancel ---------------------------------------------------------------------------


def test_a_strategy_closes_its_own_and_nothing_else(database: Database) -> None:
    life = with_a_long(database)  # the script's
    signal(life, symbol=ETH)
    at(life, 2, 6, 100)
    assert life.lots == [10, 9]
    assert code(signal(life, "close", BTC)) == "refused.not_owned"
    assert code(signal(life, "close", ETH, strategy="bob")) == "refused.not_owned"
    answer = signal(life, "close_all", None)
    assert (code(answer), answer.data["positions"]) == ("answer.own_closing", 1)
    at(life, 2, 7, 100)
    assert life.lots == [10, 0]
    assert signal(life, "close_all", None).data["positions"] == 0
    assert orders(life, OrderRole.EXIT) == [(ETH, "filled", "webhook")]
    it_repeats(life)


@pytest.mark.parametrize("way", ["paused", "stopped", "lost", "old", "dark", "halted"])
def test_only_an_emergency_keeps_a_strategy_from_closing(database: Database, way: str) -> None:
    life = a_session(database, flatten_on=())
    signal(life)
    at(life, 2, 5, 100)
    if way == "lost":
        life.take(Connection(NOW, is_lost=True))
    elif way == "old":
        life.session.engine.now_ms += 10 * MINUTE
    elif way == "dark":
        life.take(no_candle(life))
    else:
        kinds = {"paused": K.PAUSE, "stopped": K.STOP, "halted": K.EMERGENCY_STOP}
        life.ask(kinds[way])
    answer = signal(life, "close")
    if way == "halted":
        assert answer.data == {"code": "refused.latched", "trigger": "MANUAL_STOP"}
        assert code(signal(life, "sell")) == "refused.latched"
        return
    assert code(answer) == "answer.own_closing"
    at(life, 13, 6, 100)
    assert life.lots == [0, 0]
    it_repeats(life)


def test_own_entries_are_taken_back_and_no_others(database: Database) -> None:
    life = a_session(database, buys=True)  # the script's entry of BTC works
    signal(life, symbol=ETH, order_type="limit", price="90")
    assert signal(life, "cancel", BTC).data["count"] == 0
    assert signal(life, "cancel", None, strategy="bob").data["count"] == 0
    assert signal(life, "cancel", None).data["count"] == 1
    assert orders(life, OrderRole.ENTRY) == [
        (BTC, "working", ""), (ETH, "canceled", "asked")
    ]  # fmt: skip
    signal(life, symbol=ETH, order_type="limit", price="90", strategy="bob")
    answer = signal(life, "close", ETH, strategy="bob")  # not filled yet: it will not be
    assert answer.data["canceled"] == 1
    it_repeats(life)
