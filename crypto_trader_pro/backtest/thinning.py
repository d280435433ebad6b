"""Fewer points of a curve, of which a picture still shows every extreme."""

import numpy as np

from crypto_trader_pro.domain.market import Floats, Ints


def kept(values: Ints | Floats, most: int) -> Ints:
    """Return places of at most about `most` values: of each piece first, lowest, highest, last.

    >>> kept(np.array([1.0, 5.0, 2.0, 0.0, 3.0, 4.0, 9.0, 8.0]), 4).tolist()
    [0, 3, 6, 7]
    """
    n = len(values)
    if n <= most:
        return np.arange(n, dtype=np.int64)
    size = -(-n // max(1, most // 4))
    places: list[int] = []
    for start in range(0, n, size):
        piece = values[start : start + size]
        last = start + len(piece) - 1
        places += [start, start + int(piece.argmin()), start + int(piece.argmax()), last]
    return np.unique(np.array(places, np.int64))
