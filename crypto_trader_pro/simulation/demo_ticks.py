"""The prices inside a demo candle: whole-number arithmetic on a hash, no generator to keep."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar

FEWEST: Final = 4  # near the open, one extreme, the other, near the close
_MASK: Final = (1 << 64) - 1
_PRIME: Final = (1 << 61) - 1


def ticks_between(bar: Bar, tick: int, count: int, key: tuple[int, str, int, int]) -> list[int]:
    """Return `count` prices inside `bar`, multiples of `tick` like the bar's own.

    Straight lines from near the open over both extremes to near the close, with noise of up to an
    eighth of the range. In three of four rising candles the low comes first, in three of four
    falling ones the high, as in a random walk.

    Args:
        key: seed, symbol, timeframe and number of the candle; the same key gives the same prices.

    Raises:
        InputError: `count` is under 4.
    """
    if count < FEWEST:
        raise InputError(f"count of prices in a candle was {count}, at least {FEWEST}")
    open_, high, low, close = (price // tick for price in bar[1:5])
    bits = _bits(key)
    width = high - low
    drift = (close - open_) // (count + 1)
    places = sorted(((next(bits) % (count - 2)) + 1, (next(bits) % (count - 3)) + 1))
    if places[0] == places[1]:
        places[1] += 1
    low_first = (next(bits) % 4 != 0) == (close >= open_)
    knots = [
        (0, _within(low, high, open_ + drift + _noise(next(bits), width))),
        (places[0], low if low_first else high),
        (places[1], high if low_first else low),
        (count - 1, _within(low, high, close - drift + _noise(next(bits), width))),
    ]
    prices = [knots[0][1]]
    for (left, begin), (right, end) in pairwise(knots):
        for place in range(left + 1, right):
            line = begin + (end - begin) * (place - left) // (right - left)
            prices.append(_within(low, high, line + _noise(next(bits), width)))
        prices.append(end)
    return [price * tick for price in prices]


def _noise(bits: int, width: int) -> int:
    """Return a whole number, even around zero, of at most an eighth of `width`."""
    size = width // 8
    return bits % (2 * size + 1) - size


def _within(low: int, high: int, price: int) -> int:
    return low if price < low else high if price > high else price


def _bits(key: tuple[int, str, int, int]) -> Iterator[int]:
    """Yield 64-bit numbers without end: SplitMix64 (Steele, Lea and Flood, 2014) over the key."""
    seed, symbol, timeframe_ms, k = key
    state = seed & _MASK
    name = int.from_bytes(symbol.encode(), "big") % _PRIME
    for word in (name, timeframe_ms, k & _MASK):
        state = _mixed(state ^ word)
    while True:
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        yield _mixed(state)


def _mixed(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
