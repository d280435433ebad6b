"""The venues' stream messages, in the words of their own documents."""

from typing import Any

import pytest

from auto_trading.gateways.venue_wire import StreamCandle, StreamTicker, read
from crypto_trader_pro.domain.enums import MarketKind

SPOT, LINEAR = MarketKind.SPOT, MarketKind.LINEAR
OPEN_MS = 1_672_515_780_000

BINANCE_KLINE = {
    "e": "kline", "E": 1672515782136, "s": "BNBBTC",
    "k": {
        "t": OPEN_MS, "T": 1672515839999, "s": "BNBBTC", "i": "1m", "f": 100, "L": 200,
        "o": "0.0010", "c": "0.0020", "h": "0.0025", "l": "0.0015", "v": "1000", "n": 100,
        "x": False, "q": "1.0000", "V": "500", "Q": "0.500", "B": "123456",
    },
}  # fmt: skip
BYBIT_KLINE = {
    "topic": "kline.5.BTCUSDT", "ts": 1672324988882, "type": "snapshot",
    "data": [{
        "start": OPEN_MS, "end": 1672325099999, "interval": "5", "open": "16649.5",
        "close": "16677", "high": "16677", "low": "16608", "volume": "2.081",
        "turnover": "34666.4005", "confirm": True, "timestamp": 1672324988882,
    }],
}  # fmt: skip
OKX_ROW = [str(OPEN_MS), "8533.02", "8553.74", "8527.17", "8548.26", "45247", "529.5858061", "5",
           "1"]  # fmt: skip


def okx(channel: str, instrument: str, row: Any) -> dict[str, Any]:
    return {"arg": {"channel": channel, "instId": instrument}, "data": [row]}


@pytest.mark.parametrize(
    ("venue", "kind", "message", "item"),
    [
        ("binance", SPOT, BINANCE_KLINE, StreamCandle(
            "BNBBTC", (OPEN_MS, "0.0010", "0.0025", "0.0015", "0.0020", "1000"), closed=False)),
        ("bybit", LINEAR, BYBIT_KLINE, StreamCandle(
            "BTCUSDT", (OPEN_MS, "16649.5", "16677", "16608", "16677", "2.081"), closed=True)),
        ("okx", SPOT, okx("candle1m", "BTC-USDT", OKX_ROW), StreamCandle(
            "BTC-USDT", (OPEN_MS, "8533.02", "8553.74", "8527.17", "8548.26", "45247"),
            closed=True)),
        ("okx", LINEAR, okx("candle1D", "BTC-USDT-SWAP", [*OKX_ROW[:8], "0"]), StreamCandle(
            "BTC-USDT-SWAP", (OPEN_MS, "8533.02", "8553.74", "8527.17", "8548.26", "529.5858061"),
            closed=False)),
        ("binance", SPOT, {"e": "24hrTicker", "E": 7, "s": "X", "c": "1.5", "b": "1", "a": "2"},
         StreamTicker("X", 7, "1.5", "1", "2")),
        ("binance", LINEAR, {"e": "24hrTicker", "E": 7, "s": "X", "c": "1.5"},
         StreamTicker("X", 7, "1.5", None, None)),
        ("bybit", LINEAR, {"topic": "tickers.X", "ts": 7, "type": "delta", "data": {
            "symbol": "X", "lastPrice": "1.5", "bid1Price": "1"}},
         StreamTicker("X", 7, "1.5", "1", None)),
        ("okx", SPOT, okx("tickers", "X-Y", {
            "instId": "X-Y", "last": "1.5", "bidPx": "1", "askPx": "2", "ts": "7"}),
         StreamTicker("X-Y", 7, "1.5", "1", "2")),
    ],
)  # fmt: skip
def test_candles_and_prices(
    venue: str, kind: MarketKind, message: Any, item: StreamCandle | StreamTicker
) -> None:
    assert list(read(venue, kind, message)) == [item]


@pytest.mark.parametrize(
    ("venue", "message"),
    [
        ("binance", {"result": None, "id": 1}),
        ("bybit", {"success": True, "op": "subscribe"}),
        ("bybit", {"topic": "tickers.X", "ts": 7, "type": "delta", "data": {"symbol": "X"}}),
        ("bybit", {"topic": "orderbook.1.X", "data": {}}),
        ("okx", {"event": "subscribe", "arg": {"channel": "candle1m", "instId": "X"}}),
        ("okx", okx("books", "X", {})),
        ("okx", "pong"),
        ("okx", [1]),
    ],
)
def test_what_says_neither(venue: str, message: Any) -> None:
    assert list(read(venue, SPOT, message)) == []


@pytest.mark.parametrize(
    ("venue", "message"),
    [
        ("binance", {"e": "kline", "k": {}}),
        ("binance", {"e": "24hrTicker"}),
        ("bybit", {"topic": "kline.5", "data": []}),
        ("bybit", {"topic": "kline.5.X", "data": [None]}),
        ("bybit", {"topic": 5}),
        ("okx", okx("candle1m", "X", ["abc"])),
        ("okx", okx("candle1m", "X", [])),
        ("okx", {"arg": None, "data": []}),
    ],
)
def test_another_shape_is_an_error_that_the_stream_counts(venue: str, message: Any) -> None:
    with pytest.raises((KeyError, TypeError, IndexError, AttributeError, ValueError)):
        list(read(venue, SPOT, message))
