"""The paper instruments that ship: grid, smallest order and fees of each symbol.

Source: Binance `exchangeInfo` (spot `/api/v3/exchangeInfo`, USD-M futures `/fapi/v1/exchangeInfo`:
PRICE_FILTER tickSize, LOT_SIZE stepSize, MIN_NOTIONAL / NOTIONAL) and the public fee tables of a
user without volume (spot 0.1 % / 0.1 %, USD-M 0.02 % maker and 0.05 % taker). The maintenance rate
is one flat rate per base for paper trading; the venue's tiers start at or below it.

`price_unit` is at least as fine as the candles the venue has recorded since 2017: BTC/USDT:USDT
traded at 12889.35 in 2020, when its tick was 0.01, and has a tick of 0.1 today.
"""

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument

# base, tick, lot, price unit, smallest order in USDT, maintenance as a fraction of notional
_LINEAR: Final = """
ADA     0.0001      1        0.00001     5     0.01
BNB     0.01        0.01     0.001       5     0.01
BTC     0.1         0.001    0.01        100   0.004
DOGE    0.00001     1        0.000001    5     0.01
ETH     0.01        0.001    0.01        20    0.005
LTC     0.01        0.001    0.01        20    0.01
SOL     0.01        0.01     0.0001      5     0.01
XRP     0.0001      0.1      0.0001      5     0.01
"""

# base, tick, lot, price unit, smallest order in USDT
_SPOT: Final = """
ADA     0.0001      0.1      0.00001     5
BNB     0.01        0.001    0.0001      5
BTC     0.01        0.00001  0.01        5
DOGE    0.00001     1        0.0000001   5
ETH     0.01        0.0001   0.01        5
LTC     0.01        0.001    0.01        5
SOL     0.01        0.001    0.0001      5
XRP     0.0001      0.1      0.00001     5
"""


def _linear(row: str) -> Instrument:
    base, *numbers = row.split()
    tick, lot, price_unit, min_notional, maintenance = map(Decimal, numbers)
    return Instrument(
        symbol=f"{base}/USDT:USDT",
        kind=MarketKind.LINEAR,
        tick=tick,
        lot=lot,
        price_unit=price_unit,
        min_notional=min_notional,
        maker_fee=Decimal("0.0002"),
        taker_fee=Decimal("0.0005"),
        maintenance=maintenance,
    )


def _spot(row: str) -> Instrument:
    base, *numbers = row.split()
    tick, lot, price_unit, min_notional = map(Decimal, numbers)
    return Instrument(
        symbol=f"{base}/USDT",
        kind=MarketKind.SPOT,
        tick=tick,
        lot=lot,
        price_unit=price_unit,
        min_notional=min_notional,
        maker_fee=Decimal("0.001"),
        taker_fee=Decimal("0.001"),
        maintenance=Decimal(0),  # nothing is borrowed on spot
    )


def _table() -> Mapping[str, Instrument]:
    rows = [_linear(row) for row in _LINEAR.strip().splitlines()]
    rows += [_spot(row) for row in _SPOT.strip().splitlines()]
    return MappingProxyType({row.symbol: row for row in rows})


INSTRUMENTS: Final[Mapping[str, Instrument]] = _table()


def instrument(symbol: str) -> Instrument:
    """Return the paper instrument of `symbol`.

    Raises:
        InputError: the symbol is not in `INSTRUMENTS`.

    >>> instrument("BTC/USDT:USDT").tick
    Decimal('0.1')
    """
    found = INSTRUMENTS.get(symbol)
    if found is None:
        known = sorted(INSTRUMENTS)
        nearest = get_close_matches(symbol.upper(), known, n=1, cutoff=0.0)[0]
        raise InputError(
            f"symbol was {symbol!r}, nearest known is {nearest!r}, allowed: {', '.join(known)}"
        )
    return found
