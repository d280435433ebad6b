"""The figures that a screen shows of a session: plain strings and counts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from auto_trading.account_report import account_report
from auto_trading.session_inputs import Connection, Funding
from crypto_trader_pro.domain.enums import CommandKind
from database.auto_trading_db import open_database, prepare
from tests.builders import MINUTE, START_MS, USDT, a_round_instrument
from tests.engines import WIDE, Plan, Script, wish
from tests.sessions import a_life, closed, tick

BTC = "BTC/USDT:USDT"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_database(f"sqlite:///{tmp_path / 'database.db'}", durable=False)
    prepare(made)
    yield made
    made.dispose()


def test_the_account_is_told_as_of_the_last_price(database: Database) -> None:
    limits = WIDE._replace(size_rate=10_000_000)
    script = Script({(BTC, 1): wish(1, stop=20)})
    plan = Plan([script], (a_round_instrument(BTC),), limits, cash=10_000 * USDT)
    life = a_life(plan, database)
    life.ask(CommandKind.START)
    life.take(closed(0, 100), closed(1, 100), tick(2, 5, 100), tick(2, 10, 95))
    at_ms = START_MS + 2 * MINUTE + 20_000
    life.take(Funding(at_ms, ((0, 100_000),)), Connection(at_ms, is_lost=True))
    report = account_report(life.session)
    # bought 10 at 100: 1,000 and a fee of 1; they fell by 5; 0.1 % of 950 is paid as funding
    expected = {
        "at": "2024-01-01T00:02:20+00:00",
        "asset": "USDT",
        "cash": "8998.05",
        "equity": "9948.05",
        "gross": "950",
        "unrealized": "-50",
        "realized": "-1.95",
        "fees": "1",
        "funding": "-0.95",
        "open_positions": 1,
        "working_orders": 1,  # the stop
        "drawdown": "0.005195",  # 51.95 of 10,000
        "day_start_equity": "10000",
        "trading_state": "active",
        "halt_reason": "",
        "flattening": False,
        "enabled": True,
        "locks": {},
        "connection_lost": True,
    }
    assert {name: report[name] for name in expected} == expected
    life.ask(CommandKind.EMERGENCY_STOP)
    after = account_report(life.session)
    assert (after["trading_state"], after["halt_reason"]) == ("halted", "MANUAL_STOP")
    assert (after["flattening"], after["enabled"]) == (False, False)  # this plan keeps positions
