"""Bybit, spot and linear: public REST v5 and the public streams v5."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.instruments import Instrument
from tests.venues.dialect import NotServed, Subscribed, Topic, by_id, text
from tests.venues.market import FUNDING_RATE, OPEN_INTEREST, ScriptedMarket

_KINDS: Final = {"spot": MarketKind.SPOT, "linear": MarketKind.LINEAR}
_INTERVALS: Final = {"1m": "1", "5m": "5", "15m": "15", "1h": "60"}


class Bybit:
    """Everything is below /v5; the category says which kind of market is meant."""

    venue = "bybit"
    hosts: tuple[str, ...] = ("api.bybit.com", "stream.bybit.com")

    def market_id(self, instrument: Instrument) -> str:
        return instrument.base + instrument.quote

    def rest(self, market: ScriptedMarket, host: str, path: str, query: Mapping[str, str]) -> Any:
        call = path.rsplit("/", 1)[-1]
        now = market.clock.now_ms()
        if call == "time":
            return _ok(now, {"timeSecond": str(now // 1000), "timeNano": str(now * 10**6)})
        kind = _KINDS[query["category"]]
        if call == "instruments-info":
            listed = [] if query.get("status") == "PreLaunch" else market.of_kind(kind)
            rows = [self._symbol(item) for item in listed]
        elif call == "kline":
            rows = self._klines(market, kind, query)
        elif path.endswith("funding/history"):
            rows = self._payments(market, kind, query)
        elif call == "tickers":
            rows = [self._ticker(market, item) for item in market.of_kind(kind)]
        elif call == "open-interest":
            rows = [{"openInterest": text(OPEN_INTEREST), "timestamp": str(now)}]
        else:
            raise NotServed(path)
        symbol = query.get("symbol", "")
        return _ok(now, {"category": query["category"], "symbol": symbol, "list": rows})

    def _symbol(self, item: Instrument) -> dict[str, Any]:
        row = {
            "symbol": self.market_id(item), "baseCoin": item.base, "quoteCoin": item.quote,
            "status": "Trading", "priceFilter": {"tickSize": text(item.tick)},
        }  # fmt: skip
        if item.kind is MarketKind.SPOT:
            return row | {"lotSizeFilter": {"basePrecision": text(item.lot)}}
        return row | {
            "settleCoin": item.quote, "contractType": "LinearPerpetual", "launchTime": "0",
            "deliveryTime": "0", "leverageFilter": {}, "fundingInterval": 480,
            "lotSizeFilter": {"qtyStep": text(item.lot), "minOrderQty": text(item.lot)},
        }  # fmt: skip

    def _klines(
        self, market: ScriptedMarket, kind: MarketKind, query: Mapping[str, str]
    ) -> list[Any]:
        item = by_id(self, market, kind, query["symbol"])
        until = int(query.get("end", market.clock.now_ms()))
        found = market.candles(item.symbol, int(query["start"]), until)
        newest_first = reversed(found[-int(query.get("limit", 200)) :])
        return [
            [str(c.open_ms), *map(text, (c.open, c.high, c.low, c.close, c.volume)), "1"]
            for c in newest_first
        ]

    def _payments(
        self, market: ScriptedMarket, kind: MarketKind, query: Mapping[str, str]
    ) -> list[Any]:
        item = by_id(self, market, kind, query["symbol"])
        found = market.payments(item.symbol, int(query["startTime"]), int(query["endTime"]))
        return [
            {
                "symbol": query["symbol"], "fundingRate": text(rate),
                "fundingRateTimestamp": str(at_ms),
            }
            for at_ms, rate in reversed(found[-int(query.get("limit", 200)) :])
        ]  # fmt: skip

    def _ticker(self, market: ScriptedMarket, item: Instrument) -> dict[str, Any]:
        price = text(market.prices[item.symbol])
        return self._prices(item, price, price, price)

    def _prices(self, item: Instrument, price: str, bid: str, ask: str) -> dict[str, Any]:
        row = {
            "symbol": self.market_id(item), "lastPrice": price, "bid1Price": bid,
            "bid1Size": "1", "ask1Price": ask, "ask1Size": "1", "prevPrice24h": price,
            "highPrice24h": price, "lowPrice24h": price, "turnover24h": "1", "volume24h": "1",
            "price24hPcnt": "0",
        }  # fmt: skip
        if item.kind is MarketKind.SPOT:
            return row | {"usdIndexPrice": price}
        return row | {
            "markPrice": price, "indexPrice": price, "openInterest": text(OPEN_INTEREST),
            "openInterestValue": "1", "fundingRate": text(FUNDING_RATE), "nextFundingTime": "0",
        }  # fmt: skip

    def subscribe(self, host: str, path: str, message: Any) -> Subscribed:
        if message.get("op") == "ping":
            return Subscribed([], [{"success": True, "ret_msg": "pong", "op": "ping"}])
        if message.get("op") != "subscribe":
            raise NotServed(str(message))
        kind = _KINDS[path.rsplit("/", 1)[-1]]
        topics = []
        for name in message["args"]:
            what = "candles" if name.startswith("kline.") else "prices"
            topics.append(Topic(kind, what, name.rsplit(".", 1)[-1]))
        reply = {"success": True, "ret_msg": "", "op": "subscribe"}
        return Subscribed(topics, [reply | {"req_id": message.get("req_id", "")}])

    def candle_message(
        self, market: ScriptedMarket, instrument: Instrument, open_ms: int, closed: bool
    ) -> Any:
        c = market.candle(instrument.symbol, open_ms)
        interval = _INTERVALS[market.timeframe]
        row = {
            "start": open_ms, "end": open_ms + market.timeframe_ms - 1, "interval": interval,
            "open": text(c.open), "close": text(c.close), "high": text(c.high),
            "low": text(c.low), "volume": text(c.volume), "turnover": "1", "confirm": closed,
            "timestamp": market.clock.now_ms(),
        }  # fmt: skip
        topic = f"kline.{interval}.{self.market_id(instrument)}"
        at = market.clock.now_ms()
        return {"topic": topic, "data": [row], "ts": at, "type": "snapshot"}

    def ticker_message(
        self, market: ScriptedMarket, instrument: Instrument, at_ms: int,
        price: Decimal, bid: Decimal, ask: Decimal,
    ) -> Any:  # fmt: skip
        data = self._prices(instrument, text(price), text(bid), text(ask))
        topic = f"tickers.{self.market_id(instrument)}"
        return {"topic": topic, "type": "snapshot", "data": data, "cs": 1, "ts": at_ms}


def _ok(now_ms: int, result: Any) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": now_ms}
