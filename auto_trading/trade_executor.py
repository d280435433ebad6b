"""From an allowed wish to fills: make the order, journal it, send it, book what the venue says.

An order is sent only after the transaction that holds its intent has committed. Silence from a
venue is never a refusal and never a reason to send again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from auto_trading.journal_port import EngineJournal
from auto_trading.open_orders import OpenOrders
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
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.domain.units import notional, rate_ceil
from crypto_trader_pro.risk.rules import RiskInputs

log = logging.getLogger(__name__)

_UNSENT: Final = (OrderStatus.JOURNALED, OrderStatus.SENDING)


def _always(_: Order) -> str:
    return ""


class TradeExecutor:
    """Owns the open orders of one run.

    `may_enter` is asked about each entry right before it is sent and answers with the reason
    against it, or with an empty text. Set by what runs the engine: a stop, a lost lease.
    """

    def __init__(
        self, gateway: ExchangeGateway, journal: EngineJournal, positions: PositionManager,
        risk: RiskManager,
    ) -> None:  # fmt: skip
        self._gateway = gateway
        self._journal = journal
        self._positions = positions
        self._risk = risk
        self._sequence = 0
        self._outbox: list[str] = []
        self._reserved: dict[str, int] = {}
        self.may_enter: Callable[[Order], str] = _always
        self.held: dict[int, str] = {}  # number -> why `may_enter` held an entry back
        self.kept: frozenset[int] = frozenset()  # numbers not to be sent: a record ends before it
        self.deadline = [0] * len(positions.instruments)  # ms; when a position times out, 0 = never
        self.orders = OpenOrders()

    # --- intents ----------------------------------------------------------------------------

    def enter(self, i: int, signal: Signal, lots: int, inputs: RiskInputs, hold_ms: int) -> Order:
        """Make the entry and its protection; nothing is sent before the next commit."""
        side = Side.of(signal.direction)
        entry = self._new(
            i, side, OrderRole.ENTRY, OrderType.MARKET, lots, signal.strategy, inputs.bar_ms,
            stop_units=signal.stop_units, target_units=signal.target_units, reference=inputs.price,
        )  # fmt: skip
        entry.hold_ms = hold_ms
        exit_side = Side.of(-signal.direction)
        self._new(
            i, exit_side, OrderRole.STOP, OrderType.STOP_MARKET, lots, signal.strategy,
            inputs.bar_ms, parent_id=entry.client_order_id, trail_rate=signal.trail_rate,
        )  # fmt: skip
        if signal.target_units:
            self._new(
                i, exit_side, OrderRole.TARGET, OrderType.TAKE_PROFIT, lots, signal.strategy,
                inputs.bar_ms, parent_id=entry.client_order_id,
            )  # fmt: skip
        value = notional(inputs.price, lots, inputs.tv)
        reserved = value + rate_ceil(value, inputs.taker_rate)
        self._reserved[entry.client_order_id] = reserved
        self._risk.entered(i, signal, inputs.bar_ms, reserved)
        self._journal.risk_snapshot(entry.client_order_id, inputs)
        self._outbox.append(entry.client_order_id)
        self._log("entry decided", entry, lots=lots, reason=signal.reason)
        return entry

    def close(self, i: int, role: OrderRole, reason: str, at_ms: int) -> Order | None:
        """Make a market order that closes position `i`; None if there is nothing left to close."""
        position = self._positions.positions[i]
        if not position.lots or self.closing(i):
            return None
        side = Side.SELL if position.lots > 0 else Side.BUY
        order = self._new(
            i, side, role, OrderType.MARKET, abs(position.lots), position.strategy, at_ms,
            reference=self._positions.last[i],
        )  # fmt: skip
        order.reason = reason
        self._outbox.append(order.client_order_id)
        self._log("exit decided", order, lots=order.lots, reason=reason)
        return order

    def _log(self, what: str, order: Order, **data: Any) -> None:
        """Log under the decision's key, so that a signal can be followed to its fill."""
        if log.isEnabledFor(logging.INFO):
            facts = {"order": order.client_order_id, "role": order.role.value,
                     "strategy": order.strategy, **data}  # fmt: skip
            key = self._journal.decision_key(order.symbol, order.decided_ms)
            log.info("%s: %s", order.symbol, what, extra={"correlation_id": key, "data": facts})

    def _new(
        self, i: int, side: Side, role: OrderRole, order_type: OrderType, lots: int, strategy: str,
        at_ms: int, *, parent_id: str | None = None, stop_units: int = 0, target_units: int = 0,
        trail_rate: int = 0, reference: int = 0,
    ) -> Order:  # fmt: skip
        self._sequence += 1
        order = Order(
            client_order_id=f"{self._journal.order_prefix}{self._sequence:07d}",
            symbol=self._positions.instruments[i].symbol,
            side=side,
            role=role,
            order_type=order_type,
            lots=lots,
            reduce_only=role is not OrderRole.ENTRY,
            strategy=strategy,
            parent_id=parent_id,
            stop_units=stop_units,
            target_units=target_units,
            trail_rate=trail_rate,
            decided_ms=at_ms,
            reference=reference,
        )
        order.advance(OrderStatus.CHECKED, at_ms)
        order.advance(OrderStatus.JOURNALED, at_ms)
        self.orders.add(order)
        self._journal.order_created(order)
        return order

    def number(self, order: Order) -> int:
        """Return the number of an order within its run; the same in a repeated one."""
        return int(order.client_order_id.removeprefix(self._journal.order_prefix))

    def busy(self, i: int) -> bool:
        """True while symbol `i` has a position that is not being closed, or an entry under way."""
        symbol = self._positions.instruments[i].symbol
        return self.orders.is_entering(symbol) or (
            bool(self._positions.positions[i].lots) and not self.closing(i)
        )

    def closing(self, i: int) -> bool:
        """True while a market order that closes position `i` is under way."""
        return self.way_out(i) is not None

    def way_out(self, i: int) -> Order | None:
        """Return the market order under way that closes position `i`; None without one."""
        return self.orders.way_out(self._positions.instruments[i].symbol)

    @property
    def entries_under_way(self) -> int:
        return self.orders.entries

    @property
    def has_unsent(self) -> bool:
        return bool(self._outbox)

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
            "deadline": list(self.deadline),
            "orders": [
                [getattr(o, name) for name in Order.__slots__] for o in self.orders.values()
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._sequence = state["sequence"]
        self._reserved = dict(state["reserved"])
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
