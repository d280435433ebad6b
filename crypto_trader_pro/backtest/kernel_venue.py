"""The venue in the kernel: how one candle fills the orders of one symbol, and liquidation.

The bar order is that of `crypto_trader_pro/simulation/matching.py`; each function is what the one
of the same name in `auto_trading/gateways/simulated_venue.py` does.
"""

from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.kernel_books import (
    BY_ENTRY,
    BY_LIQUIDATION,
    BY_STOP,
    BY_TARGET,
    BY_TRAILING,
    CANCELED,
    EXPIRED,
    WORKING,
    book_fill,
    drop_entry,
    end_entry,
    end_exits,
    end_order,
    end_started,
    end_stop,
    end_target,
    new_order,
    shrink_protection,
    tell,
)
from crypto_trader_pro.backtest.kernel_state import Market, Out, Rules, inlined, kernel
from crypto_trader_pro.backtest.result import (
    FUNDING_AMOUNT,
    FUNDING_AT,
    FUNDING_SYMBOL,
    ROLES,
)
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.units import notional, rate_ceil, rate_floor
from crypto_trader_pro.simulation.costs import fee, funding_cash, slipped_far, taker_rate_of
from crypto_trader_pro.simulation.margin import bankruptcy_price, liquidates, maintenance_of
from crypto_trader_pro.simulation.matching import bracket, stop_price, target_price, trailed

_STOPPED = 1  # of `bracket`
_TARGET_HIT = 2
_FLATTEN = ROLES.index("flatten")


@kernel
def last_close(m: Market, t: int, s: int) -> int:
    """Return the newest close of the symbol at row `t`, price units; 0 before its first candle."""
    while t >= 0:
        if m.rows[t, 5 * s + k.VOLUME] >= 0:
            return int(m.rows[t, 5 * s + k.CLOSE])
        t -= 1
    return 0


@kernel
def range_before(m: Market, t: int, s: int) -> int:
    """Return high - low of the symbol's last candle before row `t`; 0 before its first."""
    t -= 1
    while t >= 0:
        if m.rows[t, 5 * s + k.VOLUME] >= 0:
            return int(m.rows[t, 5 * s + k.HIGH] - m.rows[t, 5 * s + k.LOW])
        t -= 1
    return 0


@kernel
def taker_price(m: Market, r: Rules, t: int, s: int, price: int, side: int, lots: int) -> int:
    """Return the price at which `lots` fill as taker in row `t`."""
    c = r.costs
    rate = taker_rate_of(
        lots, m.rows[t, 5 * s + k.VOLUME], c.slippage_rate, c.half_spread_rate, c.impact_rate
    )
    extra = 0
    if c.range_share != 0:
        extra = rate_ceil(range_before(m, t, s), c.range_share)
    return slipped_far(price, side, rate, extra, m.instruments[s, k.IN_TICK])


@inlined
def fund(m: Market, st: Ints, out: Out, t: int, s: int) -> None:
    """Charge the funding events up to this candle's open on the position there is."""
    a, x = st[-1], st[s]
    i = x[k.FUNDING_NEXT]
    end = m.instruments[s, k.IN_FUNDING_END]
    while i < end and m.funding[i, 0] <= m.rows[t, 0]:
        if x[k.POSITION] != 0:
            amount = funding_cash(
                x[k.POSITION], m.rows[t, 5 * s + k.OPEN], m.instruments[s, k.IN_TV], m.funding[i, 1]
            )
            a[k.CASH] += amount
            n = a[k.FUNDED]
            a[k.FUNDED] = n + 1
            out.funding[n, FUNDING_AT] = m.funding[i, 0]
            out.funding[n, FUNDING_SYMBOL] = s
            out.funding[n, FUNDING_AMOUNT] = amount
        i += 1
    x[k.FUNDING_NEXT] = i


@inlined
def leave_rest(m: Market, r: Rules, st: Ints, out: Out, t: int, s: int, room: int) -> int:
    """Fill what is left of a triggered stop at the open; return the lots."""
    x = st[s]
    number, side = x[k.REST], x[k.REST_SIDE]
    if x[k.POSITION] * side >= 0:
        end_order(out, number, CANCELED, k.NOTHING_TO_REDUCE)
        x[k.REST] = 0
        return 0
    lots = min(x[k.REST_LOTS], abs(x[k.POSITION]), room)
    if lots <= 0:
        return 0
    price = taker_price(m, r, t, s, m.rows[t, 5 * s + k.OPEN], side, lots)
    reason = BY_TRAILING if x[k.REST_TRAILED] != 0 else BY_STOP
    book_fill(m, r, st, out, s, number, side, lots, price, 0, reason, m.rows[t, 0])
    x[k.REST_LOTS] -= lots
    if x[k.REST_LOTS] == 0:
        x[k.REST] = 0
    shrink_protection(st, out, s, number)
    return int(lots)


@inlined
def leave(m: Market, r: Rules, st: Ints, out: Out, t: int, s: int, room: int, is_last: int) -> int:
    """Fill the market exit at the open; return the lots."""
    x = st[s]
    number, side = x[k.EXIT], x[k.EXIT_SIDE]
    if x[k.EXIT_DELAY] != 0:
        x[k.EXIT_DELAY] -= is_last
        return 0
    if x[k.POSITION] * side >= 0:
        end_order(out, number, CANCELED, k.NOTHING_TO_REDUCE)
        x[k.EXIT] = 0
        return 0
    lots = min(x[k.EXIT_LOTS], abs(x[k.POSITION]), room)
    if lots <= 0:
        return 0
    price = taker_price(m, r, t, s, m.rows[t, 5 * s + k.OPEN], side, lots)
    book_fill(m, r, st, out, s, number, side, lots, price, 0, x[k.EXIT_ROLE], m.rows[t, 0])
    x[k.EXIT_LOTS] -= lots
    if x[k.EXIT_LOTS] == 0:
        x[k.EXIT] = 0
    shrink_protection(st, out, s, number)
    return int(lots)


@inlined
def protect(m: Market, st: Ints, out: Out, s: int, side: int, price: int) -> None:
    """Let the entry's stop and target rest for what has filled; prices from the first fill."""
    x = st[s]
    tick = m.instruments[s, k.IN_TICK]
    if x[k.WAITING_STOP] != 0:
        end_stop(st, out, s, k.REPLACED)
        x[k.STOP] = x[k.WAITING_STOP]
        x[k.STOP_PRICE] = stop_price(side, price, x[k.ENTRY_STOP_UNITS], tick)
        x[k.STOP_TRAIL] = x[k.ENTRY_TRAIL]
        x[k.STOP_TRAILED] = 0
        x[k.WAITING_STOP] = 0
    if x[k.WAITING_TARGET] != 0:
        end_target(st, out, s, k.REPLACED)
        x[k.TARGET] = x[k.WAITING_TARGET]
        x[k.TARGET_PRICE] = target_price(side, price, x[k.ENTRY_TARGET_UNITS], tick)
        x[k.WAITING_TARGET] = 0
    held = abs(x[k.POSITION])
    if x[k.STOP] != 0:
        x[k.STOP_LOTS] = held
        tell(out, x[k.STOP], held)
    if x[k.TARGET] != 0:
        x[k.TARGET_LOTS] = held
        tell(out, x[k.TARGET], held)


@inlined
def enter(m: Market, r: Rules, st: Ints, out: Out, t: int, s: int, room: int, is_last: int) -> int:
    """Fill the entry at the open as far as volume and cash allow; return the lots."""
    a, x = st[-1], st[s]
    side = x[k.ENTRY_SIDE]
    if x[k.ENTRY_DELAY] != 0:
        x[k.ENTRY_DELAY] -= is_last
        return 0
    if x[k.POSITION] * side < 0:  # a reversal whose exit did not finish
        end_entry(st, out, s, CANCELED, k.POSITION_NOT_FLAT)
        return 0
    lots = min(x[k.ENTRY_LOTS], room)
    if lots > 0:
        price = taker_price(m, r, t, s, m.rows[t, 5 * s + k.OPEN], side, lots)
        if side > 0 and m.instruments[s, k.IN_SHORT] == 0:  # coins are paid in full
            lot_value = price * m.instruments[s, k.IN_TV]
            unit = lot_value + fee(lot_value, m.instruments[s, k.IN_TAKER])
            lots = min(lots, max(0, a[k.CASH] // unit))
            if lots == 0:
                end_entry(st, out, s, CANCELED, k.INSUFFICIENT_FUNDS)
                return 0
        x[k.ENTRY_STARTED] = 1
        book_fill(m, r, st, out, s, x[k.ENTRY], side, lots, price, 0, BY_ENTRY, m.rows[t, 0])
        x[k.ENTRY_LOTS] -= lots
        protect(m, st, out, s, side, price)
        if x[k.ENTRY_LOTS] == 0:
            drop_entry(st, s)
            return int(lots)
    if is_last != 0:
        x[k.ENTRY_BARS] -= 1
        if x[k.ENTRY_BARS] <= 0:
            end_entry(st, out, s, EXPIRED, k.TIME_TO_LIVE)
    return int(lots)


@kernel
def stopped(
    m: Market, r: Rules, st: Ints, out: Out, s: int, price: int, lots: int, close_ms: int
) -> None:
    """Trigger the stop: the target leaves, what the candle cannot fill goes to the market."""
    x = st[s]
    end_target(st, out, s, k.STOP_CAME_FIRST)
    end_started(st, out, s)
    number = x[k.STOP]
    side = -1 if x[k.POSITION] > 0 else 1
    held = abs(x[k.POSITION])
    x[k.STOP_LOTS] = held
    if lots > 0:
        reason = BY_TRAILING if x[k.STOP_TRAILED] != 0 else BY_STOP
        book_fill(m, r, st, out, s, number, side, lots, price, 0, reason, close_ms)
        x[k.STOP_LOTS] -= lots
        if x[k.STOP_LOTS] == 0:
            x[k.STOP] = 0
        shrink_protection(st, out, s, number)
    if x[k.STOP] != 0:
        if x[k.REST] != 0:
            st[-1, k.FAULT] = k.TWO_RESTS
        x[k.REST] = number
        x[k.REST_SIDE] = side
        x[k.REST_LOTS] = x[k.STOP_LOTS]
        x[k.REST_TRAILED] = x[k.STOP_TRAILED]
        x[k.REST_FIRST] = 0  # behind a market exit that is there already
        x[k.STOP] = 0


@kernel
def play_bracket(
    m: Market, r: Rules, st: Ints, out: Out, t: int, s: int, room: int, close_ms: int
) -> None:
    """Play the resting stop and target against one candle, then let the stop trail."""
    x = st[s]
    side = 1 if x[k.POSITION] > 0 else -1
    stop = x[k.STOP_PRICE] if x[k.STOP] != 0 else 0
    target = x[k.TARGET_PRICE] if x[k.TARGET] != 0 else 0
    hit, price = bracket(
        side,
        m.rows[t, 5 * s + k.OPEN],
        m.rows[t, 5 * s + k.HIGH],
        m.rows[t, 5 * s + k.LOW],
        stop,
        target,
    )
    if hit != 0:
        lots = min(abs(x[k.POSITION]), room)
        if hit == _STOPPED:
            price = taker_price(m, r, t, s, price, -side, lots)
            stopped(m, r, st, out, s, price, lots, close_ms)
        elif hit == _TARGET_HIT and lots > 0:
            number = x[k.TARGET]
            book_fill(m, r, st, out, s, number, -side, lots, price, 1, BY_TARGET, close_ms)
            x[k.TARGET_LOTS] -= lots
            if x[k.TARGET_LOTS] == 0:
                x[k.TARGET] = 0
            shrink_protection(st, out, s, number)
    if x[k.STOP] != 0 and x[k.STOP_TRAIL] != 0:
        tick = m.instruments[s, k.IN_TICK]
        side = 1 if x[k.POSITION] > 0 else -1
        moved = trailed(
            side,
            m.rows[t, 5 * s + k.HIGH],
            m.rows[t, 5 * s + k.LOW],
            x[k.STOP_PRICE],
            x[k.STOP_TRAIL],
            tick,
        )
        if moved != x[k.STOP_PRICE]:
            x[k.STOP_PRICE] = moved
            x[k.STOP_TRAILED] = 1
            tell(out, x[k.STOP], x[k.STOP_LOTS])


@inlined
def trade_open(
    m: Market, r: Rules, st: Ints, out: Out, t: int, s: int, close_ms: int, is_last: int
) -> None:
    """Play a candle with orders to the market: exits, then the entry, then the bracket."""
    x = st[s]
    room = rate_floor(m.rows[t, 5 * s + k.VOLUME], r.costs.volume_share)
    if x[k.REST] != 0 and x[k.REST_FIRST] != 0:
        room -= leave_rest(m, r, st, out, t, s, room)
        if x[k.EXIT] != 0:
            room -= leave(m, r, st, out, t, s, room, is_last)
    else:
        if x[k.EXIT] != 0:
            room -= leave(m, r, st, out, t, s, room, is_last)
        if x[k.REST] != 0:
            room -= leave_rest(m, r, st, out, t, s, room)
    if x[k.ENTRY] != 0:
        room -= enter(m, r, st, out, t, s, room, is_last)
    if x[k.POSITION] != 0:
        play_bracket(m, r, st, out, t, s, room, close_ms)


@inlined
def play_candle(
    m: Market, r: Rules, st: Ints, out: Out, t: int, s: int, close_ms: int, is_last: int
) -> None:
    """Play row `t` over the orders of symbol `s`, which has a position or an order."""
    x = st[s]
    if m.instruments[s, k.IN_FUNDING_END] > x[k.FUNDING_NEXT]:
        fund(m, st, out, t, s)
    if x[k.EXIT] != 0 or x[k.ENTRY] != 0 or x[k.REST] != 0:
        trade_open(m, r, st, out, t, s, close_ms, is_last)
    elif x[k.STOP] != 0 or x[k.TARGET] != 0:
        room = rate_floor(m.rows[t, 5 * s + k.VOLUME], r.costs.volume_share)
        play_bracket(m, r, st, out, t, s, room, close_ms)


@kernel
def adverse(m: Market, st: Ints, t: int, s: int) -> int:
    """Return the worst price of the row for the position; the last close without a candle."""
    if m.rows[t, 5 * s + k.VOLUME] < 0:
        return last_close(m, t, s)
    return int(m.rows[t, 5 * s + k.LOW] if st[s, k.POSITION] > 0 else m.rows[t, 5 * s + k.HIGH])


@kernel
def liquidate(m: Market, r: Rules, st: Ints, out: Out, s: int, price: int, at_ms: int) -> None:
    """Close the position by force; everything else of the symbol ends."""
    x = st[s]
    end_exits(st, out, s, k.LIQUIDATED)
    if x[k.ENTRY] != 0:
        end_entry(st, out, s, CANCELED, k.LIQUIDATED)
    end_stop(st, out, s, k.LIQUIDATED)
    end_target(st, out, s, k.LIQUIDATED)
    side = -1 if x[k.POSITION] > 0 else 1
    lots = abs(x[k.POSITION])
    number = new_order(st, out, s, side, _FLATTEN, -1, at_ms, lots, WORKING, k.LIQUIDATED)
    book_fill(m, r, st, out, s, number, side, lots, price, 0, BY_LIQUIDATION, at_ms)


@kernel
def liquidate_isolated(m: Market, r: Rules, st: Ints, out: Out, t: int, close_ms: int) -> None:
    """Close each perpetual whose own margin is gone at its adverse extreme."""
    for s in range(st.shape[0] - 1):
        x = st[s]
        position = x[k.POSITION]
        if position == 0 or m.instruments[s, k.IN_SHORT] == 0:
            continue
        tv = m.instruments[s, k.IN_TV]
        value = notional(adverse(m, st, t, s), position, tv)
        margin = rate_ceil(abs(x[k.COST]), r.costs.isolated_rate)
        needed = maintenance_of(abs(value), m.tiers[s])
        if liquidates(margin + value - x[k.COST], needed) != 0:
            price = bankruptcy_price(
                1 if position > 0 else -1, abs(x[k.COST]), margin, abs(position), tv,
                m.instruments[s, k.IN_TICK],
            )  # fmt: skip
            liquidate(m, r, st, out, s, price, close_ms)


@kernel
def liquidate_cross(m: Market, r: Rules, st: Ints, out: Out, t: int, close_ms: int) -> None:
    """Close every perpetual at its adverse extreme when the account's maintenance is gone."""
    worst = st[-1, k.CASH]
    gross = 0
    for s in range(st.shape[0] - 1):
        position = st[s, k.POSITION]
        if position != 0:
            value = adverse(m, st, t, s) * position * m.instruments[s, k.IN_TV]
            worst += value
            if m.instruments[s, k.IN_SHORT] != 0:
                gross += abs(value)
    if worst > gross:  # maintenance is never more than the whole value
        return
    needed = 0
    for s in range(st.shape[0] - 1):
        position = st[s, k.POSITION]
        if position != 0 and m.instruments[s, k.IN_SHORT] != 0:
            value = notional(adverse(m, st, t, s), position, m.instruments[s, k.IN_TV])
            needed += maintenance_of(abs(value), m.tiers[s])
    if gross == 0 or liquidates(worst, needed) == 0:
        return
    for s in range(st.shape[0] - 1):
        if st[s, k.POSITION] != 0 and m.instruments[s, k.IN_SHORT] != 0:
            liquidate(m, r, st, out, s, adverse(m, st, t, s), close_ms)
