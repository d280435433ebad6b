"""The public stream messages of the venues, as the venues write them.

Read here and not from the library's own structures, because those drop the venue's word that a
candle is closed, and turn exact decimals into floats. Nothing is judged here beyond its shape:
`candle_rows` decides what can be a candle.

Source: Binance "Kline/Candlestick Streams" and "Individual Symbol Ticker Streams" (spot and USD-M),
Bybit v5 "Kline" and "Ticker" topics, OKX v5 "Candlesticks" and "Tickers" channels.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from crypto_trader_pro.domain.enums import MarketKind


class StreamCandle(NamedTuple):
    """A candle as it stands: `row` is open time, open, high, low, close, volume in base."""

    market_id: Any
    row: tuple[Any, ...]
    closed: bool  # by the venue's own word


class StreamTicker(NamedTuple):
    """A price; bid and ask are None where the message has none."""

    market_id: Any
    at_ms: Any  # the venue's time
    last: Any
    bid: Any
    ask: Any


StreamItem = StreamCandle | StreamTicker


def read(venue: str, kind: MarketKind, message: Any) -> Iterator[StreamItem]:
    """Yield the candles and prices in one decoded message; none in what says neither.

    Raises:
        KeyError, TypeError, IndexError, AttributeError: the message has another shape.
    """
    if isinstance(message, Mapping):
        yield from _READERS[venue](kind, message)


def _binance(_: MarketKind, message: Mapping[str, Any]) -> Iterator[StreamItem]:
    event = message.get("e")
    if event == "kline":
        k = message["k"]
        row = (k["t"], k["o"], k["h"], k["l"], k["c"], k["v"])
        yield StreamCandle(k["s"], row, k["x"] is True)
    elif event == "24hrTicker":
        bid, ask = message.get("b"), message.get("a")  # futures have none
        yield StreamTicker(message["s"], message["E"], message["c"], bid, ask)


def _bybit(_: MarketKind, message: Mapping[str, Any]) -> Iterator[StreamItem]:
    topic = message.get("topic", "")
    if topic.startswith("kline."):
        market_id = topic.split(".")[2]
        for k in message["data"]:
            row = (k["start"], k["open"], k["high"], k["low"], k["close"], k["volume"])
            yield StreamCandle(market_id, row, k["confirm"] is True)
    elif topic.startswith("tickers."):
        data = message["data"]
        if "lastPrice" in data:  # a delta holds only what changed
            bid, ask = data.get("bid1Price"), data.get("ask1Price")
            yield StreamTicker(topic.split(".")[1], message["ts"], data["lastPrice"], bid, ask)


def _okx(kind: MarketKind, message: Mapping[str, Any]) -> Iterator[StreamItem]:
    if "data" not in message:
        return
    channel, market_id = message["arg"]["channel"], message["arg"]["instId"]
    if channel.startswith("candle"):
        # volume is in contracts on swaps, and in base one field further on
        volume = 5 if kind is MarketKind.SPOT else 6
        for k in message["data"]:
            yield StreamCandle(market_id, (int(k[0]), *k[1:5], k[volume]), k[8] == "1")
    elif channel == "tickers":
        for t in message["data"]:
            yield StreamTicker(market_id, int(t["ts"]), t["last"], t["bidPx"], t["askPx"])


_READERS: Final[Mapping[str, Callable[[MarketKind, Mapping[str, Any]], Iterator[StreamItem]]]] = {
    "binance": _binance, "bybit": _bybit, "okx": _okx,
}  # fmt: skip
