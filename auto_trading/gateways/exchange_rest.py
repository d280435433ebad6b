"""What a venue is asked over REST: candles, prices, funding and open interest of public markets."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from threading import Lock
from typing import Any, Final

from auto_trading.gateways.candle_rows import SKEW_MS, Refusals, Refused, bar_of
from auto_trading.gateways.rate_gate import RateGate
from auto_trading.gateways.venue_clients import Tap, VenueClients, one_line
from auto_trading.gateways.venue_wire import StreamTicker
from crypto_trader_pro.domain.errors import GatewayUnavailable, RateLimited
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.timeframes import timeframe_name

PAGE: Final = {"binance": 1000, "bybit": 1000, "okx": 300}  # candles that one request may bring
# rates of one request; never more than hours between its ends, and none pays more than hourly
_RATES: Final = {"binance": 1000, "bybit": 200, "okx": 100}
_HOUR_MS: Final = 3_600_000
_TRIES: Final = 4
_FIRST_PAUSE: Final = 0.25  # seconds, doubled after each failure
_Call = Callable[..., Awaitable[Any]]


class CallCount:
    """Requests to the venue and how many of them failed, over all clients. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.calls = 0
        self.errors = 0
        self.last_error = ""
        self.latency_ms: float | None = None  # of the newest request

    def sent(self) -> None:
        with self._lock:
            self.calls += 1

    def failed(self, why: str) -> None:
        with self._lock:
            self.errors += 1
            self.last_error = why


class _RestTap(Tap):
    def __init__(self, gate: RateGate, count: CallCount) -> None:
        self._gate = gate
        self._count = count

    def before_request(self) -> None:
        if self._gate.wait_seconds:
            raise RateLimited(_asked_to_wait(self._gate))
        self._count.sent()

    def response(self, status: int, headers: Mapping[str, str]) -> None:
        self._gate.response(status, headers)

    def took(self, seconds: float) -> None:
        self._count.latency_ms = round(seconds * 1000, 1)


class ExchangeRest:
    """One client for REST, on the loop of whoever uses it.

    Args:
        markets: what `markets` of another one returned, to load them only once.

    Every method that asks raises:
        GatewayUnavailable: no answer, or none that can be used.
        RateLimited: the venue has asked for silence; nothing was sent.
    """

    def __init__(
        self, venue: str, instruments: Sequence[Instrument], clients: VenueClients, gate: RateGate,
        count: CallCount, refusals: Refusals, markets: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self._venue = venue
        self._instruments = tuple(instruments)
        self._gate = gate
        self._count = count
        self._refusals = refusals
        kinds = {item.kind for item in instruments}
        self._client = clients.client(venue, kinds, _RestTap(gate, count))
        if markets is not None:
            self._client.set_markets(dict(markets))

    async def __aenter__(self) -> "ExchangeRest":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def markets(self) -> dict[str, Any]:
        """Return the library's description of each of our symbols that the venue trades."""
        if not self._client.markets:
            await self._try(self._client.load_markets)
        found = self._client.markets
        return {i.symbol: found[i.symbol] for i in self._instruments if i.symbol in found}

    @property
    def page_candles(self) -> int:
        """How many candles one request may bring."""
        return PAGE[self._venue]

    async def closed_candles(
        self, instrument: Instrument, timeframe_ms: int, from_ms: int, to_ms: int, now_ms: int
    ) -> tuple[list[Bar], int]:
        """Return one page of closed candles that open in [from_ms, to_ms), oldest first.

        The last candle of an answer counts as closed only when a whole further candle would fit
        after it: before that, only a later candle proves that it has ended.

        Returns:
            the candles, and the open time up to which the page tells which candles exist.
        """
        page_ms = PAGE[self._venue] * timeframe_ms
        until_ms = min(to_ms, from_ms + page_ms - timeframe_ms) + timeframe_ms - 1
        count = (until_ms - from_ms) // timeframe_ms + 1  # few weigh less with the venue
        rows = await self._try(
            self._client.fetch_ohlcv, instrument.symbol, timeframe_name(timeframe_ms),
            from_ms, count, {"until": until_ms},
        )  # fmt: skip
        rows = [row for row in rows if isinstance(row, list) and row]
        bars: dict[int, Bar] = {}
        for row in rows:
            try:
                bar = bar_of(instrument, timeframe_ms, row, now_ms)
            except Refused as why:
                if why.args[0] != "unclosed":  # the running candle is part of every answer
                    self._refusals.note(why.args[0], row)
            else:
                bars.setdefault(bar.open_ms, bar)
        times = [row[0] for row in rows if _is_time(row[0], timeframe_ms, now_ms)]
        if rows and not times:
            raise GatewayUnavailable(
                f"{self._venue}: none of {len(rows)} candles has a usable time"
            )
        newest = max(times, default=from_ms)
        known_ms = newest if newest + 2 * timeframe_ms > now_ms else min(to_ms, until_ms + 1)
        known_ms = min(known_ms, to_ms)
        return [bars[t] for t in sorted(bars) if from_ms <= t < known_ms], known_ms

    async def tickers(self, symbols: Sequence[str]) -> list[StreamTicker]:
        """Return the newest prices of symbols of one kind; `market_id` holds the symbol."""
        # Binance counts 40 for all tickers of a day and 2 for all prices
        cheap = self._venue == "binance"
        call = self._client.fetch_last_prices if cheap else self._client.fetch_tickers
        found = await self._ask(call, list(symbols))
        last = "price" if cheap else "last"
        return [
            StreamTicker(symbol, t.get("timestamp"), t.get(last), t.get("bid"), t.get("ask"))
            for symbol, t in found.items()
            if isinstance(t, Mapping) and symbol in symbols
        ]

    async def funding_rates(self, symbols: Sequence[str]) -> dict[str, Any]:
        """Return the current funding rate of each perpetual, as a fraction."""
        found = await self._ask(self._client.fetch_funding_rates, list(symbols))
        return {symbol: row.get("fundingRate") for symbol, row in found.items()}

    async def funding_history(
        self, symbol: str, from_ms: int, to_ms: int
    ) -> tuple[list[tuple[int, Any]], int]:
        """Return one page of the rates paid in [from_ms, to_ms): times in ms, rates as fractions.

        Returns:
            time and rate as the venue has them, oldest first, and the time up to which the page
            tells which payments there were.
        """
        count = _RATES[self._venue]
        until_ms = min(to_ms, from_ms + count * _HOUR_MS)
        # OKX knows the end only by its own name, and excludes it
        end = {"after": str(until_ms)} if self._venue == "okx" else {"until": until_ms - 1}
        rows = await self._try(self._client.fetch_funding_rate_history, symbol, from_ms, count, end)
        found = {
            row["timestamp"]: row["fundingRate"]
            for row in rows
            if isinstance(row.get("timestamp"), int) and from_ms <= row["timestamp"] < until_ms
        }
        if rows and not found:
            raise GatewayUnavailable(f"{self._venue}: none of {len(rows)} rates has a usable time")
        return sorted(found.items()), until_ms

    async def open_interest(self, symbol: str) -> float | None:
        """Return the open interest of a perpetual in its base currency."""
        row = await self._ask(self._client.fetch_open_interest, symbol)
        # OKX counts contracts in the one field and base in the other; the others know only base
        base = row.get("baseVolume")
        value = base if base is not None else row.get("openInterestAmount")
        return None if value is None else float(value)

    async def _try(self, call: _Call, *arguments: Any) -> Any:
        """Ask a few times; a wish for silence is obeyed at once."""
        pause = _FIRST_PAUSE
        for _ in range(_TRIES - 1):
            try:
                return await self._ask(call, *arguments)
            except GatewayUnavailable:
                # jitter: many symbols fail together and should not come back together
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause *= 2
        return await self._ask(call, *arguments)

    async def _ask(self, call: _Call, *arguments: Any) -> Any:
        import ccxt  # type: ignore[import-untyped]  # noqa: PLC0415  loaded by now, with the client

        try:
            return await call(*arguments)
        except RateLimited:
            raise
        except ccxt.RateLimitExceeded as error:  # by its code: Bybit and OKX answer 200 with it
            if not self._gate.wait_seconds:
                self._gate.silence()
            self._count.failed(one_line(error))
            raise RateLimited(_asked_to_wait(self._gate)) from error
        except ccxt.DDoSProtection as error:
            self._count.failed(one_line(error))
            raise RateLimited(_asked_to_wait(self._gate)) from error
        except (ccxt.BaseError, ArithmeticError, LookupError, TypeError, ValueError,
                AttributeError) as error:  # the parsers raise all these on garbage  # fmt: skip
            self._count.failed(one_line(error))
            raise GatewayUnavailable(f"{self._venue}: {one_line(error)}") from error


def _is_time(value: Any, timeframe_ms: int, now_ms: int) -> bool:
    return isinstance(value, int) and value % timeframe_ms == 0 and 0 < value <= now_ms + SKEW_MS


def _asked_to_wait(gate: RateGate) -> str:
    return f"the venue asked for silence, {gate.wait_seconds:.0f} s are left"
