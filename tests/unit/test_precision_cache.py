"""A source is asked for an instrument's grid once an hour, and its failure is never covered up."""

from decimal import Decimal

import pytest

from auto_trading.precision_cache import Precision, PrecisionCache, precision_of
from crypto_trader_pro.domain.errors import GatewayUnavailable
from tests.builders import an_instrument


class Source:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_down = False
        self.now = 0.0

    def load(self, symbol: str) -> Precision:
        self.asked.append(symbol)
        if self.is_down:
            raise GatewayUnavailable("maintenance")
        return precision_of(an_instrument(symbol, tick="0.5", lot="0.002"))

    def cache(self) -> PrecisionCache:
        return PrecisionCache(self.load, seconds=lambda: self.now)


def test_a_symbol_is_asked_for_once_an_hour() -> None:
    source = Source()
    cache = source.cache()
    found = cache.get("BTC/USDT")
    assert (found.tick, found.lot) == (Decimal("0.5"), Decimal("0.002"))
    source.now = 3599.9
    assert cache.get("BTC/USDT") == found
    assert source.asked == ["BTC/USDT"]
    source.now = 3600.0
    assert cache.get("BTC/USDT") == found
    assert source.asked == ["BTC/USDT"] * 2


def test_cleaning_forgets_only_what_is_old() -> None:
    source = Source()
    cache = source.cache()
    cache.get("BTC/USDT")
    source.now = 1800.0
    cache.get("ETH/USDT")
    assert cache.clean() == 0
    source.now = 3600.0
    assert (cache.clean(), len(cache)) == (1, 1)
    cache.get("ETH/USDT")
    assert source.asked == ["BTC/USDT", "ETH/USDT"]


def test_an_old_answer_never_stands_in_for_a_source_that_is_down() -> None:
    source = Source()
    cache = source.cache()
    cache.get("BTC/USDT")
    source.now, source.is_down = 3600.0, True
    with pytest.raises(GatewayUnavailable, match="maintenance"):
        cache.get("BTC/USDT")
