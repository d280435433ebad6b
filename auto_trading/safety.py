"""The checks before each cycle, the kill switch and the triggers that take a configuration back.

Each returns codes with numbers and decides nothing itself: the engine refuses entries, stops or
rolls back. Whole numbers, no clock, the same answer for the same inputs.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from auto_trading.risk_manager import Violation
from auto_trading.rolling_windows import RollingQuantile, RollingRate, VarBreaches
from config.fields import as_rate
from config.risk import KillSwitch as KillSwitchSettings
from config.risk import Rollback
from config.settings import Settings
from crypto_trader_pro.domain.enums import EmergencyTrigger
from crypto_trader_pro.domain.units import RATE, rate_floor
from crypto_trader_pro.risk.limits import drawdown_rate

MIN_CALLS: Final = 20  # one failure of two calls is no error rate
MIN_CYCLES: Final = 20
MIN_LATENCIES: Final = 100  # of fewer the 99th percentile is the slowest alone
_LATENCIES: Final = 1_000
_MINUTE_MS: Final = 60_000


class SafetyInputs(NamedTuple):
    """What the checks look at. Money in money units, times in milliseconds."""

    connection_age_ms: int  # since the last word from the market, or since the start before it
    daily_level: int  # of the loss ladder: 2 is the limit
    day_start_equity: int
    equity: int
    cash: int  # not bound in spot holdings
    open_positions: int
    max_positions: int
    volatile_symbols: int  # by `SafetySystem.volatile`
    symbols: int  # configured


class SafetySystem:
    """Checked before each cycle (document 004, section 5). A failed check allows no entry.

    Entries only: exits, stops and the flatten path never ask here.
    """

    def __init__(self, settings: Settings) -> None:
        safety = settings.safety
        self._lost_ms = safety.connection_lost_seconds * 1000
        self._emergency_ms = safety.connection_emergency_seconds * 1000
        self._volatile_rate = as_rate(safety.max_volatility_pct)
        self._balance_rate = as_rate(safety.min_balance_pct)

    def run_safety_checks(self, inputs: SafetyInputs) -> list[Violation]:
        """Return every check that fails, not merely the first; an empty list is safe."""
        found: list[Violation] = []
        if inputs.daily_level >= 2:
            found.append(self._daily_loss(inputs))
        if inputs.open_positions >= inputs.max_positions:
            numbers = {"open": inputs.open_positions, "limit": inputs.max_positions}
            found.append(Violation("position_limits", numbers))
        if inputs.connection_age_ms > self._lost_ms:
            numbers = {
                "seconds": inputs.connection_age_ms // 1000, "limit": self._lost_ms // 1000
            }  # fmt: skip
            found.append(Violation("api_connectivity", numbers))
        # each volatile symbol is refused by itself; when all are, the market as a whole is
        if 0 < inputs.symbols <= inputs.volatile_symbols:
            numbers = {"volatile": inputs.volatile_symbols, "symbols": inputs.symbols}
            found.append(Violation("market_volatility", numbers))
        minimum = rate_floor(max(0, inputs.equity), self._balance_rate)
        if inputs.equity <= 0 or inputs.cash < minimum:
            numbers = {"room": inputs.cash, "equity": inputs.equity, "minimum": minimum}
            found.append(Violation("account_balance", numbers))
        return found

    @staticmethod
    def _daily_loss(inputs: SafetyInputs) -> Violation:
        numbers = {"equity": inputs.equity, "day_start": inputs.day_start_equity}
        return Violation("daily_loss_limit", numbers)

    def volatile(self, mean_abs_move_rate: int) -> bool:
        """True when a symbol moves too much to be entered.

        Args:
            mean_abs_move_rate: mean absolute move of its candles, parts of 1e8 of the price.
        """
        return mean_abs_move_rate > self._volatile_rate

    def connection_emergency(self, connection_age_ms: int) -> bool:
        """True when the market has been silent for so long that API_CONNECTION_LOST halts."""
        return connection_age_ms > self._emergency_ms


class Trip(NamedTuple):
    """Why the kill switch trips: the trigger of the emergency stop, with its numbers."""

    trigger: EmergencyTrigger
    code: str
    numbers: dict[str, int]


class KillSwitch:
    """Triggers of document 002, section 10.2, beside the drawdown that the risk manager watches.

    It goes on to say that it trips for as long as its windows say so; the halt itself is latched by
    the risk manager, and a person's re-arm comes with `clear`.
    """

    def __init__(self, settings: KillSwitchSettings) -> None:
        window_ms = settings.window_minutes * _MINUTE_MS
        self._most_breaches = settings.var_breach_count
        self._error_rate = as_rate(settings.api_error_rate_pct)
        self.api = RollingRate(window_ms)
        self.breaches = VarBreaches(window_ms)

    def check(self, at_ms: int, market_ms: int | None = None) -> list[Trip]:
        """Return every trigger that is pulled right now.

        Args:
            at_ms: system time, of the calls.
            market_ms: time of the market, of the breaches; None where both are the same.
        """
        found = []
        count = self.breaches.count(at_ms if market_ms is None else market_ms)
        if count > self._most_breaches:
            numbers = {"count": count, "limit": self._most_breaches}
            found.append(Trip(EmergencyTrigger.VAR_BREACHES, "var_breaches", numbers))
        failed, calls = self.api.totals(at_ms)
        if _too_many(failed, calls, self._error_rate, MIN_CALLS):
            numbers = {"failed": failed, "calls": calls, "limit_rate": self._error_rate}
            found.append(Trip(EmergencyTrigger.API_ERROR_RATE, "api_error_rate", numbers))
        return found

    def clear(self) -> None:
        """Begin to count anew: what was counted has been answered by a person's re-arm."""
        self.api.clear()
        self.breaches.clear()

    def state(self) -> dict[str, Any]:
        return {"api": self.api.state(), "breaches": self.breaches.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.api.restore(state["api"])
        self.breaches.restore(state["breaches"])


class RollbackTriggers:
    """When a newly applied configuration is taken back (document 002, section 10.2).

    Counts from `applied` on; before it, and after `clear`, there is nothing to take back. Latency
    is measured in real time and differs when a session is repeated, so that a roll-back has to be
    an event of the session like any other change of the configuration.
    """

    def __init__(self, settings: Rollback, window_ms: int) -> None:
        self._error_rate = as_rate(settings.error_rate_pct)
        self._latency_ms = settings.latency_p99_ms
        self._drawdown_rate = as_rate(settings.drawdown_pct)
        self._cycles = RollingRate(window_ms)
        self._latency = RollingQuantile(_LATENCIES)
        self._peak = 0  # highest equity since the configuration was applied; 0: none watched

    @property
    def watching(self) -> bool:
        return self._peak > 0

    def applied(self, equity: int) -> None:
        """A configuration begins to hold at this equity, money units above 0."""
        self.clear()
        self._peak = max(1, equity)

    def cycle(self, at_ms: int, latency_ms: int, *, failed: bool) -> None:
        """Count one decision cycle."""
        if self.watching:
            self._cycles.add(at_ms, 1, int(failed))
            self._latency.add(latency_ms)

    def check(self, at_ms: int, equity: int) -> list[Violation]:
        """Return every trigger that is pulled right now."""
        if not self.watching:
            return []
        found = []
        failed, cycles = self._cycles.totals(at_ms)
        if _too_many(failed, cycles, self._error_rate, MIN_CYCLES):
            numbers = {"failed": failed, "cycles": cycles, "limit_rate": self._error_rate}
            found.append(Violation("error_rate", numbers))
        slow = self._latency.value(99, 100)
        if slow is not None and len(self._latency) >= MIN_LATENCIES and slow > self._latency_ms:
            numbers = {"milliseconds": slow, "limit": self._latency_ms}
            found.append(Violation("latency_p99", numbers))
        self._peak = max(self._peak, equity)
        fall = drawdown_rate(equity, self._peak)
        if fall > self._drawdown_rate:
            numbers = {"equity": equity, "peak": self._peak, "drawdown_rate": fall}
            found.append(Violation("drawdown", numbers))
        return found

    def clear(self) -> None:
        """Watch no more: the configuration was taken back, or has proven itself."""
        self._cycles.clear()
        self._latency.clear()
        self._peak = 0

    def state(self) -> dict[str, Any]:
        return {
            "cycles": self._cycles.state(), "latency": self._latency.state(), "peak": self._peak
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        self._cycles.restore(state["cycles"])
        self._latency.restore(state["latency"])
        self._peak = state["peak"]


def _too_many(failed: int, total: int, rate: int, least: int) -> bool:
    return total >= least and failed * RATE > total * rate
