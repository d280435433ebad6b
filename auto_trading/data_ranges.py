"""Ranges [from, to) of time in ms: what is known, what is missing, what the venue does not have."""

from collections.abc import Iterable, Sequence

import numpy as np

from crypto_trader_pro.domain.market import Ints

Range = tuple[int, int]


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Return the same time in as few ranges as possible, in order; empty ones are dropped.

    >>> joined([(5, 7), (0, 2), (2, 4), (6, 9), (3, 3)])
    [(0, 4), (5, 9)]
    """
    found: list[Range] = []
    for first, last in sorted(r for r in ranges if r[0] < r[1]):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def without(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """Return what of `ranges` is in none of `taken`.

    >>> without([(0, 10)], [(2, 4), (9, 12)])
    [(0, 2), (4, 9)]
    """
    away = joined(taken)
    found: list[Range] = []
    for first, last in joined(ranges):
        for begin, end in away:
            if end <= first or begin >= last:
                continue
            found.append((first, begin))
            first = end
        found.append((first, last))
    return joined(found)


def within(ranges: Iterable[Range], from_ms: int, to_ms: int) -> list[Range]:
    """Return what of `ranges` lies in [from_ms, to_ms).

    >>> within([(0, 4), (6, 9)], 2, 7)
    [(2, 4), (6, 7)]
    """
    return joined((max(first, from_ms), min(last, to_ms)) for first, last in ranges)


def runs(times: Ints | Sequence[int], step: int) -> list[Range]:
    """Return the ranges that candles of `step` ms cover, from their increasing open times.

    >>> runs([0, 5, 10, 20], 5)
    [(0, 15), (20, 25)]
    """
    at = np.asarray(times, dtype=np.int64)
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(at) > step)
    firsts = [int(at[0]), *at[breaks + 1].tolist()]
    lasts = [*at[breaks].tolist(), int(at[-1])]
    return [(first, last + step) for first, last in zip(firsts, lasts, strict=True)]


def total(ranges: Iterable[Range]) -> int:
    """Return how long the ranges are together, in ms."""
    return sum(last - first for first, last in ranges)
