"""`--param`: parameters are settings, and what there is not is refused by name."""

import pytest

from crypto_trader_pro.cli.strategy_params import check_strategies, parameter_overrides
from crypto_trader_pro.domain.errors import ConfigError, InputError


@pytest.mark.parametrize(
    ("given", "strategies", "expected"),
    [
        (["fast=10"], ["ema_cross"], {"strategies.ema_cross.fast": "10"}),
        (["ema_cross.slow=50"], ["ema_cross"], {"strategies.ema_cross.slow": "50"}),
        (
            ["ema_cross.fast=3", "ai_signal.stop_atr=2"], ["ema_cross", "ai_signal"],
            {"strategies.ema_cross.fast": "3", "strategies.ai_signal.stop_atr": "2"},
        ),
        ([], ["ema_cross"], {}),
    ],
)  # fmt: skip
def test_a_parameter_is_a_setting(
    given: list[str], strategies: list[str], expected: dict[str, str]
) -> None:
    assert parameter_overrides(given, strategies) == expected


@pytest.mark.parametrize(
    ("given", "strategies", "message"),
    [
        ("fst=1", ["ema_cross"], "--param fst: ema_cross has only fast, slow, stop_pct"),
        ("enabled=1", ["ema_cross"], "has only fast, slow"),
        ("fast", ["ema_cross"], "--param was 'fast', allowed: KEY=VALUE"),
        ("fast=1", ["ema_cross", "ai_signal"], "allowed: ema_cross.fast or ai_signal.fast"),
        ("ai_signal.label=atr", ["ema_cross"], "strategy was 'ai_signal', allowed: ema_cross"),
        ("a.b.c=1", ["ema_cross"], "strategy was 'a.b', allowed: ema_cross"),
    ],
)
def test_what_there_is_not_is_named(given: str, strategies: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parameter_overrides([given], strategies)


def test_a_parameter_twice_is_refused() -> None:
    with pytest.raises(InputError, match="--param fast was given twice"):
        parameter_overrides(["fast=1", "fast=2"], ["ema_cross"])


def test_an_unknown_strategy_is_named_with_those_there_are() -> None:
    check_strategies(["ema_cross", "ai_signal"])
    with pytest.raises(ConfigError, match="strategy was 'emacross', allowed: ema_cross, ai_signal"):
        check_strategies(["ema_cross", "emacross"])
