"""The compiled engine: one pass over the candles, in whole numbers, by the engine's own rules.

Plain Python that Numba compiles as it stands; uncompiled it gives the same, slowly, which is how it
is tested statement by statement. A stretch without position, order or signal is jumped over: the
account cannot change in it, only the trading day can.
"""

from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.kernel_risk import decide_all, draw_lines, mark
from crypto_trader_pro.backtest.kernel_state import Events, Market, Out, Rules, inlined, kernel
from crypto_trader_pro.backtest.kernel_venue import (
    liquidate_cross,
    liquidate_isolated,
    play_candle,
)
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.simulation.matching import bracket


@kernel
def open_account(m: Market, r: Rules, st: Ints) -> None:
    """Start with the opening balance; the day and the peak begin there."""
    a = st[-1]
    st[:] = 0
    for s in range(st.shape[0] - 1):
        st[s, k.FUNDING_NEXT] = m.instruments[s, k.IN_FUNDING]
    a[k.CASH] = r.terms.opening
    a[k.EQUITY] = r.terms.opening
    a[k.PEAK] = r.terms.opening
    a[k.DAY_START] = r.terms.opening
    a[k.NOW_MS] = r.terms.start_ms
    draw_lines(r, st)


@inlined
def is_busy(st: Ints) -> bool:
    """True while any symbol has a position or an order."""
    for s in range(st.shape[0] - 1):
        if st[s, k.POSITION] != 0 or st[s, k.ENTRY] != 0:
            return True
        if st[s, k.EXIT] != 0 or st[s, k.REST] != 0:
            return True
    return False


@inlined
def is_quiet(rows: Ints, instruments: Ints, funding: Ints, st: Ints, t: int, s: int) -> bool:
    """True when the candle does nothing to the symbol: flat, or merely resting on protection."""
    if st[s, k.ENTRY] != 0 or st[s, k.EXIT] != 0 or st[s, k.REST] != 0:
        return False
    if st[s, k.POSITION] == 0:
        return True
    i = st[s, k.FUNDING_NEXT]
    if i < instruments[s, k.IN_FUNDING_END] and funding[i, 0] <= rows[t, 0]:
        return False
    stop, target = 0, 0
    if st[s, k.STOP] != 0:
        if st[s, k.STOP_TRAIL] != 0:
            return False
        stop = st[s, k.STOP_PRICE]
    if st[s, k.TARGET] != 0:
        target = st[s, k.TARGET_PRICE]
    c = 5 * s
    hit, _ = bracket(
        1 if st[s, k.POSITION] > 0 else -1, rows[t, c + k.OPEN], rows[t, c + k.HIGH],
        rows[t, c + k.LOW], stop, target,
    )  # fmt: skip
    return bool(hit == 0)


@inlined
def is_safe(rows: Ints, instruments: Ints, st: Ints, t: int) -> bool:
    """True when the account is worth more than all its positions at the row's worst prices."""
    worst = st[-1, k.CASH]
    gross = 0
    for s in range(st.shape[0] - 1):
        position = st[s, k.POSITION]
        if position == 0:
            continue
        c = 5 * s
        if rows[t, c + k.VOLUME] < 0:
            return False
        price = rows[t, c + k.LOW] if position > 0 else rows[t, c + k.HIGH]
        value = price * position * instruments[s, k.IN_TV]
        worst += value
        if instruments[s, k.IN_SHORT] != 0:
            gross += abs(value)
    return bool(worst > gross)


@inlined
def account_equity(rows: Ints, instruments: Ints, st: Ints, t: int) -> int:
    """Return cash plus all positions at their last price, money units."""
    equity = st[-1, k.CASH]
    for s in range(st.shape[0] - 1):
        position = st[s, k.POSITION]
        if position != 0:
            b = t
            while rows[b, 5 * s + k.VOLUME] < 0:
                b -= 1
            equity += rows[b, 5 * s + k.CLOSE] * position * instruments[s, k.IN_TV]
    return int(equity)


@inlined
def is_calm(days: Ints, st: Ints, at_ms: int, equity: int) -> bool:
    """True when the ladders have nothing to do at this equity."""
    if st[-1, k.DAILY_LEVEL] != 0 or st[-1, k.DRAWDOWN_LEVEL] != 0 or st[-1, k.FLATTENING] != 0:
        return False
    if equity > st[-1, k.PEAK] or at_ms > days[st[-1, k.DAY], 0]:
        return False
    return bool(equity > st[-1, k.LINE_WARN] and equity > st[-1, k.LINE_REDUCE])


@inlined
def fault(r: Rules, st: Ints, out: Out) -> int:
    """Return why the run cannot go on: an output is nearly full, or what the kernel cannot do."""
    a = st[-1]
    symbols = st.shape[0] - 1
    if a[k.FAULT] != 0:
        return int(a[k.FAULT])
    if a[k.EQUITY] > r.terms.highest_equity or a[k.EQUITY] < -r.terms.highest_equity:
        return k.TOO_LARGE
    if a[k.ORDERS] + 6 * symbols > out.orders.shape[0]:
        return k.FULL
    if a[k.FILLS] + 5 * symbols > out.fills.shape[0]:
        return k.FULL
    if a[k.LOGGED] + 4 + symbols > out.log.shape[0]:
        return k.FULL
    return k.DONE


@inlined
def play_row(m: Market, r: Rules, st: Ints, out: Out, t: int, is_last: int) -> int:
    """Play one instant at the venue; return DONE or why the run is void."""
    code = fault(r, st, out)
    if code != k.DONE:
        return int(code)
    close_ms = m.rows[t, 0] + r.terms.bar_ms
    for s in range(st.shape[0] - 1):
        present = m.rows[t, 5 * s + k.VOLUME] >= 0
        if present and not is_quiet(m.rows, m.instruments, m.funding, st, t, s):
            play_candle(m, r, st, out, t, s, close_ms, is_last)
    if st[-1, k.HOLDINGS] != 0:
        if r.costs.isolated_rate != 0:
            liquidate_isolated(m, r, st, out, t, close_ms)
        elif not is_safe(m.rows, m.instruments, st, t):
            liquidate_cross(m, r, st, out, t, close_ms)
    return k.DONE


@inlined
def stretch(
    rows: Ints, days: Ints, instruments: Ints, funding: Ints, st: Ints, equity: Ints, c: int,
    end: int, bar_ms: int,
) -> int:  # fmt: skip
    """Walk from row `c` while nothing happens but that the account is marked; return where it ends.

    Each row is one decision candle, none of them has a signal. The hot loop of the kernel.
    """
    while c < end:
        for s in range(st.shape[0] - 1):
            present = rows[c, 5 * s + k.VOLUME] >= 0
            if present and not is_quiet(rows, instruments, funding, st, c, s):
                return c
        if not is_safe(rows, instruments, st, c):
            return c
        worth = account_equity(rows, instruments, st, c)
        if not is_calm(days, st, rows[c, 0] + bar_ms, worth):
            return c
        equity[c] = worth
        st[-1, k.EQUITY] = worth
        st[-1, k.HELD] = 1
        c += 1
    return c


@inlined
def jump(m: Market, st: Ints, equity: Ints, c: int, end: int) -> int:
    """Return the next decision candle at which anything can happen to an account at rest."""
    target = min(end, m.days[st[-1, k.DAY], 1])
    if target > c:
        equity[c:target] = st[-1, k.EQUITY]
        return int(target)
    return c


@inlined
def skip(m: Market, e: Events, r: Rules, st: Ints, out: Out, c: int, cursor: int) -> int:
    """Return the next decision candle that has to be played in full; at most the last one."""
    has_detail = m.ends.shape[0] != 0
    end = (m.ends.shape[0] if has_detail else m.rows.shape[0]) - 1
    if cursor < e.table.shape[0]:
        end = min(end, e.table[cursor, k.EV_ROW])
    if not is_busy(st):
        return int(jump(m, st, out.equity, c, end))
    if has_detail or st[-1, k.DEADLINES] != 0 or r.costs.isolated_rate != 0:
        return c
    return int(
        stretch(m.rows, m.days, m.instruments, m.funding, st, out.equity, c, end, r.terms.bar_ms)
    )


@kernel
def play(m: Market, e: Events, r: Rules, st: Ints, out: Out) -> int:
    """Play every candle; return DONE, or why the run is void."""
    open_account(m, r, st)
    has_detail = m.ends.shape[0] != 0
    count = m.ends.shape[0] if has_detail else m.rows.shape[0]
    cursor, c = 0, 0
    while c < count:
        c = skip(m, e, r, st, out, c, cursor)
        last = m.ends[c] if has_detail else c
        first = c
        if has_detail:
            first = m.ends[c - 1] + 1 if c > 0 else 0
        for t in range(first, last + 1):
            code = play_row(m, r, st, out, t, 1 if t == last else 0)
            if code != k.DONE:
                return int(code)
        at_ms = m.rows[last, 0] + r.terms.bar_ms
        equity = account_equity(m.rows, m.instruments, st, last)
        out.equity[c] = equity
        mark(m, r, st, out, at_ms, equity)
        if at_ms % r.terms.interval_ms == 0:
            cursor = decide_all(m, e, r, st, out, last, c, cursor)
        c += 1
    return int(st[-1, k.FAULT])
