"""The paper instruments that ship: grid, smallest order and fees of each symbol.

Source: Binance `exchangeInfo` (spot `/api/v3/exchangeInfo`, USD-M futures `/fapi/v1/exchangeInfo`:
PRICE_FILTER tickSize, LOT_SIZE stepSize, MIN_NOTIONAL / NOTIONAL) and the public fee tables of a
user without volume (spot 0.1 % / 0.1 %, USD-M 0.02 % maker and 0.05 % taker). BTC and ETH have
maintenance tiers of the venue, the others one flat rate per base; the venue's tiers start at or
below it.

How sure the numbers are: those of ADA, BNB, BTC, DOGE, ETH, LTC, SOL and XRP follow these sources.
Of the other 42, ticks and lots of the perpetuals are as a public extract of `/fapi/v1/exchangeInfo`
of 2025 has them; everything else (spot, smallest orders, the maintenance rate of 2.5 %) is from
memory and may have changed. They serve the demo market and paper trading.

The tiers of BTC and ETH are the leverage brackets (`/fapi/v1/leverageBracket`) as the public file
`freqtrade/exchange/binance_leverage_brackets.json` of freqtrade/freqtrade (commit 778f0d9) has
them, as of 2021. From memory, the venue has changed them since, mostly to larger bounds and to a
first rate of 0.4 % for ETH too: so these ask for more margin than the venue does today, above all
of large positions. The last rate goes on without an end, where the venue allows no position.

`price_unit` is at least as fine as the candles the venue has recorded since 2017: BTC/USDT:USDT
traded at 12889.35 in 2020, when its tick was 0.01, and has a tick of 0.1 today. For the 42 it is a
tenth of the tick.
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
AAVE    0.01        0.1       0.001       5     0.025
ADA     0.0001      1         0.00001     5     0.01
ALGO    0.0001      0.1       0.00001     5     0.025
APE     0.0001      1         0.00001     5     0.025
APT     0.0001      0.1       0.00001     5     0.025
ARB     0.0001      0.1       0.00001     5     0.025
ATOM    0.001       0.01      0.0001      5     0.025
AVAX    0.001       1         0.0001      5     0.025
AXS     0.001       1         0.0001      5     0.025
BCH     0.01        0.001     0.001       20    0.025
BNB     0.01        0.01      0.001       5     0.01
BTC     0.1         0.001     0.01        100   0.004
CHZ     0.00001     1         0.000001    5     0.025
COMP    0.01        0.001     0.001       5     0.025
DASH    0.01        0.001     0.001       5     0.025
DOGE    0.00001     1         0.000001    5     0.01
DOT     0.001       0.1       0.0001      5     0.025
DYDX    0.001       0.1       0.0001      5     0.025
EGLD    0.001       0.1       0.0001      5     0.025
ENS     0.001       0.1       0.0001      5     0.025
ETC     0.001       0.01      0.0001      20    0.025
ETH     0.01        0.001     0.01        20    0.005
FET     0.0001      1         0.00001     5     0.025
FIL     0.001       0.1       0.0001      5     0.025
GALA    0.00001     1         0.000001    5     0.025
GRT     0.00001     1         0.000001    5     0.025
HBAR    0.00001     1         0.000001    5     0.025
ICP     0.001       1         0.0001      5     0.025
IMX     0.0001      1         0.00001     5     0.025
INJ     0.001       0.1       0.0001      5     0.025
LDO     0.0001      1         0.00001     5     0.025
LINK    0.001       0.01      0.0001      20    0.025
LTC     0.01        0.001     0.01        20    0.01
NEAR    0.001       1         0.0001      5     0.025
NEO     0.001       0.01      0.0001      5     0.025
OP      0.0001      0.1       0.00001     5     0.025
ORDI    0.001       0.1       0.0001      5     0.025
RUNE    0.001       1         0.0001      5     0.025
SAND    0.00001     1         0.000001    5     0.025
SEI     0.0001      1         0.00001     5     0.025
SOL     0.01        0.01      0.0001      5     0.01
STX     0.0001      1         0.00001     5     0.025
SUI     0.0001      0.1       0.00001     5     0.025
THETA   0.0001      0.1       0.00001     5     0.025
TIA     0.0001      1         0.00001     5     0.025
TRX     0.00001     1         0.000001    5     0.025
UNI     0.001       1         0.0001      5     0.025
VET     0.000001    1         0.0000001   5     0.025
XLM     0.00001     1         0.000001    5     0.025
XRP     0.0001      0.1       0.0001      5     0.01
"""

# base, tick, lot, price unit, smallest order in USDT
_SPOT: Final = """
AAVE    0.01        0.001     0.001       5
ADA     0.0001      0.1       0.00001     5
ALGO    0.0001      1         0.00001     5
APE     0.001       0.01      0.0001      5
APT     0.001       0.01      0.0001      5
ARB     0.0001      0.1       0.00001     5
ATOM    0.001       0.01      0.0001      5
AVAX    0.01        0.01      0.001       5
AXS     0.01        0.01      0.001       5
BCH     0.1         0.001     0.01        5
BNB     0.01        0.001     0.0001      5
BTC     0.01        0.00001   0.01        5
CHZ     0.00001     1         0.000001    5
COMP    0.01        0.001     0.001       5
DASH    0.01        0.001     0.001       5
DOGE    0.00001     1         0.0000001   5
DOT     0.001       0.01      0.0001      5
DYDX    0.001       0.01      0.0001      5
EGLD    0.01        0.01      0.001       5
ENS     0.01        0.01      0.001       5
ETC     0.01        0.01      0.001       5
ETH     0.01        0.0001    0.01        5
FET     0.0001      1         0.00001     5
FIL     0.001       0.01      0.0001      5
GALA    0.00001     1         0.000001    5
GRT     0.0001      1         0.00001     5
HBAR    0.00001     1         0.000001    5
ICP     0.001       0.01      0.0001      5
IMX     0.001       0.01      0.0001      5
INJ     0.01        0.01      0.001       5
LDO     0.001       0.01      0.0001      5
LINK    0.01        0.01      0.001       5
LTC     0.01        0.001     0.01        5
NEAR    0.001       0.1       0.0001      5
NEO     0.01        0.01      0.001       5
OP      0.001       0.01      0.0001      5
ORDI    0.01        0.01      0.001       5
RUNE    0.001       0.1       0.0001      5
SAND    0.0001      1         0.00001     5
SEI     0.0001      0.1       0.00001     5
SOL     0.01        0.001     0.0001      5
STX     0.0001      0.1       0.00001     5
SUI     0.0001      0.1       0.00001     5
THETA   0.001       0.1       0.0001      5
TIA     0.001       0.01      0.0001      5
TRX     0.00001     0.1       0.000001    5
UNI     0.001       0.01      0.0001      5
VET     0.00001     0.1       0.000001    5
XLM     0.0001      1         0.00001     5
XRP     0.0001      0.1       0.00001     5
"""

# base, then upper bound in thousands of USDT and rate of each tier; the last has no end
_TIERS: Final = """
BTC 50 0.004 250 0.005 1000 0.01 5000 0.025 20000 0.05 50000 0.1 100000 0.125 200000 0.15 \
300000 0.25 Infinity 0.5
ETH 10 0.005 100 0.0065 500 0.01 1000 0.02 2000 0.05 5000 0.1 10000 0.125 20000 0.15 Infinity 0.25
"""


def _tiers(base: str) -> tuple[tuple[Decimal, Decimal], ...]:
    """Return (bound in USDT, rate) pairs of `base`; none where one flat rate serves."""
    rows = {name: numbers for name, *numbers in map(str.split, _TIERS.strip().splitlines())}
    numbers = [Decimal(text) for text in rows.get(base, [])]
    return tuple(
        (1000 * upto, rate) for upto, rate in zip(numbers[::2], numbers[1::2], strict=True)
    )


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
        maintenance_tiers=_tiers(base),
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
