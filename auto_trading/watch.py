"""Watches a session over rolling windows: kill switch, roll-back, a market that fell silent.

A thread of its own looks once a second. What it finds becomes a command like a person's: it is
recorded with the session, answered, and repeats with it.
"""

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from auto_trading.risk_manager import Violation
from auto_trading.safety import KillSwitch, RollbackTriggers, SafetyInputs, SafetySystem
from auto_trading.session_inputs import KILL_SWITCH, Command
from auto_trading.worker import Worker
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind, EmergencyTrigger, NotificationType
from crypto_trader_pro.domain.errors import TradingError
from crypto_trader_pro.domain.ports import MarketSource

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class WatchTools:
    """What the watch needs.

    Args:
        period_ms: market time over which a loss is compared with the value at risk: a candle.
        submit: hands a command to the session.
        roll_back: takes the configuration in force back and says whether there was another.
        beside: what else is to be looked at once a second.
        tell: sends a message: kind, severity, catalogue code, numbers.
    """

    worker: Callable[[], Worker | None]
    source: MarketSource
    settings: Callable[[], Settings]
    now: Callable[[], datetime]
    period_ms: int
    submit: Callable[[Command], None]
    roll_back: Callable[[str], bool]
    beside: Callable[[], None]
    tell: Callable[[NotificationType, str, str, dict[str, int]], None]


class Watch:
    """Started and closed with its session."""

    def __init__(self, tools: WatchTools) -> None:
        self._tools = tools
        settings = tools.settings()
        self._kill = KillSwitch(settings.kill_switch)
        self._rollback = RollbackTriggers(
            settings.rollback, settings.kill_switch.window_minutes * 60_000
        )
        self._config_hash = ""
        self._earlier_hash = ""  # of the configuration before that
        self._coming_back = ""  # the one that a roll-back brings: it is not taken back in turn
        self._tripped: set[EmergencyTrigger] = set()
        self._failing: dict[str, dict[str, int]] = {}
        self._period = 0
        self._was_halted = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join(0.5)

    @property
    def failing(self) -> dict[str, dict[str, int]]:
        """The safety checks that fail right now, with their numbers."""
        return dict(self._failing)

    def _run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            try:
                self._look()
            except Exception:
                log.exception("the watch met a bug; it goes on")

    def _look(self) -> None:
        worker = self._tools.worker()
        if worker is None or worker.seen is None:
            return
        at_ms = int(self._tools.now().timestamp() * 1000)
        account = worker.seen.account
        halted = bool(worker.seen.report["halt_reason"])
        if self._was_halted and not halted:  # a person has re-armed: what was counted is answered
            self._kill.clear()
            self._tripped.clear()
        self._was_halted = halted
        exposed = account.open_positions > 0
        self._check_kill_switch(at_ms, account.at_ms, account.equity, exposed=exposed)
        self._check_rollback(worker, at_ms, account.equity)
        self._check_safety(worker)
        self._tools.beside()

    # --- kill switch ------------------------------------------------------------------------

    def _check_kill_switch(self, at_ms: int, market_ms: int, equity: int, *, exposed: bool) -> None:
        health = self._tools.source.health()
        self._kill.api.observe(at_ms, health.calls, health.errors)
        length = self._tools.period_ms
        if market_ms // length != self._period:
            self._period = market_ms // length
            self._kill.breaches.close(market_ms, equity, exposed=exposed)
        for trip in self._kill.check(at_ms, market_ms):
            if trip.trigger not in self._tripped:
                self._tripped.add(trip.trigger)
                self._tools.tell(
                    NotificationType.EMERGENCY_STOP, "critical", f"risk.{trip.code}", trip.numbers
                )
                self._stop(trip.trigger)
        settings = self._tools.settings()
        age = health.last_event_age_seconds
        limit = settings.safety.connection_emergency_seconds
        lost = EmergencyTrigger.API_CONNECTION_LOST
        if age is None or age <= limit:
            self._tripped.discard(lost)
        elif lost not in self._tripped and not self._was_halted:
            self._tripped.add(lost)
            numbers = {"seconds": int(age), "limit": limit}
            self._tools.tell(
                NotificationType.API_CONNECTION_LOST, "critical", "risk.connection_lost", numbers
            )
            self._stop(lost)

    def _stop(self, trigger: EmergencyTrigger) -> None:
        payload = {"trigger": trigger.value}
        self._tools.submit(
            Command(
                uuid.uuid4().hex, CommandKind.EMERGENCY_STOP, payload, KILL_SWITCH,
                self._tools.now(),
            )
        )  # fmt: skip

    # --- roll-back --------------------------------------------------------------------------

    def _check_rollback(self, worker: Worker, at_ms: int, equity: int) -> None:
        """Take a configuration back that does badly since it was applied."""
        in_force = self._tools.settings().hash()
        if in_force != self._config_hash:
            # watched is a new one: neither that of the start nor one that a roll-back brought back
            if self._config_hash and in_force != self._coming_back:
                self._rollback.applied(equity)
            self._coming_back = ""
            self._earlier_hash, self._config_hash = self._config_hash, in_force
        while worker.cycles:
            seconds, failed = worker.cycles.popleft()
            self._rollback.cycle(at_ms, round(seconds * 1000), failed=failed)
        found = self._rollback.check(at_ms, equity)
        if found:
            self._take_back(found[0])

    def _take_back(self, reason: Violation) -> None:
        try:
            is_asked = self._tools.roll_back(reason.code)
        except TradingError as e:  # nothing is forgotten: the next look asks again
            log.warning("the configuration cannot be taken back yet: %s", e)
            return
        self._rollback.clear()
        if is_asked:
            self._coming_back = self._earlier_hash
        kind = NotificationType.CONFIG_CHANGED
        self._tools.tell(kind, "error", f"rollback.{reason.code}", reason.numbers)
        code = "risk.rolled_back" if is_asked else "risk.rollback_impossible"
        self._tools.tell(kind, "error", code, {})

    # --- checks before each cycle -----------------------------------------------------------

    def _check_safety(self, worker: Worker) -> None:
        """Tell once when a check begins to fail and once when it passes again."""
        seen = worker.seen
        if seen is None:
            return
        settings = self._tools.settings()
        account = seen.account
        age = self._tools.source.health().last_event_age_seconds
        inputs = SafetyInputs(
            connection_age_ms=0 if age is None else int(age * 1000),
            daily_level=seen.report["daily_level"],
            day_start_equity=account.day_start_equity,
            equity=account.equity,
            cash=account.cash if seen.report["pays_in_full"] else account.equity,
            open_positions=account.open_positions,
            max_positions=settings.engine.max_concurrent_positions,
            volatile_symbols=seen.report["volatile"],
            symbols=len(settings.symbols),
        )
        now = {v.code: v.numbers for v in SafetySystem(settings).run_safety_checks(inputs)}
        for code in now.keys() - self._failing.keys():
            log.warning("safety check failed: %s", code, extra={"data": now[code]})
        for code in self._failing.keys() - now.keys():
            log.warning("safety check passes again: %s", code)
        self._failing = now
