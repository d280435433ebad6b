"""Downloading from the venues into the database: pages, holes, faults, going on, again."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from auto_trading.data_download import Downloader, DownloadRequest, Part
from auto_trading.data_ranges import Range
from auto_trading.replay_market import IMPORTED
from crypto_trader_pro.domain.errors import GatewayUnavailable, InputError, RateLimited
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.simulation.instruments import instrument
from database import candles
from database.auto_trading_db import unit_of_work
from database.candles import FUNDING, Origin
from tests.builders import MINUTE, START_MS
from tests.venues.faults import Fault
from tests.venues.living import (
    NOW_MS,
    SPOT,
    SWAP,
    HastyClients,
    one_of_three,
    spot_bar,
    swap_bar,
    venues,
)
from tests.venues.market import FUNDING_MS, ScriptedClock, ScriptedMarket
from tests.venues.server import VenueServer

BTC, PERP = SPOT.symbol, SWAP.symbol
CANDLES = {"binance": "klines", "bybit": "kline", "okx": "candles"}
HOUR = 60 * MINUTE


def at(k: int) -> int:
    return START_MS + k * MINUTE


class Desk:
    """A venue with candles 0 to 99 closed and 100 running, and a database to fill."""

    def __init__(self, database: Engine, server: VenueServer, clock: ScriptedClock) -> None:
        self.database = database
        self.server = server
        self.market = server.market
        self.clock = clock
        self.told: list[tuple[float, str]] = []

    def another(self, venue: str, **more: Any) -> Downloader:
        asked: dict[str, Any] = {
            "instruments": (SPOT,), "timeframe_ms": MINUTE, "from_ms": at(0), "funding": False,
        } | more  # fmt: skip
        return Downloader(
            self.database, DownloadRequest(venue, **asked),
            clients=HastyClients(self.server.base_url, timeout_seconds=2.0), clock=self.clock,
            told=lambda part, why: self.told.append((part.share, why)),
        )  # fmt: skip

    def brought(self, venue: str, **more: Any) -> list[Part]:
        it = self.another(venue, **more)
        it.run()
        return it.parts

    def paid(self, venue: str, **more: Any) -> Part:
        """Bring only rates; the candles of so many days would take too long."""
        it = self.another(venue, instruments=(SWAP,), funding=True, **more)
        it.parts = [part for part in it.parts if part.series == FUNDING]
        it.run()
        return it.parts[0]

    def stored(self, venue: str, item: Any = SPOT) -> list[Bar]:
        with unit_of_work(self.database) as session:
            return candles.load(session, item, MINUTE, Origin(venue, IMPORTED)).bars()

    def rates(self, venue: str) -> list[tuple[int, int]]:
        with unit_of_work(self.database) as session:
            found = candles.load_funding(session, PERP, Origin(venue, IMPORTED))
        return list(zip(*found, strict=True))

    def holes(self, venue: str, symbol: str = BTC, series: str = "1m") -> list[Range]:
        with unit_of_work(self.database) as session:
            return candles.load_holes(session, symbol, series, Origin(venue, IMPORTED))

    def asked(self, venue: str) -> int:
        return len(self.server.paths(CANDLES[venue]))


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """SQLite, but where a test says otherwise: what is stored is the same for all venues."""
    return str(getattr(request, "param", "sqlite"))


both_databases = pytest.mark.parametrize(
    ("venue", "backend"),
    [("binance", "sqlite"), ("bybit", "postgresql"), ("okx", "sqlite")],
    indirect=["backend"],
)


@pytest.fixture
def desk(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    import ccxt.pro  # type: ignore[import-untyped]  # noqa: F401  once per process

    monkeypatch.setattr("auto_trading.gateways.exchange_rest._FIRST_PAUSE", 0.01)
    monkeypatch.setattr("auto_trading.data_download._PAUSES", (0.01, 0.01))
    clock = ScriptedClock(NOW_MS)
    with VenueServer(ScriptedMarket((SPOT, SWAP), MINUTE, clock, START_MS)) as server:
        yield Desk(database, server, clock)


def pages_of(monkeypatch: pytest.MonkeyPatch, venue: str, count: int) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_rest.PAGE", {venue: count})


@venues
def test_what_has_closed_is_stored_and_a_second_time_nothing_is_asked(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_of(monkeypatch, venue, 40)
    (spot, swap) = desk.brought(venue, instruments=(SPOT, SWAP), to_ms=at(10_000))
    assert desk.stored(venue) == [spot_bar(k) for k in range(100)]
    assert desk.stored(venue, SWAP) == [swap_bar(k) for k in range(100)]
    assert (spot.present, spot.stored, spot.until_ms, spot.is_done) == (0, 100, at(100), True)
    assert (swap.symbol, swap.series, swap.stored, swap.holes) == (PERP, "1m", 100, [])
    assert desk.told[-1] == (1.0, "")
    asked = desk.asked(venue)
    again = desk.brought(venue, instruments=(SPOT, SWAP))
    assert [(p.present, p.stored) for p in again] == [(100, 0), (100, 0)]
    assert desk.asked(venue) == asked
    desk.clock.set(at(103) + 5)  # three more have closed
    assert [p.stored for p in desk.brought(venue)] == [3]
    assert desk.stored(venue)[-1] == spot_bar(102)


@venues
def test_only_what_is_missing_is_asked_for(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_of(monkeypatch, venue, 40)
    desk.brought(venue, from_ms=at(20), to_ms=at(30))
    desk.brought(venue, from_ms=at(50), to_ms=at(60))
    asked = desk.asked(venue)
    desk.market.revise(BTC, at(25), "1027")  # what is stored stays, and hinders nothing
    (part,) = desk.brought(venue, from_ms=at(10), to_ms=at(60))
    assert (part.present, part.stored) == (20, 30)  # 10 to 19 and 30 to 49, in one page
    assert desk.asked(venue) == asked + 1
    assert desk.stored(venue) == [spot_bar(k) for k in range(10, 60)]


@both_databases
def test_holes_of_the_venue_are_asked_for_once_more_recorded_and_never_filled(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_of(monkeypatch, venue, 30)
    gone = {5, 40, 41, 42, 70}
    desk.market.gaps |= {(BTC, at(k)) for k in gone}
    holes = [(at(-50), at(0)), (at(5), at(6)), (at(40), at(43)), (at(70), at(71))]
    (part,) = desk.brought(venue, from_ms=at(-50))  # it was listed fifty minutes later
    assert desk.stored(venue) == [spot_bar(k) for k in range(100) if k not in gone]
    assert part.holes == desk.holes(venue) == holes
    assert (part.missing, part.unproven) == ([], [])
    asked = desk.asked(venue)
    (again,) = desk.brought(venue, from_ms=at(-50))
    assert (again.holes, again.stored, desk.asked(venue)) == (holes, 0, asked)
    desk.market.gaps -= {(BTC, at(41)), (BTC, at(70))}  # the venue has found them
    (part,) = desk.brought(venue, from_ms=at(30), to_ms=at(80), recheck=True)
    assert part.stored == 2
    assert desk.holes(venue) == [*holes[:2], (at(40), at(41)), (at(42), at(43))]
    with unit_of_work(desk.database) as session:
        assert [c.timeframe for c in candles.coverage(session)] == ["1m"]


@one_of_three("okx")
def test_an_answer_that_was_cut_short_makes_no_hole(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A venue that caps a page below what it says: only the newest 15 of 60 come."""
    pages_of(monkeypatch, venue, 60)
    whole = ScriptedMarket.candles

    def short(self: ScriptedMarket, symbol: str, from_ms: int, to_ms: int) -> Any:
        return whole(self, symbol, from_ms, to_ms)[-15:]

    monkeypatch.setattr(ScriptedMarket, "candles", short)
    (part,) = desk.brought(venue, to_ms=at(60))
    assert desk.stored(venue) == [spot_bar(k) for k in range(60)]
    assert part.holes == desk.holes(venue) == []


@one_of_three("binance")
def test_nothing_but_empty_answers_is_no_proof_of_a_hole(desk: Desk, venue: str) -> None:
    empty = {"binance": "[]", "bybit": '{"retCode":0,"result":{"list":[]}}',
             "okx": '{"code":"0","data":[]}'}  # fmt: skip
    desk.server.faults.rest(CANDLES[venue], Fault(status=200, body=empty[venue]))
    (part,) = desk.brought(venue, to_ms=at(50))
    assert (part.stored, part.holes, part.unproven) == (0, [], [(at(0), at(50))])
    assert desk.holes(venue) == []
    desk.server.faults.clear()
    assert [p.stored for p in desk.brought(venue, to_ms=at(50))] == [50]


@one_of_three("binance")
def test_a_candle_that_came_late_is_no_hole_yet(desk: Desk, venue: str) -> None:
    desk.market.gaps |= {(BTC, at(95)), (BTC, at(80))}
    (part,) = desk.brought(venue)  # ten minutes ago was 90 and a half
    assert (part.holes, part.unproven) == ([(at(80), at(81))], [(at(95), at(96))])
    desk.market.gaps.clear()
    assert [p.stored for p in desk.brought(venue)] == [1]
    assert spot_bar(95) in desk.stored(venue)


FAULTS: dict[str, Fault] = {
    "garbage": Fault(status=200, body="<html>all is well</html>"),
    "half": Fault(status=200, body='[["nan"]'),
    "busy": Fault(status=503, body="<html>busy</html>"),
    "dropped": Fault(drop=True),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@one_of_three("bybit")
def test_a_fault_is_tried_again_and_finished_pages_stay(
    desk: Desk, venue: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_of(monkeypatch, venue, 40)
    path, faults = CANDLES[venue], desk.server.faults
    faults.rest(path, fault, times=2)
    faults.rest(path, Fault(), times=1)  # one page comes
    faults.rest(path, fault)
    it = desk.another(venue)
    with pytest.raises(GatewayUnavailable, match=f"^{venue}: ") as error:
        it.run()
    assert "\n" not in str(error.value)
    assert desk.stored(venue) == [spot_bar(k) for k in range(40)]
    (part,) = it.parts
    assert (part.stored, part.until_ms, part.is_done) == (40, at(40), False)
    assert any("asking again" in why for _, why in desk.told)
    faults.clear()
    assert [(p.present, p.stored) for p in desk.brought(venue)] == [(40, 60)]


@one_of_three("okx")
def test_a_venue_that_hangs_is_given_up_after_a_bounded_time(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_rest._TRIES", 2)
    monkeypatch.setattr("auto_trading.data_download._PAUSES", ())
    desk.server.faults.rest(CANDLES[venue], Fault(seconds=20))
    it = desk.another(venue)
    it._clients = HastyClients(desk.server.base_url, timeout_seconds=0.3)
    began = time.monotonic()
    with pytest.raises(GatewayUnavailable, match=f"^{venue}: "):
        it.run()
    assert time.monotonic() - began < 10


@venues
def test_silence_is_kept_for_as_long_as_the_venue_asks(desk: Desk, venue: str) -> None:
    ban = Fault(status=429, headers={"Retry-After": "0.4"})
    desk.server.faults.rest(CANDLES[venue], ban, times=1)
    assert [p.stored for p in desk.brought(venue)] == [100]
    times = [one.at for one in desk.server.paths(CANDLES[venue])]
    assert times[1] - times[0] >= 0.4
    assert any("asked for silence" in why for _, why in desk.told)


def test_a_long_ban_or_one_after_another_is_for_a_person(desk: Desk) -> None:
    faults = desk.server.faults
    faults.rest("klines", Fault(status=418, headers={"Retry-After": "3600"}))
    with pytest.raises(RateLimited, match=r"^binance: the venue asked for silence, 3600 s"):
        desk.brought("binance")
    faults.clear()
    faults.rest("klines", Fault(status=429, headers={"Retry-After": "0.01"}))
    with pytest.raises(RateLimited, match=r"^binance: the venue asked for silence"):
        desk.brought("binance")
    assert desk.stored("binance") == []


def test_a_candle_that_is_none_is_told_and_not_stored(desk: Desk) -> None:
    rows = [[at(0), "1", "2", "0.5", "1", "1"], [at(1), "1", "2", "0.5", "nan", "1"],
            [at(2), "1", "2", "0.5", "1", "1"]]  # fmt: skip
    desk.server.faults.rest("klines", Fault(status=200, body=json.dumps(rows)))
    it = desk.another("binance", to_ms=at(3))
    it.run()
    assert [bar.open_ms for bar in desk.stored("binance")] == [at(0), at(2)]
    assert it.refused["not_a_number"] == 2  # it was asked for twice
    assert it.parts[0].holes == [(at(1), at(2))]


@both_databases
def test_rates_come_with_perpetuals(desk: Desk, venue: str) -> None:
    # candle 0 opens at midnight, when a payment is due: number 1,704,067,200 / 28,800 = 59,169
    desk.clock.set(START_MS + 40 * HOUR + MINUTE)
    paid = {59_169 + k: START_MS + k * FUNDING_MS for k in range(6)}
    assert paid[59_169] == 59_169 * FUNDING_MS
    desk.market.gaps.add((f"{PERP} funding", paid[59_171]))
    wanted = {"from_ms": START_MS - 12 * HOUR, "to_ms": START_MS + 40 * HOUR}
    part = desk.paid(venue, **wanted)
    # parts of 1e8; number n pays n % 100 parts of a million
    found = [(paid[59_169], 6_900), (paid[59_170], 7_000), (paid[59_172], 7_200),
             (paid[59_173], 7_300)]  # fmt: skip
    assert desk.rates(venue) == found
    # nothing before the listing, and 16 hours between the second and the fourth
    holes = [(START_MS - 12 * HOUR, START_MS), (paid[59_170] + MINUTE, paid[59_172])]
    assert part.holes == desk.holes(venue, PERP, FUNDING) == holes
    again = desk.paid(venue, **wanted)
    assert (again.present, again.stored, again.holes) == (4, 0, holes)
    desk.clock.set(START_MS + 41 * HOUR)
    assert desk.paid(venue, **wanted | {"to_ms": START_MS + 41 * HOUR}).stored == 1
    assert desk.rates(venue)[-1] == (paid[59_174], 7_400)


@one_of_three("bybit")
def test_many_pages_of_rates_leave_nothing_out(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_rest._RATES", {venue: 20})
    desk.clock.set(START_MS + 400 * HOUR)
    part = desk.paid(venue)
    assert [at_ms for at_ms, _ in desk.rates(venue)] == [
        START_MS + k * FUNDING_MS for k in range(50)
    ]
    assert (part.holes, part.unproven) == ([], [])


def test_unusable_requests_are_one_line(desk: Desk) -> None:
    with pytest.raises(InputError, match="the range is empty"):
        desk.another("binance", from_ms=at(50), to_ms=at(50))
    with pytest.raises(InputError, match="the range is empty"):
        desk.another("binance", from_ms=at(500))
    with pytest.raises(InputError, match="venue was 'kraken', allowed: binance, bybit, okx"):
        desk.brought("kraken")
    with pytest.raises(InputError, match="okx does not trade ETH/USDT"):
        desk.brought("okx", instruments=(SPOT, instrument("ETH/USDT")))
    assert desk.stored("okx") == []


def test_nobody_listens(desk: Desk) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        it = desk.another("okx")
        it._clients = HastyClients(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(GatewayUnavailable, match=r"^okx: "):
            it.run()
