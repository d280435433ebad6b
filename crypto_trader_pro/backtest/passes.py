"""What is computed over a whole series before the kernel plays it: the data gate, the signals."""

from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.kernel_state import Flags, kernel
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.units import rate_ceil
from crypto_trader_pro.simulation.candle_gate import (
    FLAT_RUN,
    MEAN_BARS,
    is_outlier,
    learned_mean,
    outlier_limit,
)
from crypto_trader_pro.strategies.trend_following import cross_side, ema_step


@kernel
def gate_pass(
    open_ms: Ints, high: Ints, low: Ints, close: Ints, volume: Ints, timeframe_ms: int,
    warm_bars: int, multiple: int, gate: Flags, restart: Flags, volatility: Ints,
) -> int:  # fmt: skip
    """Judge each candle as `SymbolGate.check` does, when it is delivered as it closes.

    Args:
        gate: gets 0 green, 1 exit only.
        restart: gets 1 where no candle comes right before.
        volatility: gets the mean absolute move, parts of 1e8.

    Returns:
        0, or 1 + the candle at which the yardstick passes 64 bits.
    """
    next_ms, before, mean, seen, flat, clean = 0, 0, 0, 0, 0, 0
    for i in range(open_ms.shape[0]):
        is_flat = 1 if volume[i] == 0 and high[i] == low[i] else 0
        state = 0
        if open_ms[i] != next_ms:
            state = 1 if clean != 0 else 0
            flat = is_flat
            clean = 1
            restart[i] = 1
        else:
            limit = outlier_limit(mean, multiple)
            if limit > k.LARGEST_LIMIT:
                return i + 1
            if seen < MEAN_BARS:
                seen += 1
            mean = learned_mean(mean, seen, before, close[i], limit)
            clean += 1
            flat = flat + 1 if is_flat != 0 else 0
            restart[i] = 0
            state = is_outlier(high[i], low[i], before, limit)
        if flat >= FLAT_RUN or clean < warm_bars:
            state = 1
        gate[i] = state
        volatility[i] = mean
        next_ms = open_ms[i] + timeframe_ms
        before = close[i]
    return 0


@kernel
def cross_pass(
    close: Ints, restart: Flags, alpha_fast: float, alpha_slow: float, warmup: int, shorts: int,
    stop_rate: int, target_rate: int, trail_rate: int, symbol: int, strategy: int, reason: int,
    table: Ints,
) -> int:  # fmt: skip
    """Write the events of `EmaCross` on one series; return how many.

    Args:
        shorts: 1 where the cross down opens a short position.
        reason: place of "cross_up" in the reasons; "cross_down" follows it.
        table: (candles at least, EV_COLUMNS).
    """
    count, n, side = 0, 0, 0
    fast, slow = 0.0, 0.0
    for i in range(close.shape[0]):
        if restart[i] != 0:
            count, side = 1, 0
            fast = slow = float(close[i])
            continue
        count += 1
        fast = ema_step(fast, alpha_fast, close[i])
        slow = ema_step(slow, alpha_slow, close[i])
        now = cross_side(fast, slow, side)
        if now == side:
            continue
        side = now
        if count <= warmup:
            continue
        v = table[n]
        n += 1
        v[:] = 0
        v[k.EV_ROW] = i
        v[k.EV_SYMBOL] = symbol
        v[k.EV_STRATEGY] = strategy
        v[k.EV_DIRECTION] = side
        v[k.EV_CLOSES] = 1
        v[k.EV_REASON] = reason if side > 0 else reason + 1
        if side > 0 or shorts != 0:
            v[k.EV_OPENS] = 1
            v[k.EV_STOP] = rate_ceil(close[i], stop_rate)
            v[k.EV_TARGET] = rate_ceil(close[i], target_rate)
            v[k.EV_TRAIL] = trail_rate
    return n
