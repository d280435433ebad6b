"""Binance, spot and USD-M futures: public REST v3 / fapi v1 and the market streams."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.instruments import Instrument
from tests.venues.dialect import NotServed, Subscribed, Topic, by_id, text
from tests.venues.market import FUNDING_RATE, OPEN_INTEREST, Candle, ScriptedMarket


class Binance:
    """Spot lives on api.binance.com and stream.binance.com, futures on fapi and fstream."""

    venue = "binance"
    hosts: tuple[str, ...] = (
        "api.binance.com",
        "fapi.binance.com",
        "stream.binance.com",
        "fstream.binance.com",
    )

    def market_id(self, instrument: Instrument) -> str:
        return instrument.base + instrument.quote

    def rest(self, market: ScriptedMarket, host: str, path: str, query: Mapping[str, str]) -> Any:
        kind = MarketKind.LINEAR if host.startswith("fapi") else MarketKind.SPOT
        call = path.rsplit("/", 1)[-1]
        if call == "time":
            return {"serverTime": market.clock.now_ms()}
        if call == "exchangeInfo":
            return {"symbols": [self._symbol(item) for item in market.of_kind(kind)]}
        pages = {"klines": self._klines, "fundingRate": self._payments}
        if call in pages:
            return pages[call](market, kind, query)
        if path.endswith("ticker/price"):
            return [self._price(market, item) for item in market.of_kind(kind)]
        if call == "premiumIndex":
            return [self._premium(market, item) for item in market.of_kind(kind)]
        if call == "openInterest":
            at = market.clock.now_ms()
            return {"symbol": query["symbol"], "openInterest": text(OPEN_INTEREST), "time": at}
        raise NotServed(path)

    def _symbol(self, item: Instrument) -> dict[str, Any]:
        price = {"filterType": "PRICE_FILTER", "tickSize": text(item.tick)}
        lot = {"filterType": "LOT_SIZE", "stepSize": text(item.lot), "minQty": text(item.lot)}
        row = {
            "symbol": self.market_id(item), "baseAsset": item.base, "quoteAsset": item.quote,
            "status": "TRADING", "filters": [price, lot],
        }  # fmt: skip
        if item.kind is MarketKind.LINEAR:
            return row | {
                "pair": self.market_id(item), "contractType": "PERPETUAL",
                "marginAsset": item.quote, "deliveryDate": 4133404800000,
            }  # fmt: skip
        return row | {"isSpotTradingAllowed": True, "permissions": ["SPOT"]}

    def _klines(
        self, market: ScriptedMarket, kind: MarketKind, query: Mapping[str, str]
    ) -> list[Any]:
        item = by_id(self, market, kind, query["symbol"])
        until = int(query.get("endTime", market.clock.now_ms()))
        found = market.candles(item.symbol, int(query["startTime"]), until)
        return [self._row(market, candle) for candle in found[: int(query.get("limit", 500))]]

    @staticmethod
    def _row(market: ScriptedMarket, c: Candle) -> list[Any]:
        prices = [text(n) for n in (c.open, c.high, c.low, c.close, c.volume)]
        return [c.open_ms, *prices, c.open_ms + market.timeframe_ms - 1, "1", 1, "1", "1", "0"]

    def _payments(
        self, market: ScriptedMarket, kind: MarketKind, query: Mapping[str, str]
    ) -> list[Any]:
        item = by_id(self, market, kind, query["symbol"])
        found = market.payments(item.symbol, int(query["startTime"]), int(query["endTime"]))
        return [
            {"symbol": query["symbol"], "fundingTime": at_ms, "fundingRate": text(rate)}
            for at_ms, rate in found[: int(query.get("limit", 100))]
        ]

    def _price(self, market: ScriptedMarket, item: Instrument) -> dict[str, Any]:
        row = {"symbol": self.market_id(item), "price": text(market.prices[item.symbol])}
        # spot tells no time here
        return row | ({"time": market.clock.now_ms()} if item.kind is MarketKind.LINEAR else {})

    def _premium(self, market: ScriptedMarket, item: Instrument) -> dict[str, Any]:
        price = text(market.prices[item.symbol])
        return {
            "symbol": self.market_id(item), "markPrice": price, "indexPrice": price,
            "lastFundingRate": text(FUNDING_RATE), "time": market.clock.now_ms(),
            "nextFundingTime": market.clock.now_ms() + 3_600_000,
        }  # fmt: skip

    def subscribe(self, host: str, path: str, message: Any) -> Subscribed:
        kind = MarketKind.LINEAR if host.startswith("fstream") else MarketKind.SPOT
        if message.get("method") != "SUBSCRIBE":
            raise NotServed(str(message))
        topics = []
        for name in message["params"]:
            market_id, _, stream = name.partition("@")
            what = "candles" if stream.startswith("kline_") else "prices"
            topics.append(Topic(kind, what, market_id.upper()))
        return Subscribed(topics, [{"result": None, "id": message["id"]}])

    def candle_message(
        self, market: ScriptedMarket, instrument: Instrument, open_ms: int, closed: bool
    ) -> Any:
        c = market.candle(instrument.symbol, open_ms)
        symbol = self.market_id(instrument)
        kline = {
            "t": open_ms, "T": open_ms + market.timeframe_ms - 1, "s": symbol,
            "i": market.timeframe, "o": text(c.open), "h": text(c.high), "l": text(c.low),
            "c": text(c.close), "v": text(c.volume), "x": closed, "n": 1, "q": "1",
        }  # fmt: skip
        return {"e": "kline", "E": market.clock.now_ms(), "s": symbol, "k": kline}

    def ticker_message(
        self, market: ScriptedMarket, instrument: Instrument, at_ms: int,
        price: Decimal, bid: Decimal, ask: Decimal,
    ) -> Any:  # fmt: skip
        row = {
            "e": "24hrTicker", "E": at_ms, "s": self.market_id(instrument), "c": text(price),
            "C": at_ms, "o": text(price), "h": text(price), "l": text(price), "v": "1", "q": "1",
        }  # fmt: skip
        if instrument.kind is MarketKind.SPOT:  # futures tell no bid and ask here
            row |= {"b": text(bid), "a": text(ask)}
        return row
