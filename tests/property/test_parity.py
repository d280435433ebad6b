"""Whatever two sides traded, the parts of the gap sum to it exactly."""

from collections import Counter

from hypothesis import event, given, settings
from hypothesis import strategies as st

from crypto_trader_pro.backtest.parity import Part, compared
from crypto_trader_pro.backtest.parity_trips import Books, Decided, Execution, Payment, Wish

SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
STRATEGIES = ("cross", "cross", "cross", "model")  # mostly the same trade on both sides
ROLES = ("stop", "target", "exit", "flatten")
REASONS = ("", "operator", "time_out", "cross_down", "MANUAL_STOP", "liquidation")
STATUSES = ("filled", "expired", "canceled", "working")
PRICES = st.integers(900, 1_100)
FEES = st.integers(-5, 50)  # a maker may be paid
HOURS = 12


@st.composite
def side_books(draw: st.DrawFn) -> Books:
    """Books of a few trips per symbol; each may be open at the end or have never filled."""
    orders: dict[int, Decided] = {}
    fills: list[Execution] = []
    for symbol in SYMBOLS:
        hour = 0
        for _ in range(draw(st.integers(1, 3))):
            hour += draw(st.sampled_from((0, 0, 0, 1)))
            hour = _trip(draw, symbol, hour, orders, fills)
    fills.sort(key=lambda f: f.at_ms)
    hours = st.integers(0, HOURS)
    symbols = st.sampled_from(SYMBOLS)
    payments = draw(st.lists(st.builds(Payment, hours, symbols, st.integers(-9, 9)), max_size=4))
    wish = st.builds(Wish, st.sampled_from((-1, 1)), st.booleans(), st.booleans())
    said = st.dictionaries(st.sampled_from(STRATEGIES), wish, max_size=2)
    return Books(
        tv=dict(zip(SYMBOLS, (1, 7), strict=True)),
        marks={symbol: draw(PRICES) for symbol in SYMBOLS}, until_ms=HOURS - 2, executions=fills,
        orders=orders, payments=payments,
        wishes=draw(st.dictionaries(st.tuples(symbols, hours), said, max_size=4)),
        refusals=draw(st.dictionaries(st.tuples(symbols, hours), st.just("cooldown"), max_size=2)),
    )  # fmt: skip


def _trip(
    draw: st.DrawFn, symbol: str, hour: int, orders: dict[int, Decided], fills: list[Execution]
) -> int:
    """Add one trip that is decided at `hour`; return when the next may be."""
    number = len(orders) + 1
    side = draw(st.sampled_from((1, 1, 1, -1)))
    lots = draw(st.integers(1, 9))
    strategy = draw(st.sampled_from(STRATEGIES))
    filled = draw(st.sampled_from((lots, lots, lots // 2)))
    status = draw(st.sampled_from(STATUSES))
    orders[number] = Decided(number, symbol, side, "entry", strategy, hour, lots, status, "")
    if not filled:
        return hour + 1
    first = draw(st.integers(1, filled))
    pieces = [part for part in (first, filled - first) if part]
    fills += [_fill(draw, number, symbol, side, part, hour) for part in pieces]
    left = draw(st.sampled_from((filled, filled, filled // 2)))
    if left:
        role, reason = draw(st.sampled_from(ROLES)), draw(st.sampled_from(REASONS))
        orders[number + 1] = Decided(
            number + 1, symbol, -side, role, strategy, hour + 1, left, "filled", reason
        )
        fills.append(_fill(draw, number + 1, symbol, -side, left, hour + 1))
    return hour + 2 if left == filled else 10 * HOURS  # what is open stays open


def _fill(draw: st.DrawFn, number: int, symbol: str, side: int, lots: int, hour: int) -> Execution:
    return Execution(number, symbol, side, lots, draw(PRICES), draw(PRICES), draw(FEES), hour)


def earned(books: Books) -> int:
    """Cash in and out, and what is held at the last price: no trips are put together for it."""
    cash, held = 0, Counter[str]()
    for f in books.executions:
        if f.at_ms <= books.until_ms:
            cash -= f.side * f.lots * f.price * books.tv[f.symbol] + f.fee
            held[f.symbol] += f.side * f.lots
    cash += sum(p.amount for p in books.payments if p.at_ms <= books.until_ms)
    return cash + sum(lots * books.marks[s] * books.tv[s] for s, lots in held.items())


@settings(max_examples=100, deadline=None)
@given(side_books(), side_books(), st.none() | side_books())
def test_the_parts_sum_to_the_gap(ours: Books, seen: Books, stored: Books | None) -> None:
    parity = compared(ours, seen, stored)
    assert (parity.session, parity.backtest) == (earned(ours), earned(stored or seen))
    assert sum(parity.part(part) for part in Part) == parity.gap
    assert sum(share.amount for share in parity.shares) == parity.gap
    assert parity.matched + parity.only_session == sum(1 for p in parity.pairs if p.ours)
    for share in parity.shares:
        event(share.part.value)


@settings(max_examples=40, deadline=None)
@given(side_books(), side_books())
def test_equal_sides_have_no_part(books: Books, stored: Books) -> None:
    assert compared(books, books).shares == ()
    revised = compared(books, books, stored)
    assert {share.part for share in revised.shares} <= {Part.DATA_REVISION}
