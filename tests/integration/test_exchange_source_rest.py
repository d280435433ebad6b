"""What the exchange source asks over REST: history, catching up, fallbacks, limits, readers."""

import asyncio
import json
import socket
import time

import pytest

from auto_trading.gateways.exchange_source import ExchangeSource
from auto_trading.gateways.venue_clients import VenueClients, probe
from crypto_trader_pro.domain.errors import GatewayUnavailable, InputError, RateLimited
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import MarketEvent, Missed
from crypto_trader_pro.domain.ports import MarketSource
from tests.builders import MINUTE, START_MS, an_instrument
from tests.venues.faults import Fault
from tests.venues.living import (
    NOW_MS,
    PATIENCE,
    SPOT,
    SWAP,
    Living,
    Reader,
    both,
    one_of_three,
    spot_bar,
    swap_bar,
    venues,
)
from tests.venues.market import ScriptedClock

BTC, PERP = "BTC/USDT", "BTC/USDT:USDT"
CANDLES = {"binance": "klines", "bybit": "kline", "okx": "candles"}
WHOLE = START_MS + 10**9 * MINUTE


@venues
def test_history_comes_in_pages_without_the_running_candle(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_rest.PAGE", {venue: 40})
    with Living(venue, streams=False) as living:
        source = living.another()  # never started
        living.market.gaps |= {(PERP, START_MS + k * MINUTE) for k in (0, 50, 51)}
        # from ten candles before the listing; 100 is running, 0, 50 and 51 do not exist
        found = source.history(PERP, MINUTE, START_MS - 10 * MINUTE, START_MS + 200 * MINUTE)
        assert found.bars() == [swap_bar(k) for k in range(100) if k not in (0, 50, 51)]
        part = source.history(BTC, MINUTE, START_MS + 3 * MINUTE - 1, START_MS + 5 * MINUTE)
        assert part.bars() == [spot_bar(3), spot_bar(4)]
        assert len(source.history(BTC, MINUTE, START_MS, START_MS)) == 0
        assert source.health().detail == "not started"
        assert source.facts() == []


@one_of_three("bybit")
def test_what_is_no_answer_is_tried_again_and_then_said(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_rest._FIRST_PAUSE", 0.01)
    with Living(venue, streams=False) as living:
        living.until(lambda: living.source.health().connected, "the start")
        path, faults = CANDLES[venue], living.server.faults
        faults.rest(path, Fault(status=503, body="<html>busy</html>"), times=1)
        faults.rest(path, Fault(status=200, body="<html>all is well</html>"), times=1)
        faults.rest(path, Fault(drop=True), times=1)
        found = living.source.history(BTC, MINUTE, START_MS, START_MS + MINUTE)
        assert found.bars() == [spot_bar(0)]
        faults.rest(path, Fault(status=200, body='[["nan"]'))
        with pytest.raises(GatewayUnavailable, match=f"^{venue}: ") as error:
            living.source.history(BTC, MINUTE, START_MS, START_MS + MINUTE)
        assert "\n" not in str(error.value)
        # 503, a page, and four tries of garbage; the dropped one is sent again below the library
        health = living.source.health()
        assert health.errors == 6
        assert health.latency_ms is not None
        assert 0 < health.latency_ms < 10_000  # the newest request's; its time-out is 10 s


@one_of_three("okx")
def test_no_request_is_sent_inside_the_window_that_the_venue_asked_for(venue: str) -> None:
    with Living(venue, streams=False) as living:
        living.until(lambda: living.source.health().connected, "the start")
        living.speak()
        living.until(lambda: living.source.facts()[1].open_interest is not None, "no more polls")
        server = living.server
        server.faults.rest(CANDLES[venue], Fault(status=429, headers={"Retry-After": "1.2"}), 1)
        with pytest.raises(RateLimited, match="asked for silence"):
            living.source.history(BTC, MINUTE, START_MS, START_MS + MINUTE)
        refused_at = next(asked.at for asked in server.asked if asked.status == 429)
        with pytest.raises(RateLimited):
            living.source.history(BTC, MINUTE, START_MS, START_MS + MINUTE)
        server.drop_streams()  # a handshake is a request too
        living.at_close(101)  # and so is fetching what is missing
        living.until(lambda: both(101) in living.reader.slices, "the slice after the window")
        later = [asked.at - refused_at for asked in server.asked if asked.at > refused_at]
        assert later
        assert min(later) >= 1.2


def test_a_ban_is_obeyed_at_the_start_too() -> None:
    with Living("binance", streams=False, silence_seconds=0.5) as living:
        living.until(lambda: living.source.health().connected, "the start")
        second = living.another()
        living.server.faults.rest(
            "exchangeInfo", Fault(status=418, headers={"Retry-After": "1"}), 1
        )
        asked = len(living.server.paths("exchangeInfo"))
        second.start()
        living.until(lambda: "asked for silence" in second.health().detail, "the ban is told")
        assert not second.health().connected
        living.until(lambda: second.health().connected, "the start after the ban")
        times = [one.at for one in living.server.paths("exchangeInfo")[asked:]]
        assert times[1] - times[0] >= 1.0
        second.close()


@one_of_three("binance")
def test_without_streams_candles_and_prices_are_asked_for(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_feed._PRICE_POLL", 0.1)
    with Living(venue, streams=False) as living:
        living.server.faults.streams_refused = True
        living.until(lambda: len(living.reader.missed) == 3, "the warm-up")
        living.server.drop_streams()
        living.at_close(100)
        living.until(lambda: both(100) in living.reader.slices, "the slice")
        living.market.prices[BTC] += 7
        living.until(lambda: living.reader.told == {0: 100_700, 1: 20_000}, "the prices")
        assert "prices: " in living.source.health().detail


def test_a_reader_gets_all_that_it_missed_however_long_ago() -> None:
    with Living("binance", after_ms=START_MS + 10 * MINUTE, streams=False) as living:
        living.until(lambda: len(living.reader.missed) == 90, "what it missed")
        assert living.reader.missed == [both(k) for k in range(10, 100)]
        living.speak()
        living.close(100)
        living.until(lambda: bool(living.reader.slices), "the live slice")
        second, third = Reader(living.source, START_MS + 101 * MINUTE), Reader(living.source, None)
        living.until(lambda: len(third.missed) == 3, "the warm-up of a later reader")
        assert third.missed == [both(98), both(99), both(100)]
        living.close(101)
        living.until(lambda: bool(second.slices and third.slices), "the slice for both")
        assert second.slices == third.slices == [both(101)]
        assert second.missed == []
        living.source.close()
        assert all(reader.has_ended() for reader in (living.reader, second, third))


def test_a_reader_that_falls_behind_starts_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_source._LOG_EVENTS", 4)
    with Living("binance") as living:

        async def slow() -> list[MarketEvent]:
            events = living.source.events(START_MS + 100 * MINUTE)
            first = asyncio.ensure_future(anext(events))
            await asyncio.to_thread(living.close, 100)
            got = [await asyncio.wait_for(first, PATIENCE)]
            while both(100) not in (got[-1], getattr(got[-1], "market", None)):
                # a busy machine may let the reader fall behind already here: then it is `Missed`
                got.append(await asyncio.wait_for(anext(events), PATIENCE))
            for k in range(101, 108):  # more than the log holds, and nobody reads
                await asyncio.to_thread(living.close, k)
                await asyncio.to_thread(living.until_slice, k)
            while getattr(got[-1], "market", None) != both(107):
                got.append(await asyncio.wait_for(anext(events), PATIENCE))
            return got

        got = asyncio.run(slow())
        missed = [e.market for e in got if isinstance(e, Missed) and e.market != both(100)]
        assert missed == [both(k) for k in range(101, 108)]


def test_an_abandoned_reader_costs_nothing_and_a_cancelled_one_ends() -> None:
    with Living("okx") as living:

        async def leave() -> None:
            async for _ in living.source.events(None):
                break

        asyncio.run(leave())

        async def cancel() -> None:
            task = asyncio.ensure_future(anext(living.source.events(WHOLE)))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        ahead = Reader(living.source, START_MS + 101 * MINUTE)  # it has seen that one already
        time.sleep(0.1)
        for k in (100, 101):
            living.close(k)
            living.until_slice(k)
        living.until(lambda: bool(ahead.slices), "the next slice")
        assert ahead.slices == [both(101)]


def test_a_symbol_that_the_venue_does_not_trade_is_said_and_not_waited_for() -> None:
    luna = an_instrument("LUNA/USDT", tick="0.01", lot="0.01")
    with Living("bybit", streams=False, instruments=(SPOT, SWAP, luna)) as living:
        living.until(lambda: len(living.reader.missed) == 3, "the warm-up")
        living.server.wait_for_streams(4)
        living.close(100)
        living.until(lambda: bool(living.reader.slices), "the slice")
        assert living.reader.slices[0].bars == (spot_bar(100), swap_bar(100), None)
        assert "not traded there: LUNA/USDT" in living.source.health().detail
        with pytest.raises(InputError, match="bybit does not trade LUNA/USDT"):
            living.another().history("LUNA/USDT", MINUTE, START_MS, START_MS + MINUTE)


def test_a_bug_while_collecting_is_told_and_collecting_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_source._RESTART_SECONDS", 0.05)
    with Living("binance") as living:
        handshakes = living.server.handshakes
        feed = living.source._feed
        assert feed is not None
        whole = feed._cache.first_missing
        feed._cache.first_missing = None  # type: ignore[method-assign,assignment]
        living.until(
            lambda: "failed: 'NoneType' object is not callable" in living.source.health().detail,
            "the failure is told",
        )
        feed._cache.first_missing = whole  # type: ignore[method-assign]
        living.until(lambda: living.server.handshakes >= handshakes + 4, "the streams again")
        living.speak()
        living.close(100)
        living.until(lambda: both(100) in living.reader.slices, "the slice")


def test_probe_says_why_a_venue_does_not_answer() -> None:
    with Living("binance", streams=False) as living:
        clients = VenueClients(living.server.base_url)
        assert [probe(v, 2.0, clients) for v in ("binance", "bybit", "okx")] == ["", "", ""]
        living.server.faults.rest("time", Fault(status=451))
        assert probe("bybit", 2.0, clients).startswith("bybit: answered 451")
        living.server.faults.clear()
        living.server.faults.rest("time", Fault(seconds=20))
        began = time.monotonic()
        assert probe("okx", 0.2, clients).startswith("okx: ")
        assert time.monotonic() - began < 10
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = VenueClients(f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert probe("okx", 2.0, nobody) == "okx: [Errno 111] Connection refused"


def test_unusable_arguments_are_refused_by_name() -> None:
    def source(venue: str = "okx", count: int = 1) -> ExchangeSource:
        return ExchangeSource(
            venue, [SPOT][:count], MINUTE, warm_bars=1, grace_seconds=1, silence_seconds=1
        )

    with pytest.raises(InputError, match="venue was 'kraken', allowed: binance, bybit, okx"):
        source("kraken")
    with pytest.raises(InputError, match="no instrument was given"):
        source(count=0)
    with pytest.raises(InputError, match="symbol was 'X/Y', allowed: BTC/USDT"):
        source().history("X/Y", MINUTE, 0, 1)
    with pytest.raises(RuntimeError, match="was not started"):
        asyncio.run(anext(source().events(None)))  # type: ignore[arg-type]
    closed: MarketSource = source()  # mypy: it is one
    assert (closed.name, closed.venue) == ("exchange", "okx")
    assert closed.clock().now_ms() > START_MS
    closed.close()
    with pytest.raises(InputError, match="venue was 'x'"):
        probe("x", 1.0)


def test_one_symbol_that_cannot_be_had_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_feed._WARM_TRIES", 2)
    monkeypatch.setattr("auto_trading.gateways.exchange_rest._FIRST_PAUSE", 0.01)
    with Living("binance", streams=False) as living:
        third = living.another()
        living.server.faults.rest("fapi/v1/klines", Fault(status=500))
        third.start()
        reader = Reader(third, None)
        living.until(lambda: len(reader.missed) == 3, "the warm-up of the others")
        assert reader.missed[-1].bars == (spot_bar(99), None)
        living.server.faults.clear()
        living.until(lambda: len(reader.backfills) == 3, "the rest")
        assert [m.bars for m in reader.backfills] == [(None, swap_bar(k)) for k in (97, 98, 99)]
        third.close()


def test_a_venue_that_cannot_be_reached_is_said_and_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_rest._FIRST_PAUSE", 0.01)
    with Living("okx", streams=False) as living:
        late = living.another()
        living.server.faults.rest("candles", Fault(status=503))
        late.start()
        living.until(lambda: late.health().detail.startswith("okx: "), "the trouble is said")
        assert not late.health().connected
        hopeless = living.another()
        hopeless.start()
        waiting = Reader(hopeless, None)
        living.until(lambda: hopeless.health().detail.startswith("okx: "), "that one's too")
        hopeless.close()
        assert waiting.has_ended()
        reader = Reader(late, None)
        living.server.faults.clear()
        living.until(lambda: len(reader.missed) == 3, "the warm-up")
        with pytest.raises(RuntimeError, match="started once"):
            late.start()
        late.close()
        late.close()
        assert reader.has_ended()
        assert Reader(late, None).has_ended()


def test_a_limit_that_is_told_by_code_and_garbage_inside_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_rest._FIRST_PAUSE", 0.01)
    with Living("bybit", streams=False) as living:
        source, server = living.another(), living.server
        living.until(lambda: living.source.health().connected, "the start")
        # one candle of three is none, and one has no time: the rest counts
        rows = [["x", "1", "1", "1", "1", "1"], [str(START_MS), "1", "2", "0.5", "nan", "1"],
                [str(START_MS + MINUTE), "1", "2", "0.5", "1", "1"]]  # fmt: skip
        answer = {"retCode": 0, "result": {"symbol": "BTCUSDT", "list": rows}}
        server.faults.rest("kline", Fault(status=200, body=json.dumps(answer)), times=1)
        found = source.history(BTC, MINUTE, START_MS, START_MS + 2 * MINUTE)
        # in cents, the volume in lots of 0.01
        assert found.bars() == [Bar(START_MS + MINUTE, 100, 200, 50, 100, 100)]
        assert source.refused["not_a_number"] == 1
        answer["result"] = {"symbol": "BTCUSDT", "list": [[str(START_MS + 7), *rows[2][1:]]]}
        server.faults.rest("kline", Fault(status=200, body=json.dumps(answer)), times=4)
        with pytest.raises(GatewayUnavailable, match="none of 1 candles has a usable time"):
            source.history(BTC, MINUTE, START_MS, START_MS + 2 * MINUTE)
        server.faults.clear()
        limit = '{"retCode": 10006, "retMsg": "Too many visits!", "result": {}}'
        server.faults.rest("kline", Fault(status=200, body=limit), times=1)
        with pytest.raises(RateLimited, match="asked for silence, 10 s are left"):
            source.history(BTC, MINUTE, START_MS, START_MS + MINUTE)


def test_a_ban_in_the_middle_of_things_is_said_by_health() -> None:
    with Living("binance") as living:
        ban = Fault(status=418, headers={"Retry-After": "60"})
        living.server.faults.rest("klines", ban)
        living.at_close(101)
        living.until(lambda: "60 s are left" in living.source.health().detail, "the ban")
        assert "the venue asked for silence" in living.source.health().detail


@one_of_three("okx")
def test_with_a_clock_that_is_ahead_the_venue_decides_what_has_closed(venue: str) -> None:
    ahead = ScriptedClock(NOW_MS + 45_000)  # candle 100 would have ended 15 s ago
    with Living(venue, streams=False, clock=ahead) as living:
        living.until(lambda: len(living.reader.missed) >= 2, "the warm-up")
        assert living.reader.missed[-1] == both(99)
        found = living.source.history(BTC, MINUTE, START_MS + 98 * MINUTE, WHOLE)
        assert found.bars() == [spot_bar(98), spot_bar(99)]
        living.server.wait_for_streams(4)
        time.sleep(0.2)
        assert living.reader.slices == []
        ahead.set(NOW_MS + 35_000)
        living.close(100)
        living.until(lambda: both(100) in living.reader.slices, "the slice")


def test_prices_that_cannot_be_had_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_feed._PRICE_POLL", 0.05)
    with Living("okx", streams=False) as living:
        living.server.faults.rest("tickers", Fault(status=500), times=2)
        living.server.faults.streams_refused = True
        living.until(lambda: living.source.health().connected, "the start")
        living.server.drop_streams()
        living.until(lambda: living.reader.told == {0: 100_000, 1: 20_000}, "the prices")
        assert [one.status for one in living.server.paths("tickers")][:3] == [500, 500, 200]


def test_a_candle_that_the_venue_does_not_have_is_not_asked_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_feed._FIRST_PAUSE", 0.01)
    with Living("bybit") as living:
        living.market.gaps.add((BTC, START_MS + 100 * MINUTE))
        living.close(100)
        living.at_close(100, after_ms=10_000)
        living.until(lambda: bool(living.reader.slices), "the dark slice")
        time.sleep(0.5)
        asked = len(living.server.paths("kline"))
        time.sleep(0.3)
        # the warm-up of both symbols, and three times the gap
        assert len(living.server.paths("kline")) == asked <= 5
