"""The fills of a backtest as the lines that a stored run is compared by, and their fingerprint.

A backtest can have a hundred thousand fills and is printed at once: whole numbers become text
without a Decimal for each. The lines are those of `database.run_results`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Final

import numpy as np

from crypto_trader_pro.backtest.result import (
    FILL_AT,
    FILL_FEE,
    FILL_LOTS,
    FILL_PRICE,
    FILL_SIDE,
    FILL_SYMBOL,
    BacktestResult,
)
from crypto_trader_pro.domain.enums import Side
from crypto_trader_pro.domain.instruments import Instrument, plain_text
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.domain.units import MONEY_EXP

_PART: Final = 1 << 12  # fills that are texts at once
MONEY_UNIT: Final = Decimal(1).scaleb(-MONEY_EXP)


def plain_texts(values: Ints, unit: Decimal) -> list[str]:
    """Return each count of `unit` as `plain_text` would write it: no exponent, no padding.

    >>> plain_texts(np.array([1288935, 500, 0, -7]), Decimal("0.01"))
    ['12889.35', '5', '0', '-0.07']
    """
    places, step = _scale(unit)
    if not places:
        return [str(value) for value in (values * step).tolist()]
    width = places + 1
    texts = [str(value).zfill(width) for value in (values * step).tolist() if value >= 0]
    if len(texts) < len(values):
        return [plain_text(unit * value) for value in values.tolist()]  # rare: rebates, funding
    return [f"{t[:-places]}.{t[-places:]}".rstrip("0").rstrip(".") for t in texts]


def time_texts(at_ms: Ints) -> list[str]:
    """Return each instant in ISO 8601 with its zone, as `datetime.isoformat` writes it."""
    if (at_ms % 1000).any():
        return [to_datetime(ms).isoformat() for ms in at_ms.tolist()]
    seconds = (at_ms // 1000).astype("datetime64[s]")
    return [f"{text}+00:00" for text in np.datetime_as_string(seconds).tolist()]


def fill_lines(result: BacktestResult) -> Iterator[str]:
    """Yield time, symbol, side, price, quantity and fee of each fill, in order."""
    for start in range(0, len(result.fills), _PART):  # all texts at once would be 20 MB
        yield from _lines(result.instruments, result.fills[start : start + _PART])


def _lines(instruments: Sequence[Instrument], fills: Ints) -> Iterator[str]:
    symbols = fills[:, FILL_SYMBOL]
    order = np.argsort(symbols, kind="stable")
    prices: list[str] = []
    sizes: list[str] = []
    for i, what in enumerate(instruments):
        rows = fills[symbols == i]
        prices += plain_texts(rows[:, FILL_PRICE], what.price_unit)
        sizes += plain_texts(rows[:, FILL_LOTS], what.lot)
    places = np.argsort(order).tolist()  # of each fill in the texts, which stand symbol by symbol
    names = [f"{what.symbol},{side}," for what in instruments for side in (Side.SELL, Side.BUY)]
    heads = (2 * symbols + (fills[:, FILL_SIDE] > 0)).tolist()
    fees = plain_texts(fills[:, FILL_FEE], MONEY_UNIT)
    times = time_texts(fills[:, FILL_AT])
    for at, head, k, fee in zip(times, heads, places, fees, strict=True):
        yield f"{at},{names[head]}{prices[k]},{sizes[k]},{fee}\n"


def fills_sha256(result: BacktestResult) -> str:
    """Return the SHA-256 over all lines: that of a stored run which traded the same."""
    digest = hashlib.sha256()
    lines = fill_lines(result)
    while part := "".join(islice(lines, _PART)):
        digest.update(part.encode())
    return digest.hexdigest()


def _scale(unit: Decimal) -> tuple[int, int]:
    """Return (decimal places, how many of them a unit has): 0.05 is (2, 5)."""
    exponent = unit.normalize().as_tuple().exponent
    places = max(0, -exponent) if isinstance(exponent, int) else 0
    return places, int(unit.scaleb(places))
