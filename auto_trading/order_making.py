"""From an allowed wish to an order that waits for the journal, and what is known of open orders.

Nothing here talks to a venue: `trade_executor.TradeExecutor` sends what is made here.
"""

import logging
from typing import Any

from auto_trading.journal_port import EngineJournal
from auto_trading.open_orders import GRADUAL, OpenOrders
from auto_trading.position_manager import PositionManager
from auto_trading.risk_manager import RiskManager
from crypto_trader_pro.domain.enums import OrderRole, OrderStatus, OrderType, Side
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.domain.units import notional, rate_ceil
from crypto_trader_pro.risk.rules import RiskInputs

log = logging.getLogger(__name__)


class OrderMaking:
    """Owns the open orders of one run, and makes new ones."""

    def __init__(
        self, journal: EngineJournal, positions: PositionManager, risk: RiskManager
    ) -> None:
        self._journal = journal
        self._positions = positions
        self._risk = risk
        self._sequence = 0
        self._outbox: list[str] = []  # ids of what waits for a commit
        self._reserved: dict[str, int] = {}
        self._expires: dict[str, int] = {}  # limit orders: ms of market time
        self.deadline = [0] * len(positions.instruments)  # ms; when a position times out, 0 = never
        self.orders = OpenOrders()

    # --- intents ----------------------------------------------------------------------------

    def enter(
        self, i: int, signal: Signal, lots: int, inputs: RiskInputs, hold_ms: int, *,
        at_ms: int = 0, limit: int = 0, expires_ms: int = 0,
    ) -> Order:  # fmt: skip
        """Make the entry and its protection; nothing is sent before the next commit.

        Args:
            at_ms: of the decision, where it fell between two candles; 0: on the candle's close.
            limit: price units, a multiple of the tick; 0 is an order to the market.
            expires_ms: market time at which a limit order is taken back; 0 is never.
        """
        side, decided_ms = Side.of(signal.direction), at_ms or inputs.bar_ms
        entry = self._new(
            i, side, OrderRole.ENTRY, OrderType.LIMIT if limit else OrderType.MARKET, lots,
            signal.strategy, decided_ms, stop_units=signal.stop_units,
            target_units=signal.target_units, reference=inputs.price, price=limit,
        )  # fmt: skip
        if expires_ms:
            self._expires[entry.client_order_id] = expires_ms
        entry.hold_ms = hold_ms
        exit_side = Side.of(-signal.direction)
        self._new(
            i, exit_side, OrderRole.STOP, OrderType.STOP_MARKET, lots, signal.strategy,
            decided_ms, parent_id=entry.client_order_id, trail_rate=signal.trail_rate,
        )  # fmt: skip
        if signal.target_units:
            self._new(
                i, exit_side, OrderRole.TARGET, OrderType.TAKE_PROFIT, lots, signal.strategy,
                decided_ms, parent_id=entry.client_order_id,
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
        lots = self.closable(i)
        return self._leave(i, role, lots, reason, at_ms) if lots else None

    def reduce(self, i: int, lots: int, at_ms: int) -> Order:
        """Make one step of a gradual close; `lots` are at most what `closable` says."""
        return self._leave(i, OrderRole.EXIT, lots, GRADUAL, at_ms)

    def closable(self, i: int) -> int:
        """Return the lots of position `i` that no market order under way closes."""
        position = self._positions.positions[i]
        if not position.lots or self.closing(i):
            return 0
        return abs(position.lots) - self.orders.lots_of_steps(position.symbol)

    def _leave(self, i: int, role: OrderRole, lots: int, reason: str, at_ms: int) -> Order:
        position = self._positions.positions[i]
        side = Side.SELL if position.lots > 0 else Side.BUY
        order = self._new(
            i, side, role, OrderType.MARKET, lots, position.strategy, at_ms,
            reference=self._positions.last[i], reason=reason,
        )  # fmt: skip
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
        trail_rate: int = 0, reference: int = 0, price: int = 0, reason: str = "",
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
            price=price,
            reason=reason,
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
        """True while a market order that closes all of position `i` is under way."""
        return self.way_out(i) is not None

    def way_out(self, i: int) -> Order | None:
        """Return the market order under way that closes position `i`; None without one."""
        return self.orders.way_out(self._positions.instruments[i].symbol)

    def any_way_out(self, symbol: str) -> Order | None:
        """Return a market order under way that closes the position, or a step of it."""
        return self.orders.way_out(symbol) or self.orders.step(symbol)

    def entries_of(self, strategy: str, symbol: str = "") -> list[Order]:
        """Return the open entries of a strategy, of one symbol or of all."""
        return [
            order
            for order in self.orders.values()
            if order.role is OrderRole.ENTRY
            and order.strategy == strategy
            and symbol in ("", order.symbol)
        ]

    def reserved_by(self, strategy: str) -> int:
        """Return what the open entries of a strategy may still cost, fee included, money units."""
        entries = self.entries_of(strategy)
        return sum(self._reserved.get(order.client_order_id, 0) for order in entries)

    @property
    def entries_under_way(self) -> int:
        return self.orders.entries

    @property
    def has_unsent(self) -> bool:
        return bool(self._outbox)
