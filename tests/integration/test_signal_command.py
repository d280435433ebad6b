"""What an outside strategy may do in a session, and what it may not.

Two candles have closed at 100. The settings' stop is 1 % and their target 2 %: at 100 they rest at
99 and 102. An entry takes a tenth of 10,000 USDT: 10 lots.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine as Database

from auto_trading.operations import Answer
from auto_trading.session_inputs import Connection
from crypto_trader_pro.cli.asked_text import answer_text
from crypto_trader_pro.domain.enums import CommandKind, OrderRole
from crypto_trader_pro.risk.rules import CODES, RiskInputs, evaluate
from tests.builders import MINUTE, START_MS, finished
from tests.reaching import (
    BTC,
    BTC_SPOT,
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
    the_books_agree,
    with_a_long,
)
from tests.sessions import Life, closed, tick
from utils.texts import Language, catalogue

K = CommandKind
NOW = START_MS + 2 * MINUTE


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("signals")
    with a_database(folder) as made:
        yield made


def signal(life: Life, action: str = "buy", symbol: str | None = BTC, **more: Any) -> Answer:
    strategy = more.pop("strategy", "alice")
    payload = {"strategy": strategy, "action": action, "symbol": symbol, **more}
    answer = life.ask(K.SIGNAL, payload)
    the_books_agree(life)
    for language in Language:  # every answer has its words
        said = answer_text(answer.data, language)
        assert code(answer) in catalogue(language)
        assert "{" not in said
        assert str(answer.data["code"]) not in said
    return answer


def decisions(life: Life) -> list[tuple[Any, ...]]:
    return rows(
        life, "SELECT at_ms - 1704067320000, symbol, outcome, first_refusal, lots, strategy"
        " FROM decisions WHERE run_id = :run AND strategy LIKE 'webhook:%' ORDER BY id",
    )  # fmt: skip


# --- an entry -----------------------------------------------------------------------------------


def test_a_buy_goes_the_way_of_every_other_wish(database: Database) -> None:
    life = a_session(database)
    answer = signal(life, alert_id="a-1")
    order_id = f"r{life.run_id}o0000001"
    assert answer.data == {
        "code": "answer.proposed", "symbol": BTC, "side": "BUY", "strategy": "webhook:alice",
        "at": "2024-01-01T00:02:00.001000+00:00", "client_order_id": order_id,
        "order_type": "market", "quantity": "10", "price": "100",
    }  # fmt: skip
    # one ms after the candle's close, at which the strategies' decisions are stored
    assert decisions(life) == [(1, BTC, "ordered", None, 10, "webhook:alice")]
    at(life, 2, 5, 100)
    assert life.lots == [10, 0]
    query = "SELECT role, order_type, price, strategy, status FROM orders WHERE run_id = :run"
    assert rows(life, query) == [
        ("entry", "market", None, "webhook:alice", "filled"),
        ("stop", "stop_market", "99", "webhook:alice", "working"),
        ("target", "take_profit", "102", "webhook:alice", "working"),
    ]
    query = (
        "SELECT strategy, signal_type, reason, entry_price, stop_loss, take_profit, executed,"
        " execution_price FROM ai_signals_log WHERE run_id = :run AND executed"
    )
    assert rows(life, query) == [
        ("webhook:alice", "BUY", "webhook", "100", "99", "102", 1, "100"),
    ]
    (detail,) = rows(life, "SELECT detail FROM decisions WHERE run_id = :run AND lots = 10")
    assert json.loads(detail[0]) == {"alert": "a-1"}
    it_repeats(life)


def test_the_rules_numbers_are_stored_and_decide_the_same_again(database: Database) -> None:
    """`why` asks the rules with the stored numbers: the wish's own bounds are among them."""
    life = a_session(database)
    signal(life, quantity="3")
    signal(life, symbol=ETH, quantity="0.5")
    found = rows(life, "SELECT inputs, mask, lots, bound FROM decisions WHERE run_id = :run"
                       " AND inputs IS NOT NULL ORDER BY id")  # fmt: skip
    assert [row[2] for row in found] == [3, 0]
    for stored, mask, lots, bound in found:
        verdict = evaluate(RiskInputs(*json.loads(stored)))
        assert (verdict.mask, verdict.lots, verdict.bound) == (mask, lots, bound)


@pytest.mark.parametrize(
    ("bounds", "lots"),
    [
        ({}, 10),  # a tenth of the account, as every entry
        ({"quantity": "3.9"}, 3),
        ({"quantity": "1000"}, 10),
        ({"size_pct": "5"}, 5),  # of 10,000
        ({"size_pct": "100"}, 10),
        ({"capital": "450"}, 4),  # 4 lots and their fee
        ({"capital": "400"}, 3),  # 4 lots, and nothing is left for the fee
        ({"capital": "2000", "size_pct": "20"}, 4),
        ({"capital": "2000", "size_pct": "20", "quantity": "2"}, 2),
    ],
)
def test_a_wish_can_only_shrink_the_size(
    database: Database, bounds: dict[str, Any], lots: int
) -> None:
    life = a_session(database)
    assert signal(life, **bounds).data["quantity"] == str(lots)


def test_the_capital_of_a_strategy_is_for_all_its_positions(database: Database) -> None:
    life = a_session(database)
    assert signal(life, capital="700", quantity="4").data["quantity"] == "4"
    # 400 and a fee of 0.4 are under way: of 299.6 two lots and their fee are left
    assert signal(life, symbol=ETH, capital="700").data["quantity"] == "2"
    at(life, 2, 5, 100)
    assert life.lots == [4, 2]
    # another strategy's capital is its own
    answer = signal(life, "sell", strategy="bob", capital="700")
    assert (code(answer), answer.data["symbol"]) == ("refused.position_open", BTC)


def test_a_strategy_without_capital_may_still_close(database: Database) -> None:
    life = a_session(database)
    signal(life)
    at(life, 2, 5, 100)
    answer = signal(life, "buy", ETH, capital="0")
    assert (code(answer), answer.data["lots"]) == ("refused.position_size", 0)
    assert signal(life, "close", capital="0").data["positions"] == 1


def test_what_is_too_small_is_refused_with_its_numbers(database: Database) -> None:
    """One lot is 100 USDT; the venue's smallest order is 250 USDT here."""
    life = a_session(database, least="250")
    answer = signal(life, capital="50")
    assert (code(answer), answer.data["lots"]) == ("refused.position_size", 0)
    answer = signal(life, symbol=ETH, quantity="2.9")
    assert (code(answer), answer.data["notional"], answer.data["minimum"]) == (
        "refused.min_notional", "200.00", "250.00"
    )  # fmt: skip
    assert signal(life, symbol=ETH, quantity="3").data["quantity"] == "3"


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("never started", "refused.stopped"),
        ("stopped", "refused.stopped"),
        ("paused", "refused.paused"),
        ("halted", "refused.latched"),
        ("connection", "refused.safety"),
        ("dark", "refused.no_candle"),
        ("old", "refused.data_gate"),
    ],
)
def test_new_risk_is_refused_and_the_decision_stored(
    database: Database, way: str, expected: str
) -> None:
    life = a_session(database, starts=way != "never started")
    if way == "stopped":
        life.ask(K.STOP)
    elif way == "paused":
        life.ask(K.PAUSE)
    elif way == "halted":
        life.ask(K.EMERGENCY_STOP)
    elif way == "connection":
        life.take(Connection(NOW, is_lost=True))
    elif way == "dark":
        life.take(tick(2, 59, 100))
        life.take(_gap(life))
    elif way == "old":  # 2 candles without one are too many: the price's time has gone on
        life.session.engine.now_ms += 2 * MINUTE + 1
    assert code(signal(life)) == expected
    (stored,) = decisions(life)
    outcome = "dark" if way == "dark" else "refused"
    refusal = {"refused.safety": "safety", "refused.data_gate": "data_gate",
               "refused.no_candle": None}.get(expected, "trading_state")  # fmt: skip
    assert stored[2:4] == (outcome, refusal)
    assert not life.parts.executor.orders
    it_repeats(life)


def _gap(life: Life) -> Any:

    return closed(2, *(None for _ in life.lots))


NONSENSE = [
    ({"action": "hold"}, "action was 'hold', allowed: buy, sell, close, close_all, cancel"),
    ({"symbol": "DOGE"}, f"symbol was 'DOGE', allowed: {BTC}, {ETH}"),
    ({"symbol": None}, "symbol was 'None', allowed: a text"),
    ({"strategy": ""}, "strategy was '', allowed: 1 to 42 letters"),
    ({"strategy": "x" * 43}, f"strategy was '{'x' * 43}', allowed: 1 to 42 letters"),
    ({"strategy": "a\nb"}, "strategy was 'a\\nb', allowed: 1 to 42 letters"),
    ({"order_type": "iceberg"}, "order_type was 'iceberg', allowed: market, limit"),
    ({"order_type": "limit"}, "price was 'None', allowed: a number above 0 for a limit order"),
    ({"order_type": "limit", "price": "0.5"}, "price was 0.5, allowed: at least 1"),
    ({"quantity": 0.5}, "quantity was '0.5', allowed: a number above 0 and at most"),
    ({"quantity": "NaN"}, "quantity was 'NaN', allowed: a number above 0"),
    ({"quantity": "-1"}, "quantity was '-1', allowed: a number above 0"),
    ({"quantity": "1e99999"}, "quantity was '1e99999', allowed: a number above 0"),
    ({"quantity": "1e-99999"}, "quantity was '1e-99999', allowed: a number above 0"),
    ({"quantity": True}, "quantity was 'True', allowed: a number above 0"),
    ({"size_pct": "100.1"}, "size_pct was '100.1', allowed: a number above 0 and at most 100 "),
    ({"stop_pct": "100"}, "stop_pct was '100', allowed: a number above 0 and at most 99 "),
    ({"valid_seconds": 0}, "valid_seconds was '0', allowed: a whole number from 1 to 2592000"),
    ({"quantty": "1"}, "field was 'quantty', allowed: action, alert_id, capital, order_type,"),
    ({"alert_id": 5}, "alert_id was '5', allowed: a text"),
]


@pytest.mark.parametrize(("changes", "reason"), NONSENSE)
def test_nonsense_is_refused_in_one_line_and_changes_nothing(
    database: Database, changes: dict[str, Any], reason: str
) -> None:
    life = a_session(database)
    before = life.outcome()["state"]
    answer = life.ask(K.SIGNAL, {"strategy": "alice", "action": "buy", "symbol": BTC, **changes})
    assert code(answer) == "refused.input"
    assert str(answer.data["reason"]).startswith(reason)
    assert "\n" not in answer.data["reason"]
    after = life.outcome()["state"]
    del before["session"]["answers"], after["session"]["answers"]
    assert after == before


def test_every_rule_has_the_words_of_its_refusal() -> None:
    for language in Language:
        lacking = {c for c in CODES if f"refused.{c}" not in catalogue(language)}
        assert lacking == {"trading_state"}  # told as paused, stopped or latched


def test_a_second_entry_on_the_same_candle_is_refused(database: Database) -> None:
    """The same strategy, symbol and side enter once per candle, at whatever instants."""
    life = a_session(database)
    signal(life)
    at(life, 2, 5, 100)
    assert code(signal(life)) == "refused.position_open"
    signal(life, "close")
    at(life, 2, 6, 100)
    assert life.lots == [0, 0]
    again = signal(life)
    assert code(again) == "refused.duplicate_bar"
    close(life, 2, 100)
    assert code(signal(life)) == "answer.proposed"
    instants = [row[0] for row in decisions(life)]
    assert len(set(instants)) == len(instants) == 5
    it_repeats(life)


def test_the_cooldown_counts_between_candles(database: Database) -> None:
    """The exit is newer than the candle that is decided on: it is no reason not to wait."""
    life = a_session(database, TENTH)
    life.parts.risk.limits = life.parts.risk.limits._replace(cooldown_bars=1)
    signal(life)
    at(life, 2, 5, 100)
    signal(life, "close")
    at(life, 2, 6, 100)
    answer = signal(life, "sell")
    assert (code(answer), answer.data["bars"], answer.data["limit"]) == ("refused.cooldown", 0, 1)
    close(life, 2, 100)
    close(life, 3, 100)
    assert code(signal(life, "sell")) == "answer.proposed"


def test_a_thousand_wishes_in_one_instant_are_stored_one_by_one(database: Database) -> None:
    """They fall on a ms each, and none on a candle's close; at 59.999 s the next ms is one."""
    life = a_session(database)
    life.session.engine.now_ms = START_MS + 3 * MINUTE - 1
    for _ in range(4):
        signal(life, stop_pct="0.000001", strategy="bob")
    instants = [row[0] - MINUTE for row in decisions(life)]
    assert instants == [-1, 1, 2, 3]
    close(life, 2, 100)
    it_repeats(life)


def test_copies_of_one_alert_are_one_intent(database: Database) -> None:
    life = a_session(database)
    first = life.ask(K.SIGNAL, {"strategy": "alice", "action": "buy", "symbol": BTC},
                     command_id="alert-7")  # fmt: skip
    for _ in range(20):
        copy = life.ask(K.SIGNAL, {"strategy": "alice", "action": "buy", "symbol": BTC},
                        command_id="alert-7")  # fmt: skip
        assert copy == first
    assert len(orders(life, OrderRole.ENTRY)) == 1


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
    assert [row[2] for row in decisions(life)] == [
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
        life.take(_gap(life))
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
