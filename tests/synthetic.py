"""Seeded candle and funding files in which everything happens within a few thousand bars.

The walk alternates trends and noise, so that averages cross and stops and targets are reached. Thin
candles make orders fill in parts, candles without volume fill nothing, spikes jump over stops, and
missing candles leave gaps. The same arguments write the same bytes.
"""

import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

MINUTE: Final = 60_000
START_MS: Final = 1_740_787_200_000  # 2025-03-01T00:00:00Z
_PARTS: Final = 1_000_000  # returns are whole parts of 1e6


@dataclass(frozen=True, slots=True)
class Coin:
    """What a synthetic symbol looks like: where it begins, its grid, and its usual volume."""

    symbol: str
    price: Decimal
    price_unit: Decimal
    lot: Decimal
    lots: int  # mean volume of a candle, lots


BTC: Final = Coin("BTC/USDT:USDT", Decimal(60_000), Decimal("0.01"), Decimal("0.001"), 2_000)
ETH: Final = Coin("ETH/USDT:USDT", Decimal(3_000), Decimal("0.01"), Decimal("0.001"), 40_000)
SOL: Final = Coin("SOL/USDT:USDT", Decimal(150), Decimal("0.0001"), Decimal("0.01"), 80_000)
BTC_SPOT: Final = Coin("BTC/USDT", Decimal(60_000), Decimal("0.01"), Decimal("0.00001"), 200_000)


def write_candles(
    path: Path, coin: Coin, *, seed: int, bars: int, step_ms: int = MINUTE,
    start_ms: int = START_MS, crash_at: int = -1,
) -> Path:  # fmt: skip
    """Write `bars` candles as CSV.gz and return `path`.

    Args:
        crash_at: the candle in which the price more than halves and nobody trades.
    """
    rng = random.Random(f"{seed} {coin.symbol}")
    price = int(coin.price / coin.price_unit)
    lines = ["timestamp,open,high,low,close,volume"]
    drift = left = 0
    at_ms = start_ms
    for bar in range(bars):
        if left == 0:
            left = rng.randint(30, 120)
            drift = rng.choice((-400, -150, 0, 150, 400))
        left -= 1
        if rng.random() < 0.002:
            at_ms += step_ms * rng.randint(1, 12)  # a gap
        row, price = _candle(rng, price, drift)
        lots = _volume(rng, coin.lots)
        if bar == crash_at:
            row, price, lots = (row[0], row[0], row[0] * 2 // 5, row[0] // 2), row[0] // 2, 0
        numbers = [f"{coin.price_unit * units:f}" for units in row]
        lines.append(",".join([str(at_ms), *numbers, f"{coin.lot * lots:f}"]))
        at_ms += step_ms
    return _write(path, lines)


def write_funding(
    path: Path, symbols: Sequence[str], *, seed: int, hours: int, start_ms: int = START_MS
) -> Path:
    """Write a funding rate of both signs for every symbol and full hour, as CSV.gz."""
    rng = random.Random(f"funding {seed}")
    lines = ["timestamp,symbol,funding_rate"]
    for hour in range(hours):
        for symbol in symbols:
            rate = Decimal(rng.randint(-30_000, 30_000)).scaleb(-8)
            lines.append(f"{start_ms + hour * 60 * MINUTE},{symbol},{rate:f}")
    return _write(path, lines)


def _candle(rng: random.Random, close: int, drift: int) -> tuple[tuple[int, int, int, int], int]:
    """Return (open, high, low, close) in price units, and the close to go on from."""
    opened = close + _share(close, round(rng.gauss(0, 60)))
    change = drift + round(rng.gauss(0, 1_200))
    if rng.random() < 0.004:
        change += rng.choice((-1, 1)) * 35_000  # a spike that jumps over stops
    closed = opened + _share(opened, change)
    reach = abs(round(rng.gauss(0, 500)))
    high = max(opened, closed) + _share(opened, reach)
    low = min(opened, closed) - _share(opened, abs(round(rng.gauss(0, 500))))
    return (opened, high, low, closed), closed


def _volume(rng: random.Random, usual: int) -> int:
    kind = rng.random()
    if kind < 0.03:
        return 0
    if kind < 0.30:
        return rng.randint(1, max(1, usual // 10))  # so thin that orders fill in parts
    return rng.randint(usual // 4, usual * 2)


def _share(price: int, parts: int) -> int:
    return price * parts // _PARTS


def _write(path: Path, lines: Sequence[str]) -> Path:
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path
