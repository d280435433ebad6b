"""What a stream makes of messages and of a subscription that fails, without a network."""

import asyncio
from typing import Any

from auto_trading.gateways.candle_rows import Refusals
from auto_trading.gateways.exchange_streams import CANDLES, PRICES, Stream, StreamSettings
from auto_trading.gateways.rate_gate import RateGate
from auto_trading.gateways.venue_clients import VenueClients
from auto_trading.gateways.venue_wire import StreamCandle, StreamTicker
from crypto_trader_pro.domain.enums import MarketKind

KLINE = {"t": 60_000, "s": "BTCUSDT", "o": "1", "h": "1", "l": "1", "c": "1", "v": "1", "x": True}


class Sink:
    """Remembers what a stream brings."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def candle(self, symbol: str, candle: StreamCandle) -> None:
        self.told.append((symbol, candle.closed))

    def ticker(self, symbol: str, ticker: StreamTicker) -> None:
        self.told.append((symbol, ticker.last))

    def stream_state(self, stream: Stream, is_up: bool) -> None:
        self.told.append(is_up)


class Client:
    """Counts what is subscribed to; refuses it when asked to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[list[Any]] = []

    async def watch_tickers(self, symbols: list[str]) -> None:
        self.asked.append(symbols)
        if self.error is not None:
            raise self.error

    async def watch_ohlcv_for_symbols(self, pairs: list[list[str]]) -> None:
        self.asked.append(pairs)


def a_stream(what: str, *symbols: str, venue: str = "binance") -> tuple[Stream, Sink, Refusals]:
    sink, refusals = Sink(), Refusals("test")
    markets = {symbol: {"id": symbol.replace("/", "")} for symbol in symbols}
    settings = StreamSettings(venue, VenueClients(), markets, RateGate(), refusals, 5.0)
    return Stream(settings, MarketKind.SPOT, what, symbols, "1m", sink), sink, refusals


def test_good_messages_go_on_and_others_are_counted() -> None:
    stream, sink, refusals = a_stream(CANDLES, "BTC/USDT")
    stream.message({"result": None, "id": 1})
    stream.message({"e": "kline", "k": {}})
    stream.message({"e": "kline", "k": KLINE | {"s": "ETHUSDT"}})
    stream.message({"e": "kline", "k": KLINE | {"s": ["BTCUSDT"]}})
    assert not stream.is_up
    stream.message({"e": "kline", "k": KLINE})
    stream.message({"e": "kline", "k": KLINE | {"x": False}})
    assert sink.told == [True, ("BTC/USDT", True), ("BTC/USDT", False)]
    assert refusals.counts == {"wrong_shape": 1, "unknown_symbol": 2}
    assert (stream.is_up, stream.why_down, stream.name) == (True, "", "binance spot candles")


def test_a_subscription_that_is_refused_ends_the_connection() -> None:
    stream, _, _ = a_stream(PRICES, "BTC/USDT")
    asyncio.run(stream._subscribe(Client(OSError("no\nway"))))
    assert stream.why_down == "no way"
    assert stream._ended.is_set()


def test_bybit_is_told_ten_topics_at_a_time() -> None:
    symbols = [f"C{k}/USDT" for k in range(23)]
    client = Client()
    asyncio.run(a_stream(PRICES, *symbols, venue="bybit")[0]._subscribe(client))
    assert [len(part) for part in client.asked] == [10, 10, 3]
    whole = Client()
    asyncio.run(a_stream(CANDLES, *symbols)[0]._subscribe(whole))
    assert whole.asked == [[[symbol, "1m"] for symbol in symbols]]
