"""OKX, spot and swap: public REST v5 and the public and business streams v5."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.instruments import Instrument
from tests.venues.dialect import NotServed, Subscribed, Topic, by_id, text
from tests.venues.market import FUNDING_RATE, OPEN_INTEREST, Candle, ScriptedMarket

_KINDS: Final = {"SPOT": MarketKind.SPOT, "SWAP": MarketKind.LINEAR}
CONTRACT: Final = Decimal("0.01")  # base per contract of every swap


class Okx:
    """Swaps count in contracts; the base amounts stand beside."""

    venue = "okx"
    hosts: tuple[str, ...] = ("www.okx.com", "ws.okx.com")

    def market_id(self, instrument: Instrument) -> str:
        spot = f"{instrument.base}-{instrument.quote}"
        return spot if instrument.kind is MarketKind.SPOT else f"{spot}-SWAP"

    def rest(self, market: ScriptedMarket, host: str, path: str, query: Mapping[str, str]) -> Any:
        call = path.rsplit("/", 1)[-1]
        now = str(market.clock.now_ms())
        if call == "time":
            return _ok([{"ts": now}])
        pages = {"funding-rate-history": self._payments}
        pages |= dict.fromkeys(("candles", "history-candles"), self._candles)
        if call in pages:
            return _ok(pages[call](market, query))
        if call == "funding-rate":
            return _ok([self._funding(item, now) for item in market.of_kind(MarketKind.LINEAR)])
        kind = _KINDS[query["instType"]]
        if call == "instruments":
            return _ok([self._symbol(item) for item in market.of_kind(kind)])
        if call == "tickers":
            return _ok([self._rest_ticker(market, item, now) for item in market.of_kind(kind)])
        if call == "open-interest":
            oi, base = text(OPEN_INTEREST / CONTRACT), text(OPEN_INTEREST)
            row = {"instId": query["instId"], "instType": "SWAP", "oi": oi, "oiCcy": base}
            return _ok([row | {"ts": now}])
        raise NotServed(path)

    def _symbol(self, item: Instrument) -> dict[str, Any]:
        row = {
            "instId": self.market_id(item), "tickSz": text(item.tick), "lotSz": text(item.lot),
            "minSz": text(item.lot), "state": "live", "listTime": "0",
        }  # fmt: skip
        if item.kind is MarketKind.SPOT:
            return row | {"instType": "SPOT", "baseCcy": item.base, "quoteCcy": item.quote}
        return row | {
            "instType": "SWAP", "uly": f"{item.base}-{item.quote}", "settleCcy": item.quote,
            "instFamily": f"{item.base}-{item.quote}", "ctVal": text(CONTRACT), "ctMult": "1",
            "ctValCcy": item.base, "ctType": "linear", "lever": "100",
        }  # fmt: skip

    def _instrument(self, market: ScriptedMarket, market_id: str) -> Instrument:
        kind = MarketKind.LINEAR if market_id.endswith("-SWAP") else MarketKind.SPOT
        return by_id(self, market, kind, market_id)

    def _candles(self, market: ScriptedMarket, query: Mapping[str, str]) -> list[Any]:
        item = self._instrument(market, query["instId"])
        # `before` and `after` are exclusive, and named from the newest end
        from_ms = int(query.get("before", -1)) + 1
        to_ms = int(query.get("after", market.clock.now_ms() + 1)) - 1
        found = market.candles(item.symbol, from_ms, to_ms)
        newest_first = reversed(found[-int(query.get("limit", 100)) :])
        now = market.clock.now_ms()
        return [
            self._row(item, c, closed=c.open_ms + market.timeframe_ms <= now) for c in newest_first
        ]

    def _payments(self, market: ScriptedMarket, query: Mapping[str, str]) -> list[Any]:
        item = self._instrument(market, query["instId"])
        # exclusive at both ends, as for candles
        from_ms, to_ms = int(query["before"]) + 1, int(query["after"]) - 1
        found = market.payments(item.symbol, from_ms, to_ms)
        return [
            {
                "instId": query["instId"], "instType": "SWAP", "fundingTime": str(at_ms),
                "fundingRate": text(rate), "realizedRate": text(rate),
            }
            for at_ms, rate in reversed(found[-int(query.get("limit", 100)) :])
        ]  # fmt: skip

    def _row(self, item: Instrument, c: Candle, *, closed: bool) -> list[str]:
        contracts = c.volume if item.kind is MarketKind.SPOT else c.volume / CONTRACT
        prices = map(text, (c.open, c.high, c.low, c.close))
        return [
            str(c.open_ms), *prices, text(contracts),
            text(c.volume), "1", "1" if closed else "0",
        ]  # fmt: skip

    @staticmethod
    def _ticker(market_id: str, ts: str, price: str, bid: str, ask: str) -> dict[str, Any]:
        return {
            "instType": "SWAP" if market_id.endswith("-SWAP") else "SPOT", "instId": market_id,
            "last": price, "lastSz": "1", "askPx": ask, "askSz": "1", "bidPx": bid, "bidSz": "1",
            "open24h": price, "high24h": price, "low24h": price, "volCcy24h": "1", "vol24h": "1",
            "ts": ts,
        }  # fmt: skip

    def _rest_ticker(self, market: ScriptedMarket, item: Instrument, now: str) -> dict[str, Any]:
        price = text(market.prices[item.symbol])
        return self._ticker(self.market_id(item), now, price, price, price)

    def _funding(self, item: Instrument, now: str) -> dict[str, Any]:
        return {
            "instId": self.market_id(item), "instType": "SWAP", "fundingRate": text(FUNDING_RATE),
            "fundingTime": now, "nextFundingRate": "", "nextFundingTime": now, "ts": now,
        }  # fmt: skip

    def subscribe(self, host: str, path: str, message: Any) -> Subscribed:
        if message == "ping":
            return Subscribed([], ["pong"])
        if message.get("op") != "subscribe":
            raise NotServed(str(message))
        topics, replies = [], []
        for argument in message["args"]:
            market_id = argument["instId"]
            kind = MarketKind.LINEAR if market_id.endswith("-SWAP") else MarketKind.SPOT
            what = "candles" if argument["channel"].startswith("candle") else "prices"
            topics.append(Topic(kind, what, market_id))
            replies.append({"event": "subscribe", "arg": argument, "connId": "1"})
        return Subscribed(topics, replies)

    def candle_message(
        self, market: ScriptedMarket, instrument: Instrument, open_ms: int, closed: bool
    ) -> Any:
        channel = "candle" + market.timeframe.replace("h", "H").replace("d", "D")
        row = self._row(instrument, market.candle(instrument.symbol, open_ms), closed=closed)
        return {"arg": {"channel": channel, "instId": self.market_id(instrument)}, "data": [row]}

    def ticker_message(
        self, market: ScriptedMarket, instrument: Instrument, at_ms: int,
        price: Decimal, bid: Decimal, ask: Decimal,
    ) -> Any:  # fmt: skip
        market_id = self.market_id(instrument)
        row = self._ticker(market_id, str(at_ms), text(price), text(bid), text(ask))
        return {"arg": {"channel": "tickers", "instId": market_id}, "data": [row]}


def _ok(data: Any) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": data}
