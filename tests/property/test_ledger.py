"""The ledger against a second bookkeeping in Decimal that shares no code with it."""

from collections import defaultdict
from decimal import ROUND_FLOOR, Context, Decimal, localcontext

from hypothesis import given, settings
from hypothesis import strategies as st

from auto_trading.position_manager import PositionManager
from crypto_trader_pro.domain.enums import Side
from crypto_trader_pro.domain.ledger import CAPITAL, CASH, FEES, FUNDING, HOLDING, REALIZED
from crypto_trader_pro.domain.messages import Funded
from tests.builders import START_MS, a_fill, an_instrument

UNIT = Decimal("0.00000001")
PERP, COIN = "ETH/USDT:USDT", "SOL/USDT"
TICK, LOT = Decimal("0.01"), Decimal("0.001")
GRIDS = [an_instrument(s, tick=str(TICK), lot=str(LOT), min_notional="0") for s in (PERP, COIN)]

fills = st.tuples(
    st.sampled_from((PERP, COIN)),
    st.sampled_from(Side),
    st.one_of(st.integers(1, 9), st.integers(1, 10**7)),  # lots
    st.one_of(st.integers(1, 9), st.integers(1, 10**6)),  # price
    st.integers(-5, 10**6),  # fee
)
payments = st.integers(-(10**9), 10**9)


class SecondBook:
    """Average cost in Decimal: the cost of a partial close is cut to 1e-8, against the sum left."""

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.fees = self.funding = self.gross_profit = Decimal(0)
        self.held: dict[str, Decimal] = defaultdict(Decimal)
        self.cost: dict[str, Decimal] = defaultdict(Decimal)  # always >= 0

    def trade(
        self, symbol: str, buy: bool, quantity: Decimal, price: Decimal, fee: Decimal
    ) -> None:
        signed = quantity if buy else -quantity
        self.cash -= signed * price + fee
        self.fees += fee
        held = self.held[symbol]
        if held * signed < 0:
            closing = min(abs(held), quantity)
            share = (self.cost[symbol] * closing / abs(held)).quantize(UNIT, ROUND_FLOOR)
            proceeds = closing * price
            self.gross_profit += proceeds - share if held > 0 else share - proceeds
            self.cost[symbol] -= share
            quantity -= closing
        self.cost[symbol] += quantity * price
        self.held[symbol] += signed


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(fills, payments), max_size=30))
def test_books_equal_a_second_bookkeeping_that_shares_no_code(
    events: list[tuple[str, Side, int, int, int] | int],
) -> None:
    book = PositionManager(GRIDS)
    transactions = [book.open_account(10**13, START_MS)]
    with localcontext(Context(prec=60)):
        second = SecondBook(Decimal(100_000))
        for k, event in enumerate(events):
            if isinstance(event, int):
                transactions.append(book.fund(Funded(f"f{k}", PERP, event, 1, START_MS)))
                second.cash += event * UNIT
                second.funding += event * UNIT
                continue
            symbol, side, lots, price, fee = event
            _, _, transaction = book.book(a_fill(side, lots, price, fee, symbol=symbol))
            transactions.append(transaction)
            second.trade(symbol, side is Side.BUY, lots * LOT, price * TICK, fee * UNIT)

        for transaction in transactions:  # balanced per asset, checked here and not only by itself
            sums: dict[str, int] = defaultdict(int)
            for entry in transaction.entries:
                sums[entry.asset] += entry.amount
            assert set(sums.values()) <= {0}

        balance = book.ledger.balance
        assert balance(CAPITAL, "USDT") == -(10**13)
        assert balance(CASH, "USDT") * UNIT == second.cash == book.cash * UNIT
        assert balance(FEES, "USDT") * UNIT == second.fees == book.fees() * UNIT
        assert -balance(FUNDING, "USDT") * UNIT == second.funding == book.funding() * UNIT
        assert -balance(REALIZED, "USDT") * UNIT == second.gross_profit
        net = second.gross_profit - second.fees + second.funding
        assert book.realized() * UNIT == net
        for symbol, held, position in zip((PERP, COIN), (PERP, "SOL"), book.positions, strict=True):
            assert balance(HOLDING, held) * LOT == second.held[symbol] == position.lots * LOT
            signed = second.cost[symbol] if second.held[symbol] >= 0 else -second.cost[symbol]
            assert balance(f"position:{symbol}", "USDT") * UNIT == signed == position.cost * UNIT
        book.verify()
