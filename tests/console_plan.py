"""Which positions a made-up run opens, how each ends, and what a refused entry was refused for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from crypto_trader_pro.domain.enums import OrderRole
from crypto_trader_pro.domain.errors import InputError
from tests.console_market import Market

STRATEGIES: Final = ("ema_cross", "ai_signal")
STILL_OPEN: Final = 4  # positions at the end
_STOP, _TARGET = 0.006, 0.012  # of the price
_RIGHT: Final = 0.675  # of the directions: chance would lose the account to fees within months
_SHORTEST: Final = 8  # candles between two entries


@dataclass(slots=True)
class Life:
    """One position from its entry decision to its exit; numbers are places of candles."""

    symbol: int
    entry: int
    exit: int  # -1: still open
    role: OrderRole
    reason: str
    direction: int
    strategy: str
    stop_units: int
    target_units: int


def lives(market: Market, positions: int, rng: np.random.Generator, *, still_open: int) -> list[
    list[Life]
]:  # fmt: skip
    """Return each symbol's positions, oldest first, `positions` in all.

    Raises:
        InputError: too few candles for so many.
    """
    symbols = len(market.instruments)
    shares = [positions // symbols + (i < positions % symbols) for i in range(symbols)]
    width = len(market) // max(1, *shares, 1)
    if width < _SHORTEST:
        raise InputError(
            f"{positions} positions do not fit into {len(market)} candles of {symbols} symbols,"
            f" allowed: {_SHORTEST} candles each"
        )
    found = [_of_symbol(market, i, share, rng) for i, share in enumerate(shares)]
    for own in [own for own in found if own][:still_open]:
        _keep_open(own[-1])
    return found


def _of_symbol(market: Market, i: int, count: int, rng: np.random.Generator) -> list[Life]:
    begins = [len(market) * slot // max(1, count) for slot in range(count + 1)]
    width = len(market) // max(1, count)
    late = rng.integers(0, width // 4 + 1, count)
    is_right = rng.random(count) < _RIGHT
    strategies = rng.integers(0, len(STRATEGIES), count)
    tick = market.instruments[i].tick_units
    close, made = market.close[:, i], []
    for slot in range(count):
        entry = begins[slot] + int(late[slot])
        last = begins[slot + 1] - 2
        price = int(close[entry])
        favoured = 1 if close[last] >= price else -1
        direction = favoured if is_right[slot] else -favoured
        stop, target = _ticks(price * _STOP, tick), _ticks(price * _TARGET, tick)
        life = Life(
            i, entry, last, OrderRole.EXIT, "", direction, STRATEGIES[strategies[slot]], stop,
            target,
        )  # fmt: skip
        _end(life, market, price, last)
        made.append(life)
    return made


def _ticks(units: float, tick: int) -> int:
    return max(1, round(units / tick)) * tick


def _end(life: Life, market: Market, price: int, last: int) -> None:
    """Find where stop or target is touched first; else the strategy closes at `last`."""
    here = slice(life.entry + 1, last + 1)
    high, low = market.high[here, life.symbol], market.low[here, life.symbol]
    if life.direction > 0:
        stopped, won = low <= price - life.stop_units, high >= price + life.target_units
    else:
        stopped, won = high >= price + life.stop_units, low <= price - life.target_units
    touched = stopped | won
    if not touched.any():
        life.reason = "cross_down" if life.direction > 0 else "cross_up"
        return
    first = int(np.argmax(touched))
    life.exit = life.entry + 1 + first
    life.role = OrderRole.STOP if stopped[first] else OrderRole.TARGET


def _keep_open(life: Life) -> None:
    life.exit, life.role, life.reason = -1, OrderRole.EXIT, ""


# changes of `RiskInputs` that make one rule refuse, weighted as a year of trading has them; "now"
# is the candle's close, "tomorrow" the end of the trading day, "far" a price beyond the collar
REFUSALS: Final[tuple[tuple[int, Mapping[str, int | str]], ...]] = (
    (18, {"bars_since_exit": 1, "cooldown_bars": 6}),
    (16, {"open_positions": 10}),
    (16, {"has_model": 1, "edge_mbp": 4_000, "edge_margin_mbp": 20_000}),
    (8, {"gate_state": 1}),
    (7, {"stops_in_row": 3, "locked_until_ms": "tomorrow"}),
    (7, {"volume": 1}),
    (6, {"safety": 2}),
    (5, {"entries_today": 1_000}),
    (5, {"daily_level": 2}),
    (5, {"drawdown_level": 1, "trading_state": 1}),
    (3, {"entries_now": 20}),
    (2, {"reference": "far"}),
    (2, {"last_entry_ms": "now"}),
)
