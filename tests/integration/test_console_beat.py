"""The engine that a console believes: what moves with each beat, and how it answers."""

import json
import time
from datetime import timedelta
from decimal import Decimal

import pytest

from database.auto_trading_db import unit_of_work
from database.commands import CommandStatus, enqueue, find
from tests.console_beat import Beating, beating
from tests.console_fixtures import Installation
from tests.databases import Opener
from tests.integration.test_console_data import count, rows
from utils.clocks import SystemClock


@pytest.mark.slow
@pytest.mark.parametrize("size", ["small_installation", "large_installation"])
def test_a_beat_moves_what_a_page_shows(
    size: str, request: pytest.FixtureRequest, opened: Opener
) -> None:
    place: Installation = request.getfixturevalue(size)
    database = opened(place.database_url, read_only=True)
    tables = ("equity", "auto_trading_logs")
    before = {t: count(database, t) for t in tables}
    candles, marks = count(database, "market_data"), rows(database, "SELECT * FROM latest_prices")
    engine = Beating(place.database_url)
    for _ in range(3):
        assert engine.beat()
    assert {t: count(database, t) - n for t, n in before.items()} == dict.fromkeys(tables, 3)
    if size == "small_installation":  # a candle of each symbol with each beat
        assert count(database, "market_data") - candles == 9
    assert rows(database, "SELECT * FROM latest_prices") != marks
    ((shown, beaten),) = rows(database, 'SELECT "view", heartbeat_at FROM engine_lease')
    newest = rows(database, "SELECT equity FROM equity ORDER BY id DESC LIMIT 1")
    assert Decimal(json.loads(shown)["equity"]) == Decimal(newest[0][0])
    assert beaten
    engine.close()


def test_a_living_engine_answers_and_gives_the_lease_back(
    small_installation: Installation, opened: Opener
) -> None:
    database = opened(small_installation.database_url)
    now = SystemClock().now()
    with beating(small_installation.database_url, every=0.05) as engine:
        with unit_of_work(database) as session:
            enqueue(
                session, command_id="halt", kind="emergency_stop", payload={},
                requested_by="test", now=now, expires_at=now + timedelta(minutes=1),
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while True:
            with unit_of_work(database) as session:
                row = find(session, "halt")
                assert row is not None
                if row.status == CommandStatus.DONE:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.02)
        epoch = engine.epoch
    ((owner, state, last),) = rows(database, "SELECT owner, trading_state, epoch FROM engine_lease")
    assert (owner, state, last) == ("", "halted", epoch)
