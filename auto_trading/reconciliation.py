"""Compares our books with what the venue says: orders, positions, cash. The venue is right.

Start-up and each change of books compare too (`AutoTradingEngine.compare_books`); this is the slow
lane that finds what happened at the venue without a word to us.
"""

from typing import Final

from auto_trading.job_tools import Difference
from auto_trading.session import TradingSession
from crypto_trader_pro.domain.enums import OrderStatus
from crypto_trader_pro.domain.instruments import money, plain_text

_GONE: Final = (
    OrderStatus.ABSENT, OrderStatus.REJECTED, OrderStatus.FILLED, OrderStatus.CANCELED,
    OrderStatus.EXPIRED,
)  # fmt: skip
_SENT: Final = (OrderStatus.ACKNOWLEDGED, OrderStatus.WORKING, OrderStatus.PARTIAL)


async def differences(session: TradingSession) -> list[Difference]:
    """Return everything that the venue and our books say differently; called between two steps."""
    gateway, parts = session.engine.gateway, session.engine.parts
    found = []
    for order in parts.executor.orders.values():
        if order.status in _SENT:
            status = await gateway.query(order.client_order_id)
            if status in _GONE:
                what = f"order {order.client_order_id}"
                found.append(Difference(what, order.status.value, status.value))
    account = await gateway.account()
    for position in parts.positions.positions:
        theirs = account.lots.get(position.symbol, 0)
        if theirs != position.lots:
            item = position.instrument
            ours, venue = item.quantity(position.lots), item.quantity(theirs)
            name = f"position {position.symbol}"
            found.append(Difference(name, plain_text(ours), plain_text(venue)))
    for symbol, lots in account.lots.items():
        if symbol not in parts.positions.index:  # not ours to count in its unit
            found.append(Difference(f"position {symbol}", "0", f"{lots} lots"))
    if account.cash != parts.positions.cash:
        ours, venue = money(parts.positions.cash), money(account.cash)
        found.append(Difference("cash", plain_text(ours), plain_text(venue)))
    return found
