"""The ladders, the gate before an entry and the decisions, in the kernel.

Each function is what the one of the same name in `auto_trading/risk_manager.py`,
`emergency_stop.py`, `decision_maker.py` or `trade_executor.py` does.
"""

from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.kernel_books import (
    ACKNOWLEDGED,
    BY_EXIT,
    BY_FLATTEN,
    CANCELED,
    WORKING,
    end_entry,
    new_order,
)
from crypto_trader_pro.backtest.kernel_state import Events, Market, Out, Rules, inlined, kernel
from crypto_trader_pro.backtest.kernel_venue import last_close
from crypto_trader_pro.backtest.result import ROLES
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.units import notional, rate_ceil, rate_floor
from crypto_trader_pro.risk.limits import limit_line, loss_level
from crypto_trader_pro.risk.room import entry_room, safety_bits, sizing_equity
from crypto_trader_pro.risk.sizing import size_lots
from crypto_trader_pro.risk.verdict import order_mask, state_mask

_ENTRY = ROLES.index("entry")
_EXIT = ROLES.index("exit")
_STOP = ROLES.index("stop")
_TARGET = ROLES.index("target")
_FLATTEN = ROLES.index("flatten")


# --- the day and the ladders ------------------------------------------------------------------


@kernel
def draw_lines(r: Rules, st: Ints) -> None:
    """Recompute the limits as equities; only a new day or a new peak moves them."""
    a, x = st[-1], r.limits
    a[k.LINE_WARN] = limit_line(a[k.DAY_START], x.daily_warning_rate)
    a[k.LINE_LOSS] = limit_line(a[k.DAY_START], x.daily_loss_rate)
    a[k.LINE_REDUCE] = limit_line(a[k.PEAK], x.drawdown_reduce_rate)
    a[k.LINE_KILL] = limit_line(a[k.PEAK], x.drawdown_kill_rate)
    a[k.LINE_RECOVER] = limit_line(a[k.PEAK], x.drawdown_recover_rate)


@kernel
def log(st: Ints, out: Out, what: int, number: int) -> None:
    a = st[-1]
    n = a[k.LOGGED]
    a[k.LOGGED] = n + 1
    out.log[n, 0] = a[k.NOW_MS]
    out.log[n, 1] = what
    out.log[n, 2] = number


@kernel
def start_day(m: Market, r: Rules, st: Ints, at_ms: int) -> None:
    """Begin the trading day that contains the instant before `at_ms`."""
    a = st[-1]
    while m.days[a[k.DAY], 0] < at_ms:
        a[k.DAY] += 1
    a[k.DAY_START] = a[k.EQUITY]
    a[k.DAILY_LEVEL] = 0
    a[k.ENTRIES_TODAY] = 0
    a[k.HELD] = 0
    draw_lines(r, st)


@inlined
def roll_day(m: Market, r: Rules, st: Ints, out: Out, at_ms: int) -> None:
    a = st[-1]
    if a[k.DRAWDOWN_LEVEL] == 1 and a[k.HELD] == 0:
        a[k.FLAT_DAYS] += 1
        if a[k.FLAT_DAYS] >= r.limits.drawdown_reset_days:
            log(st, out, k.LADDER + 5, a[k.EQUITY])
            a[k.PEAK] = a[k.EQUITY]
            a[k.DRAWDOWN_LEVEL] = 0
            a[k.FLAT_DAYS] = 0
    else:
        a[k.FLAT_DAYS] = 0
    start_day(m, r, st, at_ms)


@kernel
def set_state(st: Ints) -> None:
    a = st[-1]
    if a[k.HALTED] != 0 or a[k.DAILY_LEVEL] == 2 or a[k.DRAWDOWN_LEVEL] == 2:
        a[k.TRADING_STATE] = 2
    else:
        a[k.TRADING_STATE] = 1 if a[k.DRAWDOWN_LEVEL] == 1 else 0


@kernel
def make_exit(r: Rules, st: Ints, out: Out, s: int, role: int, reason: int) -> int:
    """Make a market order that closes the position; 0 if one is under way or nothing is open."""
    x = st[s]
    position = x[k.POSITION]
    if position == 0 or x[k.EXIT] != 0:
        return 0
    side = -1 if position > 0 else 1
    number = new_order(
        st, out, s, side, role, x[k.OWNER], st[-1, k.NOW_MS], abs(position), WORKING, reason
    )
    x[k.EXIT] = number
    x[k.EXIT_SIDE] = side
    x[k.EXIT_LOTS] = abs(position)
    x[k.EXIT_DELAY] = r.costs.latency_bars
    x[k.EXIT_ROLE] = BY_FLATTEN if role == _FLATTEN else BY_EXIT
    if x[k.REST] != 0:
        x[k.REST_FIRST] = 1
    return number


@kernel
def flatten(r: Rules, st: Ints, out: Out, reason: int) -> None:
    for s in range(st.shape[0] - 1):
        make_exit(r, st, out, s, _FLATTEN, reason)


@kernel
def cancel_entries(st: Ints, out: Out) -> None:
    for s in range(st.shape[0] - 1):
        if st[s, k.ENTRY] != 0:
            end_entry(st, out, s, CANCELED, k.ASKED)


@inlined
def climb(r: Rules, st: Ints, out: Out, equity: int) -> None:
    """Let the ladders see the equity, and do what they ask for."""
    a = st[-1]
    level = loss_level(equity, a[k.LINE_WARN], a[k.LINE_LOSS])
    exceeded = 0
    if level > a[k.DAILY_LEVEL]:
        a[k.DAILY_LEVEL] = level
        exceeded = 1 if level == 2 else 0
        log(st, out, k.LADDER + exceeded, equity)
    level = loss_level(equity, a[k.LINE_REDUCE], a[k.LINE_KILL])
    killed = 0
    if level > a[k.DRAWDOWN_LEVEL]:
        a[k.DRAWDOWN_LEVEL] = level
        killed = 1 if level == 2 else 0
        log(st, out, k.LADDER + 2 + killed, equity)
    elif a[k.DRAWDOWN_LEVEL] == 1 and equity > a[k.LINE_RECOVER]:
        a[k.DRAWDOWN_LEVEL] = 0
        log(st, out, k.LADDER + 4, equity)
    set_state(st)
    if exceeded != 0:
        cancel_entries(st, out)
        if r.terms.flattens_daily != 0:
            flatten(r, st, out, k.DAILY_LOSS)
    if killed != 0:
        a[k.HALTED] = 1
        set_state(st)
        cancel_entries(st, out)
        a[k.FLATTENING] = 1 if a[k.HOLDINGS] > 0 and r.terms.flattens_drawdown != 0 else 0


@inlined
def mark(m: Market, r: Rules, st: Ints, out: Out, at_ms: int, equity: int) -> None:
    """Take the equity at a candle close."""
    a = st[-1]
    st[-1, k.COUNT_STATE + a[k.TRADING_STATE]] += at_ms - a[k.NOW_MS]
    a[k.NOW_MS] = at_ms
    a[k.ENTRIES_NOW] = 0
    new_day = at_ms > m.days[a[k.DAY], 0]
    held = 1 if a[k.HOLDINGS] > 0 else 0
    if equity == a[k.EQUITY] and not new_day:
        a[k.HELD] |= held
    else:
        if new_day:
            roll_day(m, r, st, out, at_ms)
        a[k.HELD] |= held
        a[k.EQUITY] = equity
        if equity > a[k.PEAK]:
            a[k.PEAK] = equity
            draw_lines(r, st)
        climb(r, st, out, equity)
    if a[k.FLATTENING] != 0:
        if a[k.HOLDINGS] == 0:
            a[k.FLATTENING] = 0
        else:
            flatten(r, st, out, k.DRAWDOWN)


@kernel
def gross_value(m: Market, st: Ints, t: int) -> int:
    """Return the sum of absolute position values at their last price, money units."""
    gross = 0
    for s in range(st.shape[0] - 1):
        position = st[s, k.POSITION]
        if position != 0:
            gross += abs(notional(last_close(m, t, s), position, m.instruments[s, k.IN_TV]))
    return gross


# --- decisions --------------------------------------------------------------------------------


@inlined
def close_if_wished(e: Events, r: Rules, st: Ints, out: Out, s: int, first: int, end: int) -> int:
    """Close the position when its time is up or its own strategy says so; the order's number."""
    a, x = st[-1], st[s]
    position = x[k.POSITION]
    if position == 0 or a[k.HALTED] != 0:
        return 0
    if x[k.DEADLINE] != 0 and a[k.NOW_MS] >= x[k.DEADLINE]:
        return int(make_exit(r, st, out, s, _EXIT, k.TIME_OUT))
    for i in range(first, end):
        v = e.table[i]
        against = v[k.EV_DIRECTION] * position < 0
        if v[k.EV_CLOSES] != 0 and against and v[k.EV_STRATEGY] == x[k.OWNER]:
            return int(make_exit(r, st, out, s, _EXIT, v[k.EV_REASON]))
    return 0


@inlined
def send_entry(
    m: Market, e: Events, r: Rules, st: Ints, out: Out, s: int, i: int, lots: int
) -> None:
    """Make the entry and its protection, and count it."""
    a, x, v = st[-1], st[s], e.table[i]
    side = v[k.EV_DIRECTION]
    at_ms = a[k.NOW_MS]
    strategy = v[k.EV_STRATEGY]
    x[k.ENTRY] = new_order(st, out, s, side, _ENTRY, strategy, at_ms, lots, WORKING, 0)
    x[k.WAITING_STOP] = new_order(st, out, s, -side, _STOP, strategy, at_ms, lots, ACKNOWLEDGED, 0)
    x[k.WAITING_TARGET] = 0
    if v[k.EV_TARGET] != 0:
        x[k.WAITING_TARGET] = new_order(
            st, out, s, -side, _TARGET, strategy, at_ms, lots, ACKNOWLEDGED, 0
        )
    x[k.ENTRY_SIDE] = side
    x[k.ENTRY_LOTS] = lots
    x[k.ENTRY_STOP_UNITS] = v[k.EV_STOP]
    x[k.ENTRY_TARGET_UNITS] = v[k.EV_TARGET]
    x[k.ENTRY_TRAIL] = v[k.EV_TRAIL]
    x[k.ENTRY_BARS] = r.costs.entry_ttl_bars
    x[k.ENTRY_DELAY] = r.costs.latency_bars
    x[k.ENTRY_STARTED] = 0
    x[k.ENTRY_HOLD] = v[k.EV_HOLD]
    x[k.ENTRY_STRATEGY] = strategy
    value = notional(v[k.EV_PRICE], lots, m.instruments[s, k.IN_TV])
    x[k.ENTRY_RESERVED] = value + rate_ceil(value, m.instruments[s, k.IN_TAKER])
    a[k.RESERVED] += x[k.ENTRY_RESERVED]
    a[k.ENTRIES] += 1
    a[k.ENTRIES_TODAY] += 1
    a[k.ENTRIES_NOW] += 1
    st[s, k.LAST_ENTRY + 2 * strategy + (1 if side < 0 else 0)] = at_ms


@inlined
def verdict(
    m: Market, e: Events, r: Rules, st: Ints, t: int, s: int, i: int
) -> tuple[int, int, int]:
    """Size the entry that event `i` wishes for and ask every rule: (mask, lots, bound)."""
    a, x, v, lim = st[-1], st[s], e.table[i], r.limits
    at_ms, position = a[k.NOW_MS], x[k.POSITION]
    tv, can_short = m.instruments[s, k.IN_TV], m.instruments[s, k.IN_SHORT]
    taker = m.instruments[s, k.IN_TAKER]
    price = v[k.EV_PRICE]
    gross = gross_value(m, st, t)
    opened = a[k.HOLDINGS] + a[k.ENTRIES]
    busy = 1 if x[k.ENTRY] != 0 else 0
    if x[k.EXIT] != 0:  # a reversal: the position that leaves frees its slot and its room
        gross -= abs(notional(last_close(m, t, s), position, tv))
        if position != 0:
            opened -= 1
    elif position != 0:
        busy = 1
    equity = sizing_equity(a[k.EQUITY], lim.capital_cap)
    taken = gross + a[k.RESERVED]
    room = entry_room(equity, lim.leverage_rate, can_short, taken, lim.max_order_notional)
    poor = 0
    if can_short == 0 and a[k.CASH] < rate_floor(a[k.EQUITY], lim.min_balance_rate):
        poor = 1
    lots, bound = size_lots(
        equity, price, tv, v[k.EV_STOP], lim.size_rate, lim.risk_rate, room, taker,
        v[k.EV_VOLUME], lim.volume_share, m.instruments[s, k.IN_MAX_LOTS],
    )  # fmt: skip
    side = v[k.EV_DIRECTION]
    since = -1
    if x[k.LAST_EXIT] != 0:
        since = (at_ms - x[k.LAST_EXIT]) // r.terms.decision_ms
    mask = state_mask(
        2 if a[k.HALTED] != 0 else 0, v[k.EV_GATE], busy,
        st[s, k.LAST_ENTRY + 2 * v[k.EV_STRATEGY] + (1 if side < 0 else 0)], at_ms,
        a[k.DAILY_LEVEL], a[k.DRAWDOWN_LEVEL], opened, lim.max_positions, since,
        lim.cooldown_bars, a[k.ENTRIES_NOW], lim.max_entries_per_cycle, a[k.ENTRIES_TODAY],
        lim.max_entries_per_day,
    )  # fmt: skip
    mask |= order_mask(
        side, can_short, v[k.EV_MODEL], v[k.EV_EDGE], lim.edge_margin_mbp, price, v[k.EV_STOP],
        v[k.EV_REFERENCE], lim.collar_rate, lots, tv, equity, lim.size_rate,
        m.instruments[s, k.IN_MINIMUM], taker, room, x[k.LOCKED_UNTIL], at_ms,
        safety_bits(0, v[k.EV_VOLATILITY], lim.max_volatility_rate, poor),
    )  # fmt: skip
    return mask, lots, bound


@inlined
def count_refusal(r: Rules, st: Ints, out: Out, s: int, mask: int) -> None:
    st[-1, k.COUNT_REFUSED] += 1
    first = -1
    for bit in range(18):
        if mask >> bit & 1:
            st[-1, k.COUNT_BROKEN + bit] += 1
            if first < 0:
                first = bit
    st[-1, k.COUNT_RULE + first] += 1
    if r.terms.keeps_masks != 0:
        log(st, out, s, mask)


@inlined
def decide(
    m: Market, e: Events, r: Rules, st: Ints, out: Out, t: int, s: int, first: int,
    end: int,
) -> None:  # fmt: skip
    """Decide about symbol `s` at the close of row `t`; its events are [first, end)."""
    closing = close_if_wished(e, r, st, out, s, first, end)
    wished, shadow, refused = 0, 0, 0
    for i in range(first, end):
        v = e.table[i]
        if v[k.EV_DIRECTION] == 0:
            continue
        if v[k.EV_MODEL] != 0:
            shadow = 1
        if v[k.EV_OPENS] == 0:
            continue
        mask, lots, bound = verdict(m, e, r, st, t, s, i)
        if mask == 0:
            send_entry(m, e, r, st, out, s, i, lots)
            st[-1, k.COUNT_ORDERED] += 1
            st[-1, k.COUNT_BOUND + bound] += 1
            return
        if wished == 0:
            refused = mask
        wished = 1
    if wished != 0:
        count_refusal(r, st, out, s, refused)
    elif closing != 0:
        st[-1, k.COUNT_CLOSED] += 1
    elif shadow != 0:
        st[-1, k.COUNT_SHADOW] += 1


@inlined
def decide_all(
    m: Market, e: Events, r: Rules, st: Ints, out: Out, t: int, c: int, cursor: int
) -> int:
    """Decide about each symbol at decision candle `c`; return the place of the next event."""
    count = e.table.shape[0]
    for s in range(st.shape[0] - 1):
        first = cursor
        while (
            cursor < count
            and e.table[cursor, k.EV_ROW] == c
            and (e.table[cursor, k.EV_SYMBOL] == s)
        ):
            cursor += 1
        present = m.rows[t, 5 * s + k.VOLUME] >= 0
        if present and (cursor > first or st[s, k.DEADLINE] != 0):
            decide(m, e, r, st, out, t, s, first, cursor)
    return cursor
