"""The emergency path: stop new risk first, then get out as configured. It is latched."""

from collections.abc import Collection

from auto_trading.position_manager import PositionManager
from auto_trading.risk_manager import RiskManager
from auto_trading.trade_executor import TradeExecutor
from crypto_trader_pro.domain.enums import EmergencyTrigger, OrderRole


class EmergencyStop:
    """Halts, cancels entries, and flattens where the configuration says so.

    Args:
        flatten_on: triggers that also close every position. The others leave them to their stops.
    """

    def __init__(
        self, risk: RiskManager, executor: TradeExecutor, positions: PositionManager,
        flatten_on: Collection[EmergencyTrigger],
    ) -> None:  # fmt: skip
        self._risk = risk
        self._executor = executor
        self._positions = positions
        self._flatten_on = frozenset(flatten_on)

    async def trigger_emergency_stop(self, reason: EmergencyTrigger, at_ms: int) -> int:
        """Halt in memory at once, then cancel and close; return how many positions are closed.

        Protective orders stay until the position is flat; the venue drops them then.
        """
        self._risk.halt(reason.value)
        await self._executor.cancel_entries()
        return self.flatten(reason, at_ms)

    def flatten(self, reason: EmergencyTrigger, at_ms: int) -> int:
        """Close every position if the configuration says so for `reason`; return how many."""
        if reason not in self._flatten_on:
            return 0
        closing = [
            self._executor.close(i, OrderRole.FLATTEN, reason.value, at_ms)
            for i in list(self._positions.open_indexes)
        ]
        return sum(order is not None for order in closing)
