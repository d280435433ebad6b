"""Corrupted market data: takes good candles and spoils them, one kind of fault at a time."""

import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from crypto_trader_pro.domain.market import Bar


class Fault(NamedTuple):
    """Good candles to feed first, then spoiled ones with the time at which each is delivered.

    The last spoiled candle is the one that the gate must not call green.
    """

    good: Sequence[Bar]
    spoiled: Sequence[tuple[Bar, int]]


Spoil = Callable[[list[Bar], int, random.Random], Fault]


def _on_time(bar: Bar, tf: int) -> tuple[Bar, int]:
    return bar, bar.open_ms + tf


def _replaced(
    change: Callable[[Bar, random.Random], Bar],
) -> Spoil:
    """Spoil the fields of the last candle."""

    def spoil(bars: list[Bar], tf: int, rng: random.Random) -> Fault:
        return Fault(bars[:-1], [_on_time(change(bars[-1], rng), tf)])

    return spoil


def _gap(lost: int) -> Spoil:
    def spoil(bars: list[Bar], tf: int, rng: random.Random) -> Fault:
        later = bars[-1]._replace(open_ms=bars[-1].open_ms + lost * tf)
        return Fault(bars[:-1], [_on_time(later, tf)])

    return spoil


def _duplicate(bars: list[Bar], tf: int, rng: random.Random) -> Fault:
    return Fault(bars, [_on_time(bars[-1], tf)])


def _revised(bars: list[Bar], tf: int, rng: random.Random) -> Fault:
    last = bars[-1]
    close = rng.randint(last.low, last.high)
    return Fault(bars, [_on_time(last._replace(close=close, volume=last.volume + 1), tf)])


def _backward(bars: list[Bar], tf: int, rng: random.Random) -> Fault:
    return Fault(bars, [(rng.choice(bars[:-1]), bars[-1].open_ms + 2 * tf)])


def _swapped(bars: list[Bar], tf: int, rng: random.Random) -> Fault:
    now_ms = bars[-1].open_ms + tf
    return Fault(bars[:-2], [(bars[-1], now_ms), (bars[-2], now_ms)])


def _unclosed(bars: list[Bar], tf: int, rng: random.Random) -> Fault:
    return Fault(bars[:-1], [(bars[-1], bars[-1].open_ms + rng.randrange(tf))])


def _future(bars: list[Bar], tf: int, rng: random.Random) -> Fault:
    moved = bars[-1]._replace(open_ms=bars[-1].open_ms + rng.randint(1, 10_000) * tf)
    return Fault(bars[:-1], [(moved, bars[-1].open_ms + tf)])


def _off_grid(bars: list[Bar], tf: int, rng: random.Random) -> Fault:
    moved = bars[-1]._replace(open_ms=bars[-1].open_ms + rng.randint(1, tf - 1))
    return Fault(bars[:-1], [_on_time(moved, tf)])


def _late(bars: list[Bar], tf: int, rng: random.Random) -> Fault:
    now_ms = bars[-1].open_ms + 3 * tf + rng.randint(1, 100 * tf)
    return Fault(bars[:-1], [(bars[-1], now_ms)])


def _frozen(bars: list[Bar], tf: int, rng: random.Random) -> Fault:
    price = bars[-4].close
    still = [Bar(bar.open_ms, price, price, price, price, 0) for bar in bars[-3:]]
    return Fault(bars[:-3], [_on_time(bar, tf) for bar in still])


def _spike(bar: Bar, rng: random.Random) -> Bar:
    """A print 30 to 90 % away that stays: open as before, close there."""
    close = bar.close * (100 + rng.choice((-1, 1)) * rng.randint(30, 90)) // 100
    return bar._replace(close=close, high=max(bar.high, close), low=min(bar.low, close))


def _wick_up(bar: Bar, rng: random.Random) -> Bar:
    return bar._replace(high=bar.high * (100 + rng.randint(30, 90)) // 100)


def _wick_down(bar: Bar, rng: random.Random) -> Bar:
    return bar._replace(low=bar.low * (100 - rng.randint(30, 90)) // 100)


def _shifted(bar: Bar, rng: random.Random) -> Bar:
    """The decimal point in the wrong place, in all four prices."""
    top, bottom = rng.choice(((10, 1), (100, 1), (1, 10), (1, 100)))
    open_, high, low, close = (price * top // bottom for price in bar[1:5])
    return Bar(bar.open_ms, open_, high, low, close, bar.volume)


def _one_digit(bar: Bar, rng: random.Random) -> Bar:
    """The decimal point in the wrong place in one price."""
    name = rng.choice(("open", "high", "low", "close"))
    return bar._replace(**{name: getattr(bar, name) // 10})


def _zero(bar: Bar, rng: random.Random) -> Bar:
    return bar._replace(**{rng.choice(("open", "high", "low", "close")): 0})


def _negative(bar: Bar, rng: random.Random) -> Bar:
    name = rng.choice(("open", "high", "low", "close"))
    return bar._replace(**{name: -getattr(bar, name)})


FAULTS: Final[dict[str, Spoil]] = {
    "gap of 1": _gap(1),
    "gap of 10": _gap(10),
    "gap of 200": _gap(200),
    "duplicate": _duplicate,
    "revised": _revised,
    "backward": _backward,
    "swapped": _swapped,
    "unclosed": _unclosed,
    "future": _future,
    "off grid": _off_grid,
    "late": _late,
    "frozen": _frozen,
    "spike": _replaced(_spike),
    "wick up": _replaced(_wick_up),
    "wick down": _replaced(_wick_down),
    "decimal point": _replaced(_shifted),
    "one decimal point": _replaced(_one_digit),
    "zero price": _replaced(_zero),
    "negative price": _replaced(_negative),
    "all zero": _replaced(lambda bar, rng: Bar(bar.open_ms, 0, 0, 0, 0, 0)),
    "high below low": _replaced(lambda bar, rng: bar._replace(high=bar.low - 1)),
    "open outside": _replaced(lambda bar, rng: bar._replace(open=bar.high + 1)),
    "close outside": _replaced(lambda bar, rng: bar._replace(close=bar.low - 1)),
    "negative volume": _replaced(lambda bar, rng: bar._replace(volume=-1 - bar.volume)),
}
