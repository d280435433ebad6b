"""The store takes candles at once and gets them into the database in its own time."""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from auto_trading.market_store import MarketStore
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import MarketFacts, MarketSlice
from database import candles, prices
from database.auto_trading_db import open_database, unit_of_work
from database.candles import Origin
from tests.builders import MINUTE, PERPETUAL, SPOT, START_MS, a_bar, an_instrument
from utils.clocks import SimulatedClock

LIVE = Origin("okx", "exchange")
BOTH = (an_instrument(SPOT), an_instrument(PERPETUAL))
RECEIVED_MS = START_MS + 90_000


def a_slice(k: int, *bars: Bar | None) -> MarketSlice:
    return MarketSlice(START_MS + (k + 1) * MINUTE, bars or (a_bar(k, 100), a_bar(k, 200)))


Open = Callable[..., MarketStore]


@pytest.fixture
def store(database_url: str) -> Iterator[Open]:
    """A store on the test's database, closed when the test ends."""
    stores: list[MarketStore] = []

    def opener(url: str = database_url, **settings: Any) -> MarketStore:
        settings.setdefault("batch_seconds", 0.01)
        settings.setdefault("clock", SimulatedClock(RECEIVED_MS))
        stores.append(MarketStore(url, BOTH, MINUTE, LIVE, **settings))
        return stores[-1]

    yield opener
    for one in stores:
        one.close()


def stored(database: Engine, place: int = 0) -> list[Bar]:
    with unit_of_work(database) as session:
        return candles.load(session, BOTH[place], MINUTE, LIVE).bars()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def test_candles_are_stored_and_what_waits_is_stored_on_close(
    store: Open, database: Engine
) -> None:
    it = store()
    it.put(a_slice(0))
    until(lambda: it.stored == 2)
    for market in (a_slice(3), a_slice(1, a_bar(1, 100), None), a_slice(2, None, a_bar(2, 200)),
                   a_slice(0)):  # fmt: skip
        it.put(market)  # a backfill comes late, a restart brings the same again
    it.close()
    assert stored(database) == [a_bar(0, 100), a_bar(1, 100), a_bar(3, 100)]
    assert stored(database, 1) == [a_bar(0, 200), a_bar(2, 200), a_bar(3, 200)]
    assert (it.stored, it.revised, it.dropped) == (6, 0, 0)


def test_a_revised_candle_is_counted_and_the_stored_one_stays(
    store: Open, database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    first = store()
    for k in range(8):
        first.put(a_slice(k))
    first.close()
    it = store()
    for k in range(10):
        it.put(a_slice(k, a_bar(k, 101 if k in (2, 5) else 100), None))
    it.close()
    assert stored(database) == [a_bar(k, 100) for k in range(10)]
    assert (it.stored, it.revised) == (2, 2)
    said = [r for r in caplog.records if "revised" in r.getMessage()]
    assert len(said) == 1
    # price units of 0.1: 101 units were given, 100 are stored
    assert "was 10.1 10.1 10.1 10.1" in said[0].getMessage()


def test_a_locked_database_delays_nobody_and_loses_nothing(
    store: Open, database_url: str, database: Engine, backend: str,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr("auto_trading.market_store._BUSY_SECONDS", 0.1)
    caplog.set_level(logging.INFO)
    it = store()
    other = open_database(database_url)
    try:
        with other.begin() as connection:
            if backend == "postgresql":
                connection.exec_driver_sql("LOCK TABLE market_data IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            for k in range(3):
                it.put(a_slice(k))
            assert time.monotonic() - began < 1.0
            until(lambda: any("trying again" in r.getMessage() for r in caplog.records))
            assert it.stored == 0
        until(lambda: it.stored == 6)
    finally:
        other.dispose()
    until(lambda: "takes candles again" in caplog.text)
    assert caplog.text.count("trying again") == 1
    assert stored(database) == [a_bar(k, 100) for k in range(3)]


def test_when_the_queue_is_full_candles_are_dropped_counted_and_said_once(
    store: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "text.db").write_bytes(b"this is no database" * 100)
    it = store(f"sqlite:///{tmp_path / 'text.db'}", capacity=2)
    for k in range(5):
        it.put(a_slice(k))
    it.close(0.05)
    assert (it.stored, it.dropped) == (0, 3)
    assert caplog.text.count("further ones are dropped") == 1
    assert "2 instants were not stored" in caplog.text


def test_latest_prices_follow_the_source(store: Open, database: Engine) -> None:
    facts = [
        MarketFacts(PERPETUAL, START_MS + 5, 421_337, -12_345, 98_765.4321),
        MarketFacts(SPOT, START_MS + 6, 421_000, None, None),
        MarketFacts("DOGE/USDT", START_MS + 6, 1, None, None),  # not ours
    ]
    store(facts=lambda: facts, price_seconds=0.01)

    def rows() -> list[tuple[object, ...]]:
        with unit_of_work(database) as session:
            return [
                (r.symbol, r.price, r.funding_rate, r.open_interest, r.received_at)
                for r in prices.latest(session, LIVE)
            ]

    received = datetime(2024, 1, 1, 0, 1, 30, tzinfo=UTC)
    # prices in units of 0.1, rates in parts of 1e8
    perpetual = (PERPETUAL, Decimal("42133.7"), Decimal("-0.00012345"), Decimal("98765.4321"))
    spot = (SPOT, Decimal(42_100), None, None)
    until(lambda: rows() == [(*spot, received), (*perpetual, received)])
    facts[1] = facts[1]._replace(price=421_001)
    until(lambda: rows()[0][1] == Decimal("42100.1"))
