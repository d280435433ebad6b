"""The newest price, funding rate and open interest of each symbol, as the venue tells them."""

import logging
import time
from collections.abc import Collection, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from auto_trading.gateways.exchange_rest import ExchangeRest
from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.errors import GatewayUnavailable, RateLimited
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.messages import MarketFacts
from crypto_trader_pro.domain.units import RATE

log = logging.getLogger(__name__)

_MOST: Final = 1e15  # beyond it, it is no open interest
_STALE_SECONDS: Final = 900.0  # an older figure is no figure


class FactBook:
    """Written on the source's loop, read from any thread."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._instruments = tuple(instruments)
        self._prices: dict[int, tuple[int, int]] = {}  # price units, at ms
        self._rates: dict[int, tuple[int, float]] = {}  # parts of 1e8, monotonic time
        self._interest: dict[int, tuple[float, float]] = {}

    def price(self, i: int, price: int, at_ms: int) -> None:
        """Take the newest price of symbol `i`."""
        self._prices[i] = (price, at_ms)

    async def refresh(self, rest: ExchangeRest, absent: Collection[int] = ()) -> None:
        """Ask for funding and open interest of the perpetuals; what fails stays as it was."""
        swaps = {
            item.symbol: i
            for i, item in enumerate(self._instruments)
            if item.kind is MarketKind.LINEAR and i not in absent
        }
        if not swaps:
            return
        try:
            for symbol, rate in (await rest.funding_rates(list(swaps))).items():
                self._take_rate(swaps.get(symbol), rate)
            for symbol, i in swaps.items():
                value = await rest.open_interest(symbol)
                if value is not None and 0 <= value < _MOST:  # NaN is neither
                    self._interest[i] = (value, time.monotonic())
        except (GatewayUnavailable, RateLimited) as error:
            log.info("funding and open interest: %s", error)

    def _take_rate(self, i: int | None, rate: Any) -> None:
        try:
            units = Decimal(str(rate)) * RATE
        except InvalidOperation:  # None, or no number
            return
        if i is not None and units.is_finite() and abs(units) < RATE:
            self._rates[i] = (round(units), time.monotonic())

    def facts(self) -> list[MarketFacts]:
        """Return what is known of each symbol that has a price."""
        found = []
        for i, item in enumerate(self._instruments):
            newest = self._prices.get(i)
            if newest is not None:
                rate, interest = _fresh(self._rates.get(i)), _fresh(self._interest.get(i))
                found.append(
                    MarketFacts(
                        item.symbol, newest[1], newest[0],
                        None if rate is None else int(rate), interest,
                    )
                )  # fmt: skip
        return found


def _fresh(pair: tuple[float, float] | None) -> float | None:
    if pair is None or time.monotonic() - pair[1] > _STALE_SECONDS:
        return None
    return pair[0]
