"""What a change of the configuration does: when it takes effect, and whether it raises risk.

Pure: the engine decides by `structure`, and whoever asks for a change is told the same beforehand.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from config.catalogue import Path, keys
from config.settings import Settings
from crypto_trader_pro.domain.enums import TradingMode

Reason = str  # of the catalogue of texts: settings.risk.<reason>


class Effect(StrEnum):
    """When a change takes effect, of most to least weight."""

    NEW_SESSION = "new_session"  # ends the session and begins another; only while flat
    STRATEGY = "strategy"  # at the next cycle, after every strategy has filled its windows anew
    CYCLE = "cycle"  # at the next decision
    RESTART = "restart"  # when the engine, or a session, begins the next time
    MESSAGES = "messages"  # with the next message
    DORMANT = "dormant"  # when its preset or profile is chosen


def structure(settings: Settings) -> dict[str, Any]:
    """Return what a session is made of and cannot change without a new one."""
    return {
        "symbols": list(settings.symbols),
        "timeframe": settings.engine.timeframe,
        "trading_interval": settings.engine.trading_interval,
        "mode": settings.engine.mode.value,
        "paper equity": str(settings.paper_equity),
        "market": [
            settings.market_data.source,
            settings.market_data.venue,
            settings.market_data.demo_seed,
        ],
    }


_MADE_OF: Final[Mapping[str, frozenset[str]]] = MappingProxyType({
    "symbols": frozenset({"symbols"}),
    "timeframe": frozenset({"engine.timeframe"}),
    "trading_interval": frozenset({"engine.trading_interval"}),
    "mode": frozenset({"engine.mode"}),
    "paper equity": frozenset({
        "paper.initial_equity", "engine.profile",
        *(".".join(p) for p in keys() if p[0] == "profiles" and p[-1] == "capital"),
    }),
    "market": frozenset({"market_data.source", "market_data.venue", "market_data.demo_seed"}),
})  # fmt: skip
# read when the market, the watch or the jobs are made, and not again
_AT_BEGIN: Final = frozenset({
    "market_data.demo_speed", "market_data.connect_seconds", "market_data.silence_seconds",
    "engine.candle_grace_seconds", "paper.funding", "daily_summary_time",
})  # fmt: skip
_AT_BEGIN_SECTIONS: Final = frozenset({"kill_switch", "rollback", "retention", "research", "reach"})
_MESSAGE_SECTIONS: Final = frozenset({
    "notifications", "channels", "routing", "quiet_hours", "digest", "rate_limits", "escalation",
})  # fmt: skip
# the process that sends messages follows these as it runs
_MESSAGE_KEYS: Final = frozenset({
    "engine.language", "weekly_report_day", "reach.silent_after_seconds",
})  # fmt: skip


def changed(before: Settings, after: Settings) -> tuple[Path, ...]:
    """Return the keys whose values differ, in the files' order."""
    return tuple(p for p in keys() if value_at(before, p) != value_at(after, p))


def value_at(settings: Settings, path: Path) -> Any:
    """Return the value of a key."""
    found: Any = settings
    for name in path:
        found = getattr(found, name)
    return found


def effect_of(path: Path, before: Settings, after: Settings) -> Effect:
    """Return when the change of one key takes effect, the other changes beside it.

    Args:
        path: of a key that differs.
    """
    old, new = structure(before), structure(after)
    key, section = ".".join(path), path[0]
    if any(old[part] != new[part] and key in _MADE_OF[part] for part in new):
        return Effect.NEW_SESSION
    if _sleeps(path, after):
        return Effect.DORMANT
    if section in _MESSAGE_SECTIONS or key in _MESSAGE_KEYS:
        return Effect.MESSAGES
    if key in _AT_BEGIN or section in _AT_BEGIN_SECTIONS:
        return Effect.RESTART
    return Effect.STRATEGY if section == "strategies" else Effect.CYCLE


def _sleeps(path: Path, after: Settings) -> bool:
    chosen = {"modes": after.engine.trading_mode.value, "profiles": after.engine.profile}
    return path[0] in chosen and path[1] != chosen[path[0]]


# --- risk ---------------------------------------------------------------------------------------

_MORE: Final = "more"  # a larger value, or none at all, raises risk
_LESS: Final = "less"
_MORE_OR_ZERO: Final = "more_or_zero"  # zero switches it off
_ON: Final = "on"
_OFF: Final = "off"
_GAINED: Final = "gained"  # a list with a new entry
_LOST: Final = "lost"  # a list without an entry it had
_ANY: Final = "any"  # whichever way it changes
_RANKED: Final = "ranked"  # a trading mode

RISKS: Final[Mapping[str, tuple[str, Reason]]] = MappingProxyType({
    "engine.max_concurrent_positions": (_MORE, "more_positions"),
    "engine.enable_paper_trading": (_ANY, "other_mode"),
    "engine.mode": (_ANY, "other_mode"),
    "engine.trading_mode": (_RANKED, "bolder_mode"),
    "engine.profile": (_ANY, "other_caps"),
    "engine.candle_grace_seconds": (_MORE, "older_data"),
    "risk_management.daily_loss_limit_pct": (_MORE, "looser_limit"),
    "risk_management.position_size_pct": (_MORE, "larger_size"),
    "risk_management.stop_loss_pct": (_MORE, "wider_stop"),
    "symbols": (_GAINED, "more_symbols"),
    "notifications.enabled": (_OFF, "fewer_messages"),
    "notifications.channels": (_LOST, "fewer_messages"),
    "notifications.error_notifications": (_OFF, "fewer_messages"),
    "market_data.source": (_ANY, "other_market"),
    "market_data.venue": (_ANY, "other_market"),
    "market_data.stale_timeframes": (_MORE, "older_data"),
    "market_data.outlier_multiple": (_MORE, "weaker_check"),
    "market_data.warm_bars": (_LESS, "weaker_check"),
    "market_data.silence_seconds": (_MORE, "older_data"),
    "paper.trade_unproven": (_ON, "unproven"),
    "strategies.ema_cross.enabled": (_ON, "more_entries"),
    "strategies.ema_cross.stop_pct": (_MORE, "wider_stop"),
    "strategies.ema_cross.trailing_pct": (_MORE_OR_ZERO, "wider_stop"),
    "strategies.ema_cross.long_only": (_OFF, "more_entries"),
    "strategies.ai_signal.enabled": (_ON, "more_entries"),
    "strategies.ai_signal.stop_atr": (_MORE, "wider_stop"),
    "strategies.ai_signal.min_months": (_LESS, "unproven"),
    "strategies.ai_signal.expire_months": (_MORE, "unproven"),
    "limits.daily_warning_share_pct": (_MORE, "later_warning"),
    "limits.drawdown_reduce_pct": (_MORE, "looser_limit"),
    "limits.drawdown_recover_pct": (_MORE, "looser_limit"),
    "limits.drawdown_kill_pct": (_MORE, "looser_limit"),
    "limits.drawdown_reset_days": (_LESS, "looser_limit"),
    "limits.risk_per_trade_pct": (_MORE, "larger_size"),
    "limits.max_leverage": (_MORE, "more_leverage"),
    "limits.price_collar_pct": (_MORE, "weaker_check"),
    "limits.cooldown_bars": (_LESS, "more_entries"),
    "limits.max_entries_per_day": (_MORE, "more_entries"),
    "limits.max_entries_per_cycle": (_MORE, "more_entries"),
    "limits.lock_after_stops": (_MORE_OR_ZERO, "more_entries"),
    "limits.max_order_notional": (_MORE, "larger_size"),
    "kill_switch.var_breach_count": (_MORE, "looser_limit"),
    "kill_switch.api_error_rate_pct": (_MORE, "looser_limit"),
    "kill_switch.window_minutes": (_LESS, "looser_limit"),
    "rollback.error_rate_pct": (_MORE, "looser_limit"),
    "rollback.latency_p99_ms": (_MORE, "looser_limit"),
    "rollback.drawdown_pct": (_MORE, "looser_limit"),
    "safety.connection_lost_seconds": (_MORE, "older_data"),
    "safety.connection_emergency_seconds": (_MORE, "older_data"),
    "safety.max_volatility_pct": (_MORE, "weaker_check"),
    "safety.min_balance_pct": (_LESS, "weaker_check"),
    "emergency_stop.flatten": (_OFF, "stays_open"),
    "emergency_stop.flatten_on": (_LOST, "stays_open"),
    "reach.enabled": (_OFF, "fewer_messages"),
    "reach.silent_after_seconds": (_MORE, "fewer_messages"),
    "escalation.enabled": (_OFF, "fewer_messages"),
    "escalation.channels": (_LOST, "fewer_messages"),
    "routing.by_severity.error": (_LOST, "fewer_messages"),
    "routing.by_severity.critical": (_LOST, "fewer_messages"),
    **{".".join(p): (_LESS, "smaller_edge") for p in keys() if p[-1] == "edge_margin_bp"},
    **{".".join(p): (_MORE, "larger_size") for p in keys() if p[-1] == "size_factor_pct"},
    **{".".join(p): (_MORE, "larger_size") for p in keys() if p[-1] == "capital"},
    **{
        ".".join(p): (_MORE, "more_leverage")
        for p in keys() if p[0] == "profiles" and p[-1] == "max_leverage"
    },
})  # fmt: skip

_RAISES: Final[Mapping[str, Callable[[Any, Any], bool]]] = MappingProxyType({
    _MORE: lambda old, new: old is not None and (new is None or new > old),
    _LESS: lambda old, new: bool(new < old),
    _MORE_OR_ZERO: lambda old, new: old != 0 and (new == 0 or new > old),
    _ON: lambda old, new: new and not old,
    _OFF: lambda old, new: old and not new,
    _GAINED: lambda old, new: not set(new) <= set(old),
    _LOST: lambda old, new: not set(old) <= set(new),
    _ANY: lambda old, new: old != new,
    _RANKED: lambda old, new: _rank(new) > _rank(old),
})  # fmt: skip


def risk_of(path: Path, before: Settings, after: Settings) -> Reason | None:
    """Return why the change of one key raises risk; None where it does not."""
    way, reason = RISKS.get(".".join(path), ("", ""))
    if not way:
        return None
    raises = _RAISES[way](value_at(before, path), value_at(after, path))
    return reason if raises else None


def _rank(mode: TradingMode) -> int:
    return list(TradingMode).index(mode)
