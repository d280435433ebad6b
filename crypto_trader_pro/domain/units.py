"""Exact whole-number arithmetic, the units it counts in, and the checks at its door.

Units
-----
price     whole price units of the instrument (a tick is one or more of them)
quantity  whole lots, signed in positions
money     whole units of 1e-8 of the settlement asset
rate      whole parts of 1e8 (0.05 % = 50_000)
time      milliseconds since 1970-01-01 UTC

`price * lots * tv` is money without rounding, where `tv` is the value of one price unit of one lot.
Where rounding is needed, it is against the account: fees up, quantities and incomes down.

Everything here is exact for any Python int. Compiled with 64-bit integers it is exact within the
bounds that `auto_trading/backtesting/compiled.py` checks once per run.
"""

from typing import Final

from crypto_trader_pro.domain.scalars import scalar

RATE: Final = 100_000_000
MONEY_EXP: Final = 8
MONEY: Final = 10**MONEY_EXP
BIG: Final = 1 << 62
MAX_EQUITY: Final = 10**17
MAX_LOTS_DOMAIN: Final = 1 << 46
MAX_NOTIONAL: Final = 1 << 61


@scalar
def rate_floor(amount: int, rate: int) -> int:
    """Return floor(amount * rate / 1e8).

    Args:
        amount: any 64-bit amount, signed.
        rate: parts of 1e8, 0 <= rate <= 1e8 (more while the result fits 63 bits).

    The product is split so that no intermediate passes 64 bits.
    """
    return amount // RATE * rate + amount % RATE * rate // RATE


@scalar
def rate_ceil(amount: int, rate: int) -> int:
    """Return ceil(amount * rate / 1e8); bounds as `rate_floor`."""
    return -rate_floor(-amount, rate)


@scalar
def cap_mul(a: int, b: int) -> int:
    """Return min(a * b, 2**62) for a, b >= 0. A cap may saturate; a value may not."""
    if a > 0 and b > BIG // a:
        return BIG
    return a * b


@scalar
def mul_div(a: int, b: int, c: int) -> int:
    """Return floor(a * b / c) for a >= 0 and 0 <= b <= c < 2**46, c > 0.

    Long division in four digits of base 2**15, because a * b may pass 64 bits.
    """
    quotient = a // c
    remainder = a % c
    result = quotient * b
    # remainder * b / c, digit by digit: each step keeps rest < c < 2**46, so rest * 2**15 < 2**61
    rest = 0
    part = 0
    for shift in (45, 30, 15, 0):
        digit = (b >> shift) & 32767
        scaled = rest * 32768 + remainder * digit
        part = part * 32768 + scaled // c
        rest = scaled % c
    return result + part


@scalar
def notional(price: int, lots: int, tv: int) -> int:
    """Return the value of `lots` at `price` in money units; negative for negative lots."""
    return price * lots * tv


@scalar
def round_down(price: int, step: int) -> int:
    """Return the largest multiple of `step` (> 0) that is <= price."""
    return price // step * step


@scalar
def round_up(price: int, step: int) -> int:
    """Return the smallest multiple of `step` (> 0) that is >= price."""
    return -(-price // step) * step
