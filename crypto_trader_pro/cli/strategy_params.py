"""`--param fast=10`: parameters of strategies as settings; what there is not is refused by name."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from config.catalogue import names_in
from crypto_trader_pro.cli.context import overrides
from crypto_trader_pro.domain.errors import ConfigError, InputError

_SECTION: Final = "strategies"
_SWITCH: Final = "enabled"  # a backtest runs what it is asked to


def parameter_names(strategy: str) -> list[str]:
    """Return the parameters of a strategy."""
    return [name for name in names_in((_SECTION, strategy)) if name != _SWITCH]


def check_strategies(strategies: Sequence[str]) -> None:
    """Refuse a name that no strategy has.

    Raises:
        ConfigError: there is one.
    """
    known = names_in((_SECTION,))
    for name in strategies:
        if name not in known:
            raise ConfigError(f"strategy was {name!r}, allowed: {', '.join(known)}")


def parameter_overrides(given: Sequence[str], strategies: Sequence[str]) -> Mapping[str, Any]:
    """Return settings by dotted key for `--param` arguments.

    Args:
        given: "fast=10", or with the name of its strategy "ema_cross.fast=10".
        strategies: those that are run, known ones.

    Raises:
        InputError: no such parameter, a strategy that is not run, or a name that says too little.
    """
    found: dict[str, Any] = {}
    for key, value in overrides(given, "--param").items():
        strategy, _, name = key.rpartition(".")
        if not strategy:
            if len(strategies) != 1:
                raise InputError(
                    f"--param {key}: with several strategies allowed:"
                    f" {' or '.join(f'{each}.{key}' for each in strategies)}"
                )
            strategy = strategies[0]
        if strategy not in strategies:
            raise InputError(
                f"--param {key}: strategy was {strategy!r}, allowed: {', '.join(strategies)}"
            )
        allowed = parameter_names(strategy)
        if name not in allowed:
            raise InputError(f"--param {key}: {strategy} has only {', '.join(allowed)}")
        found[f"{_SECTION}.{strategy}.{name}"] = value
    return found
