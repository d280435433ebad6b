"""One run of a sweep from candles to figures, without a step outside the compiled code."""

from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.kernel import play
from crypto_trader_pro.backtest.kernel_state import Events, Flags, Market, Out, Rules, kernel
from crypto_trader_pro.backtest.passes import cross_pass
from crypto_trader_pro.domain.market import Ints


@kernel
def judge_pass(rows: Ints, gate: Flags, volatility: Ints, table: Ints) -> None:
    """Add to each event of the only symbol what an entry is judged by: its candle."""
    for i in range(table.shape[0]):
        v = table[i]
        c = v[k.EV_ROW]
        v[k.EV_PRICE] = rows[c, k.CLOSE]
        v[k.EV_VOLUME] = rows[c, k.VOLUME]
        v[k.EV_REFERENCE] = rows[c - 1, k.CLOSE] if c > 0 else rows[c, k.OPEN]
        v[k.EV_GATE] = gate[c]
        v[k.EV_VOLATILITY] = volatility[c]


@kernel
def figures_pass(equity: Ints, opening: int, day_rows: Ints, figures: Ints) -> None:
    """Write the equity at `day_rows`, then the two equities of the largest fall: low and peak."""
    days = day_rows.shape[0]
    for i in range(days):
        figures[i] = equity[day_rows[i]]
    peak, low, high, worst = opening, opening, opening, 0.0
    for i in range(equity.shape[0]):
        worth = equity[i]
        if worth > peak:
            peak = worth
        elif worth < low or peak > high:
            fall = (peak - worth) / peak
            if fall > worst:
                worst, low, high = fall, worth, peak
    figures[days] = low
    figures[days + 1] = high


@kernel
def sweep_run(
    m: Market, close: Ints, gate: Flags, restart: Flags, volatility: Ints, alpha_fast: float,
    alpha_slow: float, warmup: int, shorts: int, stop_rate: int, target_rate: int,
    trail_rate: int, reason: int, r: Rules, st: Ints, out: Out, table: Ints, day_rows: Ints,
    figures: Ints,
) -> int:  # fmt: skip
    """Compute the signals of `EmaCross` on the only symbol, play them, tell the figures.

    Arguments as `cross_pass`, `play` and `figures_pass`; returns what `play` does.
    """
    n = cross_pass(
        close, restart, alpha_fast, alpha_slow, warmup, shorts, stop_rate, target_rate,
        trail_rate, 0, 0, reason, table,
    )  # fmt: skip
    events = table[:n]
    judge_pass(m.rows, gate, volatility, events)
    code = play(m, Events(events), r, st, out)
    if code == k.DONE:
        figures_pass(out.equity, r.terms.opening, day_rows, figures)
    return int(code)
