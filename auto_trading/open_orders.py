"""The open orders of a run, with what is asked about them for every symbol at every close."""

from collections.abc import Iterable
from typing import Final

from crypto_trader_pro.domain.enums import OrderRole
from crypto_trader_pro.domain.orders import Order

GRADUAL: Final = "operator_gradual"  # reason of an order that is one step of a gradual close
_WAYS_OUT: Final = (OrderRole.EXIT, OrderRole.FLATTEN)


class OpenOrders(dict[str, Order]):
    """By our id, in the order in which they were made. Only `add`, `discard` and `renew` change it.

    Entries and market exits are counted by symbol: every decision asks for them. The steps of a
    gradual close are kept apart: each closes a part, and the position goes on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[str, int] = {}  # by symbol
        self._ways_out: dict[str, list[Order]] = {}
        self._steps: dict[str, list[Order]] = {}
        self.entries = 0

    def add(self, order: Order) -> None:
        """Take in an order; one with the same id is replaced."""
        self.discard(order.client_order_id)
        self[order.client_order_id] = order
        if order.role is OrderRole.ENTRY:
            self._entries[order.symbol] = self._entries.get(order.symbol, 0) + 1
            self.entries += 1
        elif order.role in _WAYS_OUT:
            kind = self._steps if order.reason == GRADUAL else self._ways_out
            kind.setdefault(order.symbol, []).append(order)

    def discard(self, client_order_id: str) -> None:
        """Forget an order; nothing happens where there is none."""
        order = self.pop(client_order_id, None)
        if order is None:
            return
        if order.role is OrderRole.ENTRY:
            self._entries[order.symbol] -= 1
            self.entries -= 1
        elif order.role in _WAYS_OUT:
            for kind in (self._ways_out, self._steps):
                if order.symbol in kind:
                    kind[order.symbol] = [o for o in kind[order.symbol] if o is not order]

    def renew(self, orders: Iterable[Order]) -> None:
        """Forget all and take these."""
        for client_order_id in list(self):
            self.discard(client_order_id)
        for order in orders:
            self.add(order)

    def is_entering(self, symbol: str) -> bool:
        """True while an entry of `symbol` is open."""
        return self._entries.get(symbol, 0) > 0

    def way_out(self, symbol: str) -> Order | None:
        """Return the oldest market order that closes the position of `symbol`; None without one."""
        ways = self._ways_out.get(symbol)
        return ways[0] if ways else None

    def lots_of_steps(self, symbol: str) -> int:
        """Return the lots that the open steps of a gradual close of `symbol` will close."""
        return sum(order.open_lots for order in self._steps.get(symbol, ()))

    def step(self, symbol: str) -> Order | None:
        """Return the oldest open step of a gradual close of `symbol`; None without one."""
        steps = self._steps.get(symbol)
        return steps[0] if steps else None
