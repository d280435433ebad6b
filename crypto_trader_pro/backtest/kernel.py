"""The compiled engine: one pass over the candles, in whole numbers, by the engine's own rules.

Plain Python that Numba compiles as it stands; uncompiled it gives the same, slowly, which is how it
is tested statement by statement. A stretch without position, order or signal is jumped over: the
account cannot change in it, only the trading day can.
"""

from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.kernel_risk import account_equity, decide, draw_lines, mark
from crypto_trader_pro.backtest.kernel_state import Events, Market, Out, Rules, State, kernel
from crypto_trader_pro.backtest.kernel_venue import (
    liquidate_cross,
    liquidate_isolated,
    play_candle,
)
from crypto_trader_pro.simulation.matching import bracket


@kernel
def open_account(m: Market, r: Rules, st: State) -> None:
    """Start with the opening balance; the day and the peak begin there."""
    a = st.account
    a[:] = 0
    st.symbols[:] = 0
    st.counts[:] = 0
    st.last_entry[:] = 0
    for s in range(st.symbols.shape[0]):
        st.symbols[s, k.FUNDING_NEXT] = m.funding_from[s]
    a[k.CASH] = r.terms.opening
    a[k.EQUITY] = r.terms.opening
    a[k.PEAK] = r.terms.opening
    a[k.DAY_START] = r.terms.opening
    a[k.NOW_MS] = r.terms.start_ms
    draw_lines(r, st)


@kernel
def is_active(st: State, s: int) -> bool:
    """True while the symbol has a position or an order."""
    x = st.symbols[s]
    return bool(x[k.POSITION] != 0 or x[k.ENTRY] != 0 or x[k.EXIT] != 0 or x[k.REST] != 0)


@kernel
def is_busy(st: State) -> bool:
    for s in range(st.symbols.shape[0]):  # noqa: SIM110  the compiler knows no generators
        if is_active(st, s):
            return True
    return False


@kernel
def is_quiet(m: Market, st: State, t: int, s: int) -> bool:
    """True when the candle does nothing to a position that merely rests on its protection."""
    x = st.symbols[s]
    if x[k.ENTRY] != 0 or x[k.EXIT] != 0 or x[k.REST] != 0:
        return False
    i = x[k.FUNDING_NEXT]
    if i < m.funding_from[s + 1] and m.funding[i, 0] <= m.open_ms[t]:
        return False
    if x[k.STOP] != 0 and x[k.STOP_TRAIL] != 0:
        return False
    hit, _ = bracket(
        1 if x[k.POSITION] > 0 else -1, m.open[t, s], m.high[t, s], m.low[t, s],
        x[k.STOP_PRICE] if x[k.STOP] != 0 else 0,
        x[k.TARGET_PRICE] if x[k.TARGET] != 0 else 0,
    )  # fmt: skip
    return bool(hit == 0)


@kernel
def is_safe(m: Market, st: State, t: int) -> bool:
    """True when the account is worth more than all its positions at the row's worst prices."""
    worst = st.account[k.CASH]
    gross = 0
    for s in range(st.symbols.shape[0]):
        position = st.symbols[s, k.POSITION]
        if position == 0:
            continue
        if m.volume[t, s] < 0:
            return False
        price = m.low[t, s] if position > 0 else m.high[t, s]
        value = price * position * m.instruments[s, k.IN_TV]
        worst += value
        if m.instruments[s, k.IN_SHORT] != 0:
            gross += abs(value)
    return bool(worst > gross)


@kernel
def play_row(m: Market, r: Rules, st: State, out: Out, t: int, is_last: int) -> None:
    """Play one instant at the venue."""
    close_ms = m.open_ms[t] + r.terms.bar_ms
    for s in range(st.symbols.shape[0]):
        if m.volume[t, s] >= 0 and is_active(st, s) and not is_quiet(m, st, t, s):
            play_candle(m, r, st, out, t, s, close_ms, is_last)
    if st.account[k.OPEN] != 0:
        if r.costs.isolated_rate != 0:
            liquidate_isolated(m, r, st, out, t, close_ms)
        elif not is_safe(m, st, t):
            liquidate_cross(m, r, st, out, t, close_ms)


@kernel
def is_calm(m: Market, st: State, at_ms: int, equity: int) -> bool:
    """True when the ladders have nothing to do at this equity."""
    a = st.account
    if a[k.DAILY_LEVEL] != 0 or a[k.DRAWDOWN_LEVEL] != 0 or a[k.FLATTENING] != 0:
        return False
    if equity > a[k.PEAK] or at_ms > m.day_end_ms[a[k.DAY]]:
        return False
    return bool(equity > a[k.LINE_WARN] and equity > a[k.LINE_REDUCE])


@kernel
def decide_all(
    m: Market, e: Events, r: Rules, st: State, out: Out, t: int, c: int, cursor: int
) -> int:
    """Decide about each symbol in turn; return the place of the next event."""
    count = e.table.shape[0]
    for s in range(st.symbols.shape[0]):
        first = cursor
        while (
            cursor < count
            and e.table[cursor, k.EV_ROW] == c
            and (e.table[cursor, k.EV_SYMBOL] == s)
        ):
            cursor += 1
        if m.decision_volume[c, s] >= 0 and (cursor > first or st.symbols[s, k.DEADLINE] != 0):
            decide(m, e, r, st, out, t, c, s, first, cursor)
    return cursor


@kernel
def fault(r: Rules, st: State, out: Out) -> int:
    """Return why the run cannot go on: an output is nearly full, or what the kernel cannot do."""
    a = st.account
    symbols = st.symbols.shape[0]
    if a[k.FAULT] != 0:
        return int(a[k.FAULT])
    if a[k.EQUITY] > r.terms.highest_equity or a[k.EQUITY] < -r.terms.highest_equity:
        return k.TOO_LARGE
    if a[k.ORDERS] + 6 * symbols > out.orders.shape[0]:
        return k.FULL
    if a[k.FILLS] + 5 * symbols > out.fills.shape[0]:
        return k.FULL
    if a[k.EVENTS] + 4 > out.events.shape[0] or a[k.MASKS] + symbols > out.masks.shape[0]:
        return k.FULL
    return k.DONE


@kernel
def jump(m: Market, e: Events, st: State, out: Out, c: int, cursor: int) -> int:
    """Return the next decision candle at which anything can happen; the equity stays until then."""
    target = m.decision_ms.shape[0] - 1
    if cursor < e.table.shape[0] and e.table[cursor, k.EV_ROW] < target:
        target = e.table[cursor, k.EV_ROW]
    if m.day_row[st.account[k.DAY]] < target:
        target = m.day_row[st.account[k.DAY]]
    if target > c:
        out.equity[c:target] = st.account[k.EQUITY]
        return int(target)
    return c


@kernel
def play(m: Market, e: Events, r: Rules, st: State, out: Out) -> int:
    """Play every candle; return DONE, or why the run is void."""
    open_account(m, r, st)
    a = st.account
    count = m.decision_ms.shape[0]
    has_detail = m.ends.shape[0] != 0
    cursor, t, c = 0, 0, 0
    while c < count:
        if not is_busy(st):
            c = jump(m, e, st, out, c, cursor)
            t = c if not has_detail else (m.ends[c - 1] + 1 if c > 0 else 0)
        last = m.ends[c] if has_detail else c
        while t <= last:
            code = fault(r, st, out)
            if code != k.DONE:
                return code
            play_row(m, r, st, out, t, 1 if t == last else 0)
            t += 1
        at_ms = m.decision_ms[c] + r.terms.decision_ms
        equity = account_equity(m, st, last)
        out.equity[c] = equity
        speaks = cursor < e.table.shape[0] and e.table[cursor, k.EV_ROW] == c
        if not speaks and a[k.DEADLINES] == 0 and is_calm(m, st, at_ms, equity):
            a[k.EQUITY] = equity
            if a[k.OPEN] != 0:
                a[k.HELD] = 1
        else:
            mark(m, r, st, out, at_ms, equity)
            if at_ms % r.terms.interval_ms == 0:
                cursor = decide_all(m, e, r, st, out, last, c, cursor)
        c += 1
    if count > 0:  # the time since the last change belongs to the state there is
        at_ms = m.decision_ms[count - 1] + r.terms.decision_ms
        st.counts[k.COUNT_STATE + a[k.TRADING_STATE]] += at_ms - a[k.NOW_MS]
        a[k.NOW_MS] = at_ms
    return fault(r, st, out) if a[k.FAULT] != 0 else k.DONE
