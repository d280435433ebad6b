"""The venue's books in the kernel: fills, ends of orders, protection of one symbol.

What `auto_trading/gateways/venue_ledger.py` keeps, with what the engine books of it when it
settles. `s` is the place of the symbol; a room for the rows is seen to before each candle.
"""

from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.kernel_state import Market, Out, Rules, inlined, kernel
from crypto_trader_pro.backtest.result import (
    FILL_AT,
    FILL_FEE,
    FILL_LOTS,
    FILL_MAKER,
    FILL_ORDER,
    FILL_PRICE,
    FILL_REASON,
    FILL_REASONS,
    FILL_SIDE,
    FILL_SYMBOL,
    ORDER_DECIDED,
    ORDER_FEES,
    ORDER_FILLED,
    ORDER_LOTS,
    ORDER_NUMBER,
    ORDER_REASON,
    ORDER_ROLE,
    ORDER_SIDE,
    ORDER_STATUS,
    ORDER_STRATEGY,
    ORDER_SYMBOL,
    STATUSES,
)
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.units import mul_div, notional
from crypto_trader_pro.simulation.costs import fee

ACKNOWLEDGED = STATUSES.index("acknowledged")
WORKING = STATUSES.index("working")
PARTIAL = STATUSES.index("partial")
FILLED = STATUSES.index("filled")
CANCELED = STATUSES.index("canceled")
EXPIRED = STATUSES.index("expired")
BY_ENTRY = FILL_REASONS.index("entry")
BY_EXIT = FILL_REASONS.index("exit")
BY_STOP = FILL_REASONS.index("stop")
BY_TARGET = FILL_REASONS.index("target")
BY_TRAILING = FILL_REASONS.index("trailing")
BY_FLATTEN = FILL_REASONS.index("flatten")
BY_LIQUIDATION = FILL_REASONS.index("liquidation")


@kernel
def new_order(
    st: Ints, out: Out, s: int, side: int, role: int, strategy: int, decided_ms: int, lots: int,
    status: int, reason: int,
) -> int:  # fmt: skip
    """Add an order; return its number."""
    n = st[-1, k.ORDERS]
    st[-1, k.ORDERS] = n + 1
    o = out.orders[n]
    o[ORDER_NUMBER] = n + 1
    o[ORDER_SYMBOL] = s
    o[ORDER_SIDE] = side
    o[ORDER_ROLE] = role
    o[ORDER_STRATEGY] = strategy
    o[ORDER_DECIDED] = decided_ms
    o[ORDER_LOTS] = lots
    o[ORDER_FILLED] = 0
    o[ORDER_FEES] = 0
    o[ORDER_STATUS] = status
    o[ORDER_REASON] = reason
    return int(n + 1)


@kernel
def end_order(out: Out, number: int, status: int, reason: int) -> None:
    """End an order; a reason that it has already is kept."""
    o = out.orders[number - 1]
    o[ORDER_STATUS] = status
    if o[ORDER_REASON] == 0:
        o[ORDER_REASON] = reason


@inlined
def tell(out: Out, number: int, lots: int) -> None:
    """Note that an order rests with `lots`."""
    o = out.orders[number - 1]
    o[ORDER_LOTS] = o[ORDER_FILLED] + lots
    if o[ORDER_STATUS] == ACKNOWLEDGED:
        o[ORDER_STATUS] = WORKING


@inlined
def drop_entry(st: Ints, s: int) -> None:
    """Take the entry out of the book and give its reservation back."""
    x = st[s]
    x[k.ENTRY] = 0
    st[-1, k.ENTRIES] -= 1
    st[-1, k.RESERVED] -= x[k.ENTRY_RESERVED]


@kernel
def end_entry(st: Ints, out: Out, s: int, status: int, reason: int) -> None:
    """End what is left of the entry; protection that waited for it dies with it."""
    x = st[s]
    end_order(out, x[k.ENTRY], status, reason)
    if x[k.WAITING_STOP] != 0:
        end_order(out, x[k.WAITING_STOP], CANCELED, k.ENTRY_ENDED)
    if x[k.WAITING_TARGET] != 0:
        end_order(out, x[k.WAITING_TARGET], CANCELED, k.ENTRY_ENDED)
    x[k.WAITING_STOP] = 0
    x[k.WAITING_TARGET] = 0
    drop_entry(st, s)


@kernel
def end_stop(st: Ints, out: Out, s: int, reason: int) -> None:
    x = st[s]
    if x[k.STOP] != 0:
        end_order(out, x[k.STOP], CANCELED, reason)
        x[k.STOP] = 0


@kernel
def end_target(st: Ints, out: Out, s: int, reason: int) -> None:
    x = st[s]
    if x[k.TARGET] != 0:
        end_order(out, x[k.TARGET], CANCELED, reason)
        x[k.TARGET] = 0


@kernel
def end_exits(st: Ints, out: Out, s: int, reason: int) -> None:
    """End the market exit and what is left of a triggered stop."""
    x = st[s]
    if x[k.EXIT] != 0:
        end_order(out, x[k.EXIT], CANCELED, reason)
        x[k.EXIT] = 0
    if x[k.REST] != 0:
        end_order(out, x[k.REST], CANCELED, reason)
        x[k.REST] = 0


@kernel
def end_started(st: Ints, out: Out, s: int) -> None:
    """End what is left of an entry whose protection has been used: it would come back naked."""
    x = st[s]
    if x[k.ENTRY] != 0 and x[k.ENTRY_STARTED] != 0:
        end_entry(st, out, s, CANCELED, k.POSITION_CLOSED)


@inlined
def left_market(m: Market, r: Rules, st: Ints, s: int, at_ms: int, stopped: int) -> None:
    """Start the cooldown after a position was closed; stops in a row lock the symbol."""
    a, x = st[-1], st[s]
    a[k.HOLDINGS] -= 1
    a[k.COUNT_TRADES] += 1
    x[k.LAST_EXIT] = at_ms
    x[k.STOPS_IN_ROW] = x[k.STOPS_IN_ROW] + 1 if stopped != 0 else 0
    limit = r.limits.lock_after_stops
    if limit != 0 and x[k.STOPS_IN_ROW] >= limit:
        day = a[k.DAY]
        while m.days[day, 0] < at_ms:  # the first price of a day that has not begun yet
            day += 1
        x[k.LOCKED_UNTIL] = m.days[day, 0]
    if x[k.DEADLINE] != 0:
        x[k.DEADLINE] = 0
        a[k.DEADLINES] -= 1


@inlined
def moved_cost(cost: int, position: int, lots: int, value: int) -> int:
    """Return what the open lots cost after a fill; `lots` and `value` signed."""
    if (position >= 0 and lots > 0) or (position <= 0 and lots < 0):
        return cost + value
    if position > 0:
        return cost - mul_div(abs(cost), -lots, position)
    return cost + mul_div(abs(cost), lots, -position)


@kernel
def book_fill(
    m: Market, r: Rules, st: Ints, out: Out, s: int, number: int, side: int, lots: int,
    price: int, maker: int, reason: int, at_ms: int,
) -> None:  # fmt: skip
    """Move cash and position by one execution and write it down."""
    a, x = st[-1], st[s]
    value = notional(price, lots, m.instruments[s, k.IN_TV])
    rate = m.instruments[s, k.IN_MAKER] if maker != 0 else m.instruments[s, k.IN_TAKER]
    if reason == BY_LIQUIDATION:
        rate += r.costs.liquidation_rate
    paid = fee(value, rate)
    a[k.CASH] -= side * value + paid
    before = x[k.POSITION]
    after = before + side * lots
    x[k.COST] = moved_cost(x[k.COST], before, side * lots, side * value)
    x[k.POSITION] = after
    n = a[k.FILLS]
    a[k.FILLS] = n + 1
    f = out.fills[n]
    f[FILL_ORDER] = number
    f[FILL_SYMBOL] = s
    f[FILL_SIDE] = side
    f[FILL_LOTS] = lots
    f[FILL_PRICE] = price
    f[FILL_FEE] = paid
    f[FILL_MAKER] = maker
    f[FILL_REASON] = reason
    f[FILL_AT] = at_ms
    o = out.orders[number - 1]
    o[ORDER_FILLED] += lots
    o[ORDER_FEES] += paid
    o[ORDER_STATUS] = FILLED if o[ORDER_FILLED] == o[ORDER_LOTS] else PARTIAL
    if reason == BY_TRAILING:
        o[ORDER_REASON] = k.TRAILED
    if reason == BY_ENTRY:
        x[k.OWNER] = x[k.ENTRY_STRATEGY]
        if before == 0:
            a[k.HOLDINGS] += 1
            if x[k.ENTRY_HOLD] != 0:
                x[k.DEADLINE] = at_ms + x[k.ENTRY_HOLD]
                a[k.DEADLINES] += 1
    elif after == 0:
        left_market(m, r, st, s, at_ms, 1 if reason in (BY_STOP, BY_LIQUIDATION) else 0)


@kernel
def shrink_protection(st: Ints, out: Out, s: int, filled: int) -> None:
    """After a reducing fill of order `filled`: protection covers what is left, or leaves."""
    x = st[s]
    held = abs(x[k.POSITION])
    if held == 0:
        end_exits(st, out, s, k.POSITION_CLOSED)
        end_stop(st, out, s, k.POSITION_CLOSED)
        end_target(st, out, s, k.POSITION_CLOSED)
        end_started(st, out, s)
        return
    if x[k.STOP] != 0 and x[k.STOP] != filled and x[k.STOP_LOTS] > held:
        x[k.STOP_LOTS] = held
        tell(out, x[k.STOP], held)
    if x[k.TARGET] != 0 and x[k.TARGET] != filled and x[k.TARGET_LOTS] > held:
        x[k.TARGET_LOTS] = held
        tell(out, x[k.TARGET], held)
