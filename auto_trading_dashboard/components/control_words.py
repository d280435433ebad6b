"""How the engine stands, in one plain sentence: which one applies is decided here."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from auto_trading_dashboard.components import ages, figures
from auto_trading_dashboard.queries.control import Panel
from crypto_trader_pro.domain.enums import (
    CommandKind,
    DesiredState,
    EmergencyTrigger,
    ObservedState,
    TradingState,
)
from database.engine_state import EngineState

AHEAD_SECONDS: Final = 2.0  # that a heartbeat may be ahead of our clock

_ASKED: Final = {
    DesiredState.RUNNING: CommandKind.START, DesiredState.STOPPED: CommandKind.STOP,
    DesiredState.EMERGENCY: CommandKind.EMERGENCY_STOP,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of the catalogue: `control.now.CODE` with its values.

    Args:
        level: how much it wants a person: `info`, `good`, `wait`, `bad`.
    """

    code: str
    level: Literal["info", "good", "wait", "bad"]
    values: dict[str, Any] = field(default_factory=dict)


def situation(panel: Panel, now: datetime) -> Said:
    """Return what is to be said of the engine at `now`, system time."""
    engine = panel.engine
    if engine is None:
        return Said("never", "info")
    if not engine.alive:
        return _without_engine(panel, engine, now)
    doubt = _doubt((now - engine.heartbeat_at).total_seconds())
    if doubt is not None:
        return doubt
    if engine.observed is ObservedState.FAULTED:
        return Said("faulted", "bad")
    if panel.is_latched:
        return _latched(panel, engine, now)
    return _on_its_way(panel, engine, now) or _as_wanted(panel, engine)


def _doubt(silent: float) -> Said | None:
    """Return why the heartbeat is no news of now; None where it is."""
    if silent < -AHEAD_SECONDS:
        return Said("clock", "bad", {"ahead": ages.age(-silent)})
    if silent > figures.STALE_SECONDS:
        return Said("late", "bad", {"age": ages.age(silent)})
    return None


def trigger_of(panel: Panel) -> str:
    """Return the trigger of a latched emergency, "" without one."""
    told = "" if panel.safety is None else panel.safety.halt_reason
    return told or (EmergencyTrigger.MANUAL_STOP.value if panel.is_latched else "")


def _without_engine(panel: Panel, engine: EngineState, now: datetime) -> Said:
    if engine.observed is ObservedState.FAULTED:
        values = {"age": ages.since(engine.heartbeat_at, now)}
        return Said("faulted_gone" if engine.last_error else "died", "bad", values)
    if engine.desired is DesiredState.EMERGENCY:
        return Said("no_engine_latched", "bad")
    if engine.desired is DesiredState.RUNNING:
        return Said("no_engine_start", "wait", {"age": _asked(panel, engine, now)})
    return Said("no_engine", "info")


def _latched(panel: Panel, engine: EngineState, now: datetime) -> Said:
    if engine.trading is not TradingState.HALTED:
        return Said("emergency_asked", "bad", {"age": _asked(panel, engine, now)})
    flattening = panel.safety is not None and panel.safety.flattening
    left = 0 if panel.books is None else panel.books.open_positions
    if flattening:
        return Said("flattening", "bad", {"trigger": trigger_of(panel), "positions": left})
    return Said("latched", "bad", {"trigger": trigger_of(panel), "positions": left})


def _on_its_way(panel: Panel, engine: EngineState, now: datetime) -> Said | None:
    """Return what is said while wish and state differ."""
    wanted, observed = engine.desired, engine.observed
    age = _asked(panel, engine, now)
    if observed is ObservedState.STARTING:
        return Said("starting", "wait")
    if wanted is DesiredState.RUNNING and observed is not ObservedState.RUNNING:
        return Said("start_asked", "wait", {"age": age})
    if wanted is DesiredState.STOPPED and observed is not ObservedState.STOPPED:
        return Said("stop_asked", "wait", {"age": age})
    return None


def _as_wanted(panel: Panel, engine: EngineState) -> Said:
    if panel.is_paused and engine.trading is not TradingState.HALTED:
        return Said("paused", "wait")
    if engine.trading is TradingState.REDUCING:
        return Said("reducing", "bad")
    if engine.trading is TradingState.HALTED:
        daily = panel.safety is not None and panel.safety.daily_level >= 2
        return Said("daily_loss" if daily else "drawdown", "bad")
    if engine.observed is ObservedState.RUNNING:
        return Said("running", "good")
    return Said("stopped", "info")


def _asked(panel: Panel, engine: EngineState, now: datetime) -> str:
    """Return how long ago what is wanted was asked for; a dash where no command says so."""
    wish = panel.wish
    if wish is None or wish.kind != _ASKED[engine.desired]:
        return figures.MISSING
    return ages.since(wish.asked_at, now)
