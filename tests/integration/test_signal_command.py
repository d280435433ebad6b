"""What an outside strategy may do in a session, and what it may not.

Two candles have closed at 100. The settings' stop is 1 % and their target 2 %: at 100 they rest at
99 and 102. An entry takes a tenth of 10,000 USDT: 10 lots.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database

from auto_trading.session_inputs import Connection
from crypto_trader_pro.domain.enums import CommandKind, OrderRole
from crypto_trader_pro.risk.rules import CODES, RiskInputs, evaluate
from tests.builders import MINUTE, START_MS
from tests.reaching import (
    BTC,
    ETH,
    TENTH,
    a_database,
    a_session,
    at,
    close,
    code,
    decided_outside,
    it_repeats,
    no_candle,
    orders,
    rows,
    signal,
)
from tests.sessions import tick
from utils.texts import Language, catalogue

K = CommandKind
NOW = START_MS + 2 * MINUTE


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("signals")
    with a_database(folder) as made:
        yield made


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
    assert decided_outside(life) == [(1, BTC, "ordered", None, 10, "webhook:alice")]
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
        life.take(no_candle(life))
    elif way == "old":  # 2 candles without one are too many: the price's time has gone on
        life.session.engine.now_ms += 2 * MINUTE + 1
    assert code(signal(life)) == expected
    (stored,) = decided_outside(life)
    outcome = "dark" if way == "dark" else "refused"
    refusal = {"refused.safety": "safety", "refused.data_gate": "data_gate",
               "refused.no_candle": None}.get(expected, "trading_state")  # fmt: skip
    assert stored[2:4] == (outcome, refusal)
    assert not life.parts.executor.orders
    it_repeats(life)


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
    instants = [row[0] for row in decided_outside(life)]
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
    instants = [row[0] - MINUTE for row in decided_outside(life)]
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
