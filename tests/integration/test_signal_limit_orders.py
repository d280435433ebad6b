"""Limit orders of an outside strategy, and any wishes in any order: never larger than allowed.

As in `test_signal_command.py`: two candles at 100, entries of 10 lots. A buy at 95 with a stop of
10 % protects at 85.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine as Database

from auto_trading.operations import Answer
from crypto_trader_pro.domain.enums import CommandKind, OrderRole
from tests.builders import finished
from tests.reaching import (
    BTC,
    ETH,
    TENTH,
    a_database,
    a_session,
    at,
    close,
    code,
    it_repeats,
    orders,
    rows,
    signal,
    the_books_agree,
)
from tests.sessions import Life

K = CommandKind


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("signals")
    with a_database(folder) as made:
        yield made


# --- limit orders -------------------------------------------------------------------------------


def test_a_limit_rests_until_the_market_trades_through_it(database: Database) -> None:
    life = a_session(database)
    answer = signal(life, order_type="limit", price="95.9", quantity="5", stop_pct="10")
    assert (answer.data["order_type"], answer.data["price"]) == ("limit", "95")  # a buy: down
    for k in range(2, 6):  # it outlives any entry to the market
        at(life, k, 5, 95)
        close(life, k, 96)
    assert life.lots == [0, 0]
    assert life.parts.executor.busy(0)
    life = life.reborn()
    at(life, 6, 5, 94)
    assert life.lots == [5, 0]
    query = "SELECT order_type, price, status FROM orders WHERE run_id = :run ORDER BY 1"
    # 10 % of 95 are up to whole units 10; 2 % are 2
    assert rows(life, query) == [
        ("limit", "95", "filled"),
        ("stop_market", "85", "working"),
        ("take_profit", "97", "working"),
    ]
    assert rows(life, "SELECT price, is_maker, fee FROM fills WHERE run_id = :run") == [
        ("95", 1, "0.2375"),  # 475 at 0.05 %
    ]
    assert life.parts.risk.state()["_reserved"] == 0
    it_repeats(life)


def test_a_limit_that_the_market_is_beyond_takes_what_is_there(database: Database) -> None:
    """A tenth of 20 lots is 2: the rest is taken at the following prices, below the limit too."""
    life = a_session(database)
    signal(life, order_type="limit", price="105", quantity="5", stop_pct="50", target_pct="20")
    close(life, 2, 100, volume=20)
    for second, price in ((5, 100), (6, 101), (7, 106), (8, 105), (9, 104)):
        at(life, 3, second, price)
    found = rows(life, "SELECT size, price, is_maker FROM fills WHERE run_id = :run ORDER BY id")
    assert found == [("2", "100", 0), ("2", "101", 0), ("1", "105", 1)]
    assert life.lots == [5, 0]
    it_repeats(life)


def test_a_limit_of_a_sale_is_rounded_up(database: Database) -> None:
    life = a_session(database)
    answer = signal(life, "sell", order_type="limit", price="104.1", quantity="5")
    assert answer.data["price"] == "105"
    at(life, 2, 5, 105)
    assert life.lots == [0, 0]
    at(life, 2, 6, 106)
    assert life.lots == [-5, 0]


def test_a_limit_ends_with_its_time_even_after_a_restart(database: Database) -> None:
    life = a_session(database)
    signal(life, order_type="limit", price="95", valid_seconds=90, stop_pct="10")
    at(life, 3, 29, 100)
    life = life.reborn()
    assert len(life.parts.executor.orders) == 3
    at(life, 3, 30, 94)  # of what comes in the same instant it is filled
    assert life.lots == [10, 0]
    late = a_session(database)
    signal(late, order_type="limit", price="95", valid_seconds=90)
    late = late.reborn()
    at(late, 3, 30, 100)
    at(late, 3, 31, 94)
    assert late.lots == [0, 0]
    assert orders(late, OrderRole.ENTRY) == [(BTC, "canceled", "time_to_live")]
    assert late.parts.risk.state()["_reserved"] == 0
    for one in (life, late):
        it_repeats(one)


def test_a_limit_outside_the_collar_is_refused(database: Database) -> None:
    """5 % of 100: 95 is at its edge, 94 is not."""
    life = a_session(database, TENTH._replace(collar_rate=5_000_000))
    answer = signal(life, order_type="limit", price="94")
    assert (code(answer), answer.data["price"], answer.data["reference"]) == (
        "refused.price_collar", "94", "100"
    )  # fmt: skip
    assert code(signal(life, order_type="limit", price="95")) == "answer.proposed"


def test_a_limit_is_sized_at_its_own_price(database: Database) -> None:
    """A tenth of 10,000 at 80 is 12 lots; two whole tenths of leverage would be too much."""
    life = a_session(database)
    answer = signal(life, order_type="limit", price="80")
    assert answer.data["quantity"] == "12"
    assert life.parts.executor.reserved_by("webhook:alice") == 96_096_000_000  # 960 and 0.1 %


# --- whatever happens ---------------------------------------------------------------------------

PRICES = st.integers(80, 120)
WISHES = st.fixed_dictionaries(
    {"action": st.sampled_from(["buy", "sell", "buy", "sell", "close", "close_all", "cancel"]),
     "symbol": st.sampled_from([BTC, ETH]), "strategy": st.sampled_from(["alice", "bob"])},
    optional={
        "quantity": st.integers(1, 30).map(str), "size_pct": st.integers(1, 100).map(str),
        "capital": st.integers(50, 3000).map(str), "stop_pct": st.integers(1, 50).map(str),
        "limit": PRICES.map(str), "valid_seconds": st.integers(1, 100),
    },
)  # fmt: skip
COMMANDS = st.sampled_from([K.PAUSE, K.RESUME, K.CLOSE_ALL, K.STOP, K.START, K.CANCEL_ENTRIES])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("wish"), WISHES),
        st.tuples(st.just("price"), PRICES),
        st.tuples(st.just("candle"), PRICES),
        st.tuples(st.just("command"), COMMANDS),
        st.tuples(st.just("reborn"), st.just(0)),
    ),
    min_size=4, max_size=16,
)  # fmt: skip


@settings(
    max_examples=15, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(events=EVENTS)
def test_no_wish_is_larger_than_it_may_be_and_the_books_agree(
    database: Database, events: list[tuple[str, Any]]
) -> None:
    life = a_session(database)
    candle, second = 2, 1
    for what, value in events:
        if what == "wish":
            wished = dict(value)
            limit = wished.pop("limit", None)
            if limit is not None:
                wished |= {"order_type": "limit", "price": limit}
            _check(life, signal(life, **wished), wished)
        elif what == "price":
            at(life, candle, second, value)
            second = min(59, second + 2)
        elif what == "candle":
            close(life, candle, value)
            candle, second = candle + 1, 1
        elif what == "command":
            life.ask(value, {"over_seconds": 20} if value is K.CLOSE_ALL else {})
        else:
            life = life.reborn()
        the_books_agree(life)
    finished(life.session.settle())
    it_repeats(life)


def _check(life: Life, answer: Answer, wished: dict[str, Any]) -> None:
    if code(answer) != "answer.proposed":
        return
    lots = int(answer.data["quantity"])
    price = int(answer.data["price"])
    equity = life.parts.risk.equity // 10**8
    assert 1 <= lots * price <= equity / 10 + 1
    assert lots <= int(wished.get("quantity", lots))
    capital = int(wished.get("capital", 10**9))
    assert lots * price <= capital
    assert lots * price <= min(capital, equity + 1) * int(wished.get("size_pct", 100)) / 100
