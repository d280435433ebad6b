"""Which market an engine reads, and what each source is opened with."""

import asyncio
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from auto_trading.replay_market import IMPORTED
from auto_trading.session_store import Origin
from auto_trading.sources import WARM_CANDLES, choose, open_source, probe_venue
from crypto_trader_pro.domain.errors import ConfigError, InputError
from crypto_trader_pro.domain.market import series_of
from crypto_trader_pro.domain.messages import MarketFacts
from crypto_trader_pro.domain.ports import MarketSource
from crypto_trader_pro.simulation.instruments import instrument
from database import candles
from database.auto_trading_db import open_database, unit_of_work
from tests.builders import START_MS, a_bar
from tests.control_plane import FIVE_MINUTES, SYMBOL, settings

BTC = instrument(SYMBOL)
FILES = candles.Origin("binance", IMPORTED)


@pytest.fixture
def database(tmp_path: Path, migrated_file: Path) -> Iterator[Database]:
    file = tmp_path / "sources.db"
    shutil.copy(migrated_file, file)
    made = open_database(f"sqlite:///{file}", durable=False)
    yield made
    made.dispose()


# --- which one ----------------------------------------------------------------------------------


class Probe:
    """A venue that answers or does not, and how it was asked."""

    def __init__(self, wrong: str = "") -> None:
        self.wrong = wrong
        self.asked: list[tuple[str, float]] = []

    def __call__(self, venue: str, seconds: float) -> str:
        self.asked.append((venue, seconds))
        return self.wrong


@pytest.mark.parametrize("wanted", ["exchange", "demo", "replay"])
def test_a_source_that_was_configured_is_taken_without_asking(wanted: str) -> None:
    probe = Probe("binance: no route to host")
    found = choose(settings(market_data__source=wanted), Origin("demo", "demo-7"), probe)
    assert (found, probe.asked) == ((wanted, "configured"), [])


@pytest.mark.parametrize("held", ["demo", "exchange"])
def test_open_positions_stay_in_their_market(held: str) -> None:
    probe = Probe()
    found = choose(settings(market_data__source="auto"), Origin(held, "binance"), probe)
    assert (found, probe.asked) == ((held, "positions are open"), [])


def test_auto_takes_the_exchange_if_it_answers_in_time() -> None:
    probe = Probe()
    wanted = settings(market_data__source="auto", market_data__connect_seconds=3)
    assert choose(wanted, None, probe) == ("exchange", "binance answers")
    assert probe.asked == [("binance", 3.0)]


def test_auto_takes_the_demo_if_it_does_not_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    wrong = "binance: no answer within 5 s"
    with caplog.at_level(logging.WARNING):
        assert choose(settings(market_data__source="auto"), None, Probe(wrong)) == ("demo", wrong)
    assert [r.getMessage() for r in caplog.records] == [f"{wrong}: the demo market is used instead"]


def test_the_probe_is_that_of_the_venues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auto_trading.gateways.venue_clients.probe", lambda v, s: f"{v} {s:g}")
    assert probe_venue("binance", 2.5) == "binance 2.5"


# --- opening it ---------------------------------------------------------------------------------


def test_the_demo_has_the_seed_of_the_configuration(database: Database) -> None:
    source = open_source("demo", settings(market_data__demo_seed=11), [BTC], database)
    assert (source.name, source.venue) == ("demo", "demo-11")
    source.close()


def test_the_exchange_is_opened_but_not_connected(database: Database) -> None:
    source = open_source("exchange", settings(), [BTC], database)
    assert (source.name, source.venue) == ("exchange", "binance")
    assert not source.health().connected
    source.close()


def test_an_unknown_source_is_refused(database: Database) -> None:
    with pytest.raises(ConfigError) as refused:
        open_source("files", settings(), [BTC], database)
    assert str(refused.value) == (
        "market_data.source was 'files', allowed: auto, exchange, demo, replay"
    )


def imported(database: Database, count: int, origin: candles.Origin = FILES) -> None:
    """Import candles (number k opens at 10,000 + k units of a cent) and two funding rates."""
    bars = [a_bar(k, 10_000 + k, bar_ms=FIVE_MINUTES) for k in range(count)]
    rates = ([START_MS, START_MS + 200 * FIVE_MINUTES], [10_000, -700])
    with unit_of_work(database) as session:
        candles.store(session, series_of(SYMBOL, FIVE_MINUTES, bars), BTC, origin)
        candles.store_funding(session, SYMBOL, *rates, origin)


def replayed(database: Database) -> MarketSource:
    fast = settings(market_data__source="replay", market_data__demo_speed=86_400)
    return open_source("replay", fast, [BTC], database)


def test_a_replay_reads_candles_and_funding_that_were_imported(database: Database) -> None:
    imported(database, 201)
    source = replayed(database)
    assert (source.name, source.venue) == ("replay", "binance")
    begin = START_MS + 200 * FIVE_MINUTES  # the close of the 200 candles of warm-up
    assert (WARM_CANDLES, source.clock().now_ms()) == (200, begin)
    # by now the 200th has closed, the 201st has not
    history = source.history(SYMBOL, FIVE_MINUTES, begin - 2 * FIVE_MINUTES, begin + FIVE_MINUTES)
    assert [bar.open for bar in history.bars()] == [10_198, 10_199]


def test_a_replay_tells_the_imported_rates(database: Database) -> None:
    """300 seconds at 86,400 market seconds per second: it takes 3.5 ms."""
    imported(database, 201)
    source = replayed(database)

    async def read() -> None:
        reader = source.events(None)
        for _ in range(201):
            await anext(reader)

    asyncio.run(read())
    now = START_MS + 201 * FIVE_MINUTES
    assert source.facts() == [MarketFacts(SYMBOL, now, 10_200, -700, None)]


def test_a_replay_without_enough_imported_candles_is_refused(database: Database) -> None:
    imported(database, 200)
    with pytest.raises(InputError) as refused:
        replayed(database)
    assert str(refused.value) == (
        f"{SYMBOL}: 200 imported 5m candles, more than 200 are needed: data import"
    )


def test_candles_of_other_sources_are_not_replayed(database: Database) -> None:
    imported(database, 201, candles.Origin("binance", "exchange"))
    with pytest.raises(InputError, match=": 0 imported 5m candles"):
        replayed(database)
