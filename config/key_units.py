"""What the figures of a key are measured in, by the ending of its name."""

from types import MappingProxyType
from typing import Final

from config.catalogue import Path, keys, kind_of

_ENDINGS: Final = MappingProxyType({
    "_pct": "percent", "_bp": "bp", "_seconds": "seconds", "_ms": "ms", "_minutes": "minutes",
    "_days": "days", "_months": "months", "_bars": "candles", "_timeframes": "candles",
    "_atr": "atr", "_leverage": "times", "_multiple": "times", "_notional": "quote",
    "_equity": "quote", "_per_minute": "per_minute", "_times": "often",
})  # fmt: skip
_NAMES: Final = MappingProxyType({
    "trading_interval": "seconds", "demo_speed": "times", "capital": "quote", "fast": "candles",
    "slow": "candles",
})  # fmt: skip
# numbers that count what their name says, or measure nothing
PLAIN: Final = frozenset({
    "max_concurrent_positions", "max_entries_per_day", "max_entries_per_cycle",
    "lock_after_stops", "var_breach_count", "demo_seed", "port", "workers",
})  # fmt: skip


def unit_of(path: Path) -> str:
    """Return the unit's word of the texts: settings.unit.<word>; "" for a value without one."""
    if kind_of(keys()[path].annotation) in (bool, str, tuple) or path[-1] in PLAIN:
        return ""
    found = (unit for ending, unit in _ENDINGS.items() if path[-1].endswith(ending))
    return _NAMES.get(path[-1]) or next(found, "")


def units() -> frozenset[str]:
    """Return every unit's word."""
    return frozenset({*_ENDINGS.values(), *_NAMES.values()})
