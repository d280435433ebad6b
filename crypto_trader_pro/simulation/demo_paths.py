"""Seeded random paths with regimes: the log price and its volatility, week by week.

Time is cut into weeks of 2,016 candles of five minutes. Every week of every stream ("market",
"BTC", ...) has random generators of its own (Philox, keyed by seed and stream, counted by week and
purpose), so a week can be made without any other and comes out the same whenever it is made.

Level      The log price at the borders of weeks is a Brownian motion pinned to independent draws
           every eight weeks (Levy's construction by midpoints): it wanders like a price over days
           and returns over months. It is zero at week 0, the demo's time zero.
Regimes    Within a week a semi-Markov chain: up, down, range, turbulent. Durations are at least
           `SHORTEST` candles and on average `MEAN_DURATION`; the next regime differs from the last.
           Each week's chain begins anew from the usual shares. The opening is staged: every stream
           falls for the last `OPENING_DOWN` candles before time zero and rises for the first
           `OPENING_UP` after it, so that a trend rule has something to do within the first hours.
Returns    Drift of the regime plus noise, both in units of the stream's sigma. The noise is a
           normal draw z, made fat-tailed as z + z**3 / 25, times the volatility.
Volatility The regime's, times a factor that moves smoothly between independent log-normal draws
           every two hours: calm and busy hours come in clusters.
Bridge     What the week's returns miss to the next week's level is spread evenly over the week:
           a few hundredths of a sigma per candle.

Only + - * /, sqrt, min and max act on the draws, which are rounded alike on every CPU. The draws
themselves are NumPy's: a version of NumPy that draws otherwise makes another market.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

import numpy as np

from crypto_trader_pro.domain.market import Floats, Ints

STEPS: Final = 2016  # candles of five minutes in a week
SHORTEST: Final = 36
MEAN_DURATION: Final = 120
OPENING_DOWN: Final = 36
OPENING_UP: Final = 48
FAT: Final = 0.04  # share of the cube in the noise
_FAT_SIGMA: Final = math.sqrt(1.0 + 6.0 * FAT + 15.0 * FAT * FAT)  # of z + FAT z**3
_PINNED: Final = 8  # weeks between independent levels, a power of two
_WIDEST: Final = 2.5  # levels and volatilities are cut at so many sigmas
_KNOT: Final = 24  # candles between draws of the volatility
_KNOT_SIGMA: Final = 0.3
MASK: Final = (1 << 64) - 1
# what a generator is for: the third word of its counter
_LEVELS, _REGIMES, _RETURNS, CANDLES, MINUTES, FUNDING = range(6)


class Regime(IntEnum):
    UP = 0
    DOWN = 1
    RANGE = 2
    TURBULENT = 3


DRIFT: Final = (0.22, -0.22, 0.0, 0.0)  # per candle, in sigmas of the stream
VOLATILITY: Final = (0.81, 0.81, 0.64, 1.45)
SHARE: Final = (0.3, 0.3, 0.25, 0.15)  # how often a regime is drawn


@dataclass(frozen=True, slots=True, eq=False)
class Week:
    """One week of a stream."""

    level: Floats  # log price at the borders of its candles, shape (STEPS + 1,)
    sigma: Floats  # standard deviation of each candle's noise, shape (STEPS,)


def draws(seed: int, stream: str, week: int, purpose: int) -> np.random.Generator:
    """Return the generator of one purpose of one week of a stream (at most 8 bytes long)."""
    key = np.array([seed & MASK, int.from_bytes(stream.encode(), "big")], dtype=np.uint64)
    counter = np.array([0, week & MASK, purpose, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=key))


def exponential(x: Floats) -> Floats:
    """Return e**x to 10 digits for |x| < 4, by squaring: libraries differ in the last bit."""
    y = x / 1024.0
    power: Floats = 1.0 + y * (1.0 + y * (0.5 + y * (1.0 / 6.0 + y / 24.0)))
    for _ in range(10):
        power = power * power
    return power


def make_week(seed: int, stream: str, week: int, sigma: float) -> Week:
    """Make one week of a stream whose noise has the standard deviation `sigma` per candle."""
    regime = regimes(seed, stream, week)
    rng = draws(seed, stream, week, _RETURNS)
    local = sigma * np.take(VOLATILITY, regime) * _clusters(rng)
    z = rng.standard_normal(STEPS)
    noise = z * (1.0 + FAT * z * z) * (local / _FAT_SIGMA)
    level = np.empty(STEPS + 1)
    level[0] = 0.0
    np.cumsum(sigma * np.take(DRIFT, regime) + noise, out=level[1:])
    start, end = border(seed, stream, week, sigma), border(seed, stream, week + 1, sigma)
    level += start + np.arange(STEPS + 1) * ((end - start - level[-1]) / STEPS)
    level[-1] = end  # to the last bit what the next week begins with
    return Week(level, local)


def border(seed: int, stream: str, week: int, sigma: float) -> float:
    """Return the log price at the beginning of `week`; 0 at week 0."""
    weekly = sigma * math.sqrt(STEPS)
    levels = _unit_levels(seed, stream, week // _PINNED)
    return weekly * (levels[week % _PINNED] - _unit_levels(seed, stream, 0)[0])


@lru_cache(maxsize=4096)
def _unit_levels(seed: int, stream: str, span: int) -> tuple[float, ...]:
    """Return the levels at the weeks of a span of `_PINNED`, for a weekly sigma of 1."""
    levels = [0.0] * (_PINNED + 1)
    levels[0], levels[_PINNED] = _pin(seed, stream, span), _pin(seed, stream, span + 1)
    # normals of the midpoints; the first draw of a span is its pin
    normals = draws(seed, stream, span, _LEVELS).standard_normal(_PINNED).tolist()
    size = _PINNED
    while size > 1:
        half = size // 2
        for left in range(0, _PINNED, size):
            z = max(-_WIDEST, min(_WIDEST, normals[left + half]))
            middle = (levels[left] + levels[left + size]) / 2
            levels[left + half] = middle + z * math.sqrt(size / 4)
        size = half
    return tuple(levels)


def _pin(seed: int, stream: str, span: int) -> float:
    # two pins differ by what a free walk would have moved: eight weeks of variance 1
    z = float(draws(seed, stream, span, _LEVELS).standard_normal())
    return max(-_WIDEST, min(_WIDEST, z)) * math.sqrt(_PINNED / 2)


def regimes(seed: int, stream: str, week: int) -> Ints:
    """Return the regime of each candle of one week of a stream."""
    rng = draws(seed, stream, week, _REGIMES)
    most = STEPS // SHORTEST + 1
    spread = MEAN_DURATION - SHORTEST
    lengths = SHORTEST + (rng.standard_exponential(most) * spread).astype(np.int64)
    kinds: list[int] = []
    last = -1
    for u in rng.random(most).tolist():
        last = _next_regime(last, u)
        kinds.append(last)
    regime = np.repeat(np.array(kinds, dtype=np.int64), lengths)[:STEPS]
    if week == -1:
        regime[-OPENING_DOWN:] = Regime.DOWN
    elif week == 0:
        regime[:OPENING_UP] = Regime.UP
    return regime


def _next_regime(last: int, u: float) -> int:
    """Choose by the usual shares among the regimes other than `last`."""
    rest = u * (1.0 - (SHARE[last] if last >= 0 else 0.0))
    kind = -1
    for kind in range(len(SHARE)):
        if kind == last:
            continue
        rest -= SHARE[kind]
        if rest < 0.0:
            break
    return kind


def _clusters(rng: np.random.Generator) -> Floats:
    """Return the slow factor of the volatility, straight lines between its draws."""
    knots = np.clip(rng.standard_normal(STEPS // _KNOT + 1), -_WIDEST, _WIDEST)
    factor = exponential(_KNOT_SIGMA * knots)
    share = np.arange(_KNOT) / _KNOT
    return (factor[:-1, None] + (factor[1:] - factor[:-1])[:, None] * share).reshape(-1)
