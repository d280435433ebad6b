"""The emergency path: stop new risk first, then get out as configured. It is latched."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from auto_trading.journal_port import EngineJournal
from auto_trading.position_manager import PositionManager
from auto_trading.risk_manager import RiskManager
from auto_trading.trade_executor import TradeExecutor
from crypto_trader_pro.domain.enums import EmergencyTrigger, NotificationType, OrderRole


class EmergencyStop:
    """Halts, cancels entries, and flattens where the configuration says so.

    Each step is reported through the journal as it happens, so that a screen can show it and a
    restart goes on with it.

    Args:
        flatten_on: triggers that also close every position. The others leave them to their stops.
        now: system time.
    """

    def __init__(
        self, risk: RiskManager, executor: TradeExecutor, positions: PositionManager,
        flatten_on: Collection[EmergencyTrigger], journal: EngineJournal,
        now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._risk = risk
        self._executor = executor
        self._positions = positions
        self._flatten_on = frozenset(flatten_on)
        self._journal = journal
        self._now = now
        self._report: dict[str, Any] | None = None  # of the stop under way

    @property
    def is_under_way(self) -> bool:
        """True while positions are still being closed."""
        return self._report is not None

    def acts_on(self, reason: EmergencyTrigger) -> bool:
        """False where a stop for `reason` would do nothing more than has been done."""
        if self._report is not None:
            return False
        closes = reason in self._flatten_on and self._positions.open_count > 0
        return closes or not self._risk.halt_reason

    async def trigger_emergency_stop(
        self, reason: EmergencyTrigger, at_ms: int, by: str = "engine"
    ) -> int:
        """Halt in memory at once, then cancel and close; return how many positions are closed.

        Protective orders stay until the position is flat; the venue drops them then. Asked again
        it goes on with what is under way, and does nothing where all is done.
        """
        if not self.acts_on(reason):
            return self._positions.open_count if self.is_under_way else 0
        self._risk.halt(reason.value)
        count = self._positions.open_count
        report: dict[str, Any] = {
            "trigger": reason.value, "by": by, "started": self._now().isoformat(),
            "positions": count, "remaining": count, "steps": [],
        }  # fmt: skip
        self._report = report
        self._step(report, "halted", at_ms)
        await self._executor.cancel_entries()
        self._step(report, "entries_canceled", at_ms)
        if not count:
            await self.follow(at_ms)
            return 0
        if reason not in self._flatten_on:
            self._step(report, "positions_kept", at_ms, positions=count)
            self._end(report, "kept")
            return 0
        self.flatten(reason, at_ms)  # positions that are being closed already are waited for too
        self._step(report, "flattening", at_ms, positions=count)
        self._write(report, "flattening")
        return count

    def flatten(self, reason: EmergencyTrigger, at_ms: int) -> None:
        """Close every position if the configuration says so for `reason`."""
        if reason in self._flatten_on:
            for i in list(self._positions.open_indexes):
                self._executor.close(i, OrderRole.FLATTEN, reason.value, at_ms)

    async def follow(self, at_ms: int) -> None:
        """Look how far the stop has come: close again what came back, verify, clear the rest."""
        report = self._report
        if report is None:
            return
        remaining = self._positions.open_count
        if remaining:
            self.flatten(EmergencyTrigger(report["trigger"]), at_ms)  # where an order has ended
            if remaining != report["remaining"]:
                report["remaining"] = remaining
                self._write(report, "flattening")
            return
        report["remaining"] = 0
        left = await self._executor.venue_lots()
        if left:
            self._step(report, "venue_differs", at_ms, positions=len(left))
            self._write(report, "flattening")
            return
        self._step(report, "flat", at_ms)
        await self._executor.cancel_all()
        self._step(report, "orders_canceled", at_ms)
        self._end(report, "flat")
        numbers = {"positions": report["positions"]}
        self._journal.alert(
            NotificationType.EMERGENCY_STOP, "critical", "emergency_flat", numbers, at_ms
        )

    def _step(self, report: dict[str, Any], name: str, at_ms: int, **numbers: int) -> None:
        steps = report["steps"]
        if not steps or steps[-1]["step"] != name:  # what goes on is told once
            at = self._now().isoformat()
            steps.append({"step": name, "at": at, "market_ms": at_ms, **numbers})

    def _write(
        self, report: Mapping[str, Any], status: str, finished: datetime | None = None
    ) -> None:
        self._journal.emergency(
            report["trigger"], report["by"], status, datetime.fromisoformat(report["started"]),
            finished, report["positions"], report["remaining"], report["steps"],
        )  # fmt: skip

    def _end(self, report: Mapping[str, Any], status: str) -> None:
        self._write(report, status, self._now())
        self._report = None

    def state(self) -> dict[str, Any]:
        return {"report": self._report}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._report = state["report"]
