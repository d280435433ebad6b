"""From an allowed wish to fills: make the order, journal it, send it, book what the venue says.

An order is sent only after the transaction that holds its intent has committed. Silence from a
venue is never a refusal and never a reason to send again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from auto_trading.journal_port import EngineJournal
from auto_trading.order_making import OrderMaking
from auto_trading.position_manager import PositionManager
from auto_trading.risk_manager import RiskManager
from crypto_trader_pro.domain.enums import (
    FillReason,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    TradingState,
)
from crypto_trader_pro.domain.errors import OutcomeUnknown, RejectedError
from crypto_trader_pro.domain.messages import (
    Acknowledged,
    Ended,
    Funded,
    Rejected,
    VenueEvent,
    Working,
)
from crypto_trader_pro.domain.orders import OPEN, Fill, Order
from crypto_trader_pro.domain.ports import ExchangeGateway

log = logging.getLogger(__name__)

_UNSENT: Final = (OrderStatus.JOURNALED, OrderStatus.SENDING)


def _always(_: Order) -> str:
    return ""


class TradeExecutor(OrderMaking):
    """Sends the orders of one run and books what becomes of them.

    `may_enter` is asked about each entry right before it is sent and answers with the reason
    against it, or with an empty text. Set by what runs the engine: a stop, a lost lease.
    """

    def __init__(
        self, gateway: ExchangeGateway, journal: EngineJournal, positions: PositionManager,
        risk: RiskManager,
    ) -> None:  # fmt: skip
        super().__init__(journal, positions, risk)
        self._gateway = gateway
        self.may_enter: Callable[[Order], str] = _always
        self.held: dict[int, str] = {}  # number -> why `may_enter` held an entry back
        self.kept: frozenset[int] = frozenset()  # numbers not to be sent: a record ends before it

    # --- sending ----------------------------------------------------------------------------

    async def send(self) -> None:
        """Send what the journal holds; call it only after a commit."""
        outbox, self._outbox = self._outbox, []
        for order_id in outbox:
            order = self.orders.get(order_id)
            if order is None or self.number(order) in self.kept:
                continue
            if order.status is OrderStatus.JOURNALED:
                await self._dispatch(order)

    def hold_unsent(self, reason: str) -> None:
        """Give up the entries that wait for a commit; orders that reduce go on waiting."""
        for order_id in list(self._outbox):
            order = self.orders.get(order_id)
            if order is not None and order.role is OrderRole.ENTRY:
                self._hold(order, reason)
                self._outbox.remove(order_id)

    async def _dispatch(self, order: Order) -> None:
        """Send a journaled order; an entry is dropped if trading has stopped since its decision.

        Raises:
            Fenced: this worker may send nothing any more.
        """
        self._journal.check_fence()
        if order.role is OrderRole.ENTRY:
            if self._risk.trading_state is not TradingState.ACTIVE:
                self._drop(order, "trading_stopped")
                return
            if reason := self.may_enter(order):  # the last look before it is out of our hands
                self._hold(order, reason)
                return
        await self._send(order)

    def _hold(self, order: Order, reason: str) -> None:
        self.held[self.number(order)] = reason
        self._drop(order, reason)

    async def _send(self, order: Order) -> None:
        protection = self._children(order)
        together = [order, *protection]
        for each in together:
            each.advance(OrderStatus.SENDING, each.decided_ms)
        try:
            await self._gateway.submit(order, protection)
        except OutcomeUnknown as e:
            for each in together:
                each.advance(OrderStatus.UNKNOWN, each.decided_ms, str(e)[:32])
        except RejectedError as e:
            for each in together:
                each.advance(OrderStatus.REJECTED, each.decided_ms, str(e)[:32])
                self._finish(each)
        for each in together:
            self._journal.order_changed(each)

    def _drop(self, order: Order, reason: str) -> None:
        """Cancel an order of ours, and its protection, that was never sent."""
        for each in [order, *self._children(order)]:
            each.advance(OrderStatus.CANCELED, each.decided_ms, reason)
            self._journal.order_changed(each)
            self._finish(each)

    def _children(self, order: Order) -> list[Order]:
        return [o for o in self.orders.values() if o.parent_id == order.client_order_id]

    async def recover(self) -> int:
        """After a restart: let what provably never reached the venue wait for `send`; return how
        many.

        An order journaled before the crash has no answer stored. The venue is asked by our id, and
        only its proof of absence allows the one attempt to be made.
        """
        self._outbox = []
        for order in list(self.orders.values()):
            if order.status not in _UNSENT or order.parent_id:
                continue
            known = await self._gateway.query(order.client_order_id)
            if known is OrderStatus.ABSENT:
                order.status = OrderStatus.JOURNALED  # the stored state; no edge leads back to it
                for child in self._children(order):
                    child.status = OrderStatus.JOURNALED
                self._outbox.append(order.client_order_id)
        return len(self._outbox)

    async def cancel_entries(self, symbol: str = "") -> None:
        """Ask the venue to cancel every entry, or those of one symbol; protection stays."""
        for order in list(self.orders.values()):
            is_meant = order.role is OrderRole.ENTRY and symbol in ("", order.symbol)
            if is_meant and order.status in OPEN:
                await self._gateway.cancel(order.client_order_id)

    async def cancel(self, client_order_id: str) -> None:
        """Ask the venue to cancel one order."""
        await self._gateway.cancel(client_order_id)

    async def expire(self, now_ms: int) -> bool:
        """Ask the venue to cancel the limit orders whose time is up; True if there are any."""
        over = [order_id for order_id, until in self._expires.items() if now_ms >= until]
        for order_id in over:
            self.orders[order_id].reason = "time_to_live"
            await self._gateway.cancel(order_id)
        return bool(over)

    async def cancel_all(self) -> None:
        """Ask the venue to cancel every order, protection too: for an account that is flat."""
        for order in list(self.orders.values()):
            if order.status in OPEN:
                await self._gateway.cancel(order.client_order_id)

    async def venue_lots(self) -> Mapping[str, int]:
        """Return the positions that the venue itself says we have."""
        return (await self._gateway.account()).lots

    # --- what the venue says ----------------------------------------------------------------

    async def settle(self) -> Sequence[Fill]:
        """Book everything that happened at the venue since the last call; return the fills."""
        events = await self._gateway.events()
        if not events:
            return ()
        return [fill for event in events if (fill := self._book(event)) is not None]

    def _book(self, event: VenueEvent) -> Fill | None:
        if isinstance(event, Fill):
            self._filled(event)
            return event
        if isinstance(event, Funded):
            self._journal.ledger(self._positions.fund(event))
            return None
        order = self.orders.get(event.client_order_id)
        if order is None:  # a late word about an order that has ended: terminal states are final
            return None
        if isinstance(event, Acknowledged):
            order.advance(OrderStatus.ACKNOWLEDGED, event.at_ms)
        elif isinstance(event, Working):
            self._working(order, event)
        elif isinstance(event, Rejected):
            self._refused(order, event)
        elif isinstance(event, Ended):
            status = OrderStatus.EXPIRED if event.expired else OrderStatus.CANCELED
            order.advance(status, event.at_ms, order.reason or event.code)
            self._finish(order)
        self._journal.order_changed(order)
        return None

    def _refused(self, order: Order, event: Rejected) -> None:
        """Take a refusal; protection that was sent along dies with its entry."""
        for child in self._children(order):
            if child.status is OrderStatus.SENDING:
                child.advance(OrderStatus.REJECTED, event.at_ms, "entry_rejected")
                self._journal.order_changed(child)
                self._finish(child)
        order.advance(OrderStatus.REJECTED, event.at_ms, event.code)
        self._finish(order)

    def _working(self, order: Order, event: Working) -> None:
        if order.status in (OrderStatus.ACKNOWLEDGED, OrderStatus.UNKNOWN):
            order.advance(OrderStatus.WORKING, event.at_ms)
        order.price = event.price
        if event.lots > 0:
            order.lots = order.filled_lots + event.lots
        order.reference = order.reference or event.price
        order.updated_ms = event.at_ms
        if order.role.protects:
            position = self._positions.positions[self._positions.index[order.symbol]]
            if position.lots:
                self._journal.protection(order, position.opened_ms)

    def _filled(self, fill: Fill) -> None:
        order = self.orders.get(fill.client_order_id) or self._adopt(fill)
        i = self._positions.index[fill.symbol]
        order.fill(fill.lots, fill.price, fill.fee, fill.at_ms)
        before, after, transaction = self._positions.book(fill)
        order.realized += after.realized - before.realized
        if order.role is OrderRole.ENTRY:
            self._positions.own(i, order.strategy)
            self._journal.signal_executed(order, fill)
            if order.hold_ms and not before.lots:
                self.deadline[i] = fill.at_ms + order.hold_ms
        if order.role is OrderRole.STOP and fill.reason == FillReason.TRAILING:
            order.reason = FillReason.TRAILING
        if not after.lots:
            stopped = fill.reason in (FillReason.STOP, FillReason.LIQUIDATION)
            self._risk.exited(i, fill.at_ms, stopped=stopped)
            self.deadline[i] = 0
        self._journal.fill(fill, order.client_order_id, transaction)
        self._log("filled", order, lots=fill.lots, price=fill.price, trade=fill.trade_id)
        self._journal.position(before, self._positions.positions[i], fill.at_ms)
        self._journal.order_changed(order)
        if order.status is OrderStatus.FILLED:
            self._finish(order)

    def _adopt(self, fill: Fill) -> Order:
        """Take in an order that the venue made itself: a liquidation."""
        order = self._new(
            self._positions.index[fill.symbol], fill.side, OrderRole.FLATTEN, OrderType.MARKET,
            fill.lots, "venue", fill.at_ms, reference=fill.price,
        )  # fmt: skip
        order.advance(OrderStatus.SENDING, fill.at_ms)
        order.advance(OrderStatus.ACKNOWLEDGED, fill.at_ms, fill.reason)
        return order

    def _finish(self, order: Order) -> None:
        """Forget an order that has ended, and store its trade if it traded."""
        self.orders.discard(order.client_order_id)
        self._expires.pop(order.client_order_id, None)
        reserved = self._reserved.pop(order.client_order_id, 0)
        if reserved:
            self._risk.released(reserved)
        if order.filled_lots:
            self._journal.trade(order)

    # --- checkpoint -------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {
            "sequence": self._sequence,
            "reserved": dict(self._reserved),
            "expires": dict(self._expires),
            "deadline": list(self.deadline),
            "orders": [
                [getattr(o, name) for name in Order.__slots__] for o in self.orders.values()
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._sequence = state["sequence"]
        self._reserved = dict(state["reserved"])
        self._expires = dict(state.get("expires", {}))  # none in an earlier version's checkpoint
        self.deadline = list(state["deadline"])
        self.orders.renew(())
        for row in state["orders"]:
            fields = dict(zip(Order.__slots__, row, strict=True))
            order = Order(
                **{
                    **fields,
                    "side": Side(fields["side"]),
                    "role": OrderRole(fields["role"]),
                    "order_type": OrderType(fields["order_type"]),
                    "status": OrderStatus(fields["status"]),
                }
            )
            self.orders.add(order)
